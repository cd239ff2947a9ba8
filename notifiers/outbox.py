"""The outbox: each message leaves at least once, in order within its line, or is given up by a fact.

A row is marked `sending` before its message leaves and `sent` after: a crash between the two leaves a row
that is looked up where the channel can be asked, and sent again marked as a repeat where it cannot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from models.clock import monotonic
from models.comcheck import TEMPLATE as COMCHECK_TEMPLATE
from models.commands import Actor, MarkDelivery
from models.crashpoint import crash_point
from models.desk import HOUSE, Desk
from models.record import Tx, micros
from models.supervised import attempt_async
from notifiers.asked import level_of, still_asked
from notifiers.bundling import bundle, run_of
from notifiers.claims import Claims, Item
from notifiers.composing import compose
from notifiers.enrolment import broken_off, kept_in
from notifiers.handing_on import CONSOLE, hand_on, reached_elsewhere, untried
from notifiers.hold import Hold
from notifiers.holding import Holding
from notifiers.leases import Leases
from notifiers.message import Failed, Message, Notifier, Sent
from notifiers.pacing import Pace, Pacing

T = TypeVar("T")
Run = Callable[[Callable[[], T]], Awaitable[T]]
log = logging.getLogger("hikeshi.outbox")
RENEW_SECONDS = 5.0
HEAD_START_SECONDS = 0.005
"""What the first line of a turn has before the others: enough to write one message and hand it over."""


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
        link: Callable[[str, int, str, str], str] | None = None,
        fallback: Sequence[str] = (),
        pace: Pace | None = None,
    ) -> None:
        self.desk = desk
        self.notifiers = notifiers
        self.run_in_writer = run
        self.link = link or (lambda stream, page, person, channel: "")
        self.fallback = tuple(fallback)
        self.pace = pace or Pace()
        self.woken = asyncio.Event()
        self.sent = 0
        self.failed = 0
        self._busy: dict[str, asyncio.Task[None]] = {}
        self.pacing = Pacing(self.pace.interval, self.pace.per_minute)
        self._last_error: dict[str, str] = {}
        self.hold = Hold.beside(desk.record.url)
        self.turned_at = monotonic()
        """When what is due was last looked through, on the monotonic clock."""
        leases = Leases.for_once(desk.record)
        self._claims = Claims(desk.record, leases, self.pace.interval, self.pacing.reserve())
        paced = {*self.pace.interval, *self.pace.per_minute}.intersection(notifiers)
        self.holding = Holding(desk, self._claims, self.pacing, paced)
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
            await self.run_in_writer(self.holding.renew)
            await self._dispatch()
            if not self._busy:
                break
            while (await asyncio.wait(list(self._busy.values()), timeout=RENEW_SECONDS))[1]:
                await self.run_in_writer(self.holding.renew)
        await self.run_in_writer(self.holding.leave)
        return Delivered(sent=self.sent - before[0], failed=self.failed - before[1])

    # -- claiming -------------------------------------------------------------------------------------------

    async def _dispatch(self) -> None:
        """Claim what is due for free lines, and start serving them."""
        if self._failing:
            await attempt_async("outbox", self._pass_on)
        items = await self.run_in_writer(self._claim)
        for number, (line, queue) in enumerate(items.items()):
            task = asyncio.create_task(self._serve(queue))
            self._busy[line] = task
            task.add_done_callback(partial(self._served, line))
            if number == 0 and len(items) > 1:
                # Else the first page would leave only when the messages of all lines are written.
                await asyncio.wait([task], timeout=HEAD_START_SECONDS)
        self.turned_at = monotonic()

    def _served(self, line: str, _: object) -> None:
        self._busy.pop(line, None)
        self.woken.set()

    def _claim(self) -> dict[str, list[Item]]:
        now = micros(self.desk.clock.now())
        resting = self.pacing.resting() | self.holding.closed()
        taken = self._claims.take(now, self._busy, resting, self.pacing.rooms(), self._batch)
        for queue in taken.values():
            self.pacing.leaves(queue[0].envelope.channel)
        return taken

    def _batch(self, queue: list[Item]) -> list[Item]:
        """What leaves together, from the head of a line; of a paced channel that is one message's worth."""
        paced = queue[0].envelope.channel in self.pace.interval
        return self._run_of(queue) or (queue[:1] if paced else queue)

    def _run_of(self, queue: list[Item]) -> list[Item]:
        channel = queue[0].envelope.channel
        more_than = 0 if channel in self.pace.unbundled else self.pace.bundle_more_than
        return run_of(queue, more_than)[: self.pace.bundle_at_most.get(channel)]

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
        lines = [line for line, since in self._failing.items() if since < least]
        return [item for item in self._claims.untried_pages(least, lines) if self._rest_of(item)]

    # -- serving --------------------------------------------------------------------------------------------

    async def _serve(self, queue: list[Item]) -> None:
        try:
            await self._serve_all(queue)
        finally:
            self._claims.let_go(queue)

    async def _serve_all(self, queue: list[Item]) -> None:
        if self._run_of(queue):
            await self._together(queue)
        else:
            await self._one_by_one(queue)
        self.pacing.pause(queue[0].destination)

    async def _one_by_one(self, queue: list[Item]) -> None:
        for position, item in enumerate(queue):
            tried = await attempt_async(f"deliver {item.envelope.key}", partial(self._one, item))
            if tried.error is not None:
                await self._stumbled(item)
            if tried.value is not True:
                # Order within the line: what is behind waits.
                await attempt_async("outbox", partial(self._unclaim, queue[position + 1 :]))
                return

    async def _together(self, queue: list[Item]) -> None:
        """One message for all of them; one that cannot be written down for its own reasons is left out."""
        items, messages = [], []
        looked = monotonic()
        for item in queue:
            # Once looking has taken all the time there is, the rest goes again unseen, as a repeat.
            look = monotonic() - looked < self.pace.patience
            tried = await attempt_async(f"deliver {item.envelope.key}", partial(self._prepared, item, look))
            if tried.error is not None:
                await self._stumbled(item)
            elif tried.value is not None:
                items.append(item)
                messages.append(tried.value)
        if messages:
            message = bundle(messages) if len(messages) > 1 else messages[0]
            await attempt_async(f"deliver {message.key}", partial(self._send, items, message))

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
        message = await self._prepared(item)
        return message is None or await self._send([item], message)

    async def _prepared(self, item: Item, look: bool = True) -> Message | None:
        """What is to be sent; None if nothing is: it has arrived before, or been answered meanwhile."""
        proof = self._proof.get(item.id)
        if proof is not None:
            await self._arrived(item, proof)
            return None
        message: Message | str | None = await self.run_in_writer(lambda: self._message(item))
        if isinstance(message, str):
            await self.run_in_writer(partial(self._give_up, item, message))
            return None
        if message is None:
            await self.run_in_writer(lambda: self._withdraw(item))
            return None
        if (
            item.doubt
            and look
            and (found := await self._look(self.notifiers.get(message.channel), message)) is not None
        ):
            await self._arrived(item, found)
            return None
        return message

    async def _send(self, items: list[Item], message: Message) -> bool:
        """Hand it over, and write down for each row what became of it."""
        notifier, head = self.notifiers.get(message.channel), items[0]
        self._claims.must_have(items)
        if notifier is None:
            answer: Sent | Failed = Failed(error=f"channel {message.channel} is not set up", retry="never")
        else:
            answer = await self._deliver(notifier, message)
        crash_point("sent-not-marked")
        if isinstance(answer, Failed):
            self.failed += len(items)
            self._failing.setdefault(head.line, micros(self.desk.clock.now()))
            self._refused(head, answer.retry_after or 0)
            found = await self._look(notifier, message) if answer.retry == "unclear" else None
            if found is None:
                await self._each(items, partial(self._after_failure, answer=answer))
                return False
            answer = found
        self.pacing.took(head.destination)
        self.pacing.leaves(message.channel, answer.posts - 1)
        # All proofs first: if one mark fails, none of the others is sent again.
        self._proof.update({item.id: answer for item in items})
        await self._each(items, partial(self._arrived, sent=answer))
        return True

    def _refused(self, item: Item, seconds: float) -> None:
        """A destination that asks for a pause gets one, as long as its pages can bear.

        What it asked of a notice holds up no page: that waits in the notice's own line. And rather than wait
        for longer than a page may, the next page is tried, and goes to another channel at once.
        """
        if seconds and item.envelope.kind == "page" and seconds <= self.pace.give_up_page:
            self.pacing.refused(item.destination, seconds)

    async def _each(self, items: list[Item], write: Callable[[Item], Awaitable[None]]) -> None:
        """Write something down for each row. Of one row alone a fault goes through, of many it is its own."""
        if len(items) == 1:
            await write(items[0])
            return
        for item in items:
            if (await attempt_async(f"mark {item.envelope.key}", partial(write, item))).error is not None:
                await self._stumbled(item)

    async def _arrived(self, item: Item, sent: Sent) -> None:
        """Mark it; the proof is kept until that is done, so that nothing is sent twice for want of a mark."""
        self._proof[item.id] = sent
        self._failing.pop(item.line, None)
        await self.run_in_writer(lambda: self._mark_sent(item, sent))
        del self._proof[item.id]

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

    async def _after_failure(self, item: Item, answer: Failed) -> None:
        if answer.retry == "never" or self._too_late(item, answer):
            await self.run_in_writer(lambda: self._give_up(item, answer.error))
        else:
            await self.run_in_writer(lambda: self._again(item, answer))

    def _too_late(self, item: Item, answer: Failed) -> bool:
        """Whether trying on would keep a page from its next channel.

        A notice has its whole time, however often that is, unless each try may have brought one more copy.
        Its first failure counts no time that it spent in the queue: that was not this message's fault.
        """
        limit = self.pace.give_up_page if item.envelope.kind == "page" else self.pace.give_up_notice
        age = (micros(self.desk.clock.now()) - item.created_at) / 1_000_000 if item.envelope.tries > 1 else 0
        waits = answer.retry_after or 0
        counted = item.envelope.kind == "page" or answer.retry == "unclear"
        return age + waits > limit or (counted and self._tried_out(item))

    def _tried_out(self, item: Item) -> bool:
        return item.envelope.tries >= len(self.pace.backoff)

    def _backoff(self, item: Item) -> float:
        return self.pace.backoff[min(max(1, item.envelope.tries), len(self.pace.backoff)) - 1]

    async def _back(self, item: Item, error: str) -> None:
        failed = Failed(error=error, retry="later")
        # The fault is ours: a notice of a sick incident must not hold up its line for its whole time.
        if self._too_late(item, failed) or self._tried_out(item):
            await self.run_in_writer(lambda: self._give_up(item, error))
        else:
            await self.run_in_writer(lambda: self._again(item, failed))

    async def _unclaim(self, items: list[Item]) -> None:
        if items:
            await self.run_in_writer(partial(self._claims.put_back, items))

    # -- in the writer --------------------------------------------------------------------------------------

    def _message(self, item: Item) -> Message | str | None:
        """What is to be said now; None if the page has been answered meanwhile, or why it may not leave."""
        envelope = item.envelope
        if not still_asked(self.desk.state(envelope.stream), envelope) or broken_off(self.desk, envelope):
            return None
        why = kept_in(self.desk, envelope, item.address)
        return why or compose(self.desk, envelope, item.address, self.link)

    def _first(self, tx: Tx, item: Item) -> None:
        """The stream before its row, as every command has them: two that wait for each other end neither."""
        tx.hold(item.envelope.stream, told=item.envelope.stream == HOUSE)

    def _mark_sent(self, item: Item, sent: Sent) -> None:
        now = self.desk.clock.now()
        with self.desk.writing() as tx:
            self._first(tx, item)
            self._claims.put(tx, item, state="sent", sent_at=micros(now), receipt=sent.receipt[:200])
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
            level=level_of(envelope.level),
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
            self._first(tx, item)
            self._claims.put(tx, item, state="queued", next_try_at=micros(again_at), error=answer.error[:200])
            if item.envelope.tries > 1:
                return
            outcome = self.desk.handle_in(tx, item.envelope.stream, self._mark(item, "failed", answer.error))
        self.desk.settled(outcome)

    def _give_up(self, item: Item, error: str) -> None:
        """A fact that pages the next: the person's next channel, or the next level (promise P3)."""
        rest = self._rest_of(item)
        self._last_error[item.envelope.channel] = error
        with self.desk.writing() as tx:
            self._first(tx, item)
            self._claims.put(tx, item, state="given_up", error=error[:200])
            rest = untried(tx, item, rest)
            if rest:
                hand_on(tx, item, rest[0], micros(self.desk.clock.now()))
            # The console takes everything, read or not: as a mere fallback it is no reason to wait.
            counts = rest and (rest[0] != CONSOLE or CONSOLE in item.further)
            command = self._mark(item, "given_up", error, tuple(rest) if counts else ())
            command = replace(command, reached=not counts and reached_elsewhere(tx, item))
            outcome = self.desk.handle_in(tx, item.envelope.stream, command)
        self.desk.settled(outcome)
        self.wake()

    def _rest_of(self, item: Item) -> list[str]:
        """Channels that may come next: the person's own, then the installation's; none for a mere address."""
        if not item.envelope.person or item.envelope.template == COMCHECK_TEMPLATE:
            # In a test no channel stands in for another: it would prove nothing.
            return []
        known = [one for one in (*item.further, *self.fallback) if one in self.notifiers]
        return [one for one in dict.fromkeys(known) if one != item.envelope.channel]

    def _withdraw(self, item: Item) -> None:
        with self.desk.record.begin() as tx:
            self._claims.put(tx, item, state="withdrawn")

    # -- figures --------------------------------------------------------------------------------------------

    def figures(self) -> dict[str, Any]:
        """Age of the oldest message and of the oldest page not yet sent, in seconds, and what fails."""
        ages = self._claims.ages(micros(self.desk.clock.now()))
        return {
            "waiting": len(ages["page"]) + len(ages["notice"]),
            "outbox_age_seconds": round(max([0.0, *ages["page"], *ages["notice"]]), 3),
            "oldest_unsent_page_seconds": round(max([0.0, *ages["page"]]), 3),
            "channels_failing": dict(self._last_error),
        }


async def _either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    """Until one of the events is set, for at most `seconds`."""
    waiting = [asyncio.create_task(first.wait()), asyncio.create_task(second.wait())]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
