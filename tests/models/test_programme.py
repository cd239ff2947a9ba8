"""The exercise programme: the register, and findings that close only by a re-test or an accepted risk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.commands import Command
from models.decide import decide
from models.desk import Desk
from models.errors import Refused
from models.fold import empty, fold
from models.programme import (
    AcceptFinding,
    CancelExercise,
    Finding,
    FixFinding,
    Imported,
    NewFinding,
    NewRetest,
    OpenFinding,
    Outcome,
    PlanExercise,
    RecordExercise,
    ReopenFinding,
    RetestFinding,
    SignOffExercise,
    Took,
    period,
)
from models.reason import Reason
from models.state import Programme
from tests.models.small import AMY, BEN, CHO, DAN, EVE, FAY, GUS, NIGHT, ROLES, Scene, by, scene

STREAM = "programme"
SOON = NIGHT + timedelta(days=30)
TODAY = "2026-11-23"
"""At NIGHT it is three in the morning of this day in Tokyo."""
DRILL = Imported(digest="sha256:aa", drill="DRL-2026-0001", key="k1", trust="given")


def bank(**premises: Any) -> Scene:
    return scene(declare=False, **premises)


def programme(made: Scene) -> Programme:
    state = made.desk.state(STREAM)
    assert isinstance(state, Programme)
    return state


def finding(made: Scene, number: int = 1) -> Finding:
    return programme(made).findings[f"FD-{number:04d}"]


def plan(**fields: Any) -> PlanExercise:
    given: dict[str, Any] = {"actor": by(BEN), "title": "DDoS", "when": "2027-02", "type": "tabletop"}
    return PlanExercise(**(given | fields))


def record(**fields: Any) -> RecordExercise:
    given: dict[str, Any] = {"actor": by(BEN), "title": "Delta Wall", "on": TODAY, "type": "sector"}
    return RecordExercise(**(given | fields))


def opened(made: Scene, **fields: Any) -> Finding:
    """An exercise with one finding of Dan's."""
    made.do(record(), STREAM)
    given: dict[str, Any] = {"title": "Nobody could reach the vendor", "owner": DAN, "due": SOON} | fields
    new = NewFinding(**given)
    made.do(OpenFinding(actor=by(BEN), exercise="EX-0001", finding=new), STREAM)
    return finding(made)


def retest(**fields: Any) -> RetestFinding:
    given: dict[str, Any] = {
        "actor": by(BEN), "id": "FD-0001", "exercise": "EX-0002", "rating": "S", "evaluator": "gus",
    }  # fmt: skip
    return RetestFinding(**(given | fields))


def accept(**fields: Any) -> AcceptFinding:
    given: dict[str, Any] = {"actor": by(CHO), "id": "FD-0001", "reason": "replaced", "review": SOON}
    return AcceptFinding(**(given | fields))


# -- the register -------------------------------------------------------------------------------------------


def test_an_exercise_has_one_number_from_its_planning_to_its_being_held() -> None:
    made = bank()
    made.do(plan(scenario="ddos-hides-intrusion", playbooks=("unknown",), organiser="CSIRT"), STREAM)
    entry = programme(made).entries["EX-0001"]
    assert (entry.status, entry.when, entry.playbooks) == ("planned", "2027-02", ["unknown"])
    assert made.do(record(plan="EX-0001", title="", type=""), STREAM) == ("programme.held",)
    held = programme(made).entries["EX-0001"]
    assert (held.status, held.held_on, held.type) == ("held", TODAY, "tabletop")
    assert (held.scenario, held.playbooks) == ("ddos-hides-intrusion", ["unknown"])
    assert held.title == entry.title
    made.do(record(), STREAM)
    assert list(programme(made).entries) == ["EX-0001", "EX-0002"]


def test_an_exercise_held_elsewhere_is_entered_with_who_took_part() -> None:
    made = bank()
    took = (Took(role="ciso", person=CHO), Took(role="president", absent=True), Took(role="cio", person=DAN))
    made.do(
        record(by="authority", organiser="FSA", participants=took, guideline=("FSA-2.2.5-B1",), note="-"),
        STREAM,
    )
    entry = programme(made).entries["EX-0001"]
    assert (entry.by, entry.managers, entry.guideline) == ("authority", ["cio", "ciso"], ["FSA-2.2.5-B1"])
    assert made.desk.texts(STREAM)[entry.organiser] == "FSA"


