"""The outbox: each message leaves at least once, in order within a destination, or is given up by a fact.

A row is marked `sending` before its message leaves and `sent` after: a crash between the two leaves a row
that is looked up where the channel can be asked, and sent again marked as a repeat where it cannot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import orjson
from sqlalchemy import and_, func, select, update

from models.clock import monotonic
from models.commands import Actor, MarkDelivery
from models.crashpoint import crash_point
from models.desk import Desk
from models.record import OUTBOX, Tx, micros
from models.state import ENDED, Incident, StreamState
from models.supervised import attempt_async
from notifiers.briefing import Envelope, Matter, brief
from notifiers.message import Failed, Message, Notifier, Sent

T = TypeVar("T")
Run = Callable[[Callable[[], T]], Awaitable[T]]
log = logging.getLogger("hikeshi.outbox")
BATCH = 200
QUEUE = 20
DOUBT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Time constants of delivery, in seconds; tests inject their own."""

    backoff: tuple[float, ...] = (1, 2, 5, 10, 20, 30)
    give_up_page: float = 90
    give_up_notice: float = 3_600
    interval: Mapping[str, float] = field(default_factory=lambda: {"slack": 1.0})
    idle: float = 0.5
    patience: float = 30
    """Longest that one delivery may take before its outcome counts as unclear."""


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What one pass brought."""

    sent: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class _Item:
    """A claimed row."""

    id: int
    envelope: Envelope
    address: str | None
    further: tuple[str, ...]
    created_at: int
    next_try_at: int

    @property
    def destination(self) -> str:
        return f"{self.envelope.channel}:{self.envelope.person or self.address}"


class Outbox:
    """Delivers the rows of the outbox table. One per process; each destination has its own queue."""

    def __init__(
        self,
        desk: Desk,
        notifiers: Mapping[str, Notifier],
        run: Run[Any],
        link: Callable[[str, int, str], str] | None = None,
        fallback: Sequence[str] = (),
        pace: Pace | None = None,
    ) -> None:
        self.desk = desk
        self.notifiers = notifiers
        self.run_in_writer = run
        self.link = link or (lambda stream, page, person: "")
        self.fallback = tuple(fallback)
        self.pace = pace or Pace()
        self.woken = asyncio.Event()
        self.sent = 0
        self.failed = 0
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._free_at: dict[str, float] = {}
        self._last_error: dict[str, str] = {}
        self._mine: set[int] = set()
        self._doubt_at = 0.0

    def wake(self) -> None:
        """There may be something to deliver."""
        self.woken.set()

    @property
    def in_flight(self) -> int:
        """Destinations that are being served now."""
        return len(self._busy)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; then let what is under way end, for a moment."""
        while not stop.is_set():
            self.woken.clear()
            await attempt_async("outbox", self._dispatch)
            await _either(self.woken, stop, self.pace.idle)
        if self._busy:
            await asyncio.wait(list(self._busy.values()), timeout=2)

    async def drain(self, rounds: int = 50) -> Delivered:
        """Deliver what can be delivered now and return the counts; for one pass and for tests."""
        before = (self.sent, self.failed)
        self._doubt_at = 0.0
        for _ in range(rounds):
            await self._dispatch()
            if not self._busy:
                break
            await asyncio.wait(list(self._busy.values()))
        return Delivered(sent=self.sent - before[0], failed=self.failed - before[1])

    # -- claiming -------------------------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Rows that are under way and in nobody's hand: of an earlier life, or because a write failed.

        Their outcome is unclear: looked up where the channel can be asked, sent again as a repeat elsewhere.
        """
        if monotonic() < self._doubt_at:
            return
        self._doubt_at = monotonic() + DOUBT_SECONDS
        items = await self.run_in_writer(self._orphans)
        for item in items:
            await attempt_async(f"recover {item.envelope.key}", partial(self._recover_one, item))
        if len(items) == BATCH:
            self._doubt_at = 0.0
            self.woken.set()

    async def _recover_one(self, item: _Item) -> None:
        notifier = self.notifiers.get(item.envelope.channel)
        found = None
        if notifier is not None and notifier.can_read_back:
            message = await self.run_in_writer(partial(self._message, item))
            if message is not None:
                found = (await attempt_async("look", partial(notifier.arrived, message))).value
        await self.run_in_writer(partial(self._settle_orphan, item, found))

    def _orphans(self) -> list[_Item]:
        with self.desk.record.read() as tx:
            return _items(tx, and_(OUTBOX.c.state == "sending", OUTBOX.c.id.not_in(self._mine)))

    def _settle_orphan(self, item: _Item, found: Sent | None) -> None:
        if found is not None:
            self._mark_sent(item, found)
            return
        with self.desk.record.begin() as tx:
            _set(tx, item.id, state="queued", next_try_at=micros(self.desk.clock.now()))

    async def _dispatch(self) -> None:
        """Claim what is due for free destinations, and start serving them."""
        await attempt_async("outbox", self._recover)
        items = await self.run_in_writer(self._claim)
        for destination, queue in items.items():
            task = asyncio.create_task(self._serve(destination, queue))
            self._busy[destination] = task
            task.add_done_callback(partial(self._served, destination))

    def _served(self, destination: str, _: object) -> None:
        self._busy.pop(destination, None)
        self.woken.set()

    def _claim(self) -> dict[str, list[_Item]]:
        """In order within a destination: a message that waits to be tried again holds up those behind it."""
        now = micros(self.desk.clock.now())
        held: set[str] = set(self._busy)
        held |= {name for name, free in self._free_at.items() if free > monotonic()}
        chosen: dict[str, list[_Item]] = {}
        with self.desk.record.read() as tx:
            # The oldest of each destination first: a backlog for one must not hide the others.
            oldest = select(func.min(OUTBOX.c.id)).where(OUTBOX.c.state == "queued")
            heads = _items(tx, OUTBOX.c.id.in_(oldest.group_by(OUTBOX.c.channel, _WHO)))
            free = [item for item in heads if item.next_try_at <= now and item.destination not in held]
            for item in free:
                paced = item.envelope.channel in self.pace.interval
                chosen[item.destination] = [item] if paced else _queue(tx, item, now)
        taken = [item.id for queue in chosen.values() for item in queue]
        if taken:
            with self.desk.record.begin() as tx:
                tx.connection.execute(
                    update(OUTBOX)
                    .where(OUTBOX.c.id.in_(taken), OUTBOX.c.state == "queued")
                    .values(state="sending", tries=OUTBOX.c.tries + 1)
                )
            self._mine.update(taken)
            crash_point("claimed-outbox")
        return chosen

    # -- serving --------------------------------------------------------------------------------------------

    async def _serve(self, destination: str, queue: list[_Item]) -> None:
        try:
            await self._serve_all(destination, queue)
        finally:
            # What could not be marked is in nobody's hand from now on: `_recover` takes it up.
            self._mine.difference_update(item.id for item in queue)

    async def _serve_all(self, destination: str, queue: list[_Item]) -> None:
        for position, item in enumerate(queue):
            tried = await attempt_async(f"deliver {item.envelope.key}", partial(self._one, item))
            if tried.error is not None:
                self._doubt_at = 0.0
                await attempt_async("outbox", partial(self._back, item, "internal error"))
            if tried.value is not True:
                # Order within the destination: what is behind waits.
                await attempt_async("outbox", partial(self._unclaim, queue[position + 1 :]))
                return
        pause = self.pace.interval.get(queue[0].envelope.channel)
        if pause:
            self._free_at[destination] = monotonic() + pause

    async def _one(self, item: _Item) -> bool:
        """Deliver one message; whether the destination may get its next."""
        message = await self.run_in_writer(lambda: self._message(item))
        if message is None:
            await self.run_in_writer(lambda: self._withdraw(item))
            return True
        notifier = self.notifiers.get(message.channel)
        if notifier is None:
            answer: Sent | Failed = Failed(error=f"channel {message.channel} is not set up", retry="never")
        else:
            answer = await self._deliver(notifier, message)
        crash_point("sent-not-marked")
        if isinstance(answer, Sent):
            await self.run_in_writer(lambda: self._mark_sent(item, answer))
            return True
        self.failed += 1
        return await self._after_failure(item, message, notifier, answer)

    async def _deliver(self, notifier: Notifier, message: Message) -> Sent | Failed:
        try:
            async with asyncio.timeout(self.pace.patience):
                return await notifier.deliver(message)
        except TimeoutError:
            return Failed(error=f"no answer in {self.pace.patience:g} s", retry="unclear")

    async def _after_failure(
        self, item: _Item, message: Message, notifier: Notifier | None, answer: Failed
    ) -> bool:
        if answer.retry == "unclear" and notifier is not None and notifier.can_read_back:
            found = (await attempt_async("look", lambda: notifier.arrived(message))).value
            if found is not None:
                await self.run_in_writer(lambda: self._mark_sent(item, found))
                return True
        if answer.retry == "never" or self._too_late(item, answer):
            await self.run_in_writer(lambda: self._give_up(item, answer.error))
            return True
        await self.run_in_writer(lambda: self._again(item, answer))
        return False

    def _too_late(self, item: _Item, answer: Failed) -> bool:
        """Whether trying on would keep a page from its next channel."""
        limit = self.pace.give_up_page if item.envelope.kind == "page" else self.pace.give_up_notice
        age = (micros(self.desk.clock.now()) - item.created_at) / 1_000_000
        waits = answer.retry_after or 0
        return age + waits > limit or item.envelope.tries >= len(self.pace.backoff)

    async def _back(self, item: _Item, error: str) -> None:
        failed = Failed(error=error, retry="later")
        if self._too_late(item, failed):
            await self.run_in_writer(lambda: self._give_up(item, error))
        else:
            await self.run_in_writer(lambda: self._again(item, failed))

    async def _unclaim(self, items: list[_Item]) -> None:
        def put_back() -> None:
            with self.desk.record.begin() as tx:
                for item in items:
                    _set(tx, item.id, state="queued", tries=item.envelope.tries - 1)

        if items:
            await self.run_in_writer(put_back)

    # -- in the writer --------------------------------------------------------------------------------------

    def _message(self, item: _Item) -> Message | None:
        """What is to be said now; None if the page has been answered meanwhile."""
        envelope, desk = item.envelope, self.desk
        state = desk.state(envelope.stream)
        if not _still_asked(state, envelope):
            return None
        person = desk.directory.person(envelope.person) if envelope.person else None
        lang = person.lang if person else desk.premises.organisation.lang
        address = item.address or (person.address(envelope.channel) if person else None) or ""
        page = envelope.page if envelope.page in state.pages else 0
        link = self.link(envelope.stream, page, envelope.person) if envelope.person else ""
        matter = Matter(state=state, texts=desk.texts(envelope.stream), world=desk.world(state), link=link)
        return Message(
            key=envelope.key,
            channel=envelope.channel,
            address=address,
            person=envelope.person,
            lang=lang,
            kind=envelope.kind,
            template=envelope.template,
            context=brief(envelope, matter, lang),
            attempt=envelope.tries,
            drill=desk.premises.drill or bool(getattr(state, "drill", False)),
        )

    def _mark_sent(self, item: _Item, sent: Sent) -> None:
        now = self.desk.clock.now()
        with self.desk.writing() as tx:
            _set(tx, item.id, state="sent", sent_at=micros(now), receipt=sent.receipt[:200])
            outcome = self.desk.handle_in(
                tx, item.envelope.stream, self._mark(item, "sent", sent.rendering_failed)
            )
        self.desk.settled(outcome)
        self.sent += 1
        self._last_error.pop(item.envelope.channel, None)

    def _mark(self, item: _Item, outcome: Any, detail: str, further: tuple[str, ...] = ()) -> MarkDelivery:
        envelope = item.envelope
        return MarkDelivery(
            actor=Actor.machine("outbox"),
            key=envelope.key,
            outcome=outcome,
            page=envelope.page,
            level=int(envelope.level) if envelope.level.isdigit() else 0,
            channel=envelope.channel,
            person=envelope.person,
            tries=envelope.tries,
            detail=detail,
            further=further,
        )

    def _again(self, item: _Item, answer: Failed) -> None:
        """Try again after a while; the first failure is a fact, the others are counted by `tries`."""
        pause = self.pace.backoff[min(item.envelope.tries, len(self.pace.backoff)) - 1]
        pause = max(pause, answer.retry_after or 0)
        again_at = self.desk.clock.now() + timedelta(seconds=pause)
        self._last_error[item.envelope.channel] = answer.error
        with self.desk.writing() as tx:
            _set(tx, item.id, state="queued", next_try_at=micros(again_at), error=answer.error[:200])
            if item.envelope.tries > 1:
                return
            outcome = self.desk.handle_in(tx, item.envelope.stream, self._mark(item, "failed", answer.error))
        self.desk.settled(outcome)

    def _give_up(self, item: _Item, error: str) -> None:
        """A fact that pages the next: the person's next channel, or the next level (promise P3)."""
        rest = [one for one in (*item.further, *self.fallback) if one in self.notifiers]
        rest = [one for one in dict.fromkeys(rest) if one != item.envelope.channel]
        person = item.envelope.person
        self._last_error[item.envelope.channel] = error
        with self.desk.writing() as tx:
            _set(tx, item.id, state="given_up", error=error[:200])
            if rest and person:
                tx.enqueue([self._on_next_channel(tx, item, rest)])
            command = self._mark(item, "given_up", error, tuple(rest) if person else ())
            outcome = self.desk.handle_in(tx, item.envelope.stream, command)
        self.desk.settled(outcome)
        self.wake()

    def _on_next_channel(self, tx: Tx, item: _Item, rest: list[str]) -> dict[str, Any]:
        row = tx.connection.execute(select(OUTBOX).where(OUTBOX.c.id == item.id)).mappings().one()
        now = micros(self.desk.clock.now())
        prefix = item.envelope.key.rsplit("/", 1)[0]
        return {name: row[name] for name in row if name != "id"} | {
            "key": f"{prefix}/{rest[0]}:{item.envelope.person}",
            "channel": rest[0],
            "further": orjson.dumps(rest[1:]).decode(),
            "state": "queued",
            "tries": 0,
            "next_try_at": now,
            "created_at": now,
            "error": None,
            "receipt": None,
        }

    def _withdraw(self, item: _Item) -> None:
        with self.desk.record.begin() as tx:
            _set(tx, item.id, state="withdrawn")

    # -- figures --------------------------------------------------------------------------------------------

    def figures(self) -> dict[str, Any]:
        """Age of the oldest message and of the oldest page not yet sent, in seconds, and what fails."""
        now = micros(self.desk.clock.now())
        with self.desk.record.read() as tx:
            rows = tx.connection.execute(
                select(OUTBOX.c.kind, OUTBOX.c.created_at).where(OUTBOX.c.state.in_(["queued", "sending"]))
            ).all()
        ages = {
            kind: [(now - at) / 1e6 for found, at in rows if found == kind] for kind in ("page", "notice")
        }
        return {
            "waiting": len(rows),
            "outbox_age_seconds": round(max([0.0, *ages["page"], *ages["notice"]]), 3),
            "oldest_unsent_page_seconds": round(max([0.0, *ages["page"]]), 3),
            "channels_failing": dict(self._last_error),
        }


