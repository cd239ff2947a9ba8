"""The board, the health, and what holds for every answer; at the end over a real server."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from console.intake import receive
from console.views.naming import Naming
from console.web.health import FIELDS
from console.web.summaries import Summary, summary
from models.clock import ExerciseClock
from models.commands import Actor, Declare, Note
from models.desk import Desk
from models.node import register
from models.restriction import Restrict
from playbooks.institution import Institution
from tests.console.webhouse import SECRETS, WAZUH, Web, decision, kinds, make_house, rows, wazuh

CLERK = Actor(person="mori-chie", name="mori", via="test")


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    return Web(make_house(bank, desk, tmp_path))


YUI = "nakamura-yui"


async def board(web: Web, person: str = YUI, lang: str = "ja", path: str = "/") -> str:
    """The same, as text."""
    answer = await web.look(person, path, lang)
    assert answer.status_code == 200
    return unescape(answer.text)


async def test_an_empty_board_says_that_nothing_is_open(web: Web) -> None:
    text = await board(web)
    assert "対応中のインシデントはありません。" in text and "未判断のアラートはありません。" in text
    assert "いま、あなたを待っているものはありません。" in text
    assert "No incident is open." in await board(web, lang="en")


async def test_the_board_is_for_whoever_is_logged_in(web: Web) -> None:
    receive(web.house, "wazuh", WAZUH)
    answer = await web.ask("GET", "/")
    assert answer.status_code == 303 and answer.headers["location"] == "/login?next=/"


async def test_the_board_shows_what_is_open_and_what_waits_for_me(web: Web, clock: ExerciseClock) -> None:
    receive(web.house, "wazuh", WAZUH)
    for _ in range(3):
        receive(web.house, "wazuh", wazuh(level=11, id="7", description="proposed <b>"))
    answer = await web.look(YUI, "/")
    text = answer.text
    for part in (
        "INC-2026-0001",
        "Possible ransomware",
        ">高<",
        "トリアージ",
        'data-until="2026-11-22T18:05:00.000000Z"',
        "あと",
        "AL-000002",
        "proposed &lt;b&gt;",
        '<meta http-equiv="refresh" content="20">',
        "受領し、初動対応を始めてください",
        'action="/do/ack"',
    ):
        assert part in text, part
    assert 'action="/do/ack"' not in await board(web, "mori-chie")
    english = await board(web, lang="en")
    assert "Pages without an ack: 1" in english and "triage" in english


async def test_the_board_shows_decisions_awaited_and_what_is_late(web: Web, clock: ExerciseClock) -> None:
    receive(web.house, "wazuh", WAZUH)
    made = decision(web.house, "INC-2026-0001", YUI)
    incident = web.house.desk.incident("INC-2026-0001")
    planned = web.house.desk.world(incident).step(incident, made.subject.removeprefix("step:"))
    assert planned is not None
    text = await board(web, lang="en")
    assert f"</span> {planned.step.title.en} <span" in text and "→ CISO" in text
    assert "past the limit" in text
    ciso = next(one.person.id for one in web.house.desk.world(incident).holders(incident, "ciso"))
    assert planned.step.title.en in (await board(web, ciso, "en")).split('id="part-open"')[0]
    assert planned.step.title.en not in text.split('id="part-open"')[0]


async def test_what_breaks_next_comes_first(web: Web, clock: ExerciseClock) -> None:
    web.house.desk.handle(None, Declare(actor=CLERK, text="the slow one", severity="low"))
    clock.advance(timedelta(minutes=2))
    web.house.desk.handle(None, Declare(actor=CLERK, text="the grave one", severity="critical"))
    text = (await board(web)).split('id="part-open"')[1]
    limits = [
        line.split('data-until="')[1].split('"')[0] for line in text.split("<li") if "data-until" in line
    ]
    assert limits == sorted(limits) and len(limits) == 2


async def test_the_board_is_bounded_and_goes_on(web: Web) -> None:
    for number in range(63):
        web.house.desk.handle(None, Declare(actor=CLERK, text=f"case {number}"))
    for number in range(12):
        receive(web.house, "wazuh", wazuh(level=11, id=str(number)))
    text = await board(web)
    assert text.count('class="breaks"') == 60 and "63 件" in text and "ほか 2 件" in text
    assert 'href="/?page=2"' in text and "1 / 2 ページ" in text
    assert (await board(web, path="/?page=2")).count('class="breaks"') == 3
    for odd in ("0", "-1", "x", "99999", "٣", ""):
        assert 'class="breaks"' in await board(web, path=f"/?page={odd}")


async def test_a_summary_is_not_made_anew_for_each_who_looks(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(naming: Naming) -> Summary:
        made.append(naming.state.stream)
        return summary(naming)

    monkeypatch.setattr("console.web.summaries.summary", counted)
    for text in ("one", "two"):
        web.house.desk.handle(None, Declare(actor=CLERK, text=text))
    await board(web)
    await board(web, "kato-hiroshi")
    assert sorted(made) == ["INC-2026-0001", "INC-2026-0002"]
    web.house.desk.handle("INC-2026-0002", Note(actor=CLERK, text="more is known"))
    await board(web)
    assert made[2:] == ["INC-2026-0002"]


async def test_a_restricted_incident_is_on_the_board_of_those_who_may_know(web: Web) -> None:
    web.house.desk.handle(None, Declare(actor=CLERK, text="somebody of ours", severity="high"))
    restrict = Restrict(
        actor=Actor(person="sato-kenji", via="test"), reason="an insider", people=("kato-hiroshi",)
    )
    assert web.house.desk.handle("INC-2026-0001", restrict).accepted
    assert "somebody of ours" in await board(web, "kato-hiroshi")
    text = await board(web, "ogawa-sayuri")
    assert "INC-2026-0001" not in text and "somebody of ours" not in text


async def test_looking_at_the_board_changes_nothing(web: Web, clock: ExerciseClock) -> None:
    receive(web.house, "wazuh", WAZUH)
    clock.advance(timedelta(hours=1))
    before = kinds(web.house, "INC-2026-0001")
    await board(web)
    assert (await web.ask("POST", "/")).status_code == 405
    assert kinds(web.house, "INC-2026-0001") == before


async def test_what_does_not_work_is_on_the_board(web: Web) -> None:
    assert "異常があります" in await board(web)  # no pager has ever run here
    with web.house.record.begin() as tx:
        register(tx, "pager", web.house.wall.now(), "pid 1")
    assert "正常に動いています" in await board(web)


@pytest.mark.parametrize(
    ("peer", "local"), [("127.0.0.1", True), ("::ffff:127.0.0.1", True), ("203.0.113.9", False)]
)
async def test_a_name_of_this_machine_from_elsewhere_opens_nothing(web: Web, peer: str, local: bool) -> None:
    transport = httpx.ASGITransport(web.app, client=(peer, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8410") as client:
        assert (await client.get("/metrics")).status_code == (200 if local else 404)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"])
async def test_figures_are_not_shown_through_a_proxy(web: Web, header: str) -> None:
    answer = await web.ask("GET", "/metrics", headers={header: "203.0.113.9"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8410", True),
        ("localhost", True),
        ("LOCALHOST:8410", True),
        ("[::1]:8410", True),
        ("hikeshi.example.jp", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost@evil.example", False),
        ("evil.example#localhost", False),
        ("[::1", False),
        ("", False),
    ],
)
async def test_only_our_own_names_are_answered(
    bank: Institution, desk: Desk, tmp_path: Path, host: str, known: bool
) -> None:
    """A resolver that points somebody's name at us must not let their page read ours."""
    settings = {"public_url": "https://hikeshi.example.jp", "host": "0.0.0.0"}  # noqa: S104 - not bound to
    web = Web(make_house(bank, desk, tmp_path, **settings))
    answer = await web.ask("GET", "/health", headers={"Host": host})
    assert answer.status_code == (200 if known else 421)
    figures = await web.ask("GET", "/metrics", headers={"Host": host})
    local = known and host != "hikeshi.example.jp"
    assert figures.status_code == (200 if local else 404 if known else 421)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/health"), ("GET", "/p/x"), ("POST", "/p/x/ack"), ("POST", "/api/alerts/x"),
     ("GET", "/nothing"), ("GET", "/static/hikeshi.css"), ("GET", "/docs"), ("GET", "/openapi.json"),
     ("GET", "/static/../app.py"), ("DELETE", "/")],
)  # fmt: skip
async def test_every_answer_carries_the_headers(web: Web, method: str, path: str) -> None:
    answer = await web.ask(method, path)
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert "script-src 'self';" in policy and "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (
        "docs" not in path and "openapi" not in path and "nothing" not in path
    ) or answer.status_code == 404