def test_what_was_planned_is_cancelled_with_its_reason_and_then_not_held() -> None:
    made = bank()
    made.do(plan(), STREAM)
    made.do(CancelExercise(actor=by(BEN), id="EX-0001", reason="budget"), STREAM)
    assert programme(made).entries["EX-0001"].status == "cancelled"
    assert made.says(record(plan="EX-0001"), STREAM).reason is Reason.NO_SUCH_ITEM
    again = CancelExercise(actor=by(BEN), id="EX-0001", reason="budget")
    assert made.says(again, STREAM).reason is Reason.NO_SUCH_ITEM


def test_what_was_recorded_by_mistake_is_struck_out_and_may_be_taken_in_again() -> None:
    made = bank()
    made.do(record(imported=DRILL), STREAM)
    strike = CancelExercise(actor=by(BEN), id="EX-0001", reason="the wrong file")
    made.do(strike, STREAM)
    assert made.says(strike, STREAM).reason is Reason.NO_SUCH_ITEM
    made.do(record(imported=DRILL), STREAM)
    assert [one.status for one in programme(made).entries.values()] == ["cancelled", "held"]


def test_an_exercise_on_which_a_finding_rests_is_not_struck_out() -> None:
    made = bank()
    opened(made)
    made.do(record(), STREAM)
    made.do(retest(), STREAM)
    for number in ("EX-0001", "EX-0002"):
        refused = made.says(CancelExercise(actor=by(BEN), id=number, reason="x"), STREAM)
        assert "FD-0001 came of" in str(refused.detail["fields"]), number


IN_A_DRILL = [
    plan(), record(), CancelExercise(actor=by(BEN), id="EX-0001", reason="x"),
    SignOffExercise(actor=by(CHO), id="EX-0002"), FixFinding(actor=by(DAN), id="FD-0001", note="x"),
    OpenFinding(actor=by(BEN), exercise="EX-0002", finding=NewFinding(title="x", owner=EVE, due=SOON)),
    ReopenFinding(actor=by(BEN), id="FD-9", reason="x", due=SOON),
    RetestFinding(actor=by(BEN), id="FD-0001", exercise="EX-0003"),
    AcceptFinding(actor=by(CHO), id="FD-0001", reason="x", review=SOON),
]  # fmt: skip


@pytest.mark.parametrize("command", IN_A_DRILL, ids=lambda one: type(one).__name__)
def test_a_drill_keeps_no_register(command: Command) -> None:
    made = bank()
    opened(made)
    state = programme(made)
    with pytest.raises(Refused) as refused:
        decide(state, command, replace(made.desk.world(state), drill=True))
    assert refused.value.reason is Reason.IN_A_DRILL


WRONG = [
    ("a month that is over is no plan", plan(when="2026-10"), "when: 2026-10 is over"),
    ("a month is written with two digits", plan(when="2027-2"), "when: expected a month such as 2027-02"),
    ("there is no thirteenth month", plan(when="2027-13"), "when: expected a month"),
    ("a plan is of a known type", plan(type="party"), "type: expected one of tabletop"),
    ("somebody known holds it", plan(by="us"), "by: expected one of internal"),
    ("it exercises playbooks that there are", plan(playbooks=("nope",)), "there is no playbook 'nope'"),
    ("it re-tests findings that there are", plan(retests=("FD-0007",)), "there is no finding FD-0007"),
    ("a plan has bounds", plan(playbooks=("unknown",) * 51), "playbooks: at most 50, got 51"),
    ("what lies ahead was not held", record(on="2027-02-17"), "on: 2027-02-17 lies ahead"),
    ("an exercise is held on a day", record(on="2026-10"), "on: expected a day such as"),
    ("a role is one of the directory", record(participants=(Took(role="x"),)), "there is no role 'x'"),
    (
        "a person is one of the directory",
        record(participants=(Took(role="ciso", person="zoe"),)),
        "'zoe' is not in the directory",
    ),
    (
        "an outside party is one of the directory",
        record(participants=(Took(role="vendor", party="acme"),)),
        "there is no outside party 'acme'",
    ),
    ("a route is one of the policy", record(routes=("nope",)), "there is no route 'nope'"),
]


@pytest.mark.parametrize(("_", "command", "said"), WRONG, ids=[row[0] for row in WRONG])
def test_what_cannot_be_entered_is_refused_with_what_was_expected(_: str, command: Any, said: str) -> None:
    refused = bank().says(command, STREAM)
    assert refused.reason is Reason.FIELD_WRONG
    assert said in str(refused.detail["fields"])