def _still_asked(state: StreamState, envelope: Envelope) -> bool:
    """Whether the message still says something: the page is open, the step still to be done."""
    if envelope.kind == "page":
        page = state.pages.get(envelope.page)
        return page is None or page.state == "open"
    if envelope.template != "notice.step_ready" or not isinstance(state, Incident):
        return True
    known = state.steps.get(envelope.subject.removeprefix("step:"))
    return state.status not in ENDED and known is not None and known.status in {"ready", "started"}


_WHO = func.coalesce(OUTBOX.c.person, OUTBOX.c.address)


def _queue(tx: Tx, head: _Item, now: int) -> list[_Item]:
    """What waits for one destination, in order, up to the first that has to wait longer."""
    who = head.envelope.person or head.address or ""
    same = and_(
        OUTBOX.c.state == "queued", OUTBOX.c.channel == head.envelope.channel, _WHO.is_not_distinct_from(who)
    )
    found = []
    for item in _items(tx, same, QUEUE):
        if item.next_try_at > now:
            break
        found.append(item)
    return found


def _items(tx: Tx, condition: Any, most: int = BATCH) -> list[_Item]:
    rows = tx.connection.execute(select(OUTBOX).where(condition).order_by(OUTBOX.c.id).limit(most))
    return [
        _Item(
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
        )
        for row in rows.mappings()
    ]


def _set(tx: Tx, row: int, **values: Any) -> None:
    tx.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row).values(values))


async def _either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    """Until one of the events is set, for at most `seconds`."""
    waiting = [asyncio.create_task(first.wait()), asyncio.create_task(second.wait())]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
