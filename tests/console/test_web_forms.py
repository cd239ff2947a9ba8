"""Forms of the war room: from what a browser sends to the fields of a command, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import httpx
import pytest
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from console.operations.catalogue import operations
from console.web import forms
from console.web.changes import Changes
from console.web.forms import Form, NoForm, aware, file_name, filed, given, read_form
from console.web.kept import MAX_CHARACTERS, MAX_SESSIONS, Kept, Sent, Typed
from console.web.room import Room
from console.web.running import Run, Station
from models.commands import Declare
from models.desk import Desk
from models.errors import HikeshiError
from playbooks.institution import Institution
from tests.console.webhouse import make_house

T = TypeVar("T")

TOKYO = ZoneInfo("Asia/Tokyo")
BERLIN = ZoneInfo("Europe/Berlin")


def fields(operation: str, **values: list[str]) -> dict[str, Any]:
    """What the command is given of a form with these fields; `__` stands for the dot."""
    form = Form(fields={name.replace("__", ".").replace("_0", "-"): one for name, one in values.items()})
    return given(operations()[operation], form, TOKYO, "en")


@pytest.mark.parametrize(
    ("why", "operation", "sent", "wanted"),
    [
        ("a pair", "done", {"set__host": ["cb-01"]}, {"set": ["host=cb-01"]}),
        ("an empty pair is not given", "done", {"set__host": [""]}, {}),
        (
            "a local time means the institution's zone",
            "done",
            {"at__local": ["2026-11-23T03:05"]},
            {"at": "2026-11-23T03:05:00+09:00"},
        ),
        ("an empty field says nothing", "evidence add", {"size": [""], "name": [""]}, {}),
        ("no time is none", "done", {"at__local": [""]}, {}),
        (
            "a local time in a pair",
            "done",
            {"set__seen__local": ["2026-11-23T03:05"]},
            {"set": ["seen=2026-11-23T03:05:00+09:00"]},
        ),
        ("unknown by a tick", "decide", {"factor__window__unknown": ["on"]}, {"factor": ["window=unknown"]}),
        (
            "unknown beside an empty box",
            "decide",
            {"factor__window": [""], "factor__window__unknown": ["on"]},
            {"factor": ["window=unknown"]},
        ),
        (
            "several of a list",
            "decide",
            {"factor__services__all": ["atm", "internet-banking"]},
            {"factor": ["services=atm, internet-banking"]},
        ),
        ("none of a list", "decide", {"factor__services__all": [""]}, {}),
        ("a pair that is called like a mark", "done", {"set__all": ["x"]}, {"set": ["all=x"]}),
        ("a flag that is ticked", "withdraw", {"vote": ["on"]}, {"vote": True}),
        ("a flag that is said to be off", "withdraw", {"vote": ["no"]}, {"vote": False}),
        ("what is the form's own", "done", {"csrf": ["x"], "once": ["y"], "next": ["/"], "back": ["/"]}, {}),
        ("a path on the node's disk", "evidence add", {"file": ["/etc/passwd"], "reference": ["/etc"]}, {}),
        ("the node's editor", "message draft", {"edit": ["on"], "tlp": ["RED"]}, {"tlp": "RED"}),
        ("several operands", "evidence hold", {"items": ["EV-1", "EV-2"]}, {"items": ["EV-1", "EV-2"]}),
    ],
)  # fmt: skip
def test_a_form_gives(why: str, operation: str, sent: dict[str, list[str]], wanted: dict[str, Any]) -> None:
    assert fields(operation, **sent) == {name: one for name, one in wanted.items()}, why


def test_unknown_and_a_value_contradict_each_other() -> None:
    with pytest.raises(HikeshiError, match="window is given in two ways"):
        fields("decide", factor__window=["02:00-06:00"], factor__window__unknown=["on"])


def test_an_hour_that_the_clocks_show_twice_or_never_is_not_guessed() -> None:
    assert aware("2026-10-25T02:30", BERLIN) == "2026-10-25T02:30"
    assert aware("2026-03-29T02:30", BERLIN) == "2026-03-29T02:30"
    assert aware("2026-07-01T02:30", BERLIN) == "2026-07-01T02:30:00+02:00"
    assert aware("2026-07-01T02:30Z", BERLIN) == "2026-07-01T02:30Z"
    assert aware("yesterday", BERLIN) == "yesterday"


@pytest.mark.parametrize(
    ("said", "lies"),
    [
        ("memory.dmp", "memory.dmp"),
        ("C:\\Users\\x\\証拠.zip", "証拠.zip"),
        ("../../etc/passwd", "passwd"),
        ("..", "file"),
        ("", "file"),
        ("a\x00b\n.txt", "a_b_.txt"),
        ("証" * 200, "証" * 40),
    ],
)
def test_a_file_lies_in_its_own_folder_by_a_harmless_name(said: str, lies: str) -> None:
    assert file_name(said) == lies


def test_what_was_typed_is_a_file_for_the_command_and_gone_afterwards() -> None:
    form = Form(fields={"from.text": ["一行目\r\n二行目"]})
    with filed(operations()["message draft"], form) as found:
        path = found["from"]
        assert path.read_text(encoding="utf-8") == "一行目\n二行目"
    assert not path.exists()
    with filed(operations()["message draft"], Form(fields={"from.text": [" "]})) as found:
        assert found == {}


# -- reading ------------------------------------------------------------------------------------------------


async def _sees(request: Request) -> JSONResponse:
    try:
        form = await read_form(request)
    except NoForm as no:
        return JSONResponse({"no": str(no)}, 400)
    files = {name: [one.filename, (await one.read()).decode()] for name, one in form.files.items()}
    form.close()
    return JSONResponse({"fields": dict(form.fields), "files": files})


def browser() -> httpx.AsyncClient:
    """Somebody who sends forms to an address that says what it saw."""
    app = Starlette(routes=[Route("/", _sees, methods=["POST"])])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


async def test_both_kinds_of_form_are_read() -> None:
    async with browser() as client:
        plain = await client.post("/", data={"text": "何が <b>", "empty": ""})
        assert plain.json() == {"fields": {"text": ["何が <b>"], "empty": [""]}, "files": {}}
        body = b"".join(
            b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
            for name, value in (
                ("source", "メモリ".encode()),
                ('file"; filename="証拠.bin', b"abc"),
                ('none"; filename="', b""),
            )
        )
        headers = {"content-type": "multipart/form-data; boundary=x"}
        sent = await client.post("/", content=body + b"--x--\r\n", headers=headers)
        assert sent.json() == {"fields": {"source": ["メモリ"]}, "files": {"file": ["証拠.bin", "abc"]}}


async def test_what_is_too_much_or_no_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "MAX_UPLOAD", 100_000)
    multipart = {"content-type": "multipart/form-data; boundary=x"}
    async with browser() as client:
        for content, headers in (
            (b"a=" + b"x" * forms.MAX_FORM, {}),
            (b"&".join(b"a=1" for _ in range(forms.MAX_FIELDS + 1)), {}),
            ("a=é".encode(), {}),
            (b"--y\r\nbroken", multipart),
            (b"nothing", {"content-type": "multipart/form-data"}),
        ):
            assert (await client.post("/", content=content, headers=headers)).status_code == 400, content[:20]
        assert (await client.post("/", files={"f": ("f", b"x" * 100_001)})).status_code == 400
        many = {f"f{number}": ("f", b"x") for number in range(forms.MAX_FILES + 1)}
        assert (await client.post("/", files=many)).status_code == 400


# -- kept ---------------------------------------------------------------------------------------------------


def test_a_refused_form_is_kept_for_its_session_and_its_place() -> None:
    typed = Typed()
    typed.keep(
        "s", "done", {"step": ["a/b"], "note": ["long"], "csrf": ["c"], "identity": ["AGE"]}, [Markup("no")]
    )
    kept = typed.of("s")
    assert kept.of("done", step="a/b")("note") == "long"
    assert kept.of("done", step="a/b").said == ("no",)
    assert not kept.of("done", step="a/c") and not kept.of("decide") and not typed.of("t")
    assert kept("csrf") == kept("identity") == "" and kept("gone", "else") == "else"
    assert kept.has("note", "long") and not kept.has("note", "short")
    typed.done("s", "decide")
    assert typed.of("s")
    typed.done("s", "done")
    assert not typed.of("s")


def test_what_is_kept_is_bounded() -> None:
    typed = Typed()
    for number in range(MAX_SESSIONS + 1):
        typed.keep(str(number), "note", {"text": ["x"]}, [])
    assert not typed.of("0") and typed.of("1")
    typed.keep("1", "note", {"text": ["x" * (MAX_CHARACTERS + 1)]}, [])
    assert typed.of("1") == Kept(operation="note")


def test_a_form_that_was_sent_is_sent_once() -> None:
    sent, form = Sent(), {"once": ["1"], "text": ["x"]}
    key = sent.begin("s", "note", form)
    assert key and sent.begin("s", "note", form) is None, "while it runs"
    sent.end(key, done=True)
    assert sent.begin("s", "note", form) is None, "and after it was done"
    assert sent.begin("t", "note", form) and sent.begin("s", "note", form | {"text": ["y"]})
    assert sent.begin("s", "note", {"text": ["x"]}) == sent.begin("s", "note", {"text": ["x"]}) == ""
    again = sent.begin("s", "note", form | {"text": ["z"]})
    sent.end(again or "", done=False)
    assert sent.begin("s", "note", form | {"text": ["z"]}) == again, "what was refused may be sent as it is"


async def test_what_takes_long_keeps_no_page_waiting(bank: Institution, desk: Desk, tmp_path: Path) -> None:
    house = make_house(bank, desk, tmp_path)
    done: list[str] = []

    def place(name: str) -> Run:
        async def run(work: Callable[[], T], /) -> T:
            done.append(name)
            return work()

        return run

    aside = Station(house=house, run=place("aside"), changes=Changes())
    room = Room(Station(house=house, run=place("front"), changes=Changes(), aside=aside), ())
    cookie = room.sessions.open("test", person="sato-kenji")
    visitor = room.sessions.visitor(cookie)
    assert visitor is not None
    incident = desk.handle(None, Declare(actor=visitor.actor, text="x")).stream
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(Starlette(routes=room.routes())),
        base_url="http://127.0.0.1:8410",
        cookies={room.sessions.cookie: cookie},
    )
    async with client:
        for operation, sent in (("note", {"text": "seen"}), ("evidence/verify", {})):
            done.clear()
            form = {"csrf": visitor.csrf, "incident": incident, "next": "/", **sent}
            answer = await client.post(f"/do/{operation}", data=form)
            assert answer.status_code == 303
            assert ("aside" in done) is (operation != "note"), operation