def test_everything_that_is_wrong_with_a_plan_is_said_at_once() -> None:
    refused = bank().says(plan(when="soon", type="party", playbooks=("nope",)), STREAM)
    assert len(refused.detail["fields"]) == 3  # type: ignore[arg-type]


def test_a_month_and_a_day_begin_and_end_where_the_institution_is() -> None:
    begins, ends = period("2026-12", "Asia/Tokyo")
    assert (begins.isoformat(), ends.isoformat()) == (
        "2026-12-01T00:00:00+09:00",
        "2027-01-01T00:00:00+09:00",
    )
    assert period("2027-02-17", "Asia/Tokyo")[1].isoformat() == "2027-02-18T00:00:00+09:00"


def test_a_plan_is_late_only_when_its_whole_month_is_over() -> None:
    made = bank()
    made.do(plan(when="2026-12"), STREAM)
    entry = programme(made).entries["EX-0001"]
    last = period("2026-12", "Asia/Tokyo")[1]
    assert not entry.late(last - timedelta(seconds=1))
    assert entry.late(last)


def test_a_result_is_imported_once() -> None:
    made = bank()
    made.do(record(imported=DRILL, playbooks=("gone",), signed_off=(CHO, "zoe")), STREAM)
    entry = programme(made).entries["EX-0001"]
    assert entry.imported == DRILL
    assert list(entry.signed_off) == [CHO], "whoever the directory does not know signs nothing here"
    assert made.says(record(imported=DRILL), STREAM).reason is Reason.ALREADY
    other = Imported(digest="sha256:bb", drill=DRILL.drill, key="k1", trust="given")
    assert made.says(record(imported=other), STREAM).reason is Reason.DUPLICATE


def test_management_knows_the_results_in_person() -> None:
    made = bank()
    made.do(record(), STREAM)
    told = made.says(SignOffExercise(actor=by(GUS), for_=CHO, id="EX-0001"), STREAM)
    assert told.reason is Reason.IN_PERSON
    made.do(SignOffExercise(actor=by(CHO), id="EX-0001"), STREAM)
    assert list(programme(made).entries["EX-0001"].signed_off) == [CHO]
    assert made.says(SignOffExercise(actor=by(CHO), id="EX-0001"), STREAM).reason is Reason.ALREADY
    assert made.says(SignOffExercise(actor=by(BEN), id="EX-0001"), STREAM).reason is Reason.ROLE_MISSING
    assert made.says(SignOffExercise(actor=by(CHO), id="EX-9"), STREAM).reason is Reason.NO_SUCH_ITEM


RIGHTS = [
    ("plan an exercise", plan(actor=by(None)), {BEN, CHO}),
    ("record an exercise", record(), {BEN, CHO}),
    ("cancel an exercise", CancelExercise(actor=by(None), id="EX-0001", reason="x"), {BEN, CHO}),
    ("know the results", SignOffExercise(actor=by(None), id="EX-0002"), {CHO, DAN}),
    (
        "open a finding",
        OpenFinding(actor=by(None), exercise="EX-0002", finding=NewFinding(title="x", owner=EVE, due=SOON)),
        {BEN, CHO},
    ),
    ("open a finding again", ReopenFinding(actor=by(None), id="FD-9", reason="x", due=SOON), {BEN, CHO}),
    (
        "say that a finding's work is done",
        FixFinding(actor=by(None), id="FD-0001", note="x"),
        {BEN, CHO, EVE},
    ),
    ("record a re-test", RetestFinding(actor=by(None), id="FD-0001", exercise="EX-0003"), {BEN, CHO}),
    ("accept a risk", AcceptFinding(actor=by(None), id="FD-0001", reason="x", review=SOON), {CHO, DAN}),
]


@pytest.mark.parametrize(("_", "command", "entitled"), RIGHTS, ids=[row[0] for row in RIGHTS])
def test_who_may(_: str, command: Command, entitled: set[str]) -> None:
    made = bank()
    made.do(plan(), STREAM)
    made.do(record(), STREAM)
    made.do(record(), STREAM)
    new = NewFinding(title="-", owner=EVE, due=SOON)
    made.do(OpenFinding(actor=by(BEN), exercise="EX-0002", finding=new), STREAM)
    state = programme(made)
    allowed = set()
    for person in ROLES:
        try:
            decide(state, replace(command, actor=by(person)), made.desk.world(state))
        except Refused as no:
            if no.reason is Reason.ROLE_MISSING:
                continue
        allowed.add(person)
    assert allowed == entitled


