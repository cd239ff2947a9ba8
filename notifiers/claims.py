"""Which rows of the outbox are to be served next, and in whose hand they are.

A line is what keeps its order: one channel, one address, one lane. Pages have a lane of their own, so that
none waits behind a notice, and so have the pages of a communication check, so that none waits behind a test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import RowMapping, and_, case, func, not_, or_, select, update

from models.clock import monotonic
from models.comcheck import TEMPLATE as COMCHECK_TEMPLATE
from models.crashpoint import crash_point
from models.record import OUTBOX, Record, Tx
from notifiers.briefing import Envelope

BATCH = 200
"""Lines that are taken up at once at most."""
QUEUE = 20
MAX_LINES = 10_000
"""Lines that are looked through at once: one for each address and lane, so far beyond any institution."""
PAGE, CHECK = "page", "check"
LANES = (PAGE, "notice", CHECK)
"""Who goes first: a test comes after everything that is meant."""
_WHO = func.coalesce(OUTBOX.c.person, OUTBOX.c.address)
_IS_CHECK = OUTBOX.c.template == COMCHECK_TEMPLATE
_LANE = case((_IS_CHECK, CHECK), else_=OUTBOX.c.kind)


@dataclass(frozen=True, kw_only=True)
class Item:
    """A row to serve. `doubt`: it was under way in an earlier life, or its outcome could not be written."""

    id: int
    envelope: Envelope
    address: str | None
    further: tuple[str, ...]
    created_at: int
    next_try_at: int
    doubt: bool = False

    @property
    def destination(self) -> str:
        """Channel and address: what a channel's pace is counted for."""
        return f"{self.envelope.channel}:{self.envelope.person or self.address}"

    @property
    def line(self) -> str:
        """What keeps its order."""
        lane = CHECK if self.envelope.template == COMCHECK_TEMPLATE else self.envelope.kind
        return f"{self.destination}/{lane}"


@dataclass(frozen=True, kw_only=True)
class _Head:
    """Whose turn it is in a line, and how many wait there. `row` becomes an item only once it is chosen."""

    channel: str
    who: str | None
    lane: str
    row: RowMapping
    waiting: int

    @property
    def destination(self) -> str:
        return f"{self.channel}:{self.who}"

    @property
    def line(self) -> str:
        return f"{self.destination}/{self.lane}"


