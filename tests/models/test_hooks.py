"""Which fact goes to which webhook, and what it says: rules without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from models import hookqueue
from models.clock import ExerciseClock, micros
from models.commands import Actor, Declare, Note, Resolve, SetSeverity
from models.desk import Desk
from models.hooks import BACK_OFF, Webhook, fits, hopeless, next_try, why_not
from models.premises import Premises
from models.record import HOOK, Record
from models.restriction import Restrict
from models.state import Incident
from playbooks.institution import Institution

SUZUKI = Actor(person="suzuki-daichi", via="cli")
Make = Callable[..., Desk]


def hook(**changes: Any) -> Webhook:
    """A hook that is told all."""
    shape = {"name": "siem", "url": "https://siem.example.jp/x", "secret": "env:HIKESHI_X", "kinds": ["*"]}
    return Webhook.model_validate(shape | changes)


@pytest.fixture
def make(bank: Institution, clock: ExerciseClock) -> Iterator[Make]:
    made: list[Desk] = []

    def desk(*hooks: Webhook) -> Desk:
        premises = Premises(
            organisation=bank.organisation, policy=bank.policy, playbooks=bank.playbooks, hooks=hooks
        )
        made.append(Desk(Record.in_memory(), premises, clock))
        return made[-1]

    yield desk
    for one in made:
        one.record.close()


def declare(desk: Desk, severity: str = "high") -> str:
    outcome = desk.handle(
        None, Declare(actor=SUZUKI, text="secret words", severity=severity, playbooks=("unknown",))
    )
    assert outcome.accepted
    return outcome.stream


def rows(desk: Desk) -> list[dict[str, Any]]:
    with desk.record.read() as tx:
        return [dict(row) for row in tx.connection.execute(HOOK.select().order_by(HOOK.c.id)).mappings()]


@pytest.mark.parametrize(
    ("pattern", "kind", "meant"),
    [
        ("*", "step.done", True),
        ("step.*", "step.done", True),
        ("step.done", "step.done", True),
        ("step.*", "stepping.done", False),
        ("step.do", "step.done", False),
        ("confirmed", "confirmed", True),
    ],
)
def test_a_kind_is_meant_by_its_name_its_family_or_the_star(pattern: str, kind: str, meant: bool) -> None:
    assert fits(pattern, kind) is meant


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://siem.example.jp/x"},
        {"url": "ftp://siem.example.jp/x"},
        {"kinds": []},
        {"kinds": ["*.declared"]},
        {"kinds": ["rm -rf"]},
        {"secret": "whsec_inclear"},
        {"timeout": "5m"},
        {"name": "Not An Id"},
    ],
)
def test_what_no_hook_can_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        hook(**changes)
    assert hook(url="http://127.0.0.1:1/x").timeout == timedelta(seconds=10)


def test_each_fact_is_queued_once_for_each_hook_in_the_order_of_the_record(make: Make) -> None:
    desk = make(hook(), hook(name="board", kinds=["incident.declared"]))
    stream = declare(desk)
    with desk.record.read() as tx:
        facts = list(tx.facts(stream))
    queued = rows(desk)
    assert [row["key"] for row in queued if row["hook"] == "siem"] == [
        f"{stream}/{fact.seq}/webhook/siem" for fact in facts
    ]
    assert [row["key"] for row in queued if row["hook"] == "board"] == [f"{stream}/1/webhook/board"]
    event = orjson.loads(queued[0]["body"])
    assert event["type"] == "incident.declared"
    assert event["severity"] == "high"
    assert event["phases"] == ["triage", "communication"]
    assert event["drill"] is False


def test_no_person_and_no_text_of_anybody_is_in_what_is_queued(make: Make, bank: Institution) -> None:
    desk = make(hook())
    stream = declare(desk)
    desk.handle(stream, Note(actor=SUZUKI, text="the intruder is called Mallory"))
    for row in rows(desk):
        assert "secret words" not in row["body"]
        assert "Mallory" not in row["body"]
        assert not any(person.id in row["body"] for person in bank.organisation.people)


def test_without_hooks_and_for_the_house_nothing_is_queued(make: Make) -> None:
    quiet = make()
    declare(quiet)
    assert rows(quiet) == []
    desk = make(hook())
    desk.handle("INC-2026-0009", Note(actor=SUZUKI, text="there is none"))
    assert rows(desk) == []


def test_a_hook_from_a_severity_hears_of_graver_ones_only_and_of_their_fall_too(make: Make) -> None:
    desk = make(hook(**{"from": "high", "kinds": ["severity.set", "incident.*"]}))
    light = declare(desk, "low")
    assert rows(desk) == []
    desk.handle(light, SetSeverity(actor=SUZUKI, severity="high"))
    desk.handle(light, SetSeverity(actor=SUZUKI, severity="low"))
    severities = [orjson.loads(row["body"])["severity"] for row in rows(desk)]
    assert severities == ["high", "low"]


def test_a_restricted_incident_leaves_only_by_a_hook_that_may(make: Make, clock: ExerciseClock) -> None:
    open_, may = hook(name="open"), hook(name="may", restricted=True)
    desk = make(open_, may)
    stream = declare(desk)
    before = len(rows(desk))
    outcome = desk.handle(
        stream, Restrict(actor=Actor(person="sato-kenji", via="cli"), reason="an insider is suspected")
    )
    assert outcome.accepted, outcome
    assert {row["hook"] for row in rows(desk)[before:]} == {"may"}
    with desk.record.begin() as tx:
        assert hookqueue.withdraw_restricted(tx, may) == 0
        assert hookqueue.withdraw_restricted(tx, open_) == before // 2
        assert hookqueue.heads(tx, open_, clock.now(), 5) == []
        assert len(hookqueue.heads(tx, may, clock.now(), 5)) == 5
    state = desk.incident(stream)
    policy = desk.premises.policy.severity
    assert why_not(open_, "note.added", state, policy) == "restricted"
    assert why_not(may, "note.added", state, policy) == ""


def test_why_not_names_the_reason(make: Make) -> None:
    desk = make()
    policy = desk.premises.policy.severity
    incident = Incident(stream="INC-2026-0001", severity="low", severity_rank=policy.rank("low"))
    assert why_not(hook(kinds=["page.*"]), "note.added", incident, policy) == "kind"
    assert why_not(hook(**{"from": "high"}), "note.added", incident, policy) == "severity"
    assert why_not(hook(), "note.added", incident, policy) == ""


def test_a_refused_command_queues_nothing(make: Make) -> None:
    desk = make(hook())
    stream = declare(desk)
    before = rows(desk)
    outcome = desk.handle(stream, Resolve(actor=Actor(person="mori-chie"), cause="x", entry_route="y"))
    assert not outcome.accepted
    assert rows(desk) == before


def test_back_off_grows_and_asks_for_no_more_than_the_receiver(clock: ExerciseClock) -> None:
    now = clock.now()
    waits = [(next_try(tries, now) - now).total_seconds() for tries in range(1, 9)]
    assert waits == [*BACK_OFF, 300, 300]
    assert next_try(1, now, 40) - now == timedelta(seconds=40)
    assert next_try(1, now, 10**9) - now == timedelta(hours=1)


def test_what_the_receiver_will_never_take_holds_up_nobody(clock: ExerciseClock) -> None:
    now = clock.now()
    row = {"tries": 5, "tried_at": micros(now)}
    assert hopeless(hook(), row, 422, now) == "refused"
    assert hopeless(hook(), row | {"tries": 4}, 422, now) == ""
    assert hopeless(hook(), row, 500, now) == ""
    assert hopeless(hook(), row, 500, now + timedelta(days=1)) == "tried too long"


def test_the_queue_of_a_dead_receiver_is_bounded_and_swept(make: Make, clock: ExerciseClock) -> None:
    one = hook()
    desk = make(one)
    declare(desk)
    total = len(rows(desk))
    with desk.record.begin() as tx:
        assert hookqueue.give_up_surplus(tx, one, most=2) == total - 2
        assert hookqueue.give_up_surplus(tx, one, most=2) == 0
        assert hookqueue.standing(tx, one).given_up == total - 2
        assert hookqueue.standing(tx, one).waiting == 2
        assert hookqueue.sweep(tx, clock.now(), [one.name]) == 0
        assert hookqueue.sweep(tx, clock.now() + timedelta(days=31), [one.name]) == total - 2
    assert [row["state"] for row in rows(desk)] == ["queued", "queued"]
    with desk.record.begin() as tx:
        assert hookqueue.sweep(tx, clock.now() + timedelta(days=31), ["another"]) == 2
    assert rows(desk) == [], "nobody will ever send what waits for a hook that is no more"


def test_a_clock_that_was_far_ahead_and_is_set_right_holds_up_nothing(
    make: Make, clock: ExerciseClock
) -> None:
    one = hook()
    desk = make(one)
    declare(desk)
    now = clock.now()
    with desk.record.begin() as tx:
        first, *_ = hookqueue.heads(tx, one, now, 1)
        tried = first | {"tries": 1, "tried_at": micros(now)}
        hookqueue.failed(tx, tried, "HTTP 500", now + timedelta(minutes=5))
        assert hookqueue.heads(tx, one, now, 1) == []
        hookqueue.failed(tx, tried, "HTTP 500", now + timedelta(days=1))
        assert hookqueue.heads(tx, one, now, 1)
