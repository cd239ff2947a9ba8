"""SMS and voice: what is said, how long it is, and what the gateway's misbehaviour means."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
import pytest

from models.clock import ExerciseClock
from models.telephone import e164
from notifiers.gateway import render
from notifiers.gateway.code import code_of_key, page_code
from notifiers.gateway.deliver import KEY_HEADER, GatewayNotifier
from notifiers.gateway.fake import FakeGateway, Fault
from notifiers.gateway.signing import SIGNATURE, TIMESTAMP, signed_headers, unauthentic
from notifiers.message import Failed, Message, Sent

Make = Callable[..., Message]
NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
TO = "+818055550101"
KEY = b"k" * 32


@pytest.fixture
def sms(message: Make) -> Make:
    """As `message`, for a telephone."""

    def make(template: str = "page.declared", **given: Any) -> Message:
        asked = {"asked": "受領し、初動対応を始めてください"}
        return message(template, **({"channel": "sms", "address": TO} | asked | given))

    return make


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with FakeGateway(clock=ExerciseClock(NOW)) as served:
        yield served


def notifier(gateway: FakeGateway, **changes: Any) -> GatewayNotifier:
    shape: dict[str, Any] = {
        "url": gateway.url,
        "secret": gateway.secret,
        "code_key": KEY,
        "clock": ExerciseClock(NOW),
    }
    return GatewayNotifier(changes.pop("name", "sms"), **(shape | {"timeout_seconds": 2.0} | changes))


# -- what is said -------------------------------------------------------------------------------------------


def test_an_sms_says_what_is_asked_of_which_incident_and_how_to_answer(sms: Make) -> None:
    code = page_code(KEY, "INC-2026-0001", 7)
    assert code == code_of_key(KEY, sms().key) and code != page_code(b"another", "INC-2026-0001", 7)
    short = render.sms(sms(), code)
    assert short.code == code
    assert short.text.splitlines() == [
        "[SEV1] INC-2026-0001",
        "受領し、初動対応を始めてください (11/23 03:05 JST (+09:00)まで)",
        "EDR が 12 台の端末で暗号化の挙動を検知",
        f"受領: 「{code}」と返信",
        "https://node.example/p/abc.DEF-1?x=1&y=2",
    ]


def test_what_is_no_incident_names_its_record_where_others_have_a_severity(sms: Make) -> None:
    short = render.sms(sms(severity="", severity_title="運用", incident="Hikeshi"), "4821")
    assert short.text.startswith("[運用] Hikeshi\n")


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_long_text_is_cut_and_the_way_to_answer_is_not(sms: Make, lang: str) -> None:
    short = render.sms(sms(lang=lang, what="大量の暗号化" * 100), "4821")
    assert render.parts(short.text) == render.MAX_PARTS
    assert "…" in short.text and short.text.endswith("x=1&y=2") and short.code in short.text


def test_a_link_that_is_longer_than_everything_is_still_whole(sms: Make) -> None:
    link = "https://node.example/p/" + "a" * 600
    text = render.sms(sms(link=link), "4821").text
    assert text.endswith(link) and "EDR" not in text


def test_a_notice_asks_for_no_answer(sms: Make) -> None:
    short = render.sms(sms("notice.acknowledged", asked=""), "")
    assert short.code == "" and "返信" not in short.text and "お知らせ" in short.text


def test_a_drill_and_a_repeat_are_marked_first(sms: Make) -> None:
    assert render.sms(sms(drill=True, attempt=2), "4821").text.startswith("【訓練】【再送】[SEV1]")
    assert "これは訓練です。" in render.voice(sms(drill=True), "4821").text


def test_outside_text_makes_no_link_and_no_line(sms: Make) -> None:
    text = render.sms(
        sms(what="see https://evil.example/x\nor evil.example\u202e now", lang="en"), "4821"
    ).text
    assert "hxxps://evil[.]example/x or evil[.]example now" in text


def test_a_voice_says_no_link_and_what_to_press(sms: Make) -> None:
    spoken = render.voice(sms(lang="en", asked="Acknowledge and begin the response"), "4821").text
    assert "press 1" in spoken and "http" not in spoken and "INC-2026-0001" in spoken


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("あ" * 70, 1),
        ("あ" * 71, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("😀" * 36, 2),
    ],
)
def test_parts_are_counted_as_networks_do(text: str, parts: int) -> None:
    assert render.parts(text) == parts


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("080-5555-0101", TO),
        ("+81 80 5555 0101", TO),
        ("０８０－５５５５－０１０１", TO),
        ("+1 (555) 010-9999", "+15550109999"),
        ("内線 1234", None),
        ("010 1 555 0109999", None),
        ("+81", None),
        ("", None),
        (None, None),
    ],
)
def test_numbers_are_read_as_people_write_them(written: str | None, number: str | None) -> None:
    assert e164(written) == number


# -- handing it over ----------------------------------------------------------------------------------------


async def test_a_message_is_signed_and_reaches_the_telephone(gateway: FakeGateway, sms: Make) -> None:
    one = notifier(gateway)
    assert await one.deliver(sms()) == Sent(receipt="m1")
    (taken,) = gateway.taken
    assert (taken.channel, taken.to, taken.key, taken.kind) == ("sms", TO, sms().key, "page")
    assert await one.arrived(sms()) is None
    await one.close()


async def test_the_same_key_twice_reaches_the_telephone_once(gateway: FakeGateway, sms: Make) -> None:
    one = notifier(gateway)
    gateway.plan(Fault(kind="reset", accepted=True))
    first = await one.deliver(sms())
    assert isinstance(first, Failed) and first.retry == "unclear"
    assert await one.deliver(msgspec.structs.replace(sms(), attempt=2)) == Sent(receipt="m1")
    assert len(gateway.taken) == 1
    await one.close()


@pytest.mark.parametrize(
    ("fault", "retry", "after"),
    [
        (Fault(kind="status", status=429, retry_after="7"), "later", 7.0),
        (Fault(kind="status", status=429, retry_after="99999"), "later", 3600.0),
        (Fault(kind="status", status=503), "later", None),
        (Fault(kind="status", status=500), "unclear", None),
        (Fault(kind="status", status=502, accepted=True), "unclear", None),
        (Fault(kind="status", status=302), "never", None),
        (Fault(kind="status", status=400), "never", None),
        (Fault(kind="reset"), "unclear", None),
        (Fault(kind="hang"), "unclear", None),
    ],
    ids=str,
)
async def test_what_the_gateway_answers_says_whether_to_send_again(
    gateway: FakeGateway, sms: Make, fault: Fault, retry: str, after: float | None
) -> None:
    one = notifier(gateway, timeout_seconds=0.3)
    gateway.plan(fault)
    failed = await one.deliver(sms())
    assert isinstance(failed, Failed) and (failed.retry, failed.retry_after) == (retry, after)
    await one.close()


async def test_a_key_that_the_gateway_has_already_counts_as_sent(gateway: FakeGateway, sms: Make) -> None:
    one = notifier(gateway)
    gateway.plan(Fault(kind="status", status=409))
    assert await one.deliver(sms()) == Sent(receipt="HTTP 409")
    await one.close()


async def test_a_gateway_that_is_not_there_and_a_wrong_secret(gateway: FakeGateway, sms: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = notifier(gateway, url=f"http://127.0.0.1:{free.getsockname()[1]}/secret-path")
        failed = await gone.deliver(sms())
    assert isinstance(failed, Failed) and failed.retry == "later" and "secret-path" not in failed.error
    wrong = notifier(gateway, secret="another")  # noqa: S106 made up
    refused = await wrong.deliver(sms())
    assert isinstance(refused, Failed) and refused.retry == "never" and "another" not in repr(wrong)
    nowhere = await wrong.deliver(sms(address=""))
    assert isinstance(nowhere, Failed) and nowhere.retry == "never"
    for one in (gone, wrong):
        await one.close()


async def test_the_fake_refuses_what_was_signed_at_another_time(gateway: FakeGateway) -> None:
    old = signed_headers(gateway.secret.encode(), b"{}", NOW - timedelta(minutes=6))
    async with aiohttp.ClientSession(trust_env=False) as session:
        answer = await session.post(gateway.url, data=b"{}", headers=old | {KEY_HEADER: "x"})
    assert answer.status == 401 and gateway.taken == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, ""),
        ({SIGNATURE: "sha256=" + "0" * 64}, "wrong signature"),
        ({SIGNATURE: "ü"}, "wrong signature"),
        ({TIMESTAMP: str(int(NOW.timestamp()) + 1)}, "wrong signature"),
    ],
)
def test_a_signature_covers_time_and_body(change: dict[str, str], why: str) -> None:
    headers = signed_headers(KEY, b"body", NOW) | change
    assert unauthentic(KEY, headers, b"body", NOW) == why
    assert unauthentic(KEY, headers, b"other", NOW) == "wrong signature"
    late = unauthentic(KEY, signed_headers(KEY, b"body", NOW), b"body", NOW + timedelta(minutes=6))
    assert late == "signature out of its time"