# -- findings -----------------------------------------------------------------------------------------------


def test_a_finding_closes_by_another_exercise_that_passes() -> None:
    made = bank()
    opened(made)
    made.do(
        FixFinding(actor=by(DAN), id="FD-0001", note="new number", playbook="unknown", version="1.0.0"),
        STREAM,
    )
    assert (finding(made).status, finding(made).version) == ("fixed", "1.0.0")
    made.do(record(), STREAM)
    made.do(retest(observation="reached in two minutes"), STREAM)
    assert finding(made).status == "closed"
    assert finding(made).retests[0].rating == "S"


@pytest.mark.parametrize(
    ("rating", "status"),
    [("P", "closed"), ("S", "closed"), ("M", "open"), ("U", "open")],
)
def test_only_p_and_s_close_a_finding_and_m_and_u_open_it_again(rating: str, status: str) -> None:
    made = bank()
    opened(made)
    made.do(FixFinding(actor=by(DAN), id="FD-0001", note="-"), STREAM)
    made.do(record(), STREAM)
    made.do(retest(rating=rating), STREAM)
    assert finding(made).status == status


NO_RETEST = [
    ("the exercise that found it", {"exercise": "EX-0001"}, Reason.SAME_EXERCISE),
    ("one that is not held", {"exercise": "EX-0009"}, Reason.NO_SUCH_ITEM),
    ("one from before it was found", {"exercise": "EX-0003"}, Reason.RETEST_TOO_EARLY),
    ("one that nobody rated", {"rating": ""}, Reason.NOT_EVALUATED),
    ("one with a rating that there is not", {"rating": "A"}, Reason.NOT_EVALUATED),
    ("one without an evaluator", {"evaluator": " "}, Reason.NOT_EVALUATED),
    ("one that its owner rated", {"evaluator": DAN}, Reason.SAME_PERSON),
    ("one whose result has no such objective", {"objective": "x"}, Reason.NO_SUCH_ITEM),
    ("one of a finding that there is not", {"id": "FD-0009"}, Reason.NO_SUCH_ITEM),
    ("one that its owner writes down", {"actor": by(CHO), "id": "FD-0002"}, Reason.SAME_PERSON),
    ("one that somebody without the right writes down", {"actor": by(FAY)}, Reason.ROLE_MISSING),
]


@pytest.mark.parametrize(("_", "fields", "reason"), NO_RETEST, ids=[row[0] for row in NO_RETEST])
def test_what_is_no_retest_closes_nothing(_: str, fields: dict[str, Any], reason: Reason) -> None:
    made = bank()
    opened(made)
    made.do(record(), STREAM)
    made.do(record(on="2026-11-20"), STREAM)
    new = NewFinding(title="-", owner=CHO, due=SOON)
    made.do(OpenFinding(actor=by(BEN), exercise="EX-0001", finding=new), STREAM)
    assert made.says(retest(**fields), STREAM).reason is reason
    assert finding(made).status == "open"


def test_a_retest_from_before_the_work_was_done_shows_nothing() -> None:
    made = bank()
    opened(made)
    made.do(record(), STREAM)
    made.wait(60 * 24 * 2, STREAM)
    made.do(FixFinding(actor=by(DAN), id="FD-0001", note="-"), STREAM)
    refused = made.says(retest(), STREAM)
    assert refused.reason is Reason.RETEST_TOO_EARLY
    assert refused.detail["since"] == "2026-11-25"


def test_the_rating_of_a_retest_is_that_of_the_signed_result() -> None:
    made = bank()
    opened(made)
    outcomes = (Outcome(objective="contain", rating="U", evaluator="gus"),)
    made.do(record(imported=DRILL, outcomes=outcomes), STREAM)
    made.do(retest(objective="contain", rating="P", evaluator="ben"), STREAM)
    assert finding(made).retests[0].rating == "U", "what is given by hand does not count beside it"
    assert finding(made).status == "open"


def by_result(**fields: Any) -> RecordExercise:
    again = (NewRetest(finding="FD-0001", rating="P", evaluator="gus"),)
    given: dict[str, Any] = {"imported": DRILL, "retested": again, "signed_off": (CHO,)}
    return record(**given | fields)


