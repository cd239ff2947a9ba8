"""Every act by everybody in every state of restriction, and every door for every kind of stranger."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import rights
from console.web.sessions import Sessions, cookie_name
from models import commands as c
from models import decide
from models.errors import Refused
from models.permission import TABLE
from models.reason import Reason
from models.restriction import BreakGlass, Restrict
from models.state import Incident
from playbooks.institution import Institution
from tests.console.apihouse import INC, SATO, declared, restricted
from tests.console.test_rights import HELD_BACK, PEOPLES, made_of, nobodys, stream_of
from tests.console.webhouse import Web, make_house
from tests.models.small import AMY, BEN, CHO, ROLES, Scene, by, scene

EVERYBODY = (*ROLES, "zed")
KEPT_OUT = HELD_BACK | {Reason.NOT_NAMED, Reason.BARRED, Reason.NO_SUCH_INCIDENT}
CANARY = "kanarienvogel"
OUTSIDER = "ogawa-sayuri"
OPEN = ("/health", "/ready", "/metrics", "/static/hikeshi.css", "/login", "/login/once/x.y")
"""What whoever reaches the port is answered, and nothing of an incident is in it."""
BY_OTHERS = {"override", "evidence-collect", "share", "share-sent"}
"""Rows that a gate or an item decides, not a role of the table."""


def on_incidents() -> list[type[c.Command]]:
    """Acts on an incident: only these can be restricted."""
    return [kind for kind in PEOPLES if kind in decide._RULES[Incident]]


def reason_of(made: Scene, kind: type[c.Command], who: str | None) -> Reason | None:
    """Why somebody is refused; None if they are not. Nothing is written."""
    state = made.desk.state(stream_of(kind, made))
    try:
        decide.decide(state, made_of(kind, by(who)), made.desk.world(state))
    except Refused as no:
        return no.reason
    return None


def test_every_role_does_what_its_rows_say_and_no_more() -> None:
    made = scene(organisation=nobodys())
    tried = 0
    for kind in PEOPLES:
        row = rights.OF[kind.__name__]
        allowed = set(TABLE.get(row, ()))
        if row in BY_OTHERS or "*" in allowed or f"{row}-own" in TABLE:
            continue
        for who in EVERYBODY:
            held = {*ROLES.get(who, ())}
            if "owner" in allowed and "pay-owner" in held:
                continue  # of one service: whether the act is about that one is tried elsewhere
            reason = reason_of(made, kind, who)
            tried += 1
            if not held & allowed:
                assert reason in HELD_BACK, (kind.__name__, who, reason)
            else:
                assert reason is not Reason.ROLE_MISSING, (kind.__name__, who)
    assert tried > 400


def test_nobody_acts_in_a_restricted_incident_who_may_not_know_of_it() -> None:
    made = scene(organisation=nobodys())
    made.do(Restrict(actor=by(CHO), people=(CHO,), bar=(AMY,), reason="one of us"))
    known = set(made.incident.restriction.people) | set(made.incident.restriction.told)
    left = [who for who in EVERYBODY if who not in known | {CHO, BEN}]
    assert AMY in left and len(left) >= 4
    for kind in on_incidents():
        for who in left:
            reason = reason_of(made, kind, who)
            if kind is BreakGlass and who != AMY:
                continue  # what it is for; whoever is barred may not
            assert reason is not None, (kind.__name__, who)
            assert reason in KEPT_OUT, (kind.__name__, who, reason)


# -- every door ---------------------------------------------------------------------------------------------


@pytest.fixture
def web(bank: Institution, desk: object, tmp_path: Path) -> Web:
    made = Web(make_house(bank, desk, tmp_path))  # type: ignore[arg-type]
    declared(made.house, f"{CANARY} title")
    restricted(made.house)
    return made


def doors() -> list[tuple[str, str]]:
    """Every endpoint with something in its place."""
    found = []
    for door in rights.DOORS:
        method, path = door.split(" ", 1)
        for place, name in (("{subject}", INC), ("{item}", "1"), ("{page}", "incident"), ("{token}", "x.y")):
            path = path.replace(place, name)
        path = path.replace("{operation:path}", "note").replace("{source}", "wazuh")
        path = path.replace("{name:path}", "hikeshi.css").replace("/…", f"/incidents/{INC}")
        found.append(("GET" if method == "ANY" else method, path))
    return found


def strangers(web: Web) -> dict[str, str]:
    """The cookie of everybody who has no business there."""
    sessions = Sessions(web.house)
    ended = sessions.open("test", person=SATO, lang="en")
    sessions.leave(ended)
    outsider = sessions.open("test", person=OUTSIDER, lang="en")
    return {
        "nobody": "",
        "a made-up session": "a" * 43,
        "a session that ended": ended,
        "an outsider": outsider,
    }


async def test_every_door_is_shut_for_every_kind_of_stranger(web: Web) -> None:
    name = cookie_name(web.house)
    seq = web.house.desk.incident(INC).seq
    for kind, value in strangers(web).items():
        headers = {"Cookie": f"{name}={value}"} if value else {}
        for method, path in doors():
            answer = await web.ask(method, path, headers=headers)
            where = (kind, method, path, answer.status_code)
            assert CANARY not in answer.text, where
            assert answer.status_code != 500, where
            # A stream that one may not have says so, and ends.
            spoken = answer.status_code == 200 and not path.startswith("/live")
            assert not spoken or path in OPEN or (kind == "an outsider" and INC not in path), where
            if method == "POST":
                assert answer.status_code in {303, 400, 401, 403, 404, 405, 415}, where
    assert web.house.desk.incident(INC).seq == seq
