"""The corners: routes, conditions nobody can evaluate, loops that must go on, and values."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

import models.crashpoint
from models import commands as c
from models.database import conflicts
from models.decide import next_due
from models.errors import BadExpression, HikeshiError, Refused
from models.expression import calls_in, evaluate
from models.fact import Draft
from models.organisation import Rota
from models.playbook import Step
from models.policy import SeverityPolicy
from models.reason import Reason
from models.routing import route_of
from models.supervised import attempt, attempt_async, forever, wait
from models.values import Text, parse_duration, write_duration
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    MACHINE,
    ROUTES,
    SEVERITY,
    Scene,
    action,
    by,
    decision,
    open_desk,
    organisation,
    playbook,
    policy,
    route,
    scene,
    scene_of,
    step,
)

# -- which route ---------------------------------------------------------------------------------------------

FIRST = [{"to": ["pr"], "within": "5m"}]
APPLIES: list[tuple[str, dict[str, Any], bool]] = [
    ("The route of this attack", {"attack": ["unknown"]}, True),
    ("The route of another attack", {"attack": ["garden"]}, False),
    ("The route from this severity up", {"severity_at_least": "low"}, True),
    ("The route of graver ones", {"severity_at_least": "high"}, False),
    ("The route of this phase", {"phases": ["triage"]}, True),
    ("The route of another phase", {"phases": ["recovery"]}, False),
]


@pytest.mark.parametrize(("applies", "taken"), [row[1:] for row in APPLIES], ids=[row[0] for row in APPLIES])
def test_the_first_route_that_applies_is_taken(applies: dict[str, Any], taken: bool) -> None:
    special = route("special", levels=FIRST) | {"applies": {"events": ["decision"]} | applies}
    made = scene(playbook("unknown", decision("choose")), policy=policy(routes=[special, *ROUTES]))
    assert made.page("step:unknown/choose").route == ("special" if taken else "decision")


def test_a_route_for_an_attack_is_not_for_the_table_of_alerts() -> None:
    special = route("special", levels=FIRST) | {"applies": {"attack": ["unknown"]}}
    made = scene(policy=policy(routes=[special, *ROUTES]))
    made.do(c.ReceiveAlert(actor=MACHINE, id="A", source="s", key="k", title="x", readable=False), "intake")
    assert made.desk.state("intake").open_pages()[0].route == "house"


def test_a_step_is_paged_if_a_route_says_so() -> None:
    ready = route("ready", "step-ready", levels=[{"to": ["owner"], "within": "5m"}])
    made = scene(playbook("unknown", step("look")), policy=policy(routes=[ready, *ROUTES]))
    assert made.page("step:unknown/look").route == "ready"
    assert made.outbox(template="page.step")


def test_the_owner_of_a_step_is_who_it_was_given_to() -> None:
    made = scene_of(step("look", within="5m"))
    made.do(c.AssignStep(actor=by(AMY), step="look", person=FAY))
    made.wait(5)
    assert made.page("step:unknown/look").reached["0"][0].person == FAY


def test_authority_of_a_step_without_one_is_its_owner() -> None:
    late = route("late", "step-overdue", levels=[{"to": ["authority"], "within": "5m"}])
    made = scene(playbook("unknown", step("look", within="5m")), policy=policy(routes=[late, *ROUTES]))
    made.wait(5)
    assert made.page("step:unknown/look").reached["0"][0].person == AMY


def test_a_page_whose_route_has_gone_from_the_files_goes_on_along_another() -> None:
    made = scene()
    world = made.desk.world(made.incident)
    page = next(iter(made.incident.pages.values()))
    named = route_of(world, made.incident, page)
    page.route = "gone"
    assert route_of(world, made.incident, page) is named, "the route that such an event takes today"
    page.event = "nothing-asks-for-this"
    assert route_of(world, made.incident, page) is world.policy.routes[0]


def test_the_duty_channel_sees_each_further_level() -> None:
    slack = organisation(fields={"duty_channel": "C0DUTY"})
    made = scene(organisation=slack, channels=frozenset({"console", "slack"}))
    made.wait(5)
    rows = made.outbox(channel="slack")
    assert [(row["address"], row["kind"], row["level"]) for row in rows] == [
        ("C0DUTY", "notice", "0"),
        ("C0DUTY", "notice", "1"),
    ]


DELEGATED: list[tuple[str, dict[str, Any], Reason]] = [
    ("Only somebody on the route delegates", {"actor": by(FAY)}, Reason.NOT_ENTITLED_ON_ROUTE),
    ("Nobody delegates to somebody unknown", {"to": "mallory"}, Reason.UNKNOWN_PERSON),
    ("Not for longer than a day", {"until": 25}, Reason.FIELD_WRONG),
    ("Not into the past", {"until": 0}, Reason.FIELD_WRONG),
    ("Not a page that is not there", {"page": 99}, Reason.NO_SUCH_PAGE),
]


@pytest.mark.parametrize(("fields", "reason"), [r[1:] for r in DELEGATED], ids=[r[0] for r in DELEGATED])
def test_a_delegation_is_refused(fields: dict[str, Any], reason: Reason) -> None:
    made = scene()
    shape: dict[str, Any] = {"actor": by(AMY), "page": made.page().id, "to": DAN, "until": 1} | fields
    shape["until"] = made.clock.now() + timedelta(hours=shape["until"])
    assert made.says(c.Delegate(**shape)).reason is reason


def test_a_page_that_somebody_has_is_not_delegated() -> None:
    made = scene()
    made.do(c.Acknowledge(actor=by(AMY)))
    until = made.clock.now() + timedelta(hours=1)
    command = c.Delegate(actor=by(AMY), page=made.page().id, to=DAN, until=until)
    assert made.says(command).reason is Reason.ALREADY


def test_the_person_of_a_role_of_this_incident_answers_for_it_while_present() -> None:
    ask = decision("choose", authority="commander")
    made = scene(
        playbook("unknown", step("a"), ask | {"after": ["a"]}), organisation=organisation(absent=(EVE,))
    )
    made.do(c.AssignRole(actor=by(BEN), role="commander", person=EVE))
    made.do(c.Done(actor=by(AMY), step="a"))
    assert made.page("step:unknown/choose").reached["0"] == []
    made.do(c.Decide(actor=by(EVE), step="choose", choice="yes", reason="-"))


# -- conditions and steps ------------------------------------------------------------------------------------


def test_a_condition_that_cannot_be_read_holds_its_step_and_stops_nobody() -> None:
    made = scene_of(step("a"), step("odd", when="garden("))
    assert made.incident.gates_held == {"unknown/odd": ["cannot-evaluate:unknown/odd"]}
    made.do(c.Acknowledge(actor=by(AMY)))
    made.do(c.SettleStep(actor=by(BEN), step="odd", how="skipped", reason="-"))


def test_a_loop_whose_end_cannot_be_read_ends() -> None:
    made = scene_of(step("loop", repeat={"until": "garden(", "at_most": 3}))
    made.do(c.Done(actor=by(AMY), step="loop"))
    assert (made.step("loop").status, made.step("loop").round) == ("done", 1)


def test_a_template_in_a_condition_is_refused() -> None:
    for source in ("{% if 1 %}", "1 }} x {{ 1"):
        with pytest.raises(BadExpression):
            calls_in(source)
        with pytest.raises(BadExpression):
            evaluate(source, {})


def test_a_person_does_no_machine_s_step_and_a_machine_no_person_s_confirmation() -> None:
    made = scene_of(action("block"))
    assert made.says(c.Done(actor=by(AMY), step="block")).reason is Reason.STEP_NOT_MANUAL
    confirm = c.ServiceFact(actor=by(AMY), service="payments", what="confirmed-by-owner")
    assert made.says(confirm).reason is Reason.ROLE_MISSING


def test_a_digest_is_a_digest() -> None:
    wrong = c.AddEvidence(actor=by(AMY), source="x", description="x", digest="md5:1")
    assert scene().says(wrong).reason is Reason.FIELD_WRONG


def test_a_machine_s_token_is_kept_plain_and_what_is_none_is_text() -> None:
    made = scene_of(action("find", sets={"host": "host", "other": "other"}))
    made.do(c.ClaimStep(actor=MACHINE, step="find", node="n", epoch=1, lease=60))
    made.do(
        c.FinishStep(
            actor=MACHINE,
            step="find",
            node="n",
            epoch=1,
            attempt=1,
            outcome="done",
            outputs={"host": "srv1", "other": "a\nb"},
        )
    )
    assert made.incident.variables == {"unknown.host": "srv1"}
    assert made.desk.texts(made.stream)[made.step("find").outputs["other"]] == "a\nb"


def test_a_step_that_a_new_version_no_longer_has_leaves_no_timer_behind() -> None:
    made = scene(playbook("unknown", step("look", optional=True), action("copy", within="1m")))
    made.do(c.ClaimStep(actor=MACHINE, step="copy", node="n", epoch=1, lease=60))
    newer = playbook("unknown", step("look", optional=True), version="2.0.0")
    moved = Scene(
        desk=open_desk(newer, record=made.desk.record, clock=made.clock), clock=made.clock, stream=made.stream
    )
    moved.do(c.UsePlaybook(actor=by(BEN), how="move", playbook="unknown", reason="-"))
    moved.do(c.Reclaim(actor=MACHINE, node="n", epoch=2))
    moved.wait(90)
    due = next_due(moved.incident)
    assert due is None or due > moved.clock.now()


def test_a_policy_of_yesterday_is_read_back_from_the_record() -> None:
    made = scene()
    changed = policy(routes=[route("other", levels=FIRST)])
    fresh = open_desk(record=made.desk.record, clock=made.clock, policy=changed)
    again = Scene(desk=fresh, clock=made.clock, stream=made.stream)
    again.wait(5)
    assert again.page().level == 1


# -- the desk ------------------------------------------------------------------------------------------------


def test_what_fails_in_a_transaction_of_somebody_else_is_forgotten() -> None:
    made = scene()
    seq = made.incident.seq
    with pytest.raises(ZeroDivisionError), made.desk.writing() as tx:
        made.desk.handle_in(tx, made.stream, c.Note(actor=by(AMY), text="lost"))
        raise ZeroDivisionError
    assert made.incident.seq == seq
    with made.desk.writing() as tx:
        made.desk.handle_in(tx, made.stream, c.Note(actor=by(AMY), text="kept"))
    assert made.incident.seq == seq + 1


def test_those_who_listen_hear_of_what_was_stored() -> None:
    made = scene()
    heard: list[str] = []
    made.desk.after_commit.append(lambda outcome: heard.extend(outcome.kinds()))
    made.do(c.Note(actor=by(AMY), text="x"))
    made.desk.handle(made.stream, c.Close(actor=by(FAY), assessment="x"))
    assert heard[0] == "note.added"
    assert "incident.closed" not in heard


def test_rules_that_go_in_a_circle_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    made = scene()
    monkeypatch.setattr("models.casework.advance", lambda state, world, fresh: [Draft(kind="note.added")])
    before = len(made.facts("note.added"))
    with pytest.raises(HikeshiError, match="circle"):
        made.do(c.Note(actor=by(AMY), text="x"))
    assert len(made.facts("note.added")) == before


def test_commands_that_follow_from_each_other_without_end_are_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from models.rules.common import Then  # noqa: PLC0415

    made = scene()
    again = Then(stream=made.stream, command=c.Note(actor=by(AMY), text="x"))
    monkeypatch.setattr("models.casework.decide", lambda state, command, world: [again])
    with pytest.raises(HikeshiError, match="without end"):
        made.do(c.Note(actor=by(AMY), text="x"))


def test_a_look_that_fails_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    made = scene()

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    made.clock.advance(timedelta(minutes=5))
    with monkeypatch.context() as patch:
        patch.setattr("models.deriving.next_due", broken)
        with pytest.raises(ZeroDivisionError):
            made.desk.tick(made.stream)
    assert made.facts("page.escalated") == []
    assert "page.escalated" in made.wait(0)


def test_refusals_remembered_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.casework.REFUSALS_KEPT", 1)
    made = scene()
    for command in (
        c.Close(actor=by(FAY), assessment="x"),
        c.Resolve(actor=by(FAY), cause="x", entry_route="x"),
    ):
        made.desk.handle(made.stream, command)
    assert len(made.desk._refusals) == 1


def test_a_name_that_is_no_text_is_refused_and_recorded_like_any_other() -> None:
    """Half of a surrogate pair has no bytes: whoever knocks with one must not stop the desk."""
    made = scene()
    (page,) = made.incident.pages.values()
    stranger = c.Actor(person=None, name="\ud800x", via="slack:\udfff")
    refused = made.desk.handle(made.stream, c.Acknowledge(actor=stranger, page=page.id))
    assert refused.refused is not None
    told = made.facts("refused", "house")[-1]
    assert told.via == "slack:?"
    assert made.desk.handle(
        made.stream, c.Acknowledge(actor=c.Actor(person=AMY, name="火消し", via="slack:\ud800"), page=page.id)
    ).accepted
    assert made.facts("page.acknowledged")[-1].via == "slack:?"
    assert c.Actor(person=AMY, name="火消し").name == "火消し", "what is text stays as it is"


def test_the_library_names_its_playbooks() -> None:
    desk = open_desk(playbook("second", step("a")))
    assert sorted(desk.library) == ["second", "unknown"]
    assert len(desk.library) == 2
    with pytest.raises(KeyError):
        desk.library["garden"]


def test_a_number_is_given_out_by_one_statement_everywhere() -> None:
    for dialect in ("sqlite", "postgresql"):
        assert "RETURNING" in str(conflicts(dialect).count)


# -- loops that must go on -----------------------------------------------------------------------------------


async def test_a_loop_lives_through_an_error_and_ends_when_told() -> None:
    stop, turns = asyncio.Event(), []

    async def turn() -> None:
        turns.append(1)
        if len(turns) == 1:
            raise ValueError("once")
        stop.set()

    await forever("test", stop, turn, pause_seconds=0)
    assert len(turns) == 2
    assert await wait(stop, 9)
    assert not await wait(asyncio.Event(), 0)


async def test_an_error_is_returned_and_not_raised() -> None:
    async def good() -> int:
        return 7

    assert attempt("test", lambda: 7).value == 7
    assert isinstance(attempt("test", lambda: 1 / 0).error, ZeroDivisionError)
    assert (await attempt_async("test", good)).value == 7


def test_a_point_kills_at_the_named_time_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    with monkeypatch.context() as patch:
        patch.setenv("HIKESHI_CRASH_AT", "here:2")
        patch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
        point = importlib.reload(models.crashpoint).crash_point
        for name in ("elsewhere", "here", "elsewhere"):
            point(name)
        assert killed == []
        point("here")
        assert killed == [(os.getpid(), signal.SIGKILL)]
    importlib.reload(models.crashpoint).crash_point("here")


# -- values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("15m", 900), ("1h30m", 5400), ("3d", 259_200), ("400d", 34_560_000)],
)
def test_a_duration_has_its_unit(written: str, seconds: int) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)
    assert parse_duration(write_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)
    assert parse_duration(timedelta(1)) == timedelta(1)
    assert write_duration(timedelta()) == "0s"


@pytest.mark.parametrize("wrong", ["", "90", "0m", "401d", "m", "30m1h", 90, None])
def test_what_is_no_duration_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="with its unit"):
        parse_duration(wrong)


STEPS: list[tuple[str, dict[str, Any], str]] = [
    ("A manual step has an owner", {"owner": None}, "needs `owner`"),
    ("Only a decision has an authority", {"authority": "ciso"}, "belongs to a decision"),
    ("A recommendation is an option", decision("a", recommend="perhaps"), "none of the options"),
    ("One option is no choice", decision("a", options=[{"id": "yes", "title": "-"}]), "two options"),
    ("What stops a service names its decision", {"stops": ["payments"]}, "decided_by"),
    ("What is looked at first says how", action("a", on_crash="probe"), "probe"),
]


@pytest.mark.parametrize(("fields", "said"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS])
def test_a_step_that_does_not_fit_its_kind_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Step.model_validate(step("a") | fields if "kind" not in fields else fields)


def test_a_table_of_severities_is_whole() -> None:
    with pytest.raises(ValidationError, match="default"):
        SeverityPolicy.model_validate(SEVERITY | {"default": "garden"})
    with pytest.raises(ValidationError, match="little x calm"):
        SeverityPolicy.model_validate(SEVERITY | {"matrix": {}})


def test_a_text_is_in_the_language_asked_for() -> None:
    text = Text.model_validate({"ja": "火", "en": "fire"})
    assert (text.lang("ja"), text.lang("en")) == ("火", "fire")


def test_a_zone_exists() -> None:
    shift = {"rule": "FREQ=DAILY", "starts": "09:00", "lasts": "24h", "people": ["amy"]}
    with pytest.raises(ValidationError, match="Asia/Tokyo"):
        Rota.model_validate({"id": "r", "zone": "Mars/Base", "shifts": [shift]})
    assert Refused(Reason.ALREADY).detail == {}
    assert CHO != DAN


def test_a_text_from_outside_forges_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise ValueError("bad\n2026-11-23 hikeshi.node all is well\x1b[2J")

    assert attempt("tick", fails).error is not None
    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    assert "bad\\n2026" in record.getMessage()