def test_a_result_that_only_vouches_for_itself_closes_nothing_and_is_no_sign_off() -> None:
    made = bank()
    opened(made)
    alone = replace_trust(DRILL)
    assert "--key" in str(made.says(by_result(imported=alone), STREAM).detail["fields"])
    outcomes = (Outcome(objective="contain", rating="P", evaluator="gus"),)
    made.do(by_result(imported=alone, retested=(), outcomes=outcomes), STREAM)
    afterwards = made.says(retest(objective="contain", rating="", evaluator=""), STREAM)
    assert "--key" in str(afterwards.detail["fields"]), "nor by the other door"
    assert finding(made).status == "open"
    assert programme(made).entries["EX-0002"].signed_off == {}


def replace_trust(one: Imported) -> Imported:
    return Imported(digest=one.digest, drill=one.drill, key=one.key, trust="named")


def test_nobody_takes_in_the_result_that_closes_a_finding_of_their_own() -> None:
    made = bank()
    opened(made, owner=BEN)
    assert made.says(by_result(), STREAM).reason is Reason.SAME_PERSON
    assert made.says(by_result(actor=by(CHO), for_=BEN), STREAM) is not None
    made.do(by_result(actor=by(CHO)), STREAM)
    assert finding(made).status == "closed"


def test_only_management_has_signed_a_drills_report_and_on_the_day_on_which_it_did() -> None:
    made = bank()
    earlier = NIGHT - timedelta(days=3)
    made.do(record(imported=DRILL, signed_off=(AMY, CHO), signed_off_at=earlier), STREAM)
    assert programme(made).entries["EX-0001"].signed_off == {CHO: earlier}


def test_a_large_drill_in_which_many_have_several_roles_fits_into_the_register() -> None:
    made = bank()
    many = tuple(Took(role=role, person=f"p{n}") for n in range(200) for role in ("ciso", "pr", "csirt-duty"))
    made.do(record(imported=DRILL, participants=many), STREAM)
    assert len(programme(made).entries["EX-0001"].participants) == 600


def test_a_long_incident_may_exercise_most_of_a_catalogue() -> None:
    made = bank()
    made.do(record(imported=DRILL, guideline=tuple(f"FSA-{n}" for n in range(73))), STREAM)
    assert len(programme(made).entries["EX-0001"].guideline) == 73


def test_a_result_brings_its_findings_and_tests_others_again() -> None:
    made = bank()
    opened(made)
    new = (
        NewFinding(title="one", owner=DAN, due=SOON, cause="none"),
        NewFinding(title="two", owner=EVE, due=SOON),
    )
    again = (NewRetest(finding="FD-0001", rating="P", evaluator="gus"),)
    kinds = made.do(record(imported=DRILL, findings=new, retested=again), STREAM)
    assert kinds == ("programme.held", "finding.opened", "finding.opened", "finding.retested")
    assert [one.id for one in programme(made).findings.values()] == ["FD-0001", "FD-0002", "FD-0003"]
    assert finding(made).status == "closed"
    assert finding(made, 3).exercise == "EX-0002"


def test_management_accepts_what_remains_in_person_with_a_reason_and_a_day() -> None:
    made = bank()
    opened(made)
    made.do(accept(), STREAM)
    found = finding(made)
    assert (found.status, found.accepted_by, found.review_at) == ("accepted", CHO, SOON)


NOT_ACCEPTED = [
    ("by telephone", {"actor": by(GUS), "for_": CHO}, Reason.IN_PERSON),
    ("by the head of the CSIRT", {"actor": by(BEN)}, Reason.ROLE_MISSING),
    ("by its owner", {"actor": by(DAN)}, Reason.SAME_PERSON),
    ("without a reason", {"reason": " "}, Reason.REASON_MISSING),
    ("for ever", {"review": NIGHT}, Reason.FIELD_WRONG),
    ("of nothing", {"id": "FD-0009"}, Reason.NO_SUCH_ITEM),
]


@pytest.mark.parametrize(("_", "fields", "reason"), NOT_ACCEPTED, ids=[row[0] for row in NOT_ACCEPTED])
def test_a_risk_is_not_accepted(_: str, fields: dict[str, Any], reason: Reason) -> None:
    made = bank()
    opened(made)
    assert made.says(accept(**fields), STREAM).reason is reason


def test_an_accepted_risk_is_opened_again_on_the_day_of_its_review_and_its_owner_paged() -> None:
    made = bank()
    opened(made)
    made.do(accept(), STREAM)
    assert made.wait(60 * 24 * 29, STREAM) == ()
    assert made.wait(60 * 24 * 1, STREAM) == ("finding.reopened", "page.asked")
    found = finding(made)
    assert (found.status, found.accepted_by, found.due) == ("open", "", SOON)
    assert [row["person"] for row in made.outbox(subject="finding:FD-0001")] == [DAN]
    made.do(accept(review=SOON + timedelta(days=90)), STREAM)
    assert [page.state for page in programme(made).pages.values()] == ["stopped"]


