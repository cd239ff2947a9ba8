"""The outbox: each message leaves at least once, in order within its line, or is given up by a fact.

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
from sqlalchemy import select

from models.clock import monotonic
from models.commands import Actor, MarkDelivery
from models.crashpoint import crash_point
from models.desk import Desk
from models.record import OUTBOX, Tx, micros
from models.state import ENDED, Incident, StreamState
from models.supervised import attempt_async
from notifiers.briefing import Envelope
from notifiers.claims import Claims, Item, put
from notifiers.composing import compose
from notifiers.hold import Hold
from notifiers.message import Failed, Message, Notifier, Sent

T = TypeVar("T")
Run = Callable[[Callable[[], T]], Awaitable[T]]
log = logging.getLogger("hikeshi.outbox")
CONSOLE = "console"


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
    """What one pass brought: messages sent, and tries or messages that got nowhere.

    `held_by`: nothing was tried, because this process (its number, as far as known) delivers already.
    """

    sent: int = 0
    failed: int = 0
    held_by: str = ""


class Outbox:
    """Delivers the rows of the outbox table. One per record; each line has its own queue."""

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
        self.hold = Hold.beside(desk.record.url)
        self.turned_at = monotonic()
        """When what is due was last looked through, on the monotonic clock."""
        self._claims = Claims(desk.record, self.pace.interval)
        self._proof: dict[int, Sent] = {}
        self._failing: dict[str, int] = {}

    def wake(self) -> None:
        """There may be something to deliver."""
        self.woken.set()

    @property
    def in_flight(self) -> int:
        """Lines that are being served now."""
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
        """Deliver what can be delivered now and return the counts; for one pass and for tests.

        Nothing is tried while another process has the right to deliver: it has these messages in hand.
        """
        mine = self.hold.taken
        if not self.hold.take():
            return await self._held()
        try:
            return await self._drain(rounds)
        finally:
            if not mine:
                self.hold.release()

    async def _held(self) -> Delivered:
        waiting = (await self.run_in_writer(self.figures))["waiting"]
        holder = self.hold.holder() or "?"
        log.warning("process %s delivers the messages of this record; nothing was sent from here", holder)
        return Delivered(failed=waiting, held_by=holder)

    async def _drain(self, rounds: int) -> Delivered:
        before = (self.sent, self.failed)
        self._claims.recall()
        for _ in range(rounds):
            await self._dispatch()
            if not self._busy:
                break
            await asyncio.wait(list(self._busy.values()))
        return Delivered(sent=self.sent - before[0], failed=self.failed - before[1])

    # -- claiming -------------------------------------------------------------------------------------------

    async def _dispatch(self) -> None:
        """Claim what is due for free lines, and start serving them."""
        if self._failing:
            await attempt_async("outbox", self._pass_on)
        items = await self.run_in_writer(self._claim)
        for line, queue in items.items():
            task = asyncio.create_task(self._serve(queue))
            self._busy[line] = task
            task.add_done_callback(partial(self._served, line))
        self.turned_at = monotonic()

    def _served(self, line: str, _: object) -> None:
        self._busy.pop(line, None)
        self.woken.set()

    def _claim(self) -> dict[str, list[Item]]:
        resting = {name for name, free in self._free_at.items() if free > monotonic()}
        return self._claims.take(micros(self.desk.clock.now()), self._busy, resting)

    async def _pass_on(self) -> None:
        """A page that has waited too long behind one that fails goes to its next channel, untried here."""
        for item in await self.run_in_writer(self._kept_waiting):
            error = "waited behind a message that could not be delivered"
            tried = await attempt_async(
                "outbox", partial(self.run_in_writer, partial(self._give_up, item, error))
            )
            if tried.error is not None:
                self._rest(item)

    def _kept_waiting(self) -> list[Item]:
        """Only time during which its line failed counts: a node that was down has kept everybody waiting."""
        least = micros(self.desk.clock.now()) - int(self.pace.give_up_page * 1_000_000)
        return [
            item
            for item in self._claims.untried_pages(least)
            if self._failing.get(item.line, least) < least and self._rest_of(item)
        ]

    # -- serving --------------------------------------------------------------------------------------------

    async def _serve(self, queue: list[Item]) -> None:
        try:
            await self._serve_all(queue)
        finally:
            self._claims.let_go(queue)

    async def _serve_all(self, queue: list[Item]) -> None:
        for position, item in enumerate(queue):
            tried = await attempt_async(f"deliver {item.envelope.key}", partial(self._one, item))
            if tried.error is not None:
                await self._stumbled(item)
            if tried.value is not True:
                # Order within the line: what is behind waits.
                await attempt_async("outbox", partial(self._unclaim, queue[position + 1 :]))
                return
        pause = self.pace.interval.get(queue[0].envelope.channel)
        if pause:
            self._free_at[queue[0].destination] = monotonic() + pause

    async def _stumbled(self, item: Item) -> None:
        """The fault is ours: the incident is sick, or the record could not be written."""
        if item.id in self._proof:
            # It has arrived; only that is still to be written.
            self._rest(item)
            return
        if (await attempt_async("outbox", partial(self._back, item, "internal error"))).error is not None:
            self._rest(item)

    def _rest(self, item: Item) -> None:
        self._claims.set_aside(item, self._backoff(item))

    async def _one(self, item: Item) -> bool:
        """Deliver one message; whether the line may get its next."""
        proof = self._proof.get(item.id)
        if proof is not None:
            return await self._arrived(item, proof)
        message = await self.run_in_writer(lambda: self._message(item))
        if message is None:
            await self.run_in_writer(lambda: self._withdraw(item))
            return True
        notifier = self.notifiers.get(message.channel)
        if item.doubt and (found := await self._look(notifier, message)) is not None:
            return await self._arrived(item, found)
        if notifier is None:
            answer: Sent | Failed = Failed(error=f"channel {message.channel} is not set up", retry="never")
        else:
            answer = await self._deliver(notifier, message)
        crash_point("sent-not-marked")
        if isinstance(answer, Sent):
            return await self._arrived(item, answer)
        self.failed += 1
        self._failing.setdefault(item.line, micros(self.desk.clock.now()))
        return await self._after_failure(item, message, notifier, answer)

    async def _arrived(self, item: Item, sent: Sent) -> bool:
        """Mark it; the proof is kept until that is done, so that nothing is sent twice for want of a mark."""
        self._proof[item.id] = sent
        self._failing.pop(item.line, None)
        await self.run_in_writer(lambda: self._mark_sent(item, sent))
        del self._proof[item.id]
        return True

    async def _look(self, notifier: Notifier | None, message: Message) -> Sent | None:
        """The channel's proof that the message is there, if it can be asked and answers in time."""
        if notifier is None or not notifier.can_read_back:
            return None

        async def look() -> Sent | None:
            async with asyncio.timeout(self.pace.patience):
                return await notifier.arrived(message)

        return (await attempt_async("look", look)).value

    async def _deliver(self, notifier: Notifier, message: Message) -> Sent | Failed:
        try:
            async with asyncio.timeout(self.pace.patience):
                return await notifier.deliver(message)
        except TimeoutError:
            return Failed(error=f"no answer in {self.pace.patience:g} s", retry="unclear")

    async def _after_failure(
        self, item: Item, message: Message, notifier: Notifier | None, answer: Failed
    ) -> bool:
        if answer.retry == "unclear" and (found := await self._look(notifier, message)) is not None:
            return await self._arrived(item, found)
        if answer.retry == "never" or self._too_late(item, answer):
            await self.run_in_writer(lambda: self._give_up(item, answer.error))
        else:
            await self.run_in_writer(lambda: self._again(item, answer))
        return False

    def _too_late(self, item: Item, answer: Failed) -> bool:
        """Whether trying on would keep a page from its next channel.

        Its first failure counts no time that it spent in the queue: that was not this message's fault.
        """
        limit = self.pace.give_up_page if item.envelope.kind == "page" else self.pace.give_up_notice
        age = (micros(self.desk.clock.now()) - item.created_at) / 1_000_000 if item.envelope.tries > 1 else 0
        waits = answer.retry_after or 0
        return age + waits > limit or item.envelope.tries >= len(self.pace.backoff)

    def _backoff(self, item: Item) -> float:
        return self.pace.backoff[min(max(1, item.envelope.tries), len(self.pace.backoff)) - 1]

    async def _back(self, item: Item, error: str) -> None:
        failed = Failed(error=error, retry="later")
        if self._too_late(item, failed):
            await self.run_in_writer(lambda: self._give_up(item, error))
        else:
            await self.run_in_writer(lambda: self._again(item, failed))

    async def _unclaim(self, items: list[Item]) -> None:
        if items:
            await self.run_in_writer(partial(self._claims.put_back, items))

    # -- in the writer --------------------------------------------------------------------------------------

    def _message(self, item: Item) -> Message | None:
        """What is to be said now; None if the page has been answered meanwhile."""
        if not _still_asked(self.desk.state(item.envelope.stream), item.envelope):
            return None
        return compose(self.desk, item.envelope, item.address, self.link)

    def _mark_sent(self, item: Item, sent: Sent) -> None:
        now = self.desk.clock.now()
        with self.desk.writing() as tx:
            put(tx, item.id, state="sent", sent_at=micros(now), receipt=sent.receipt[:200])
            outcome = self.desk.handle_in(
                tx, item.envelope.stream, self._mark(item, "sent", sent.rendering_failed)
            )
        self.desk.settled(outcome)
        self.sent += 1
        self._last_error.pop(item.envelope.channel, None)

    def _mark(self, item: Item, outcome: Any, detail: str, further: tuple[str, ...] = ()) -> MarkDelivery:
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

    def _again(self, item: Item, answer: Failed) -> None:
        """Try again after a while; the first failure is a fact, the others are counted by `tries`."""
        pause = max(self._backoff(item), answer.retry_after or 0)
        again_at = self.desk.clock.now() + timedelta(seconds=pause)
        self._last_error[item.envelope.channel] = answer.error
        with self.desk.writing() as tx:
            put(tx, item.id, state="queued", next_try_at=micros(again_at), error=answer.error[:200])
            if item.envelope.tries > 1:
                return
            outcome = self.desk.handle_in(tx, item.envelope.stream, self._mark(item, "failed", answer.error))
        self.desk.settled(outcome)

    def _give_up(self, item: Item, error: str) -> None:
        """A fact that pages the next: the person's next channel, or the next level (promise P3)."""
        rest = self._rest_of(item)
        self._last_error[item.envelope.channel] = error
        with self.desk.writing() as tx:
            put(tx, item.id, state="given_up", error=error[:200])
            rest = _unused(tx, item, rest)
            if rest:
                tx.enqueue([self._on_next_channel(tx, item, rest[0])])
            # The console takes everything, read or not: as a mere fallback it is no reason to wait.
            counts = rest and (rest[0] != CONSOLE or CONSOLE in item.further)
            command = self._mark(item, "given_up", error, tuple(rest) if counts else ())
            outcome = self.desk.handle_in(tx, item.envelope.stream, command)
        self.desk.settled(outcome)
        self.wake()

    def _rest_of(self, item: Item) -> list[str]:
        """Channels that may come next: the person's own, then the installation's; none for a mere address."""
        if not item.envelope.person:
            return []
        known = [one for one in (*item.further, *self.fallback) if one in self.notifiers]
        return [one for one in dict.fromkeys(known) if one != item.envelope.channel]

    def _on_next_channel(self, tx: Tx, item: Item, channel: str) -> dict[str, Any]:
        row = tx.connection.execute(select(OUTBOX).where(OUTBOX.c.id == item.id)).mappings().one()
        now = micros(self.desk.clock.now())
        return {name: row[name] for name in row if name != "id"} | {
            "key": _key_on(item, channel),
            "channel": channel,
            "further": orjson.dumps([one for one in item.further if one != channel]).decode(),
            "state": "queued",
            "tries": 0,
            "next_try_at": now,
            "created_at": now,
            "error": None,
            "receipt": None,
        }

    def _withdraw(self, item: Item) -> None:
        with self.desk.record.begin() as tx:
            put(tx, item.id, state="withdrawn")

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


def _key_on(item: Item, channel: str) -> str:
    """The key of the same message to the same person on another channel."""
    return f"{item.envelope.key.rsplit('/', 1)[0]}/{channel}:{item.envelope.person}"


def _unused(tx: Tx, item: Item, channels: list[str]) -> list[str]:
    """Those that this message has not been given to before: a dead channel is not tried in a circle."""
    keys = {_key_on(item, one): one for one in channels}
    rows = tx.connection.execute(select(OUTBOX.c.key).where(OUTBOX.c.key.in_(keys)))
    used = {keys[row[0]] for row in rows}
    return [one for one in channels if one not in used]


async def _either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    """Until one of the events is set, for at most `seconds`."""
    waiting = [asyncio.create_task(first.wait()), asyncio.create_task(second.wait())]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
