"""Decisions that several make together: seats, deputies, dissent; neither time nor one person decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.commands import Decide, SettleStep, UsePlaybook, WithdrawDecision
from models.playbook import Quorum, Step
from models.reason import Reason
from models.voting import Seat, Vote, WithdrawVote, carried, seated
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
    open_desk,
    organisation,
    playbook,
    scene,
    scene_of,
    step,
)

pytestmark = pytest.mark.usefixtures("runs_again")

OF = ["ciso", "cio", "pr"]
"""Cho, Dan and Fay; Dan stands in for Cho while she is away."""


def together(**fields: Any) -> dict[str, Any]:
    shape = {"authority": None, "quorum": {"of": OF, "need": 2}}
    return {key: one for key, one in decision("pay", **(shape | fields)).items() if one is not None}


def asked(**fields: Any) -> Scene:
    return scene_of(together(**fields), step("tell", after=["pay"], when='decided("pay") == "yes"'))


def vote(person: str, choice: str = "yes", **fields: Any) -> Decide:
    return Decide(actor=by(person), step="pay", choice=choice, reason=f"so says {person}", **fields)


def back(person: str) -> WithdrawVote:
    return WithdrawVote(actor=by(person), step="pay", reason="slept on it")


def test_everybody_who_has_a_seat_is_paged_and_one_answer_does_not_stop_it() -> None:
    made = asked()
    page = made.page("step:unknown/pay")
    assert {one.person for one in page.reached["0"]} == {CHO, DAN, FAY}
    assert page.all_of[0] is True


def test_one_vote_is_no_decision_and_two_that_agree_are() -> None:
    made = asked()
    assert made.do(vote(CHO))[:2] == ("decision.voted", "page.acknowledged")
    assert made.step("pay").status == "ready"
    assert made.step("pay").choice is None
    kinds = made.do(vote(DAN))
    assert "decision.made" in kinds
    assert (made.step("pay").choice, made.step("pay").done_by) == ("yes", DAN)
    assert made.step("tell").status == "ready"
    assert made.page("step:unknown/pay").state == "stopped"


def test_dissent_is_on_record_with_who_was_entitled_and_as_what() -> None:
    made = asked(recommend="no")
    for one in (vote(FAY, "no"), vote(CHO), vote(DAN)):
        made.do(one)
    fact = made.facts("decision.made")[0]
    assert (fact.data["voted_for"], fact.data["voted_against"]) == ([CHO, DAN], [FAY])
    assert fact.data["quorum"] == {"need": 2, "of": OF}
    assert {one["person"]: one["role"] for one in fact.data["votes"]} == {FAY: "pr", CHO: "ciso", DAN: "cio"}
    assert {one["person"] for one in fact.data["entitled"]} == {CHO, DAN, FAY}
    assert fact.data["against_recommendation"] == "no"
    assert fact.data["decided_by"] == DAN
    assert made.desk.texts(made.stream)[fact.data["reason"]] == "so says dan"


REFUSED: list[tuple[str, list[Decide], Decide, Reason]] = [
    ("who has no seat", [], vote(BEN), Reason.AUTHORITY_MISSING),
    ("the same vote twice", [vote(CHO)], vote(CHO), Reason.ALREADY),
    ("a vote that a scribe writes down", [], vote(GUS, for_=CHO), Reason.VOTE_IN_PERSON),
    ("a vote after the decision", [vote(CHO), vote(DAN)], vote(FAY), Reason.ALREADY),
    ("no such option", [], vote(CHO, "perhaps"), Reason.NO_SUCH_OPTION),
    ("superseding what several decided", [vote(CHO), vote(DAN)], vote(CHO, "no", supersede=True),
     Reason.SEVERAL_DECIDE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "command", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_vote_is_refused(before: list[Decide], command: Decide, reason: Reason) -> None:
    made = asked()
    for one in before:
        made.do(one)
    assert made.says(command).reason is reason


def test_a_vote_is_changed_and_taken_back_and_all_of_it_stays_on_record() -> None:
    made = asked()
    made.do(vote(CHO))
    made.do(vote(CHO, "no"))
    assert made.facts("decision.voted")[1].data["changed_from"] == "yes"
    made.do(vote(DAN))
    assert made.step("pay").choice is None, "one for, one against"
    made.do(back(DAN))
    assert set(made.step("pay").votes) == {CHO}
    assert made.says(back(DAN)).reason is Reason.NO_VOTE
    made.do(vote(FAY, "no"))
    assert made.step("pay").choice == "no"
    assert made.says(back(FAY)).reason is Reason.NO_VOTE, "what is decided is withdrawn as a decision"


def bank(**people: list[str]) -> Any:
    """The small bank, where some hold other roles."""
    shape = organisation().model_dump(mode="json", by_alias=True)
    for person in shape["people"]:
        person["roles"] = people.get(person["id"], person["roles"])
    return type(organisation()).model_validate(shape)


def test_a_person_with_two_roles_counts_once() -> None:
    made = scene(
        playbook("unknown", together()), organisation=bank(cho=["ciso", "cio"], dan=["it-ops", "cio"])
    )
    made.do(vote(CHO))
    assert made.step("pay").choice is None
    made.do(vote(DAN))
    assert made.step("pay").choice == "yes", "Cho takes the seat of the CISO, Dan that of the CIO"


def test_a_deputy_fills_the_seat_of_whom_they_stand_in_for_and_no_second_one() -> None:
    made = scene(playbook("unknown", together()), organisation=organisation(absent=(CHO,)))
    made.do(vote(DAN))
    assert made.step("pay").choice is None, "Dan is the CIO and stands in for the CISO: one vote"
    seats = made.facts("decision.voted")[0].data["seats"]
    assert seats == [{"role": "ciso", "deputy_for": CHO}, {"role": "cio"}]
    made.do(vote(FAY))
    assert made.step("pay").choice == "yes"


def away_for_an_hour(person: str, roles: list[str]) -> Any:
    shape = organisation().model_dump(mode="json", by_alias=True)
    for one in shape["people"]:
        if one["id"] == person:
            until = (NIGHT + timedelta(hours=1)).isoformat()
            one["absences"] = [{"since": "2026-01-01T00:00:00Z", "until": until}]
        if one["id"] == DAN:
            one["roles"] = roles
    return type(organisation()).model_validate(shape)


def test_whoever_comes_back_takes_the_place_of_their_deputy() -> None:
    made = scene(playbook("unknown", together()), organisation=away_for_an_hour(CHO, ["it-ops"]))
    made.do(vote(DAN))
    made.clock.advance(timedelta(hours=2))
    made.do(vote(CHO, "no"))
    assert made.facts("decision.voted")[1].data["instead_of"] == [DAN]
    assert set(made.step("pay").votes) == {CHO}
    made.do(vote(FAY, "no"))
    assert made.step("pay").choice == "no"


def test_a_deputy_does_not_vote_where_the_other_has_voted() -> None:
    made = scene(playbook("unknown", together()), organisation=away_for_an_hour(CHO, ["it-ops"]))
    made.do(vote(CHO, "no"))  # on leave, and voting all the same
    assert made.says(vote(DAN)).reason is Reason.ALREADY


def test_time_alone_decides_nothing_and_pages_whoever_has_not_voted() -> None:
    made = asked(within="15m")
    made.do(vote(CHO))
    for _ in range(20):
        made.wait(10)
    assert made.step("pay").choice is None
    assert made.step("pay").overdue
    late = made.page("step:unknown/pay", "decision")
    assert late.id > made.facts("step.overdue")[0].seq
    assert {one.person for one in late.reached["0"]} == {DAN, FAY}


def test_when_all_have_voted_and_do_not_agree_all_are_called_again() -> None:
    three = [{"id": one, "title": one} for one in ("yes", "no", "wait")]
    made = asked(within="15m", options=three)
    for person, choice in ((CHO, "yes"), (DAN, "no"), (FAY, "wait")):
        made.do(vote(person, choice))
    made.wait(20)
    late = made.page("step:unknown/pay", "decision")
    assert {one.person for one in late.reached["0"]} == {CHO, DAN, FAY}


def test_the_factors_are_weighed_by_the_first_and_may_be_left_to_them() -> None:
    made = asked(factors=["duration"])
    assert made.says(vote(CHO)).reason is Reason.FACTORS_MISSING
    made.do(vote(CHO, factors={"duration": "4h"}))
    made.do(vote(DAN))
    assert made.step("pay").factors == {"duration": "4h"}


def test_a_decision_that_was_withdrawn_begins_without_votes() -> None:
    made = asked()
    for person in (CHO, DAN):
        made.do(vote(person))
    made.do(WithdrawDecision(actor=by(FAY), step="pay", reason="-"))
    assert made.step("pay").status == "ready"
    assert made.step("pay").votes == {}
    assert made.step("tell").status != "ready"


def test_a_skipped_decision_forgets_its_votes() -> None:
    made = asked()
    made.do(vote(CHO))
    made.do(SettleStep(actor=by(BEN), step="pay", how="skipped", reason="-"))
    assert made.step("pay").votes == {}


def test_votes_given_under_another_rule_are_void() -> None:
    old = playbook("unknown", together(quorum={"of": OF, "need": 3}))
    made = scene(old)
    for person in (CHO, DAN):
        made.do(vote(person))
    new = playbook("unknown", together(), version="1.1.0")
    made.desk = open_desk(new, record=made.desk.record, clock=made.clock)
    made.do(UsePlaybook(actor=by(BEN), how="move", playbook="unknown", reason="-"))
    assert made.step("pay").choice is None, "a lower number decides nothing that was voted before"
    assert made.step("pay").votes == {}


def test_a_shutdown_needs_enough_seats_that_somebody_holds() -> None:
    first = decision("first", decides="containment-or-preservation")
    of = {"of": ["ciso", "president"], "need": 2}
    made = scene_of(first, together(stops=["payments"], after=["first"], quorum=of))
    made.do(Decide(actor=by(CHO), step="first", choice="yes", reason="-"))
    assert made.incident.gates_held["unknown/pay"] == ["nobody-holds:president"]


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("neither", {"quorum": None}, "needs `authority`, or `quorum`"),
    ("both", {"authority": "ciso"}, "needs `authority`, or `quorum`"),
    ("four eyes besides", {"four_eyes": "cio"}, "does not go with"),
    ("more than there are", {"quorum": {"of": OF, "need": 4}}, "can never be reached"),
    ("a seat twice", {"quorum": {"of": ["ciso", "ciso"], "need": 2}}, "named twice"),
    ("one alone", {"quorum": {"of": OF, "need": 1}}, "greater than or equal to 2"),
]


@pytest.mark.parametrize(("fields", "wrong"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_quorum_that_makes_no_sense_is_refused_at_load(fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        Step.model_validate(together(**fields))


PEOPLE = st.sampled_from([AMY, BEN, CHO, DAN, EVE, FAY])
ROLES = st.sampled_from(["a", "b", "c", "d"])
VOTES = st.lists(st.tuples(PEOPLE, st.sampled_from(["yes", "no"]), st.sets(ROLES, min_size=1)), max_size=10)


@given(VOTES, st.integers(2, 4))
def test_a_quorum_is_never_reached_by_fewer_people_or_seats_than_it_needs(
    given_: list[tuple[str, str, set[str]]], need: int
) -> None:
    votes: dict[str, Vote] = {}
    for number, (person, choice, roles) in enumerate(given_):
        seats = [Seat(role=role) for role in sorted(roles)]
        votes[person] = Vote(person=person, choice=choice, reason="-", at=NIGHT, seq=number, seats=seats)
    found = carried(votes, need)
    for one in ("yes", "no"):
        agreed = [vote_ for vote_ in votes.values() if vote_.choice == one]
        filled = seated(agreed)
        assert len({vote_.person for vote_ in filled.values()}) == len(filled), "a person fills one seat"
        assert all(role in {seat.role for seat in vote_.seats} for role, vote_ in filled.items())
        assert len(filled) == _most(agreed)
        if found is None:
            assert len(filled) < need
    assert found is None or len(seated(v for v in votes.values() if v.choice == found)) >= need


def _most(votes: list[Vote]) -> int:
    """By trying everything: the most seats that these people can fill."""
    if not votes:
        return 0
    first, rest = votes[0], votes[1:]
    best = _most(rest)
    for seat in first.seats:
        left = [
            Vote(
                person=one.person,
                choice=one.choice,
                reason="-",
                at=NIGHT,
                seq=0,
                seats=[s for s in one.seats if s.role != seat.role],
            )
            for one in rest
        ]
        best = max(best, 1 + _most(left))
    return best


def test_nobody_takes_the_vote_of_somebody_else_back() -> None:
    made = asked()
    made.do(vote(CHO))
    scribe = WithdrawVote(actor=by(GUS), for_=CHO, step="pay", reason="-")
    assert made.says(scribe).reason is Reason.VOTE_IN_PERSON
    assert list(made.step("pay").votes) == [CHO]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from([BEN, CHO, DAN, FAY, GUS]), st.sampled_from(["yes", "no", "back", "wait"])),
        max_size=12,
    )
)
def test_whatever_people_do_no_decision_is_made_by_fewer_than_two_of_them(
    acts: list[tuple[str, str]],
) -> None:
    made = asked(within="15m")
    for person, act in acts:
        if act == "wait":
            made.wait(30)
        else:
            made.desk.handle(made.stream, back(person) if act == "back" else vote(person, act))
        standing = made.step("pay")
        if standing.choice is not None:
            last = made.facts("decision.made")[-1]
            assert len(set(last.data["voted_for"])) >= 2
            assert last.actor == "hikeshi"
            assert last.seq > made.facts("decision.voted")[-1].seq
    assert not [one for one in made.facts("decision.voted") if one.actor in {BEN, GUS}]


def test_a_quorum_is_a_value_of_its_own() -> None:
    assert Quorum.model_validate({"of": ["ciso", "cio"], "need": 2}).need == 2
