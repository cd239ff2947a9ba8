"""The shift plan of a long incident: proposed, checked, carried out by time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import commands as c
from models.clock import iso
from models.decide import next_due
from models.directory import Directory
from models.errors import NaiveInstant
from models.organisation import Organisation
from models.playbook import Playbook
from models.reason import Reason
from models.shiftplan import MAX_SHIFTS, OVERLAP, Wanted, propose, shift_defects
from models.shifts import REST, PlannedShift, SetShifts
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    GUS,
    NIGHT,
    Scene,
    by,
    decision,
    organisation,
    playbook,
    policy,
    route,
    scene,
)

HOUR = timedelta(hours=1)
MAIN, STEP = policy().routes[0].model_dump(), "step-overdue"


def at(hours: float) -> datetime:
    return NIGHT + timedelta(hours=hours)


def one(person: str, since: float, until: float, role: str = "commander") -> PlannedShift:
    return PlannedShift(role=role, person=person, since=at(since), until=at(until))


def plan(*shifts: PlannedShift, **fields: Any) -> SetShifts:
    return SetShifts(actor=by(BEN), shifts=shifts, **fields)


def bank(**people: dict[str, Any]) -> Organisation:
    """The small bank, with changes to some of its people."""
    own = organisation().model_dump(mode="json")
    for person in own["people"]:
        person.update(people.get(person["id"], {}))
    return Organisation.model_validate(own)


def away(since: float, until: float) -> dict[str, Any]:
    return {"absences": [{"since": iso(at(since)), "until": iso(at(until))}]}


def staffed(*shifts: PlannedShift, **people: dict[str, Any]) -> Scene:
    """An incident with this plan, made while everybody was there; then the people are as given."""
    made = scene()
    assert "shifts.set" in made.do(plan(*shifts))
    return moved(made, **people)


def moved(made: Scene, book: Playbook | None = None, /, **people: dict[str, Any]) -> Scene:
    """The same record, with other people in the directory."""
    from models.desk import Desk  # noqa: PLC0415 - only here
    from models.premises import Premises  # noqa: PLC0415

    known = {"unknown": book or made.desk.premises.playbooks["unknown"]}
    premises = Premises(organisation=bank(**people), policy=policy(), playbooks=known)
    desk = Desk(made.desk.record, premises, made.clock)
    return Scene(desk=desk, clock=made.clock, stream=made.stream)


# -- carried out -------------------------------------------------------------------------------------------


def test_the_brief_comes_with_the_shift_and_the_role_when_the_overlap_ends() -> None:
    made = staffed(one(DAN, 1, 9.5), one(EVE, 9, 17))
    assert next_due(made.incident) is not None
    assert made.incident.assigned == {}
    made.wait(60)
    assert made.incident.assigned == {"commander": DAN}, "there was nobody to hand over from"
    notices = made.outbox(template="notice.handover")
    assert [(row["person"], row["subject"], row["kind"]) for row in notices] == [
        (DAN, "handover:commander", "notice")
    ]
    made.wait(8 * 60)
    assert made.incident.shifts["SH-002"].status == "begun"
    assert made.incident.assigned == {"commander": DAN}, "both are there for half an hour"
    assert [row["person"] for row in made.outbox(template="notice.handover")] == [DAN, EVE]
    made.wait(30)
    assert made.incident.assigned == {"commander": EVE}
    handed = made.facts("role.handed_over")[-1]
    assert (handed.actor, handed.at) == ("hikeshi", at(9.5))
    assert handed.data == {"role": "commander", "person": EVE, "outgoing": DAN, "shift": "SH-002"}
    tenure = made.incident.tenures["commander"]
    assert (tenure.person, tenure.since, tenure.before, tenure.before_since) == (EVE, at(9.5), DAN, at(1))
    assert [row["person"] for row in made.outbox(template="notice.handover")] == [DAN, EVE]


def test_whoever_is_paged_as_commander_is_the_one_on_shift() -> None:
    made = staffed(one(DAN, 1, 9), one(EVE, 9, 17))
    made.wait(9 * 60)
    assert "commander" in made.desk.world(made.incident).roles_of(made.incident, EVE)
    assert "commander" not in made.desk.world(made.incident).roles_of(made.incident, DAN)


def test_the_deputy_of_somebody_absent_takes_it_and_has_the_brief() -> None:
    made = staffed(one(DAN, 1, 9), one(CHO, 9, 17), cho={**away(8, 30), "deputies": [FAY]})
    made.wait(9 * 60)
    assert made.incident.assigned == {"commander": FAY}
    assert made.facts("role.handed_over")[-1].data["absent"] == CHO
    assert made.outbox(template="notice.handover")[-1]["deputy_for"] == CHO
    assert len(made.outbox(template="notice.handover", person=FAY)) == 1


def test_whoever_falls_ill_during_the_overlap_is_stood_in_for_by_somebody_who_has_read_the_brief() -> None:
    made = staffed(one(DAN, 1, 9.5), one(CHO, 9, 17), cho={**away(9.25, 30), "deputies": [FAY]})
    made.wait(9 * 60)
    made.wait(30)
    assert made.incident.assigned == {"commander": FAY}
    told = [row["person"] for row in made.outbox(template="notice.handover")]
    assert told == [DAN, CHO, FAY]


def test_if_nobody_can_take_it_the_role_stays_and_a_page_says_so() -> None:
    made = staffed(one(DAN, 1, 9), one(EVE, 9, 17), eve=away(8, 30))
    made.wait(2 * 60)
    made.wait(7 * 60)
    assert made.incident.assigned == {"commander": DAN}
    missed = made.facts("shift.missed")[0]
    assert missed.data == {"shift": "SH-002", "role": "commander", "person": EVE, "outgoing": DAN}
    page = made.page("shift:SH-002", "shift-uncovered")
    assert page.route == "house", "along the route of what is late, for want of one of its own"
    assert [one.person for one in page.reached["0"]] == [DAN, AMY]
    assert made.outbox(template="page.shift_uncovered")
    assert not made.outbox(template="notice.handover", person=EVE)


def test_the_page_stops_once_somebody_has_the_role() -> None:
    made = staffed(one(EVE, 1, 9), eve=away(0.5, 30))
    made.wait(60)
    assert made.incident.assigned == {}
    page = made.page("shift:SH-001")
    assert [one.person for one in page.reached["0"]] == [AMY], "no one holds the role"
    assert "page.stopped" in made.do(c.AssignRole(actor=by(BEN), role="commander", person=GUS))
    assert made.incident.shifts["SH-001"].status == "passed"


def test_a_plan_that_is_changed_takes_its_page_with_it() -> None:
    made = staffed(one(EVE, 1, 9), eve=away(0.5, 30))
    made.wait(60)
    assert "page.stopped" in made.do(plan(one(GUS, 1, 9)))
    assert list(made.incident.shifts) == ["SH-002"], "a number is never used twice"
    made.wait(1)
    assert made.incident.assigned == {"commander": GUS}


def test_an_institution_may_give_it_a_route_of_its_own() -> None:
    own = route("relief", "shift-uncovered", levels=[{"to": ["ciso"], "within": "5m"}])
    made = scene(policy=policy(routes=[own, *(r.model_dump(mode="json") for r in policy().routes)]))
    made.do(plan(one(EVE, 1, 9)))
    gone = made.desk.premises.__class__(
        organisation=bank(eve=away(0.5, 30)),
        policy=made.desk.premises.policy,
        playbooks=made.desk.premises.playbooks,
    )
    desk = made.desk.__class__(made.desk.record, gone, made.clock)
    late = Scene(desk=desk, clock=made.clock, stream=made.stream)
    late.wait(60)
    assert late.page("shift:SH-001").route == "relief"


def test_what_went_by_while_no_node_ran_is_not_acted_out_afterwards() -> None:
    made = staffed(one(DAN, 1, 9), one(EVE, 9, 17), one(GUS, 17, 25))
    made.wait(18 * 60)
    assert {name: shift.status for name, shift in made.incident.shifts.items()} == {
        "SH-001": "passed",
        "SH-002": "passed",
        "SH-003": "taken",
    }
    assert made.incident.assigned == {"commander": GUS}
    assert [row["person"] for row in made.outbox(template="notice.handover")] == [GUS]


def test_an_appointment_by_hand_holds_until_the_next_hand_over() -> None:
    made = staffed(one(DAN, 1, 9), one(EVE, 9, 17))
    made.wait(60)
    made.do(c.AssignRole(actor=by(BEN), role="commander", person=GUS))
    made.wait(60)
    assert made.incident.assigned == {"commander": GUS}
    made.wait(7 * 60)
    assert made.incident.assigned == {"commander": EVE}


def test_when_the_incident_is_over_nothing_of_the_plan_happens_any_more() -> None:
    made = staffed(one(DAN, 1, 9))
    made.do(c.EndIncident(actor=by(BEN), how="cancelled", reason="-"))
    made.wait(120)
    assert made.incident.assigned == {}
    assert next_due(made.incident) is None


def test_naming_somebody_sends_them_the_brief() -> None:
    made = scene(organisation=organisation(absent=(EVE,)))
    made.do(c.AssignRole(actor=by(BEN), role="scribe", person=DAN))
    assert [row["subject"] for row in made.outbox(template="notice.handover", person=DAN)] == [
        "handover:scribe"
    ]
    made.do(c.AssignRole(actor=by(BEN), role="scribe", person=EVE))
    assert not made.outbox(template="notice.handover", person=EVE), "away, and nobody stands in"
    assert made.incident.tenures["scribe"].before == DAN


def test_an_authority_is_stood_in_for_while_its_holder_is_away_and_no_longer() -> None:
    book = playbook("unknown", decision("choose"))
    made = scene(book)
    made.do(plan(one(CHO, 2, 8, "ciso")))
    made = moved(made, book, cho={**away(1, 3), "deputies": [FAY]})
    made.wait(2 * 60)
    assert made.incident.assigned == {"ciso": CHO}
    assert made.incident.shifts["SH-001"].taken_by == FAY
    fact = made.facts("role.handed_over")[-1]
    assert (fact.data["person"], fact.data["deputy"]) == (CHO, FAY)
    world = made.desk.world(made.incident)
    assert [(each.person.id, each.deputy_for) for each in world.holders(made.incident, "ciso")] == [
        (FAY, CHO)
    ]
    assert "ciso" in world.roles_of(made.incident, FAY)
    made.wait(2 * 60)
    world = made.desk.world(made.incident)
    assert [each.person.id for each in world.holders(made.incident, "ciso")] == [CHO]
    refused = made.says(c.Decide(actor=by(FAY), step="choose", choice="yes", reason="-"))
    assert refused.reason is Reason.AUTHORITY_MISSING
    made.do(c.Decide(actor=by(CHO), step="choose", choice="no", reason="-"))


def test_nobody_counts_as_told_of_a_shift_whose_brief_no_channel_carries() -> None:
    made = staffed(one(DAN, 1, 9), dan={"channels": ["sms"]})
    made.wait(60)
    assert made.incident.shifts["SH-001"].told == []
    assert made.outbox(template="notice.handover") == []


def test_nobody_is_told_of_a_shift_whom_nothing_reaches() -> None:
    made = staffed(one(EVE, 1, 9.5), one(DAN, 9, 17), dan=away(8, 30))
    made.wait(60)
    made.wait(8 * 60)
    assert made.incident.shifts["SH-002"].told == []


# -- set and changed ---------------------------------------------------------------------------------------


def test_a_further_plan_replaces_the_roles_it_names_and_no_other() -> None:
    made = staffed(one(DAN, 1, 9), one(EVE, 1, 9, "scribe"))
    made.do(plan(one(CHO, 1, 9)))
    assert {(shift.role, shift.person) for shift in made.incident.shifts.values()} == {
        ("commander", CHO),
        ("scribe", EVE),
    }
    made.do(plan(roles=("scribe",)))
    assert [shift.role for shift in made.incident.shifts.values()] == ["commander"]
    assert made.says(plan()).reason is Reason.EMPTY


def test_a_shift_that_goes_on_is_not_begun_again_by_a_longer_plan() -> None:
    made = staffed(one(DAN, 1, 9), one(EVE, 9, 17))
    made.wait(60)
    made.do(c.AssignRole(actor=by(BEN), role="commander", person=GUS))
    made.do(plan(one(DAN, 1, 9), one(CHO, 9, 17), one(EVE, 17, 25)))
    assert made.wait(1) == ()
    assert made.incident.assigned == {"commander": GUS}
    assert [(name, each.person, each.status) for name, each in made.incident.shifts.items()] == [
        ("SH-001", DAN, "taken"),
        ("SH-003", CHO, "planned"),
        ("SH-004", EVE, "planned"),
    ]
    made.wait(8 * 60)
    assert made.incident.assigned == {"commander": CHO}


def test_a_shift_that_nobody_could_take_is_tried_again_by_a_new_plan() -> None:
    made = staffed(one(EVE, 1, 9), eve=away(0.5, 30))
    made.wait(60)
    assert made.incident.shifts["SH-001"].status == "missed"
    made = moved(made)
    made.do(plan(one(EVE, 1, 9)))
    made.wait(1)
    assert made.incident.assigned == {"commander": EVE}


@pytest.mark.parametrize("rest", [-1, 7 * 24 * 3600 + 1, 10**20])
def test_a_rest_that_nobody_can_mean_is_refused(rest: int) -> None:
    assert scene().says(plan(one(DAN, 1, 9), rest=rest)).reason is Reason.FIELD_WRONG


def test_a_plan_is_taken_from_no_role_that_does_not_exist() -> None:
    made = staffed(one(DAN, 1, 9))
    refused = made.says(plan(roles=("cook",)))
    assert (refused.reason, refused.detail["role"]) == (Reason.NO_SUCH_ROLE, "cook")


def test_only_who_leads_sets_a_plan_and_only_while_it_goes_on() -> None:
    made = scene()
    assert made.says(SetShifts(actor=by(FAY), shifts=(one(DAN, 1, 9),))).reason is Reason.ROLE_MISSING
    made.do(c.EndIncident(actor=by(BEN), how="cancelled", reason="-"))
    assert made.says(plan(one(DAN, 1, 9))).reason is Reason.NOT_OPEN


def test_all_defects_are_told_at_once() -> None:
    made = scene(organisation=bank(gus=away(10, 30)))
    refused = made.says(
        plan(
            one(DAN, 1, 9),
            one(DAN, 10, 18),
            one("mallory", 18, 20),
            one(EVE, 20, 19),
            one(AMY, 20, 50),
            one(GUS, 29, 40, "scribe"),
            one(FAY, -9, -1, "scribe"),
            one(BEN, 24 * 70, 24 * 70 + 2, "scribe"),
            one(FAY, 15, 16, "ciso"),
            one(CHO, 40, 41, "cook"),
            one(EVE, 60, 65),
            one(CHO, 62, 68),
        )
    )
    assert refused.reason is Reason.PLAN_WRONG
    assert refused.detail["defects"] == [
        "2:rest:person=dan",
        "3:person:role=commander,person=mallory",
        "4:order:role=commander,person=eve",
        "5:too-long:role=commander,person=amy",
        "6:absent:role=scribe,person=gus",
        "7:over:role=scribe,person=fay",
        "8:too-far:role=scribe,person=ben",
        "9:not-entitled:role=ciso,person=fay",
        "10:role:role=cook,person=cho",
        "12:two-at-once:role=commander",
    ]
    assert refused.detail["count"] == 10


def test_nobody_works_in_two_roles_at_once_nor_without_rest_between_them() -> None:
    made = staffed(one(DAN, 1, 9))
    refused = made.says(plan(one(DAN, 12, 20, "scribe")))
    assert refused.detail["defects"] == ["1:rest:person=dan"]
    made.do(plan(one(DAN, 12, 20, "scribe"), rest=3600))


def test_a_plan_has_a_bound() -> None:
    made = scene()
    many = [one(DAN, hour, hour + 1) for hour in range(MAX_SHIFTS + 1)]
    assert made.says(plan(*many)).detail["defects"] == [f"0:too-many:limit={MAX_SHIFTS}"]


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(NaiveInstant):
        PlannedShift(role="scribe", person=DAN, since=datetime(2027, 1, 1), until=NIGHT)  # noqa: DTZ001


# -- proposed ----------------------------------------------------------------------------------------------

SIX = (AMY, BEN, CHO, DAN, EVE, FAY)


def wanted(*roles: str, people: tuple[str, ...] = SIX, **fields: Any) -> Wanted:
    return Wanted(roles=roles, people=people, since=NIGHT, **({"days": 3, "hours": 8} | fields))


def test_three_people_share_three_days_and_overlap_by_half_an_hour() -> None:
    found = propose(wanted("commander", people=(AMY, BEN, CHO)), Directory(organisation()))
    assert found.holes == ()
    assert Counter(shift.person for shift in found.shifts) == {AMY: 3, BEN: 3, CHO: 3}
    assert [before.until - after.since for before, after in pairwise(found.shifts)] == [OVERLAP] * 8
    assert (found.shifts[0].since, found.shifts[-1].until) == (NIGHT, at(72))


def test_an_absence_and_a_rest_are_kept_even_if_that_leaves_a_hole() -> None:
    away_all = bank(ben=away(0, 100))
    found = propose(wanted("commander", people=(AMY, BEN), days=1), Directory(away_all))
    assert [(shift.person, shift.since) for shift in found.shifts] == [(AMY, NIGHT)]
    assert [hole.since for hole in found.holes] == [at(8), at(16)]
    assert {hole.person for hole in found.holes} == {""}


def test_a_role_with_authority_goes_only_to_those_who_have_it() -> None:
    found = propose(wanted("commander", "ciso", people=(CHO, DAN), days=1), Directory(organisation()))
    first = {shift.role: shift.person for shift in found.shifts if shift.since == NIGHT}
    assert first == {"ciso": CHO, "commander": DAN}, "the role with the fewest to choose from chooses first"
    assert not propose(wanted("scribe", people=("mallory",)), Directory(organisation())).shifts


spans = st.tuples(st.integers(0, 80), st.integers(1, 40)).map(lambda s: away(s[0], s[0] + s[1]))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(SIX), min_size=1, max_size=6, unique=True),
    st.dictionaries(st.sampled_from(SIX), spans, max_size=3),
    st.lists(st.sampled_from(["commander", "scribe"]), min_size=1, max_size=2, unique=True),
    st.integers(1, 4),
    st.sampled_from([4, 6, 8, 12]),
    st.integers(0, 16),
)
def test_whatever_is_proposed_has_no_defect_and_leaves_no_time_out(
    people: list[str], gone: dict[str, Any], roles: list[str], days: int, hours: int, rest: int
) -> None:
    directory = Directory(bank(**gone))
    found = propose(wanted(*roles, people=tuple(people), days=days, hours=hours, rest=rest * HOUR), directory)
    assert shift_defects(found.shifts, (), directory, NIGHT - HOUR, rest * HOUR) == []
    for role in roles:
        pieces = sorted((one.since, one.until) for one in (*found.shifts, *found.holes) if one.role == role)
        assert pieces[0][0] == NIGHT
        assert max(until for _, until in pieces) == at(24 * days)
        assert all(before[1] >= after[0] for before, after in pairwise(pieces))


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 6), st.integers(1, 7))
def test_people_without_absences_work_equally_but_for_one_shift(many: int, days: int) -> None:
    people = SIX[:many]
    found = propose(wanted("commander", people=people, days=days), Directory(organisation()))
    counts = Counter({name: 0 for name in people})
    counts.update(shift.person for shift in found.shifts)
    assert found.holes == ()
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_plan_over_the_end_of_summer_time_keeps_its_hours() -> None:
    since = datetime(2027, 10, 30, 20, tzinfo=UTC)
    own = Wanted(roles=("scribe",), people=(AMY, BEN, CHO), since=since, days=1, hours=8, rest=REST)
    found = propose(own, Directory(organisation()))
    assert [shift.since - since for shift in found.shifts] == [0 * HOUR, 8 * HOUR, 16 * HOUR]


def test_a_shift_that_was_over_and_is_made_longer_begins_anew() -> None:
    made = staffed(one(DAN, 1, 9))
    made.wait(9 * 60 + 1)  # nobody looked during the whole shift
    assert "commander" not in made.incident.assigned
    made.do(plan(one(DAN, 1, 20)))
    made.wait(1)
    assert made.incident.assigned["commander"] == DAN


def test_a_shift_that_comes_back_longer_takes_the_role_from_its_successor() -> None:
    made = staffed(one(DAN, 1, 9), one(EVE, 9, 17))
    made.wait(60)
    assert made.incident.assigned["commander"] == DAN
    made.wait(8 * 60 + 1)
    assert made.incident.assigned["commander"] == EVE
    made.do(plan(one(DAN, 1, 20)))
    made.wait(1)
    assert made.incident.assigned["commander"] == DAN