class Claims:
    """The rows in this process's hand. Call from the writer's thread; `let_go` and `set_aside` from any."""

    def __init__(
        self, record: Record, paced: Collection[str], reserve: Mapping[str, int] | None = None
    ) -> None:
        """`paced` are channels of which one message at a time is taken for a destination; `reserve` is how
        many messages of a channel's minute no communication check may have.
        """
        self.record = record
        self._paced = paced
        self._reserve = reserve or {}
        self._mine: set[int] = set()
        self._aside: dict[int, float] = {}

    def take(
        self,
        now: int,
        busy: Collection[str],
        resting: Collection[str],
        rooms: Mapping[str, int],
        batch: Callable[[list[Item]], list[Item]],
    ) -> dict[str, list[Item]]:
        """Claim what is due (`now` in microseconds) and return it by line, pages first.

        `busy` are lines, `resting` destinations and channels that get nothing now; `rooms` is how many
        messages a channel may still take; `batch` says how much of what waits in a line leaves with its head.
        A message that waits to be tried again holds up its own line and no other.
        """
        self._aside = {row: until for row, until in self._aside.items() if until > monotonic()}
        chosen: dict[str, list[Item]] = {}
        left = dict(rooms)
        with self.record.read() as tx:
            taken = set(resting)
            spoken_to = {line.rpartition("/")[0] for line in busy}
            for head in _in_turn(one for one in self._heads(tx, now) if one.line not in busy):
                if not taken.isdisjoint((head.destination, head.channel)) or not self._has_room(head, left):
                    continue
                # A page may pass a notice that hangs; the others wait until the destination has been served.
                if head.channel in self._paced and head.lane != PAGE and head.destination in spoken_to:
                    continue
                if head.channel in self._paced:
                    taken.add(head.destination)
                chosen[head.line] = batch(self._queue(tx, head, now))
                if head.channel in left:
                    left[head.channel] -= 1
                if len(chosen) >= BATCH:
                    break
        ids = [item.id for queue in chosen.values() for item in queue]
        if not ids:
            return {}
        got = self._mark(ids)
        crash_point("claimed-outbox")
        kept = {line: [item for item in queue if item.id in got] for line, queue in chosen.items()}
        return {line: queue for line, queue in kept.items() if queue}

    def _has_room(self, head: _Head, left: Mapping[str, int]) -> bool:
        """Whether its channel's minute has something left for it; a test leaves the reserve to the others."""
        kept = self._reserve.get(head.channel, 0) if head.lane == CHECK else 0
        return head.channel not in left or left[head.channel] > kept

    def _mark(self, ids: list[int]) -> set[int]:
        """Mark the rows as under way, and return those that nobody else had taken meanwhile."""
        with self.record.begin() as tx:
            rows = tx.connection.execute(
                update(OUTBOX)
                .where(OUTBOX.c.id.in_(ids), self._waiting())
                .values(state="sending", tries=OUTBOX.c.tries + 1)
                .returning(OUTBOX.c.id)
            )
            got = {row[0] for row in rows}
        self._mine |= got
        return got

    def _waiting(self) -> Any:
        """Rows that nobody has in hand: queued, or under way though nobody here knows of it."""
        orphaned = and_(OUTBOX.c.state == "sending", OUTBOX.c.id.not_in(self._mine))
        return or_(OUTBOX.c.state == "queued", orphaned)

    def _free(self, now: int) -> Any:
        """Rows that stand in their line: not set aside, and not those whose own time has yet to come.

        A row that was tried and waits to be tried again does stand in it, and holds up what is behind.
        """
        early = and_(OUTBOX.c.tries == 0, OUTBOX.c.next_try_at > now)
        return and_(self._waiting(), OUTBOX.c.id.not_in(self._aside), not_(early))

    def _heads(self, tx: Tx, now: int) -> Iterator[_Head]:
        """Whose turn it is in each line that has something to send now, pages first, then the oldest.

        Of all lines, and not of the first so many: which of them rest is known only afterwards, and a backlog
        of one channel must not hide the others.
        """
        oldest = select(func.min(OUTBOX.c.id).label("first"), func.count().label("waiting"))
        lines = oldest.where(self._free(now)).group_by(OUTBOX.c.channel, _WHO, _LANE).subquery()
        query = (
            select(OUTBOX, _WHO.label("who"), _LANE.label("lane"), lines.c.waiting)
            .join(lines, OUTBOX.c.id == lines.c.first)
            .where(OUTBOX.c.next_try_at <= now)
            .order_by(OUTBOX.c.kind.desc(), OUTBOX.c.id)
            .limit(MAX_LINES)
        )
        for row in tx.connection.execute(query).mappings():
            yield _Head(
                channel=row["channel"], who=row["who"], lane=row["lane"], row=row, waiting=row["waiting"]
            )

    def _queue(self, tx: Tx, head: _Head, now: int) -> list[Item]:
        """What waits in one line, in order, up to the first that has to wait longer."""
        if head.waiting == 1:
            return [_item(head.row)]
        same = and_(
            self._free(now),
            OUTBOX.c.channel == head.channel,
            _LANE.in_([head.lane]),
            _WHO.is_not_distinct_from(head.who),
        )
        found = []
        for item in items(tx, same, QUEUE):
            if item.next_try_at > now:
                break
            found.append(item)
        return found

    def untried_pages(self, before: int, lines: Collection[str]) -> list[Item]:
        """Pages of these lines, queued before an instant (microseconds), that nothing has been tried for yet.

        Those of a communication check are left out: in a test nothing stands in for a channel.
        """
        destinations = [line.removesuffix("/page") for line in lines if line.endswith("/page")]
        untried = and_(
            OUTBOX.c.state == "queued",
            OUTBOX.c.kind == "page",
            OUTBOX.c.tries == 0,
            OUTBOX.c.created_at < before,
            (OUTBOX.c.channel + ":" + _WHO).in_(destinations),
            not_(_IS_CHECK),
        )
        with self.record.read() as tx:
            return items(tx, untried)

    def ages(self, now: int) -> dict[str, list[float]]:
        """How old the messages are that have not left, in seconds, by kind; `now` in microseconds.

        What waits for its delay, or for the end of quiet hours, is not late and not counted.
        """
        late = and_(OUTBOX.c.state.in_(["queued", "sending"]), OUTBOX.c.created_at <= now)
        with self.record.read() as tx:
            rows = tx.connection.execute(select(OUTBOX.c.kind, OUTBOX.c.created_at).where(late)).all()
        found: dict[str, list[float]] = {"page": [], "notice": []}
        for kind, at in rows:
            found[kind].append((now - at) / 1e6)
        return found

    def put_back(self, unserved: Sequence[Item]) -> None:
        """These were claimed and not tried; they wait again."""
        with self.record.begin() as tx:
            for item in unserved:
                put(tx, item.id, state="queued", tries=item.envelope.tries - 1)

    def let_go(self, served: Sequence[Item]) -> None:
        """Whatever could not be marked is in nobody's hand from now on, and is taken up again in doubt."""
        self._mine.difference_update(item.id for item in served)

    def set_aside(self, item: Item, seconds: float) -> None:
        """A row that fails by our own fault rests for a while, and holds up nobody behind it."""
        self._aside[item.id] = monotonic() + seconds

    def recall(self) -> None:
        """What was set aside may be taken up at once."""
        self._aside.clear()


def _in_turn(heads: Iterator[_Head]) -> list[_Head]:
    """Lane by lane; within a lane the first of each channel, then the second of each."""
    before: Counter[tuple[str, str]] = Counter()
    turns: list[tuple[int, int, _Head]] = []
    for head in heads:
        before[(head.lane, head.channel)] += 1
        turns.append((LANES.index(head.lane), before[(head.lane, head.channel)], head))
    return [head for _, _, head in sorted(turns, key=lambda one: one[:2])]


def items(tx: Tx, condition: Any, most: int = BATCH) -> list[Item]:
    """The rows of `condition` in the order in which they were asked for, at most `most`."""
    rows = tx.connection.execute(select(OUTBOX).where(condition).order_by(OUTBOX.c.id).limit(most))
    return [_item(row) for row in rows.mappings()]


def _item(row: RowMapping) -> Item:
    return Item(
        id=row["id"],
        envelope=Envelope(
            key=row["key"],
            stream=row["stream"],
            page=row["page"],
            cause=row["cause"],
            level=row["level"],
            attempt=row["attempt"],
            kind=row["kind"],
            template=row["template"],
            subject=row["subject"],
            person=row["person"],
            deputy_for=row["deputy_for"],
            channel=row["channel"],
            tries=row["tries"] + 1,
        ),
        address=row["address"],
        further=tuple(orjson.loads(row["further"])),
        created_at=row["created_at"],
        next_try_at=row["next_try_at"],
        doubt=row["state"] == "sending",
    )


def put(tx: Tx, row: int, **values: Any) -> None:
    """Write columns of a row."""
    tx.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row).values(values))
