"""Alerts on the table, the house's own matters, and the programme of improvements."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.commands import (
    Acknowledge,
    Actor,
    AddImprovement,
    CountAlert,
    EndImprovement,
    Impair,
    NodeFact,
    Quarantined,
    ReceiveAlert,
    SettleAlert,
)
from models.reason import Reason
from models.state import House, Intake, Programme
from tests.models.small import AMY, BEN, CHO, DAN, FAY, MACHINE, NIGHT, Scene, by, policy, route, scene

INTAKE, HOUSE, PROGRAMME = "intake", "house", "programme"
SENSOR = Actor.machine("alert")


def alert(**fields: Any) -> ReceiveAlert:
    shape = {"id": "AL-1", "source": "edr", "key": "k", "title": "odd", "level": "9", "document": "sha256:1"}
    return ReceiveAlert(actor=SENSOR, **(shape | fields))


def table(made: Scene) -> Intake:
    state = made.desk.state(INTAKE)
    assert isinstance(state, Intake)
    return state


def settle(how: Any, person: str = AMY, **fields: Any) -> SettleAlert:
    return SettleAlert(actor=by(person), id="AL-1", how=how, **fields)


def received(**fields: Any) -> Scene:
    made = scene()
    made.do(alert(**fields), INTAKE)
    return made


ARRIVALS: list[tuple[str, dict[str, Any], tuple[str, ...], int]] = [
    ("What a rule proposes lies on the table", {}, ("alert.received", "message.requested"), 1),
    ("What a rule keeps is kept", {"do": "keep"}, ("alert.received", "alert.kept"), 0),
    (
        "What cannot be read is kept and somebody is paged",
        {"do": "keep", "readable": False, "problem": "not JSON"},
        ("alert.received", "page.asked"),
        1,
    ),
]


@pytest.mark.parametrize(
    ("fields", "kinds", "waiting"), [row[1:] for row in ARRIVALS], ids=[row[0] for row in ARRIVALS]
)
def test_an_alert_arrives(fields: dict[str, Any], kinds: tuple[str, ...], waiting: int) -> None:
    made = scene()
    assert made.do(alert(**fields), INTAKE) == kinds
    assert len(table(made).alerts) == waiting


def test_an_alert_that_a_rule_declares_opens_an_incident() -> None:
    made = scene()
    when = NIGHT - timedelta(minutes=3)
    outcome = made.desk.handle(
        INTAKE, alert(do="declare", severity="high", services=("payments",), occurred=when)
    )
    assert outcome.opened is not None
    opened = made.desk.incident(outcome.opened)
    assert (opened.source, opened.severity, opened.alerts) == ("alert:edr", "high", ["AL-1"])
    assert opened.instants["detected"] == when
    assert opened.declared_by == "hikeshi"
    declared = made.facts("alert.declared", INTAKE)[0]
    assert declared.data["incident"] == outcome.opened
    assert table(made).alerts == {}


def test_an_alert_of_a_known_matter_goes_to_its_incident() -> None:
    made = scene()
    made.do(alert(incident=made.stream), INTAKE)
    assert (made.incident.alerts, table(made).alerts) == (["AL-1"], {})


def test_an_alert_that_comes_again_is_counted() -> None:
    made = received()
    made.do(CountAlert(actor=SENSOR, id="AL-1", count=10), INTAKE)
    assert table(made).alerts["AL-1"].count == 10
    made.do(CountAlert(actor=SENSOR, id="AL-9", count=2), INTAKE)
    assert list(table(made).alerts) == ["AL-1"]


def test_an_alert_that_nobody_judges_pages_somebody_once() -> None:
    made = received()
    assert made.wait(29.9, INTAKE) == ()
    assert made.wait(0.1, INTAKE) == ("alert.overdue", "page.asked")
    assert "alert.overdue" not in made.wait(60, INTAKE)
    made.do(Acknowledge(actor=by(AMY)), INTAKE)
    assert "page.stopped" in made.do(settle("dismissed", reason="a test"), INTAKE)
    assert table(made).alerts == {}


SETTLED: list[tuple[str, SettleAlert, Reason]] = [
    ("Only the CSIRT deals with alerts", settle("dismissed", FAY, reason="x"), Reason.ROLE_MISSING),
    ("Dismissing has a reason", settle("dismissed"), Reason.REASON_MISSING),
    (
        "What is not on the table cannot be dealt with",
        SettleAlert(actor=by(AMY), id="AL-9", how="dismissed", reason="x"),
        Reason.NO_SUCH_ITEM,
    ),
]


@pytest.mark.parametrize(("command", "reason"), [r[1:] for r in SETTLED], ids=[r[0] for r in SETTLED])
def test_dealing_with_an_alert_is_refused(command: SettleAlert, reason: Reason) -> None:
    assert received().says(command, INTAKE).reason is reason


def test_a_person_attaches_or_declares_an_alert() -> None:
    made = received(playbook="unknown", severity="medium")
    for nowhere in ("INC-2026-0099", None):
        outcome = made.desk.handle(INTAKE, settle("attached", incident=nowhere))
        assert outcome.refused is Reason.NO_SUCH_INCIDENT
        assert list(table(made).alerts) == ["AL-1"]
    made.do(settle("attached", incident=made.stream), INTAKE)
    assert made.incident.alerts == ["AL-1"]
    made = received(playbook="unknown", severity="medium")
    outcome = made.desk.handle(INTAKE, settle("declared", reason="it is real"))
    assert outcome.opened is not None
    opened = made.desk.incident(outcome.opened)
    assert (opened.severity, opened.declared_by) == ("medium", AMY)


def test_a_proposal_without_a_route_is_told_to_nobody_and_still_on_the_table() -> None:
    only = route("rest", "declared", levels=[{"to": ["cio"], "within": "10m"}])
    made = scene(policy=policy(routes=[only]))
    made.do(alert(), INTAKE)
    assert made.facts("message.requested", INTAKE)[0].data["recipients"] == []
    assert len(table(made).alerts) == 1


# -- the house ----------------------------------------------------------------------------------------------


def house(made: Scene) -> House:
    state = made.desk.state(HOUSE)
    assert isinstance(state, House)
    return state


def quarantine(**fields: Any) -> Quarantined:
    shape: dict[str, Any] = {"stream": "INC-2026-0001", "failures": 3} | fields
    return Quarantined(actor=Actor.machine("watch"), **shape)


def test_a_sick_incident_is_shut_away_and_somebody_is_paged_once() -> None:
    made = scene()
    assert made.do(quarantine(), HOUSE) == ("quarantine.entered", "page.asked")
    assert made.do(quarantine(failures=4), HOUSE) == ("quarantine.entered",)
    assert house(made).quarantined["INC-2026-0001"].failures == 4
    assert made.do(quarantine(released=True), HOUSE) == ("quarantine.left", "page.stopped")
    assert made.do(quarantine(released=True), HOUSE) == ()


def test_what_is_impaired_is_said_once_and_pages_until_it_is_mended() -> None:
    made = scene()
    broken = Impair(actor=MACHINE, what="slack", detail="down")
    assert made.do(broken, HOUSE) == ("machine.impaired", "page.asked")
    assert made.do(broken, HOUSE) == ()
    mended = Impair(actor=MACHINE, what="slack", mended=True)
    assert made.do(mended, HOUSE) == ("machine.recovered", "page.stopped")
    assert made.do(mended, HOUSE) == ()


def test_the_house_remembers_the_last_outages() -> None:
    made = scene()
    for number in range(25):
        since = NIGHT - timedelta(hours=25 - number)
        fact = NodeFact(
            actor=MACHINE, what="outage", node="pager", since=since, until=since + timedelta(minutes=5)
        )
        made.do(fact, HOUSE)
    for what in ("started", "stopped"):
        made.do(NodeFact(actor=MACHINE, what=what, node="pager"), HOUSE)
    assert len(house(made).outages) == 20
    assert house(made).outages[-1][0] == NIGHT - timedelta(hours=1)


# -- the programme ------------------------------------------------------------------------------------------


def improving(days: int = 30) -> Scene:
    made = scene()
    made.do(AddImprovement(actor=by(AMY), title="patch", owner=DAN, due=NIGHT + timedelta(days=days)))
    return made


def programme(made: Scene) -> Programme:
    state = made.desk.state(PROGRAMME)
    assert isinstance(state, Programme)
    return state


def days(made: Scene, count: float) -> tuple[str, ...]:
    return made.wait(count * 24 * 60, PROGRAMME)


def test_an_improvement_lives_on_in_the_programme() -> None:
    made = improving()
    one = programme(made).improvements["IMP-2026-0001-1"]
    assert (one.incident, one.owner, one.status) == (made.stream, DAN, "open")
    assert made.desk.texts(PROGRAMME)[one.title] == "patch"


def test_an_improvement_reminds_then_pages_then_climbs() -> None:
    made = improving()
    assert days(made, 22.9) == ()
    assert days(made, 0.1) == ("improvement.reminded", "message.requested")
    assert days(made, 6.9) == ()
    assert days(made, 0.1) == ("improvement.overdue", "page.asked")
    page = next(iter(programme(made).pages.values()))
    assert [one.person for one in page.reached["0"]] == [DAN]
    assert "page.exhausted" in days(made, 1)
    done = EndImprovement(actor=by(DAN), id="IMP-2026-0001-1", how="done", reason="patched")
    assert made.do(done, PROGRAMME) == ("improvement.done", "page.stopped")
    assert days(made, 400) == ()


def test_what_is_overdue_is_not_reminded_of() -> None:
    made = improving()
    assert days(made, 31)[:2] == ("improvement.overdue", "page.asked")
    assert made.facts("improvement.reminded", PROGRAMME) == []


def test_an_improvement_due_soon_is_reminded_of_at_once() -> None:
    assert "improvement.reminded" in days(improving(3), 0)


def test_management_accepts_the_risk() -> None:
    made = improving()
    accept = {"id": "IMP-2026-0001-1", "how": "accepted", "reason": "too dear"}
    assert made.says(EndImprovement(actor=by(BEN), **accept), PROGRAMME).reason is Reason.AUTHORITY_MISSING  # type: ignore[arg-type]
    made.do(EndImprovement(actor=by(CHO), **accept), PROGRAMME)  # type: ignore[arg-type]
    assert programme(made).improvements["IMP-2026-0001-1"].status == "accepted"
