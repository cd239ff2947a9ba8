"""The API: every command at its address, who may use it, and what is said when something is wrong."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from console.operations.catalogue import operations
from console.texts import texts
from console.web.api import asked, door, identity
from console.web.api.problems import STATUS, Problem
from console.web.sessions import digest
from models.actor import Actor
from models.clock import ExerciseClock
from models.desk import Desk
from models.entering import IssueToken
from models.errors import RecordBusy
from playbooks.institution import Institution
from tests.console.apihouse import (
    INC,
    SATO,
    SHEET,
    SUZUKI,
    TANAKA,
    TOKEN,
    Caller,
    bearer,
    declared,
    files_of,
    inspector,
    restricted,
    session,
)
from tests.console.test_web_alerts import HOSTILE
from tests.console.webhouse import Web, kinds, make_house, refused


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    """The application, and one incident."""
    made = Web(make_house(bank, desk, tmp_path))
    declared(made.house)
    return made


@pytest.fixture
def tanaka(web: Web) -> Caller:
    """The commander, in a browser."""
    return session(web, TANAKA)


@pytest.fixture
def made_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where temporary folders are made."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    yield place
    assert files_of(place) == [], "nothing is left behind"


# -- answers ------------------------------------------------------------------------------------------------


async def test_a_look_and_an_act_are_what_the_command_line_says_in_json(web: Web, tanaka: Caller) -> None:
    (known,) = await tanaka.get("/incidents")
    assert known["incident"] == INC and known["title"] == "ransom note"
    done = await tanaka.post(f"/incidents/{INC}/note", {"text": "電話した", "said_by": "ito"})
    assert done["accepted"] and done["facts"][0]["via"].startswith("web:")
    facts = await tanaka.get(f"/incidents/{INC}/log")
    assert facts[-1]["text"].endswith("電話した")
    assert (await tanaka.get("/incidents/1"))["incident"] == INC


async def test_for_people_it_comes_as_sections_in_their_language(web: Web) -> None:
    for lang, word in (("ja", "記録"), ("en", "recorded")):
        caller = session(web, TANAKA, lang)
        response = await caller.ask(
            "POST", f"/incidents/{INC}/note", json={"text": "x"}, headers={"Accept": SHEET}
        )
        assert response.headers["content-type"] == SHEET and response.headers["content-language"] == lang
        sheet = response.json()
        assert sheet["code"] == 0 and sheet["document"] is None and word in str(sheet["said"])
    both = await caller.ask("GET", f"/incidents/{INC}/log", headers={"Accept": f"{SHEET};json=1"})
    assert both.json()["document"][0]["seq"] == 1 and both.json()["said"] == []


async def test_a_refusal_for_people_keeps_its_status(web: Web, tanaka: Caller) -> None:
    response = await tanaka.ask("GET", "/incidents/INC-2026-0999", headers={"Accept": SHEET})
    assert response.status_code == 404 and response.json()["code"] == 1
    assert "INC-2026-0999" in str(response.json()["aside"])


@pytest.mark.parametrize(
    ("what", "method", "path", "body", "status", "reason"),
    [
        ("no such incident", "GET", "/incidents/INC-2026-0999", None, 404, "no such incident"),
        ("none to act on", "POST", "/incidents/INC-2026-0999/note", {"text": "x"}, 404, "no such incident"),
        ("no such thing", "GET", f"/incidents/{INC}/evidence/show?item=EV-9", None, 404, "no such item"),
        ("a rule says no", "POST", f"/incidents/{INC}/close", {"assessment": "x"}, 409, "not ready to close"),
        ("wrong values", "POST", "/incidents", {"text": 1, "x": 2}, 422, "unusable"),
        ("found by the command", "POST", "/incidents", {"text": "x", "occurred": "soon"}, 422, "unusable"),
        ("no object", "POST", "/incidents", ["x"], 422, "not json"),
        ("no such address", "GET", "/nothing", None, 404, "no address"),
        ("no such method", "DELETE", "/incidents", None, 405, "method"),
        ("another wrong value", "GET", "/metrics?by=week", None, 422, "unusable"),
        ("an unknown parameter", "GET", "/incidents?x=1", None, 422, "unusable"),
        ("twice where one is", "GET", "/metrics?by=type&by=month", None, 422, "unusable"),
        ("no flag", "GET", "/incidents?all=maybe", None, 422, "unusable"),
        ("named twice", "POST", f"/incidents/{INC}/note", {"incident": "2", "text": "x"}, 422, "unusable"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_is_a_problem_with_advice(  # noqa: PLR0917 - a row of a table
    tanaka: Caller, what: str, method: str, path: str, body: Any, status: int, reason: str
) -> None:
    response = await tanaka.ask(method, path, **({"json": body} if body is not None else {}))
    problem = response.json()
    assert (response.status_code, problem["status"], problem["reason"]) == (status, status, reason), what
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["title"] and problem["detail"] and problem["do"]
    assert problem["instance"] == f"/api/v1{path.partition('?')[0]}"


async def test_all_that_is_wrong_is_named_at_once(tanaka: Caller) -> None:
    problem = await tanaka.post("/incidents", {"text": 5, "urgency": "", "bla": 1, "restricted": "yes"}, 422)
    assert [one["field"] for one in problem["errors"]] == ["bla", "text", "restricted"]


@pytest.mark.parametrize(
    "content", [b"{", b"\xff\xfe", b'{"text": "\\ud800"}', b"[" * 5_000, b"null", b"NaN"]
)
async def test_a_body_that_is_no_object_is_refused(tanaka: Caller, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = await tanaka.ask("POST", "/incidents", content=content, headers=headers)
    assert response.status_code == 422, response.text


async def test_other_kinds_of_bodies_and_too_large_ones(
    tanaka: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = await tanaka.ask("POST", "/incidents", content=b"<x/>", headers={"Content-Type": "text/xml"})
    assert response.status_code == 415
    monkeypatch.setattr(asked, "MAX_BODY", 1_000)
    assert (await tanaka.ask("POST", f"/incidents/{INC}/note", json={"text": "x" * 1_000})).status_code == 413
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    response = await tanaka.ask("POST", "/incidents", content=b"--y", headers=multipart)
    assert response.status_code == 422


async def test_a_defect_of_the_node_is_a_problem_with_advice_and_no_word_of_it(
    web: Web, tanaka: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a word of it")

    monkeypatch.setattr(door, "run", fails)
    problem = await tanaka.post(f"/incidents/{INC}/note", {"text": "x"}, 500)
    assert problem["reason"] == "internal" and "look at the record" in problem["do"]
    response = await tanaka.ask("GET", "/incidents", headers={"Accept-Language": "ja"})
    assert "不具合" in response.text and "a word of it" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_what_is_given_twice_is_refused_and_neither_is_lost(web: Web, tanaka: Caller) -> None:
    before, path = kinds(web.house, INC), f"/incidents/{INC}/note"
    response = await tanaka.ask("POST", path, files=[("text", (None, "one")), ("text", (None, "two"))])
    assert response.status_code == 422 and response.json()["errors"][0]["field"] == "text"
    response = await tanaka.ask("POST", path, files=[("text", (None, "one")), ("incident", (None, "2"))])
    assert response.status_code == 422 and "incident" in response.json()["detail"]
    problem = await tanaka.post(f"/incidents/{INC}/note?at=2026-11-01T00:00:00Z", {"text": "x"}, 422)
    assert problem["detail"] == "at"
    problem = await tanaka.get(f"/incidents/{INC}?incident=2", 422)
    assert "incident" in problem["detail"] and kinds(web.house, INC) == before


async def test_a_record_that_does_not_answer_is_said_to_be_busy(web: Web, tanaka: Caller) -> None:
    web.broken = RecordBusy("locked")
    problem = await tanaka.get("/incidents", 503)
    assert problem["reason"] == "busy"
    response = await tanaka.ask("GET", "/incidents")
    assert response.headers["retry-after"] == "5"
    japanese = await tanaka.ask("GET", "/incidents", headers={"Accept-Language": "ja"})
    assert "locked" not in japanese.text and "記録" in japanese.json()["detail"]


def test_every_kind_of_problem_has_a_title_and_advice_in_both_languages() -> None:
    for lang in ("ja", "en"):
        say = texts(lang)
        assert all(say(f"api.problem.{kind}.{part}") for kind in STATUS for part in ("title", "do"))


@pytest.mark.parametrize("hostile", [*HOSTILE, "--json", "-h", "@/etc/passwd", "--", "--dir=/", "x" * 2_001])
async def test_hostile_text_is_data_in_every_field(web: Web, tanaka: Caller, hostile: str) -> None:
    tried = {
        "/incidents": {"text": hostile, "source": hostile, "service": [hostile]},
        f"/incidents/{INC}/note": {"text": hostile, "said_by": hostile, "source": hostile},
        f"/incidents/{INC}/scope/add": {"kind": "host", "name": hostile, "note": hostile},
        f"/incidents/{INC}/evidence/add": {"source": hostile, "description": hostile, "location": hostile},
        f"/incidents/{INC}/step/add": {"step": hostile, "title": hostile, "phase": "triage", "owner": "ciso"},
        f"/incidents/{INC}/done": {"step": hostile, "set": [f"x={hostile}", hostile]},
    }
    for path, body in tried.items():
        response = await tanaka.ask("POST", path, json=body)
        assert response.status_code in {200, 403, 404, 409, 422}, (path, response.text)
    looked = await tanaka.ask("GET", f"/incidents/{INC}/step/show", params={"step": hostile})
    assert looked.status_code in {404, 409, 422}
    addressed = await tanaka.ask("GET", f"/incidents/{quote(hostile[:500], safe='')}")
    assert addressed.status_code in {404, 422}


async def test_every_look_answers_and_none_fails(web: Web, tanaka: Caller) -> None:
    for one in operations().values():
        if one.writes:
            continue
        values = {field.name: "1" for field in one.fields if field.required and field.name != "incident"}
        response = await tanaka.ask("GET", one.path.replace("{incident}", INC), params=values)
        assert response.status_code in {200, 403, 404, 409, 422}, (one.name, response.text[:300])


# -- files --------------------------------------------------------------------------------------------------


async def test_a_file_comes_in_by_json_and_by_parts_and_leaves_nothing(
    web: Web, tanaka: Caller, made_here: Path
) -> None:
    body = base64.b64encode(b"memory").decode()
    given = {"source": "cb-01", "description": "x", "file": {"name": "../../a.dmp", "base64": body}}
    await tanaka.post(f"/incidents/{INC}/evidence/add", given)
    parts = {"source": "cb-02", "description": "x", "partial": "true"}
    response = await tanaka.ask(
        "POST", f"/incidents/{INC}/evidence/add", data=parts, files={"file": ("証拠.bin", b"disk")}
    )
    assert response.status_code == 200, response.text
    response = await tanaka.ask(
        "POST", f"/incidents/{INC}/evidence/add", data=parts, files={"file": ("証拠" * 90 + ".bin", b"log")}
    )
    assert response.status_code == 200, "a name may be longer than a file system takes"
    one, other, _ = await tanaka.get(f"/incidents/{INC}/evidence/list")
    assert (one["name"], other["name"], other["partial"]) == ("a.dmp", "証拠.bin", True)
    assert one["location"] == "" and str(made_here) not in str(one)


async def test_a_text_for_a_file_is_what_stands_in_it(tanaka: Caller, made_here: Path) -> None:
    done = await tanaka.post(f"/incidents/{INC}/situation/send", {"to": [SATO], "from": "/etc/passwd"})
    assert done["accepted"]
    (report,) = await tanaka.get(f"/incidents/{INC}/situation/show")
    assert report["text"] == "/etc/passwd"


@pytest.mark.parametrize(
    "file", [5, {"base64": "%"}, {"name": "x"}, {"name": 1, "base64": ""}, {"base64": "", "path": "/etc"}]
)
async def test_what_is_no_file_is_named(tanaka: Caller, file: Any) -> None:
    given = {"source": "x", "description": "x", "file": file}
    problem = await tanaka.post(f"/incidents/{INC}/evidence/add", given, 422)
    assert [one["field"] for one in problem["errors"]] == ["file"]


async def test_files_come_out_as_files(tanaka: Caller, made_here: Path) -> None:
    for path, kind, begins in (
        (f"/incidents/{INC}/scope/export", "text/csv", b"\xef\xbb\xbfid,"),
        ("/clocks?ics=true", "text/calendar", b"BEGIN:VCALENDAR"),
        (f"/export?incidents={INC}&archive=true", "application/zip", b"PK"),
        ("/playbook/show?name=ransomware&format=svg", "image/svg+xml", b"<svg"),
        (f"/incidents/{INC}/situation/draft?out=yes", "text/plain", b""),
    ):
        response = await tanaka.ask("GET", path)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith(kind)
        assert response.headers["content-disposition"].startswith("attachment")
        assert response.content.startswith(begins)


async def test_an_act_that_makes_a_file_answers_with_both(tanaka: Caller, made_here: Path) -> None:
    await tanaka.post(f"/incidents/{INC}/scope/add", {"kind": "host", "name": "cb-01"})
    done = await tanaka.post(f"/incidents/{INC}/share/prepare", {"tlp": "AMBER"})
    assert base64.b64decode(done["file"]["base64"]).startswith(b"PK")
    assert str(made_here) not in str(done)


# -- who ----------------------------------------------------------------------------------------------------


async def test_nobody_known_is_told_the_same_whatever_they_bring(web: Web) -> None:
    inspector(web, hours=1)
    before = (await Caller(web).ask("GET", "/incidents")).json()
    clock = web.house.desk.clock
    assert isinstance(clock, ExerciseClock)
    clock.advance(timedelta(hours=2))
    for headers in (
        {"Authorization": f"Bearer {TOKEN}"},
        {"Authorization": "Bearer unknown"},
        {"Authorization": "Bearer " + "x" * 500},
        {"Authorization": "Basic eDp5"},
        {"Cookie": "hikeshi=unknown"},
    ):
        response = await Caller(web, headers).ask("GET", "/incidents", headers={"Accept-Language": "ja"})
        assert response.status_code == 401 and response.json() == before
        assert response.headers["www-authenticate"].startswith("Bearer")
    assert refused(web.house)["token:unknown"] >= 1
    facts = kinds(web.house, "house").count("refused")
    await bearer(web, "another").get("/incidents", 401)
    assert kinds(web.house, "house").count("refused") == facts, "once a minute"


async def test_an_inspector_looks_and_does_nothing_else(web: Web) -> None:
    caller = inspector(web)
    assert (await caller.get("/incidents"))[0]["incident"] == INC
    problem = await caller.post(f"/incidents/{INC}/note", {"text": "x"}, 403)
    assert problem["reason"] == "may read only"


@pytest.mark.parametrize(
    ("what", "roles", "looks", "code"),
    [
        ("all that the person has", ("*",), False, 409),
        ("a role that is not enough", ("scribe",), False, 403),
        ("none at all", (), False, 403),
        ("only looking", ("*",), True, 403),
    ],
)
async def test_a_token_never_does_more_than_it_was_made_for(
    web: Web, what: str, roles: tuple[str, ...], looks: bool, code: int
) -> None:
    desk = web.house.desk
    issue = IssueToken(
        actor=Actor(person=SATO, via="test"), name="siem", person=SATO, roles=roles, looks=looks,
        until=desk.clock.now() + timedelta(days=1), digest=digest(TOKEN),
    )  # fmt: skip
    assert desk.handle("house", issue).refused is None
    caller = bearer(web, TOKEN)
    assert (await caller.get("/incidents"))[0]["incident"] == INC
    await caller.post(f"/incidents/{INC}/close", {"assessment": "x"}, code)
    noted = await caller.ask("POST", f"/incidents/{INC}/note", json={"text": what})
    assert noted.status_code == (403 if looks else 200)
    if not looks:
        assert noted.json()["facts"][0]["via"] == "api:siem"


async def test_a_page_of_another_site_does_nothing(web: Web, tanaka: Caller) -> None:
    without = Caller(web, {}, tanaka.cookie)
    assert (await without.post(f"/incidents/{INC}/note", {"text": "x"}, 403))["reason"] == "cross site"
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    await tanaka.post(f"/incidents/{INC}/note", {"text": "x"}, 403, headers=elsewhere)
    await tanaka.get("/incidents", 401, headers=elsewhere)


async def test_what_may_not_be_known_is_not_there(web: Web, tanaka: Caller) -> None:
    restricted(web.house)
    other = session(web, "mori-chie")
    paths = [one.path for one in operations().values() if one.of_incident and not one.writes]
    for path in paths:
        hidden = await other.ask("GET", path.replace("{incident}", INC))
        none = await other.ask("GET", path.replace("{incident}", "INC-2026-0999"))
        same = hidden.text.replace(INC, "INC-2026-0999")
        assert (hidden.status_code, same) == (none.status_code, none.text), path
    assert await other.get("/incidents") == []
    for path in ("/verify", "/checkpoint/list", "/checkpoint/export"):
        assert (await other.get(path, 403))["reason"] == "not named"
    assert INC not in str(
        [await other.get("/health"), await other.get("/metrics"), await other.get("/clocks")]
    )


async def test_rates_are_bounded_for_each_and_for_nobody(
    bank: Institution, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "PER_MINUTE", 3)
    monkeypatch.setattr(identity, "UNKNOWN_PER_MINUTE", 2)
    web = Web(make_house(bank, desk, tmp_path))
    caller = session(web, SUZUKI)
    codes = [(await caller.ask("GET", "/incidents")).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    codes = [(await bearer(web, "x").ask("GET", "/incidents")).status_code for _ in range(3)]
    assert codes == [401, 401, 429]
    assert int((await caller.ask("GET", "/incidents")).headers["retry-after"]) > 0
    web.seconds += 60
    assert (await caller.ask("GET", "/incidents")).status_code == 200


def test_those_who_are_counted_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "MOST_COUNTED", 2)
    counters = identity.Counters(1, lambda: 0.0)
    for who in ("a", "b", "c", "a"):
        counters.take(who)
    with pytest.raises(Problem):
        counters.take("c")