def test_an_overdue_finding_pages_its_owner_as_an_improvement_does_and_the_page_ends_with_the_work() -> None:
    made = bank()
    opened(made)
    assert made.wait(60 * 24 * 23, STREAM) == ("finding.reminded", "message.requested")
    assert [row["template"] for row in made.outbox(subject="finding:FD-0001")] == ["notice.improvement_due"]
    assert made.wait(60 * 24 * 7, STREAM) == ("finding.overdue", "page.asked")
    [row] = made.outbox(subject="finding:FD-0001", kind="page")
    assert (row["template"], row["person"]) == ("page.improvement", DAN)
    made.do(FixFinding(actor=by(DAN), id="FD-0001", note="-"), STREAM)
    assert [page.state for page in programme(made).pages.values()] == ["stopped"]


def test_a_finding_whose_work_is_done_hurries_nobody_until_its_retest_fails() -> None:
    made = bank()
    opened(made)
    made.do(FixFinding(actor=by(DAN), id="FD-0001", note="-"), STREAM)
    assert made.wait(60 * 24 * 40, STREAM) == ()
    made.do(record(on="2027-01-01"), STREAM)
    made.do(retest(rating="U"), STREAM)
    assert made.wait(1, STREAM) == ("finding.overdue", "page.asked")


def test_what_was_closed_is_opened_again_with_a_reason_and_a_new_date() -> None:
    made = bank()
    opened(made)
    again = ReopenFinding(actor=by(BEN), id="FD-0001", reason="again", due=SOON)
    assert made.says(again, STREAM).reason is Reason.NO_SUCH_ITEM, "it is open"
    made.do(record(), STREAM)
    made.do(retest(), STREAM)
    made.do(again, STREAM)
    assert (finding(made).status, finding(made).due, finding(made).overdue) == ("open", SOON, False)
    late = ReopenFinding(actor=by(BEN), id="FD-0001", reason="again", due=NIGHT)
    made.do(accept(), STREAM)
    assert made.says(late, STREAM).reason is Reason.FIELD_WRONG


def test_a_finding_has_an_owner_of_the_directory_and_a_date_ahead() -> None:
    made = bank()
    made.do(record(), STREAM)
    zoe = NewFinding(title="-", owner="zoe", due=SOON)
    late = NewFinding(title="-", owner=DAN, due=NIGHT)
    for new, reason in ((zoe, Reason.UNKNOWN_PERSON), (late, Reason.FIELD_WRONG)):
        assert made.says(OpenFinding(actor=by(BEN), exercise="EX-0001", finding=new), STREAM).reason is reason
    nowhere = OpenFinding(actor=by(BEN), exercise="EX-7", finding=NewFinding(title="-", owner=DAN, due=SOON))
    assert made.says(nowhere, STREAM).reason is Reason.NO_SUCH_ITEM


def test_a_revision_is_the_version_that_counts_here() -> None:
    made = bank()
    opened(made)
    wrong: list[tuple[dict[str, Any], Reason]] = [
        ({"playbook": "nope", "version": "1.0.0"}, Reason.NO_SUCH_PLAYBOOK),
        ({"playbook": "unknown", "version": "9.9.9"}, Reason.FIELD_WRONG),
        ({"actor": by(AMY)}, Reason.ROLE_MISSING),
    ]
    for fields, reason in wrong:
        given: dict[str, Any] = {"actor": by(DAN), "id": "FD-0001", "note": "-"} | fields
        command = FixFinding(**given)
        assert made.says(command, STREAM).reason is reason


def test_the_programme_folds_the_same_from_its_facts_alone() -> None:
    made = bank()
    opened(made)
    made.do(plan(retests=("FD-0001",)), STREAM)
    made.do(record(imported=DRILL, participants=(Took(role="ciso", person=CHO),)), STREAM)
    made.do(retest(exercise="EX-0003"), STREAM)
    with made.desk.record.read() as tx:
        again = fold(empty(STREAM), tx.facts(STREAM))
    assert again == programme(made)
    other = Desk(made.desk.record, made.desk.premises, made.clock)
    assert other.state(STREAM) == programme(made)