async def test_the_pages_need_nothing_from_elsewhere(web: Web) -> None:
    style = await web.ask("GET", "/static/hikeshi.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "min-height: 44px" in style.text and "prefers-color-scheme: dark" in style.text
    assert "url(" not in style.text and "@import" not in style.text
    page = await board(web)
    assert "http://" not in page and "https://" not in page
    assert all('src="/static/' in script for script in page.split("<script")[1:])


async def test_what_is_no_secret_is_sent_compressed_and_no_page_is(web: Web) -> None:
    packed = {"Accept-Encoding": "gzip"}
    style = await web.ask("GET", "/static/room.css", headers=packed)
    assert style.headers["content-encoding"] == "gzip" and "--ground" in style.text
    plain = await web.ask("GET", "/static/room.css", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.text == style.text
    assert "content-encoding" not in (await web.look(YUI, "/")).headers


@pytest.mark.parametrize(
    ("change", "code"),
    [({}, 200), ({"status": "impaired", "impaired": ["slack"], "quarantined": ["INC-2026-0001"]}, 503)],
)
async def test_health_is_what_the_node_says(web: Web, change: dict[str, Any], code: int) -> None:
    web.status |= change
    answer = await web.ask("GET", "/health")
    assert answer.status_code == code
    assert answer.json() == web.status | {"closed_sources": []}


async def test_a_node_that_says_nothing_is_not_well(web: Web) -> None:
    web.status.clear()
    answer = await web.ask("GET", "/health")
    assert answer.status_code == 503
    assert set(answer.json()) == set(FIELDS) | {"closed_sources"}


@pytest.fixture
def served(web: Web) -> Iterator[str]:
    """The application on a real port."""
    server = uvicorn.Server(uvicorn.Config(web.app, log_level="error", lifespan="off"))
    listener = socket.create_server(("127.0.0.1", 0))
    web.house.record.hand_over()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listener.close()


def test_over_a_real_server_an_alert_becomes_a_page_that_is_acknowledged(web: Web, served: str) -> None:
    headers = {"Authorization": f"Bearer {SECRETS['HIKESHI_WAZUH_SECRET']}"}
    with httpx.Client(base_url=served, trust_env=False) as client:
        answer = client.post("/api/alerts/wazuh", content=WAZUH, headers=headers)
        assert (answer.status_code, answer.json()["incident"]) == (202, "INC-2026-0001")
        web.house.record.hand_over()
        [page] = web.house.desk.state("INC-2026-0001").pages.values()
        web.house.record.hand_over()
        token = web.token("INC-2026-0001", page.id, "nakamura-yui")
        shown = client.get(f"/p/{token}")
        form = shown.text.split('name="form" value="')[1].split('"')[0]
        pressed = client.post(f"/p/{token}/ack", data={"form": form}, follow_redirects=True)
        assert pressed.status_code == 200 and "You acknowledged at" in pressed.text
        assert client.get("/health").status_code == 200
        assert client.head(f"/p/{token}").content == b""


def test_over_a_real_server_nobody_sends_without_end(web: Web, served: str) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(10_000):
            yield b"x" * 65_536

    with httpx.Client(base_url=served, trust_env=False) as client:
        try:
            answer = client.post("/api/alerts/wazuh", content=endless())
        except httpx.TransportError:
            answer = None  # the server has answered and closed while we were still sending
    assert answer is None or answer.status_code == 413
    web.house.record.hand_over()
    assert rows(web.house) == []


def test_over_a_real_server_a_sender_that_stalls_is_let_go(
    web: Web, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.web.alerts.READ_WITHIN_SECONDS", 0.2)
    port = int(served.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sender:
        head = b"POST /api/alerts/wazuh HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n{"
        sender.sendall(head)
        assert b" 408 " in sender.recv(4_096).split(b"\r\n")[0]
    assert rows(web.house) == []


async def test_health_does_not_hang_with_a_record_that_is_held(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.web.watchdoor.ANSWER_SECONDS", 0.05)

    async def held(_: object, __: object) -> None:
        await asyncio.sleep(30)

    found = {getattr(one, "path", ""): getattr(one, "endpoint", None) for one in web.app.routes}
    board = getattr(found["/health"], "__self__", None)
    monkeypatch.setattr(board, "_run", lambda work: held(board, work))
    answer = await web.ask("GET", "/health")
    assert answer.status_code == 503
    assert "record" in answer.json()["impaired"]
