"""Tokens, login links and sessions as the rules have them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models import commands as c
from models.access import Viewer, may_look
from models.actor import Actor
from models.decide import decide
from models.entering import (
    TOKENS_EACH,
    TOKENS_KEPT,
    EndSession,
    IssueToken,
    NoteLogin,
    NoteLogout,
    OfferLogin,
    RevokeToken,
    Token,
)
from models.errors import Refused
from models.fact import Fact
from models.fold import empty, fold
from models.reason import Reason
from models.state import House
from tests.models.small import AMY, BEN, CHO, EVE, GUS, NIGHT, Scene, by, scene

SOON = NIGHT + timedelta(days=30)
DIGEST = "0" * 64


def issue(actor: str = CHO, **fields: Any) -> IssueToken:
    given: dict[str, Any] = {"person": AMY, "name": "siem", "until": SOON, "digest": DIGEST}
    return IssueToken(actor=by(actor), **(given | fields))


def house(made: Scene) -> House:
    state = made.desk.state("house")
    assert isinstance(state, House)
    return state


def test_a_token_is_remembered_until_it_is_revoked() -> None:
    made = scene()
    assert made.do(issue(roles=("csirt-duty", "csirt-duty"), reason="alerts"), "house") == ("token.issued",)
    expected = Token(id="siem", person=AMY, until=SOON, by=CHO, digest=DIGEST, roles=["csirt-duty"])
    assert house(made).tokens == {"siem": expected}
    assert made.says(issue(), "house").reason is Reason.ALREADY
    made.do(RevokeToken(actor=by(BEN), name="siem", reason="lost"), "house")
    assert house(made).tokens["siem"].until == NIGHT
    again = RevokeToken(actor=by(BEN), name="siem", reason="lost")
    assert made.says(again, "house").reason is Reason.NO_SUCH_ITEM
    made.do(issue(looks=True), "house")
    assert house(made).tokens["siem"].looks


def test_whose_token_somebody_may_issue_and_revoke() -> None:
    made = scene()
    assert made.says(issue(actor=EVE), "house").reason is Reason.ROLE_MISSING
    made.do(issue(actor=EVE, person=EVE), "house")
    ending = RevokeToken(actor=by(AMY), name="siem", reason="x")
    assert made.says(ending, "house").reason is Reason.ROLE_MISSING
    made.do(RevokeToken(actor=by(EVE), name="siem", reason="x"), "house")
    unknown = RevokeToken(actor=by(EVE), name="other", reason="x")
    assert made.says(unknown, "house").reason is Reason.ROLE_MISSING


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "Not a name"}, "small letters"),
        ({"until": NIGHT}, "within 366 days"),
        ({"until": NIGHT + timedelta(days=367)}, "within 366 days"),
        ({"digest": "x"}, "64 hexadecimal"),
        ({"roles": ("king",)}, "no role"),
        ({"roles": ("csirt-duty",) * 51}, "at most 50"),
    ],
)
def test_what_is_wrong_with_a_token_is_said(fields: dict[str, Any], said: str) -> None:
    outcome = scene().says(issue(**fields), "house")
    assert outcome.reason is Reason.FIELD_WRONG
    assert said in str(outcome.detail)


def test_a_token_of_nobody_is_refused_and_so_are_too_many() -> None:
    made = scene()
    assert made.says(issue(person="nobody"), "house").reason is Reason.UNKNOWN_PERSON
    state = empty("house")
    assert isinstance(state, House)
    data = {
        "person": AMY,
        "until": SOON.isoformat(),
        "roles": [],
        "looks": False,
        "digest": DIGEST,
        "by": CHO,
    }
    for number in range(TOKENS_KEPT + 1):
        one = data | {"id": f"t{number}", "until": (SOON + timedelta(minutes=number)).isoformat()}
        fact = Fact(
            stream="house",
            seq=number + 1,
            at=NIGHT,
            recorded_at=NIGHT,
            actor=CHO,
            kind="token.issued",
            data=one,
        )
        fold(state, (fact,))
    assert len(state.tokens) == TOKENS_KEPT and "t0" not in state.tokens
    with pytest.raises(Refused) as no:
        decide(state, issue(), made.desk.world(house(made)))
    assert "revoke one" in str(no.value.detail)


def test_nobody_uses_up_the_tokens_of_everybody() -> None:
    made = scene()
    for number in range(TOKENS_EACH):
        made.do(issue(actor=EVE, person=EVE, name=f"t{number}"), "house")
    outcome = made.says(issue(actor=EVE, person=EVE, name="more"), "house")
    assert outcome.reason is Reason.FIELD_WRONG
    assert "of this person" in str(outcome.detail)
    made.do(issue(actor=AMY, person=AMY, name="another"), "house")
    made.do(RevokeToken(actor=by(EVE), name="t0", reason="x"), "house")
    made.do(issue(actor=EVE, person=EVE, name="more"), "house")


def test_a_token_has_no_more_of_a_person_than_its_roles() -> None:
    made = scene()
    narrow = Actor(person=BEN, name=BEN, via="api:x", roles=frozenset())
    lead = Actor(person=BEN, name=BEN, via="api:y", roles=frozenset({"csirt-lead"}))
    asked: dict[str, Any] = {"how": "cancelled", "reason": "x"}
    handle = made.desk.handle
    assert handle(made.stream, c.EndIncident(actor=narrow, **asked)).refused is Reason.ROLE_MISSING
    looking = Actor(person=BEN, name=BEN, via="api:z", roles=frozenset({"csirt-lead"}), looks=True)
    assert handle(made.stream, c.EndIncident(actor=looking, **asked)).refused is Reason.READ_ONLY
    made.do(c.EndIncident(actor=lead, **asked))


def test_pages_still_reach_whoever_acts_by_a_narrow_token() -> None:
    """What a token may not use is still theirs to be called for."""
    made = scene()
    world = made.desk.world(made.incident)
    within = world.within(AMY, frozenset())
    assert within.holders(made.incident, "csirt-duty") == world.holders(made.incident, "csirt-duty")
    assert within.holder(made.incident, "csirt-duty", AMY) is None
    assert world.holder(made.incident, "csirt-duty", AMY) is not None
    assert within.holder(made.incident, AMY, AMY) is not None
    assert within.roles_of(None, BEN) == world.roles_of(None, BEN)


def test_looking_is_bounded_by_the_roles_of_a_token() -> None:
    made = scene()
    world = made.desk.world(house(made))
    permissions = world.policy.permissions | {"look": ("csirt-lead",)}
    strict = replace(world, policy=world.policy.model_copy(update={"permissions": permissions}))
    assert may_look("look", Viewer(person=BEN), strict).whole
    assert not may_look("look", Viewer(person=BEN, roles=frozenset()), strict).whole


def test_a_login_link_is_recorded_with_who_made_it() -> None:
    made = scene()
    soon = NIGHT + timedelta(minutes=15)
    made.do(OfferLogin(actor=by(EVE), person=EVE, until=soon), "house")
    refused = made.says(OfferLogin(actor=by(EVE), person=AMY, until=soon), "house")
    assert refused.reason is Reason.ROLE_MISSING
    made.do(OfferLogin(actor=by(BEN), person=AMY, until=soon), "house")
    assert made.facts("login.offered", "house")[-1].data["by"] == BEN
    late = OfferLogin(actor=by(EVE), person=EVE, until=NIGHT + timedelta(days=2))
    assert made.says(late, "house").reason is Reason.FIELD_WRONG
    nobody = OfferLogin(actor=by(BEN), person="nobody", until=soon)
    assert made.says(nobody, "house").reason is Reason.UNKNOWN_PERSON


def test_sessions_are_noted_and_ended_by_whoever_may() -> None:
    made = scene()
    came: dict[str, Any] = {"key": "3f9c2a71b0", "way": "local", "until": SOON}
    made.do(NoteLogin(actor=by(EVE), **came), "house")
    made.do(NoteLogin(actor=Actor.machine("web"), inspector="fsa", **came), "house")
    assert made.says(NoteLogin(actor=by("gone"), **came), "house").reason is Reason.UNKNOWN_PERSON
    made.do(NoteLogout(actor=by(EVE), key="3f9c2a71b0"), "house")
    end = EndSession(actor=by(AMY), key="3f9c2a71b0", person=EVE)
    assert made.says(end, "house").reason is Reason.ROLE_MISSING
    made.do(EndSession(actor=by(EVE), key="3f9c2a71b0", person=EVE), "house")
    made.do(EndSession(actor=by(BEN), key="3f9c2a71b0", person=EVE, reason="lost"), "house")
    made.do(EndSession(actor=Actor.machine("web"), key="3f9c2a71b0", person=EVE), "house")


def test_nobody_gets_more_by_a_token_than_they_came_with() -> None:
    made = scene()
    soon = NIGHT + timedelta(minutes=15)
    by_token = Actor(person=BEN, name=BEN, via="api:x")
    some = Actor(person=BEN, name=BEN, via="web:x", roles=frozenset({"csirt-duty"}))
    given: dict[str, Any] = {"person": BEN, "until": SOON, "digest": DIGEST}
    for actor in (by_token, some):
        wider = IssueToken(actor=actor, name="more", roles=("*",), **given)
        assert made.desk.handle("house", wider).refused is Reason.NOT_BY_TOKEN
        link = OfferLogin(actor=actor, person=BEN, until=soon)
        assert made.desk.handle("house", link).refused is Reason.NOT_BY_TOKEN
    made.do(IssueToken(actor=some, name="same", roles=("csirt-duty",), **given), "house")


def test_whoever_writes_for_somebody_gets_no_way_in_as_them() -> None:
    """A scribe records what others say; a token or a link of theirs would be them."""
    made = scene()
    scribe: dict[str, Any] = {"actor": by(GUS), "for_": CHO}
    soon = NIGHT + timedelta(minutes=15)
    token: dict[str, Any] = {"name": "siem", "until": SOON, "digest": DIGEST}
    for person in (CHO, AMY):
        for wanted in (
            IssueToken(**scribe, **token, person=person),
            OfferLogin(**scribe, person=person, until=soon),
        ):
            assert made.says(wanted, "house").reason is Reason.ROLE_MISSING
    end = EndSession(**scribe, key="3f9c2a71b0", person=CHO)
    assert made.says(end, "house").reason is Reason.ROLE_MISSING
    made.do(issue(person=CHO), "house")
    revoke = RevokeToken(**scribe, name="siem", reason="x")
    assert made.says(revoke, "house").reason is Reason.ROLE_MISSING
    made.do(OfferLogin(**scribe, person=GUS, until=soon), "house")
