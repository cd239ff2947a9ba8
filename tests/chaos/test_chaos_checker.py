"""The checker finds each kind of fault that is planted into what a sound run left, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from console.opening import open_house
from models.actor import Actor
from models.clock import ExerciseClock
from models.commands import Acknowledge, ClaimStep, Decide, Declare, Done, FinishStep, Reclaim
from models.desk import Desk
from models.fact import SYSTEM, Fact
from models.messages import ASKING
from models.playbook import FACTORS
from notifiers.gateway.deliver import GatewayNotifier
from notifiers.gateway.fake import FakeGateway
from notifiers.outbox import Outbox
from tests.chaos.bank import PLAYBOOK, make, roles
from tests.chaos.checker import check
from tests.chaos.seen import Acted, Answered, Received, Seen, read
from tests.conftest import THREE_AT_NIGHT

INC = "INC-2026-0001"
MACHINE = Actor.machine("conductor")


def person(one: str) -> Actor:
    return Actor(person=one, name=one, via="test")


class Quiet:
    """A sound run on one desk: paged, climbed, taken, worked by machines, decided."""

    def __init__(self, desk: Desk, clock: ExerciseClock, outbox: Outbox) -> None:
        self.desk, self.clock, self.outbox = desk, clock, outbox
        self.acted: list[Acted] = []

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        self.desk.tick(INC)
        await self.outbox.drain()

    def work(self, name: str, outcome: Any = "done") -> None:
        key = f"{PLAYBOOK}/{name}"
        self.do(ClaimStep(actor=MACHINE, step=key, node="conductor", epoch=1, lease=60))
        attempt = self.desk.incident(INC).steps[key].attempt
        self.acted.append(Acted(at=0.0, key=f"{INC}/{key}/1/{attempt}"))
        if outcome:
            self.do(
                FinishStep(
                    actor=MACHINE, step=key, node="conductor", epoch=1, attempt=attempt, outcome=outcome,
                    outputs={}, evidence=(), error="", engine="none",
                )
            )  # fmt: skip

    def do(self, command: Any) -> None:
        outcome = self.desk.handle(INC, command)
        assert outcome.accepted, outcome

    async def play(self) -> None:
        self.desk.handle(None, Declare(actor=person("sato-kenji"), text="odd", playbooks=(PLAYBOOK,)))
        await self.outbox.drain()
        await self.pass_time(5)
        await self.pass_time(5)
        self.do(Acknowledge(actor=person("sato-kenji")))
        self.do(Done(actor=person("suzuki-daichi"), step="begin", values={"number": INC}))
        self.work("safe")
        self.work("looked", outcome=None)
        self.do(Reclaim(actor=MACHINE, node="conductor", epoch=2))
        self.work("asked", outcome="unknown")
        await self.pass_time(1)
        self.do(Decide(actor=person("kato-hiroshi"), step="first", choice="contain", reason="r"))
        factors = dict.fromkeys(FACTORS, "unknown")
        self.do(Decide(actor=person("kato-hiroshi"), step="cut", choice="cut", reason="r", factors=factors))
        self.work("cut-off")
        await self.pass_time(1)


async def sound(folder: Path) -> Seen:
    """What a sound run left behind."""
    clock = ExerciseClock(THREE_AT_NIGHT)
    async with FakeGateway(clock=clock) as gateway:
        directory = make(folder / "bank", "http://127.0.0.1:9")
        house = open_house(directory, clock)

        async def here(call: Callable[[], Any]) -> Any:
            return call()

        sms = GatewayNotifier("sms", url=gateway.url, secret=gateway.secret, code_key=b"k" * 32, clock=clock)
        quiet = Quiet(house.desk, clock, Outbox(house.desk, {"sms": sms}, here))
        await quiet.play()
        await sms.close()
        received = [
            Received(at=0.0, key=one.key, channel="sms", to=one.to, kind=one.kind, repeat=False)
            for one in gateway.taken
        ]
        seen = read(
            house.record,
            received=received,
            acted=quiet.acted,
            entitled=roles(directory),
            heard=frozenset({"sms"}),
        )
        house.record.close()
    answered = [Answered(stream=INC, seq=one.seq, kind=one.kind) for one in seen.facts[INC]]
    return replace(seen, answered=answered)


# -- faults -------------------------------------------------------------------------------------------------

Plant = Callable[[Seen], Seen]


def with_facts(seen: Seen, facts: Sequence[Fact]) -> Seen:
    """With other facts in the incident, numbered anew; nobody was answered anything."""
    numbered = [msgspec.structs.replace(one, seq=place) for place, one in enumerate(facts, 1)]
    streams = {INC: {"seq": len(numbered)}}
    return replace(seen, facts={**seen.facts, INC: numbered}, streams=streams, answered=())


def first(seen: Seen, kind: str, **data: Any) -> Fact:
    return next(one for one in seen.facts[INC] if one.kind == kind and data.items() <= one.data.items())


def ends_with(seen: Seen, *facts: Fact) -> Seen:
    return with_facts(seen, [*seen.facts[INC], *facts])


def changed(seen: Seen, fact: Fact, **changes: Any) -> Seen:
    data = changes.pop("data", {})
    other = msgspec.structs.replace(fact, **changes, data=fact.data | data)
    return with_facts(seen, [other if one is fact else one for one in seen.facts[INC]])


def rows(seen: Seen, changes: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Seen:
    kept = [changes(dict(row)) for row in seen.outbox]
    return replace(seen, outbox=[row for row in kept if row is not None])


def a_row(seen: Seen, **changes: Any) -> Seen:
    """The row of the first page, changed."""
    key = seen.outbox[0]["key"]
    return rows(seen, lambda row: row | changes if row["key"] == key else row)


def a_copy(seen: Seen, **changes: Any) -> Seen:
    one = replace(seen.received[0], **changes)
    return replace(seen, received=[*seen.received, one])


def a_step_again(seen: Seen) -> Seen:
    started = first(seen, "step.started", step=f"{PLAYBOOK}/safe")
    return ends_with(seen, msgspec.structs.replace(started, data=started.data | {"attempt": 2}))


def a_step_of_class_ask_again(seen: Seen) -> Seen:
    reset = first(seen, "step.reset")
    return ends_with(seen, msgspec.structs.replace(reset, data=reset.data | {"step": f"{PLAYBOOK}/asked"}))


def nobody_decided(seen: Seen) -> Seen:
    cut = first(seen, "decision.made", step=f"{PLAYBOOK}/cut")
    seen_only = {"by": "kato-hiroshi", "page": first(seen, "page.asked").seq}
    other = msgspec.structs.replace(cut, kind="page.seen", data=seen_only)
    return with_facts(seen, [other if one is cut else one for one in seen.facts[INC]])


def climbs_after_the_ack(seen: Seen) -> Seen:
    climbed = first(seen, "page.escalated")
    later = seen.facts[INC][-1].at
    return ends_with(seen, msgspec.structs.replace(climbed, at=later, data=climbed.data | {"level": 3}))


def too_early(seen: Seen) -> Seen:
    climbed = first(seen, "page.escalated")
    return changed(seen, climbed, at=climbed.at - timedelta(seconds=1))


def unasked(seen: Seen) -> Seen:
    """The first person that a page asks, left out of the outbox."""
    asks = next(one for one in seen.facts[INC] if one.kind in ASKING)
    return rows(seen, lambda row: None if row["cause"] == asks.seq else row)


def out_of_order(seen: Seen) -> Seen:
    """Two first copies of one destination and kind, the wrong way round."""
    lines: dict[tuple[str, str], int] = {}
    received = list(seen.received)
    for place, one in enumerate(received):
        before = lines.setdefault((one.to, one.kind), place)
        if before != place:
            received[before], received[place] = one, received[before]
            return replace(seen, received=received)
    raise AssertionError("nobody got two messages")


def forged_document(seen: Seen) -> Seen:
    digest = next(iter(seen.documents))
    return replace(seen, documents={**seen.documents, digest: b"{}"})


def without_the_policy(seen: Seen) -> Seen:
    policy = first(seen, "incident.declared").data["policy"]
    return replace(seen, documents={k: v for k, v in seen.documents.items() if k != policy})


PLANTED: list[tuple[str, str, Plant, str]] = [
    ("A step that is done is run again", "P1", a_step_again, "which is done"),
    ("One claim acts twice", "P1", lambda s: replace(s, acted=[*s.acted, s.acted[0]]), "acted 2 times"),
    (
        "Something acts that nobody claimed",
        "P1",
        lambda s: replace(s, acted=[Acted(at=0, key=f"{INC}/{PLAYBOOK}/safe/1/7")]),
        "without a claim",
    ),
    ("A step of class ask is run again by the engine", "P2", a_step_of_class_ask_again, "class is ask"),
    (
        "A probe is forgotten",
        "P2",
        lambda s: changed(s, first(s, "step.reset"), data={"look_first": False}),
        "not for probe",
    ),
    (
        "An unknown step for which nobody is asked",
        "P2",
        lambda s: changed(s, first(s, "page.asked", event="step-unknown"), data={"subject": "step:x"}),
        "nobody was asked",
    ),
    ("A message that is never sent", "P3", lambda s: a_row(s, state="sending"), "stays so"),
    ("A message that is given up by no fact", "P3", lambda s: a_row(s, state="given_up"), "0 facts say"),
    (
        "A message that is marked and never arrived",
        "P3",
        lambda s: replace(s, received=s.received[1:]),
        "never had it",
    ),
    ("A page that nobody queued", "P3", unasked, "nothing was queued"),
    (
        "A message that nobody asked for",
        "P3",
        lambda s: a_copy(s, key="x/1/0/1/sms:y"),
        "nobody asked for it",
    ),
    ("A copy that does not say so", "P3", a_copy, "does not say that it is a repeat"),
    ("A copy that goes to somebody else", "P3", lambda s: a_copy(s, to="+1", repeat=True), "again to +1"),
    ("Messages out of order", "P3", out_of_order, "which was asked for later"),
    (
        "A page that is marked twice",
        "P3",
        lambda s: ends_with(s, first(s, "message.sent")),
        "2 facts say that it was sent",
    ),
    ("A level that goes back", "P3", lambda s: ends_with(s, first(s, "page.escalated")), "goes back"),
    (
        "An answer that is not on record",
        "P4",
        lambda s: replace(with_facts(s, s.facts[INC][:-1]), answered=s.answered),
        "not on record",
    ),
    (
        "A row that knows more than the facts",
        "P4",
        lambda s: replace(s, streams={INC: {"seq": 1}}),
        "its row says",
    ),
    (
        "A fact that is gone from the middle",
        "P5",
        lambda s: replace(s, facts={INC: [*s.facts[INC][:3], *s.facts[INC][4:]]}),
        "is not there",
    ),
    (
        "A time-out that decides",
        "P9",
        lambda s: changed(s, first(s, "decision.made"), actor=SYSTEM),
        "by nobody",
    ),
    ("A level before its time", "P9", too_early, "before its time"),
    ("A timer of a page that somebody has", "P9", climbs_after_the_ack, "which is acknowledged"),
    ("A document that was changed", "P10", forged_document, "not what its digest says"),
    ("A policy that was not kept", "P10", without_the_policy, "is not kept"),
    ("A shutdown that nobody decided", "gates", nobody_decided, "nobody has decided it"),
    (
        "A shutdown without its factors",
        "gates",
        lambda s: changed(s, first(s, "decision.made", step=f"{PLAYBOOK}/cut"), data={"factors": {}}),
        "without its decision factors",
    ),
    (
        "A decision by somebody else",
        "gates",
        lambda s: changed(s, first(s, "decision.made"), actor="suzuki-daichi"),
        "who is none of ['ciso']",
    ),
]


async def test_the_checker_finds_each_planted_fault_and_no_other(tmp_path: Path) -> None:
    seen = await sound(tmp_path)
    assert not check(seen)
    assert {one.kind for one in seen.facts[INC]} >= {"page.escalated", "step.reset", "step.unknown"}
    for sentence, promise, plant, says in PLANTED:
        found = check(plant(seen))
        assert [one for one in found if one.promise == promise and says in one.what], (sentence, found)
