"""Which rows of the outbox are to be served next, and in whose hand they are.

A line is what keeps its order: one channel, one address, one lane. Pages have a lane of their own, so that
none waits behind a notice, and so have the pages of a communication check, so that none waits behind a test.

Where several nodes share the record a row is in the hand of one of them, in its present life, until its lease
ends by the database's clock; a line of which one node has a row in hand is no other's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import orjson
from sqlalchemy import RowMapping, and_, case, func, not_, or_, select, update

from models.clock import from_micros, monotonic
from models.comcheck import TEMPLATE as COMCHECK_TEMPLATE
from models.crashpoint import crash_point
from models.errors import Superseded
from models.record import OUTBOX, Record, Tx
from notifiers.briefing import Envelope
from notifiers.leases import Leases

BATCH = 200
"""Lines that are taken up at once at most."""
QUEUE = 20
"""Messages of one line that are taken up at once at most."""
SHARED_BATCH, SHARED_QUEUE = 50, 5
"""The same where several nodes share the record: what one has in hand no other can send."""
MAX_LINES = 10_000
"""Lines that are looked through at once: one for each address and lane, so far beyond any institution."""
LOCK = "outbox"
PAGE, CHECK = "page", "check"
LANES = (PAGE, "notice", CHECK)
"""Who goes first: a test comes after everything that is meant."""
_WHO = func.coalesce(OUTBOX.c.person, OUTBOX.c.address)
_IS_CHECK = OUTBOX.c.template == COMCHECK_TEMPLATE
_LANE = case((_IS_CHECK, CHECK), else_=OUTBOX.c.kind)


@dataclass(frozen=True, kw_only=True)
class Item:
    """A row to serve. `doubt`: it was under way in an earlier life, or its outcome could not be written.

    `epoch` is that of the life which claimed it, where several nodes share the record.
    """

    id: int
    envelope: Envelope
    address: str | None
    further: tuple[str, ...]
    created_at: int
    next_try_at: int
    doubt: bool = False
    epoch: int = 0

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
        self,
        record: Record,
        leases: Leases,
        paced: Collection[str],
        reserve: Mapping[str, int] | None = None,
    ) -> None:
        """`paced` are channels of which one message at a time is taken for a destination; `reserve` is how
        many messages of a channel's minute no communication check may have.
        """
        self.record = record
        self.leases = leases
        self._paced = paced
        self._reserve = reserve or {}
        self._mine: dict[int, float] = {}
        """Rows in hand, and until when they are ours on the monotonic clock."""
        self._stamp = 0
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
        choose = partial(self._choose, now=now, busy=busy, resting=resting, rooms=rooms, batch=batch)
        until = self.leases.until()
        if self.leases.shared:
            with self.record.begin() as tx:
                chosen = choose(tx)
                if chosen:
                    # Two that choose at once would take successive rows of one line.
                    tx.hold(LOCK, told=True)
                    chosen = choose(tx)
                got = self._mark(tx, _ids(chosen))
        else:
            with self.record.read() as tx:
                chosen = choose(tx)
            if not chosen:
                return {}
            with self.record.begin() as tx:
                got = self._mark(tx, _ids(chosen))
        if not got:
            return {}
        self._mine |= dict.fromkeys(got, until)
        crash_point("claimed-outbox")
        epoch = self.leases.life.epoch if self.leases.shared else 0
        kept = {
            line: [replace(item, epoch=epoch) for item in queue if item.id in got]
            for line, queue in chosen.items()
        }
        return {line: queue for line, queue in kept.items() if queue}

    def _choose(
        self,
        tx: Tx,
        *,
        now: int,
        busy: Collection[str],
        resting: Collection[str],
        rooms: Mapping[str, int],
        batch: Callable[[list[Item]], list[Item]],
    ) -> dict[str, list[Item]]:
        """What would be claimed now, by line."""
        chosen: dict[str, list[Item]] = {}
        left = dict(rooms)
        taken = set(resting)
        busy = {*busy, *self._elsewhere(tx, now)}
        spoken_to = {line.rpartition("/")[0] for line in busy}
        for head in _in_turn(one for one in self._heads(tx, now) if one.line not in busy):
            if not taken.isdisjoint((head.destination, head.channel)) or not self._has_room(head, left):
                continue
            # A page may pass a notice that hangs; the others wait until the destination has been served.
            if head.channel in self._paced and head.lane != PAGE and head.destination in spoken_to:
                continue
            waiting = self._queue(tx, head, now)
            if not waiting:
                continue  # another node has taken it since we looked
            if head.channel in self._paced:
                taken.add(head.destination)
            chosen[head.line] = batch(waiting)
            if head.channel in left:
                left[head.channel] -= 1
            if len(chosen) >= (SHARED_BATCH if tx.shared else BATCH):
                break
        return chosen

    def _elsewhere(self, tx: Tx, now: int) -> set[str]:
        """Lines of which another node has a row in hand: what is behind it waits for its outcome."""
        if not tx.shared:
            return set()
        self._stamp = tx.instant(from_micros(now))
        in_hand = and_(
            OUTBOX.c.state == "sending", OUTBOX.c.id.not_in(list(self._mine)), not_(self._lapsed())
        )
        rows = tx.connection.execute(select(OUTBOX.c.channel, _WHO, _LANE).where(in_hand))
        return {f"{channel}:{who}/{lane}" for channel, who, lane in rows}

    def _lapsed(self) -> Any:
        """Rows whose lease has ended, and those that we had in hand in an earlier life or let go in this."""
        life = self.leases.life
        ours = and_(OUTBOX.c.node == life.node, OUTBOX.c.epoch <= life.epoch)
        return or_(func.coalesce(OUTBOX.c.lease_until, 0) < self._stamp, ours)

    def _has_room(self, head: _Head, left: Mapping[str, int]) -> bool:
        """Whether its channel's minute has something left for it; a test leaves the reserve to the others."""
        kept = self._reserve.get(head.channel, 0) if head.lane == CHECK else 0
        return head.channel not in left or left[head.channel] > kept

    def _mark(self, tx: Tx, ids: list[int]) -> set[int]:
        """Mark the rows as under way, and return those that nobody else had taken meanwhile."""
        if not ids:
            return set()
        values: dict[str, Any] = {"state": "sending", "tries": OUTBOX.c.tries + 1}
        if tx.shared:
            life = self.leases.life
            values |= {"node": life.node, "epoch": life.epoch, "lease_until": self._lease_until(self._stamp)}
        rows = tx.connection.execute(
            update(OUTBOX).where(OUTBOX.c.id.in_(ids), self._waiting()).values(values).returning(OUTBOX.c.id)
        )
        return {row[0] for row in rows}

    def _lease_until(self, stamp: int) -> int:
        return stamp + int(self.leases.seconds * 1_000_000)

    def _waiting(self) -> Any:
        """Rows that nobody has in hand: queued, or under way though nobody knows of it."""
        orphaned = and_(OUTBOX.c.state == "sending", OUTBOX.c.id.not_in(list(self._mine)))
        if self.leases.shared:
            orphaned = and_(orphaned, self._lapsed())
        return or_(OUTBOX.c.state == "queued", orphaned)

    def renew(self, tx: Tx, now: datetime) -> set[int]:
        """Keep what is in hand for another while; those that still are ours, once this is committed."""
        if not self.leases.shared or not self._mine:
            return set()
        life = self.leases.life
        ours = (OUTBOX.c.state == "sending", OUTBOX.c.node == life.node, OUTBOX.c.epoch == life.epoch)
        rows = tx.connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.id.in_(list(self._mine)), *ours)
            .values(lease_until=self._lease_until(tx.instant(now)))
            .returning(OUTBOX.c.id)
        )
        return {row[0] for row in rows}

    def renewed(self, ids: Collection[int], until: float) -> None:
        """It is committed: these are ours until then."""
        for row in self._mine.keys() & ids:
            self._mine[row] = until

    def must_have(self, served: Sequence[Item]) -> None:
        """Raises Superseded if one of these is not ours any more: another may be sending it."""
        for item in served if self.leases.shared else ():
            if self._mine.get(item.id, 0.0) <= monotonic():
                raise Superseded(f"{item.envelope.key} was in hand for too long, and is left to the others")

    def lose(self) -> None:
        """Nothing is ours any more: others have given up the life that claimed it."""
        self._mine = {}

    def put(self, tx: Tx, item: Item, **values: Any) -> None:
        """Write what became of a row. Raises Superseded if it is in another's hand by now."""
        where = [OUTBOX.c.id == item.id]
        if tx.shared and item.epoch:
            life = (OUTBOX.c.node == self.leases.life.node, OUTBOX.c.epoch == item.epoch)
            where += [OUTBOX.c.state == "sending", *life]
        elif tx.shared:
            where += [OUTBOX.c.state == "queued"]
        if tx.connection.execute(update(OUTBOX).where(*where).values(values)).rowcount == 0 and tx.shared:
            raise Superseded(f"{item.envelope.key} is in another node's hand, and is left to it")

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
        for item in items(tx, same, SHARED_QUEUE if tx.shared else QUEUE):
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

    def sent_since(self, channel: str, since: int) -> int:
        """How many messages a channel has taken since an instant (microseconds), from whichever node."""
        lately = and_(OUTBOX.c.channel == channel, OUTBOX.c.state == "sent", OUTBOX.c.sent_at > since)
        with self.record.read() as tx:
            return int(tx.connection.execute(select(func.count()).where(lately)).scalar_one())

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
                with suppress(Superseded):
                    self.put(tx, item, state="queued", tries=item.envelope.tries - 1)

    def let_go(self, served: Sequence[Item]) -> None:
        """Whatever could not be marked is in nobody's hand from now on, and is taken up again in doubt."""
        for item in served:
            self._mine.pop(item.id, None)

    def set_aside(self, item: Item, seconds: float) -> None:
        """A row that fails by our own fault rests for a while, and holds up nobody behind it."""
        self._aside[item.id] = monotonic() + seconds

    def recall(self) -> None:
        """What was set aside may be taken up at once."""
        self._aside.clear()


def _ids(chosen: Mapping[str, Sequence[Item]]) -> list[int]:
    return [item.id for queue in chosen.values() for item in queue]


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
