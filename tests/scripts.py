"""Acceptance tests as scripts: people act, time is wound forward, messages are expected.

A script runs the real desk and the real outbox on an exercise clock; only the channel is a peer in memory
that keeps what people got. Whatever was sent and not expected fails the test when the script ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import func, select

from models.clock import ExerciseClock
from models.commands import (
    Acknowledge,
    Actor,
    AddEvidence,
    AddImprovement,
    ClaimStep,
    Close,
    Command,
    Decide,
    Declare,
    Delegate,
    Done,
    FinishStep,
    NodeFact,
    Resolve,
    ScopeFact,
    ServiceFact,
    SetInstant,
    SetRecoveryPoint,
    SetSeverity,
)
from models.desk import HOUSE, Desk
from models.playbook import RecordField
from models.premises import Outcome, Premises
from models.reason import Reason
from models.record import OUTBOX, micros
from models.state import Incident, Page
from models.values import parse_duration
from notifiers.message import Delivery, Message, Sent
from notifiers.outbox import Outbox
from playbooks.institution import Institution
from tests.records import fresh
from tests.replays import must_run_again

T = TypeVar("T")
MAX_STOPS = 5_000
"""Instants at which one `forward` may stop; more would be a timer that never rests."""


@dataclass(frozen=True, kw_only=True)
class Got:
    """A message as it reached somebody."""

    at: datetime
    message: Message

    def __str__(self) -> str:
        one = self.message
        return f"{self.at:%H:%M:%S} {one.kind} {one.template} to {one.person or one.address} ({one.key})"


class Postbox:
    """A channel in memory: takes everything and keeps it, in order."""

    can_read_back = False

    def __init__(self, name: str, clock: ExerciseClock) -> None:
        self.name = name
        self.clock = clock
        self.got: list[Got] = []
        self.keys: list[str] = []

    async def deliver(self, message: Message) -> Delivery:
        self.got.append(Got(at=self.clock.now(), message=message))
        self.keys.append(message.key)
        return Sent(receipt=str(len(self.keys)))

    async def arrived(self, message: Message) -> Sent | None:
        """Never asked: the channel cannot be read back."""
        return None

    async def close(self) -> None:
        """Nothing to let go."""


class Script:
    """One incident, its people and their messages. Use as a context manager."""

    def __init__(self, bank: Institution, at: datetime, **changes: Any) -> None:
        self.clock = ExerciseClock(at)
        shape: dict[str, Any] = {
            "organisation": bank.organisation,
            "policy": bank.policy,
            "playbooks": bank.playbooks,
        }
        self.desk = Desk(fresh(), Premises(**(shape | changes)), self.clock)
        self.postbox = Postbox("console", self.clock)
        self.outbox = Outbox(self.desk, {"console": self.postbox}, here)
        self.started = at
        self.stream = ""
        self.clock_pages_are_taken = False
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()
        if error is None and self.stream:
            must_run_again(self.desk, self.stream)
        self.desk.record.close()
        if error is None:
            self.expect_nothing()
            assert len(set(self.postbox.keys)) == len(self.postbox.keys), "a message went out twice"

    # -- what people and machines do ------------------------------------------------------------------------

    def act(self, command: Command, stream: str | None = None) -> Outcome:
        """Have `command` done, and deliver what follows. Fails if it is refused."""
        outcome = self.desk.handle(stream or self.stream, command)
        assert outcome.accepted, f"{command} was refused: {outcome.refused} {dict(outcome.detail)}"
        self.deliver()
        return outcome

    def refused(self, command: Command, reason: Reason) -> None:
        """The command meets this refusal, and nobody hears of it."""
        outcome = self.desk.handle(self.stream, command)
        assert outcome.refused is reason, f"{command}: {outcome.refused} {outcome.kinds()}"
        self.deliver()

    def declare(self, person: str, text: str, **fields: Any) -> str:
        """Open the incident of this script."""
        outcome = self.desk.handle(None, Declare(actor=by(person), text=text, **fields))
        assert outcome.accepted, (outcome.refused, outcome.detail)
        self.stream = outcome.stream
        self.deliver()
        return self.stream

    def ack(self, person: str, page: int | None = None) -> Outcome:
        """ "I have it." Without `page`, the one that asks this person."""
        return self.act(Acknowledge(actor=by(person), page=page))

    def delegate(self, person: str, to: str, span: str, page: Page) -> Outcome:
        until = self.clock.now() + parse_duration(span)
        return self.act(Delegate(actor=by(person), page=page.id, to=to, until=until))

    def severity(self, person: str, impact: str, urgency: str) -> Outcome:
        return self.act(SetSeverity(actor=by(person), impact=impact, urgency=urgency))

    def decide(self, person: str, step: str, choice: str, **factors: str) -> Outcome:
        """A choice; factors are written with underscores."""
        given = {name.replace("_", "-"): value for name, value in factors.items()}
        return self.act(
            Decide(actor=by(person), step=step, choice=choice, reason="協議の結果", factors=given)
        )

    def done(self, person: str, step: str, **values: str) -> Outcome:
        """A person's step, with what has to be recorded; what is not given is filled in by its type."""
        state = self.incident
        planned = next(
            one for key, one in self.desk.world(state).steps(state).items() if key.endswith(f"/{step}")
        )
        given = {name.replace("_", "-"): value for name, value in values.items()}
        filled = {one.id: given.get(one.id) or _filled(one, self.clock.now()) for one in planned.step.record}
        return self.act(Done(actor=by(person), step=planned.key, values=filled))

    def machine_does(self, step: str, **outputs: str) -> Outcome:
        """The conductor takes a ready step and finishes it, with a piece of evidence where it secures one."""
        machine = Actor.machine("conductor")
        self.act(ClaimStep(actor=machine, step=step, node="conductor", epoch=1, lease=300))
        evidence: tuple[Mapping[str, Any], ...] = ()
        state = self.incident
        known = next(one for key, one in state.steps.items() if key.endswith(f"/{step}"))
        planned = self.desk.world(state).step(state, known.key)
        if planned is not None and planned.step.preserves:
            evidence = ({"digest": "sha256:" + "a" * 64, "size": 7, "stored": "aa", "name": "log.json"},)
        return self.act(
            FinishStep(
                actor=machine,
                step=known.key,
                node="conductor",
                epoch=1,
                attempt=known.attempt,
                outcome="done",
                outputs=outputs,
                evidence=evidence,
            )
        )

    def instant(self, person: str, name: str, before: str = "1m") -> Outcome:
        """Say when something happened: so long before now."""
        when = self.clock.now() - parse_duration(before)
        return self.act(SetInstant(actor=by(person), name=name, instant=when, source="分析結果"))

    def service(self, person: str, service: str, what: Any) -> Outcome:
        return self.act(ServiceFact(actor=by(person), service=service, what=what))

    def preserve(self, person: str, *sources: str) -> None:
        """Register something preserved of each source."""
        for source in sources:
            digest = f"sha256:{len(self.incident.evidence):064x}"
            self.act(AddEvidence(actor=by(person), source=source, description="複製", digest=digest, size=1))

    def scope(self, person: str, kind: str, name: str) -> str:
        """Something is affected; its number."""
        outcome = self.act(ScopeFact(actor=by(person), what="add", kind=kind, name=name))
        return str(outcome.facts[0].data["id"])

    def fixed(self, person: str, number: str, how: str) -> None:
        """What was done about it."""
        self.act(ScopeFact(actor=by(person), what="fix", id=number, text=how))

    def backup(self, person: str, service: str, age: str) -> None:
        """A backup of that age was checked and is clean."""
        when = self.clock.now() - parse_duration(age)
        self.act(
            SetRecoveryPoint(
                actor=by(person), id="gen-7", service=service, instant=when, tamper="clean", malware="clean"
            )
        )

    def improvement(self, person: str, title: str, owner: str, within: str) -> Outcome:
        due = self.clock.now() + parse_duration(within)
        return self.act(AddImprovement(actor=by(person), title=title, owner=owner, due=due))

    def resolve(self, person: str, cause: str, entry_route: str) -> Outcome:
        return self.act(Resolve(actor=by(person), cause=cause, entry_route=entry_route))

    def close(self, person: str, assessment: str) -> Outcome:
        return self.act(Close(actor=by(person), assessment=assessment))

    # -- time -----------------------------------------------------------------------------------------------

    def forward(self, span: str) -> None:
        """Wind the clock forward, stopping wherever something falls due, so that nothing is skipped."""
        end = self.clock.now() + parse_duration(span)
        for _ in range(MAX_STOPS):
            self._look()
            stop = self._next_stop()
            if stop is None or stop > end:
                self.clock.set(end)
                return
            self.clock.set(max(stop, self.clock.now()))
        raise AssertionError(f"a timer does not rest at {self.clock.now()}")

    def node_down(self, span: str) -> None:
        """Nobody watches for a while; then the node starts again and finds out."""
        since = self.clock.now()
        until = self.clock.advance(parse_duration(span))
        outage = NodeFact(actor=Actor.machine("node"), what="outage", node="pager", since=since, until=until)
        self.act(outage, stream=HOUSE)
        self._look()

    def deliver(self) -> None:
        """Whatever lies in the outbox reaches people now."""
        self._runner.run(self.outbox.drain())

    def _look(self) -> None:
        with self.desk.record.read() as tx:
            due = tx.due_streams(self.clock.now(), 1_000)
        for stream in due:
            self.desk.tick(stream)
        self.deliver()
        if self.clock_pages_are_taken and self.stream:
            self._take_clock_pages()

    def _take_clock_pages(self) -> None:
        """Whoever is paged for a clock takes it at once; what they were told is looked at as a whole."""
        for page in self.incident.open_pages():
            if page.event.startswith("clock-"):
                self.ack(page.reached["0"][0].person, page.id)

    def clock_story(self) -> list[tuple[str, str, str]]:
        """What people were called out for by the clocks: how long after the start, why, and which clock."""
        for template in ("page.clock_warning", "page.clock_forecast", "page.clock_breached", "notice.clock"):
            self.set_aside(template)
        return [
            (_hours(page.asked_at - self.started), page.event, page.subject.removeprefix("clock:"))
            for page in self.incident.pages.values()
            if page.event.startswith("clock-")
        ]

    def _next_stop(self) -> datetime | None:
        with self.desk.record.read() as tx:
            waiting = select(func.min(OUTBOX.c.next_try_at)).where(OUTBOX.c.state == "queued")
            stamps = [tx.earliest_due(), tx.connection.execute(waiting).scalar()]
        now = self.clock.now()
        later = [now + timedelta(microseconds=one - micros(now)) for one in stamps if one is not None]
        return min(later, default=None)

    # -- what is expected -----------------------------------------------------------------------------------

    @property
    def incident(self) -> Incident:
        return self.desk.incident(self.stream)

    def page(self, subject: str = "incident") -> Page:
        """The last page about a matter."""
        return [one for one in self.incident.pages.values() if one.subject == subject][-1]

    def expect_page(self, person: str, template: str | None = None, after: str | None = None) -> Message:
        """The person got a page, `after` the script's start."""
        return self._take("page", person, template, after)

    def expect_notice(self, person: str, template: str | None = None, after: str | None = None) -> Message:
        """The person got a notice."""
        return self._take("notice", person, template, after)

    def expect_pages(self, *people: str, template: str | None = None, after: str | None = None) -> None:
        """Each of these people got a page."""
        for person in people:
            self.expect_page(person, template, after)

    def set_aside(self, template: str) -> int:
        """Take out all messages of one template that this script does not look at; how many there were."""
        kept = [one for one in self.postbox.got if one.message.template != template]
        count = len(self.postbox.got) - len(kept)
        self.postbox.got[:] = kept
        return count

    def expect_nothing(self) -> None:
        """Nobody got anything that was not expected."""
        assert not self.postbox.got, "unexpected:\n" + self._listed()

    def _take(self, kind: str, person: str, template: str | None, after: str | None) -> Message:
        for number, one in enumerate(self.postbox.got):
            fits = one.message.kind == kind and one.message.person == person
            if fits and template in {None, one.message.template}:
                del self.postbox.got[number]
                if after is not None:
                    assert one.at == self.started + parse_duration(after), f"{one}, expected after {after}"
                return one.message
        raise AssertionError(f"no {kind} {template or ''} for {person}; there are:\n{self._listed()}")

    def _listed(self) -> str:
        return "\n".join(str(one) for one in self.postbox.got) or "(none)"


def _hours(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return f"{minutes // 60}h{minutes % 60:02d}"


def by(person: str) -> Actor:
    """Somebody of the directory, at the command line."""
    return Actor(person=person, name=person)


async def here(call: Callable[[], T]) -> T:
    return call()


def _filled(one: RecordField, now: datetime) -> str:
    return {
        "instant": now.isoformat(),
        "number": "0",
        "yes-no": "yes",
        "duration": "1h",
        "list": "一件",
        "text": "記録",
    }[one.type]
