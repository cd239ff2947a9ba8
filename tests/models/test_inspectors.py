"""Inspectors: who lets somebody from outside look, for how long, and that they do nothing but look."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models import commands as c
from models.access import Viewer, inspector_by, may_look, over
from models.commands import Actor
from models.fold import empty, fold
from models.organisation import Organisation
from models.reason import Reason
from models.restriction import INSPECTORS_KEPT, GrantInspector, Inspector, RevokeInspector
from models.state import House
from tests.models.small import AMY, BEN, CHO, DAN, NIGHT, ROLES, Scene, by, organisation, scene

SOON = NIGHT + timedelta(days=7)
DIGEST = "0" * 64
GIVEN: dict[str, Any] = {"name": "fsa", "until": SOON, "reason": "inspection", "digest": DIGEST}


def grant(**fields: Any) -> GrantInspector:
    return GrantInspector(**({"actor": by(CHO)} | GIVEN | fields))


def house(made: Scene) -> House:
    state = made.desk.state("house")
    assert isinstance(state, House)
    return state


def test_a_grant_is_found_by_its_token_until_it_is_over() -> None:
    made = scene()
    assert made.do(grant(incidents=(made.stream, made.stream)), "house") == ("inspector.granted",)
    known = inspector_by(house(made), digest=DIGEST)
    assert known == Inspector(id="fsa", until=SOON, by=CHO, incidents=[made.stream], digest=DIGEST)
    assert inspector_by(house(made), digest="1" * 64) is None
    assert inspector_by(house(made)) is None
    assert over(Viewer(inspector=known), SOON)
    assert not over(Viewer(inspector=known), NIGHT)
    assert not over(Viewer(person=CHO), SOON)


def test_a_grant_is_found_by_its_account_until_it_is_revoked() -> None:
    made = scene()
    made.do(grant(digest=None, account="auditor"), "house")
    assert inspector_by(house(made), account="auditor") is not None
    made.do(RevokeInspector(actor=by(BEN), name="fsa", reason="done"), "house")
    known = inspector_by(house(made), account="auditor")
    assert known is not None
    assert over(Viewer(inspector=known), NIGHT)
    world = made.desk.world(house(made))
    assert may_look("look", Viewer(inspector=known), world).reason is Reason.INSPECTION_OVER
    again = RevokeInspector(actor=by(BEN), name="fsa", reason="done")
    assert made.says(again, "house").reason is Reason.NO_SUCH_ITEM


@pytest.mark.parametrize("person", sorted(ROLES))
def test_who_may_grant(person: str) -> None:
    outcome = scene().desk.handle("house", grant(actor=by(person)))
    assert outcome.refused is (None if person in {BEN, CHO} else Reason.ROLE_MISSING)


def with_account() -> Organisation:
    base = organisation().model_dump()
    people = [one | ({"account": "amy"} if one["id"] == AMY else {}) for one in base["people"]]
    return Organisation.model_validate(base | {"people": people})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "Not a name"}, "small letters"),
        ({"until": NIGHT}, "within 30 days"),
        ({"until": NIGHT + timedelta(days=31)}, "within 30 days"),
        ({"digest": None}, "one of both"),
        ({"account": "auditor"}, "one of both"),
        ({"account": "amy", "digest": None}, "somebody's of the directory"),
        ({"digest": "xyz"}, "64 hexadecimal digits"),
        ({"incidents": tuple(str(n) for n in range(51))}, "at most 50"),
    ],
)
def test_what_is_wrong_with_a_grant_is_said(fields: dict[str, Any], said: str) -> None:
    no = scene(organisation=with_account()).says(grant(**fields), "house")
    assert no.reason is Reason.FIELD_WRONG
    assert said in str(no.detail["fields"])


def test_a_grant_that_runs_is_not_given_twice() -> None:
    made = scene()
    made.do(grant(), "house")
    assert made.says(grant(), "house").reason is Reason.ALREADY
    made.clock.advance(timedelta(days=8))
    made.do(grant(until=SOON + timedelta(days=8)), "house")


def test_there_is_an_end_to_them() -> None:
    made = scene()
    for number in range(INSPECTORS_KEPT):
        made.do(grant(name=f"i{number}"), "house")
    assert "revoke one" in str(made.says(grant(), "house").detail["fields"])
    made.clock.advance(timedelta(days=8))
    made.do(grant(until=SOON + timedelta(days=8)), "house")
    assert len(house(made).inspectors) == INSPECTORS_KEPT
    with made.desk.record.read() as tx:
        facts = tx.facts("house")
    assert fold(empty("house"), facts) == house(made)


@pytest.mark.parametrize("stream", [None, "house", "intake", "programme", "INC-2026-0001"])
def test_an_inspector_writes_nothing_anywhere(stream: str | None) -> None:
    made = scene()
    looking = Actor(person=None, name="fsa", via="inspector:fsa")
    command: c.Command = c.Note(actor=looking, text="x")
    command = {
        None: c.Declare(actor=looking, text="x"),
        "house": RevokeInspector(actor=looking, name="fsa", reason="x"),
        "intake": c.SettleAlert(actor=looking, id="A-1", how="dismissed", reason="x"),
        "programme": c.EndImprovement(actor=looking, id="x", how="done", reason="x"),
    }.get(stream, command)
    outcome = made.desk.handle(stream, command)
    assert outcome.refused is Reason.READ_ONLY
    refused = made.facts("refused", "house")
    assert [one.data["reason"] for one in refused] == [Reason.READ_ONLY.value]
    assert refused[0].via == "inspector:fsa"
    assert DAN not in made.incident.title
