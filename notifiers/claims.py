"""Which rows of the outbox are to be served next, and in whose hand they are.

A line is what keeps its order: one channel, one address, one kind. Pages have a line of their own, so that
none waits behind a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import and_, func, not_, or_, select, update

from models.clock import monotonic
from models.crashpoint import crash_point
from models.record import OUTBOX, Record, Tx
from notifiers.briefing import Envelope

BATCH = 200
QUEUE = 20
_WHO = func.coalesce(OUTBOX.c.person, OUTBOX.c.address)


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
        return f"{self.destination}/{self.envelope.kind}"


class Claims:
    """The rows in this process's hand. Call from the writer's thread; `let_go` and `set_aside` from any."""

    def __init__(self, record: Record, paced: Collection[str]) -> None:
        """`paced` are channels of which one message at a time is taken for a destination."""
        self.record = record
        self._paced = paced
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
            for head in self._heads(tx, now):
                channel = head.envelope.channel
                if (
                    head.next_try_at > now
                    or head.line in busy
                    or not taken.isdisjoint((head.destination, channel))
                ):
                    continue
                if channel in self._paced:
                    taken.add(head.destination)
                chosen[head.line] = batch(self._queue(tx, head, now))
                if channel in left:
                    left[channel] -= 1
                    taken |= {channel} if left[channel] <= 0 else set()
        ids = [item.id for queue in chosen.values() for item in queue]
        if not ids:
            return {}
        got = self._mark(ids)
        crash_point("claimed-outbox")
        kept = {line: [item for item in queue if item.id in got] for line, queue in chosen.items()}
        return {line: queue for line, queue in kept.items() if queue}

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

    def _heads(self, tx: Tx, now: int) -> list[Item]:
        """The oldest row of each line: a backlog for one must not hide the others."""
        free = self._free(now)
        oldest = select(func.min(OUTBOX.c.id)).where(free)
        lines = oldest.group_by(OUTBOX.c.channel, _WHO, OUTBOX.c.kind)
        return items(tx, OUTBOX.c.id.in_(lines), pages_first=True)

    def _queue(self, tx: Tx, head: Item, now: int) -> list[Item]:
        """What waits in one line, in order, up to the first that has to wait longer."""
        envelope = head.envelope
        same = and_(
            self._free(now),
            OUTBOX.c.channel == envelope.channel,
            OUTBOX.c.kind == envelope.kind,
            _WHO.is_not_distinct_from(envelope.person or head.address or ""),
        )
        found = []
        for item in items(tx, same, QUEUE):
            if item.next_try_at > now:
                break
            found.append(item)
        return found

    def untried_pages(self, before: int) -> list[Item]:
        """Pages queued before an instant (microseconds) that no channel has been asked to deliver yet."""
        untried = and_(
            OUTBOX.c.state == "queued",
            OUTBOX.c.kind == "page",
            OUTBOX.c.tries == 0,
            OUTBOX.c.created_at < before,
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


def items(tx: Tx, condition: Any, most: int = BATCH, *, pages_first: bool = False) -> list[Item]:
    """The rows of `condition` in the order in which they were asked for, at most `most`."""
    order = (OUTBOX.c.kind.desc(), OUTBOX.c.id) if pages_first else (OUTBOX.c.id,)
    rows = tx.connection.execute(select(OUTBOX).where(condition).order_by(*order).limit(most))
    return [
        Item(
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
        for row in rows.mappings()
    ]


def put(tx: Tx, row: int, **values: Any) -> None:
    """Write columns of a row."""
    tx.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row).values(values))
