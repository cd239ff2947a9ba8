"""POST /api/gateway: who may hand over answers, what they mean, and what is on record."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from console.web.gateway import WRONG_CODES, _read
from console.web.links import KEY_FILE, signing_key
from models.commands import Acknowledge, Actor, Declare
from models.desk import Desk
from models.outofband import ConfirmTrust, ProposeTrust
from models.premises import Premises
from models.record import Record
from models.state import Page
from notifiers.gateway.code import page_code
from notifiers.gateway.signing import signed_headers
from playbooks.institution import Institution
from tests.console.webhouse import SECRETS, Web, kinds, make_house, refused

SECRET = "gateway-secret-of-the-tests"  # noqa: S105 made up
DUTY, NUMBER = "nakamura-yui", "+818055550106"
OUTSIDER = "+818055550110"
SETTINGS = {"gateway": {"url": "https://gateway.example/messages", "secret": "env:HIKESHI_GATEWAY_SECRET"}}


@pytest.fixture
async def web(
    bank: Institution, clock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Web]:
    """The example bank, its duty officer reached by SMS, with a gateway whose secret is known."""
    for name, value in (SECRETS | {"HIKESHI_GATEWAY_SECRET": SECRET}).items():
        monkeypatch.setenv(name, value)
    people = [
        person.model_copy(update={"channels": ("sms", "console")}) for person in bank.organisation.people
    ]
    premises = Premises(
        organisation=bank.organisation.model_copy(update={"people": tuple(people)}),
        policy=bank.policy,
        playbooks=bank.playbooks,
        channels=frozenset({"console", "file", "sms", "voice"}),
    )
    desk = Desk(Record.in_memory(), premises, clock)
    yield Web(make_house(bank, desk, tmp_path, **SETTINGS))
    desk.record.close()


def declare(web: Web) -> tuple[str, Page]:
    outcome = web.house.desk.handle(None, Declare(actor=Actor(person=DUTY), text="odd"))
    return outcome.stream, next(iter(web.house.desk.state(outcome.stream).pages.values()))


def code(web: Web, stream: str, page: Page) -> str:
    """What the SMS about a page asks to be sent back."""
    return page_code(signing_key(web.house), stream, page.id)


async def say(web: Web, text: str = "1", **fields: Any) -> Any:
    """One answer, signed now; `secret`, `late` and `body` make it another's, old or broken."""
    late, secret = fields.pop("late", 0), fields.pop("secret", SECRET)
    given = {"id": "r1", "channel": "sms", "from": NUMBER, "text": text} | fields
    body = given.pop("body", None) or orjson.dumps(given)
    clock: Any = web.house.desk.clock
    headers = signed_headers(secret.encode(), body, clock.now())
    if late:
        headers["x-hikeshi-timestamp"] = str(int(headers["x-hikeshi-timestamp"]) - late)
    return await web.ask("POST", "/api/gateway", content=body, headers=headers)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("4821", "4821"),
        (" ４８２１。", "4821"),
        ("#0007", "0007"),
        ("1", ""),
        (" ＯＫ。", ""),
        ("了解", ""),
        ("１　４８２１", "4821"),
        ("OK4821", "4821"),
        ("1: 4821", "4821"),
        ("受領 #0007", "0007"),
        ("14821", "4821"),
        ("2", None),
        ("no", None),
        ("no 4821", None),
        ("10", None),
        ("482", None),
        ("ok 123", None),
        ("1 4821 5", None),
        ("not ok", None),
        ("", None),
    ],
)
def test_what_an_answer_means(text: str, read: str | None) -> None:
    assert _read(text) == read


async def test_an_answer_acknowledges_as_the_person_of_the_number(web: Web) -> None:
    stream, page = declare(web)
    answer = await say(web, code(web, stream, page))
    assert (answer.status_code, answer.json()["result"]) == (200, "done")
    assert answer.json()["reply"] == f"{stream}: you have it. Thank you."
    after = web.house.desk.state(stream).pages[page.id]
    assert (after.state, after.acked_by, web.woken) == ("acknowledged", DUTY, 0)
    with web.house.record.read() as tx:
        fact = next(one for one in tx.facts(stream) if one.kind == "page.acknowledged")
    assert (fact.actor, fact.via) == (DUTY, "sms")


async def test_the_same_answer_again_has_no_second_effect(web: Web) -> None:
    stream, page = declare(web)
    right = code(web, stream, page)
    await say(web, right)
    before = kinds(web.house, stream)
    assert (await say(web, right)).json()["result"] == "duplicate"
    late = await say(web, f"1 {right}", id="r2")
    assert late.json()["result"] == "already"
    other, second = declare(web)
    again = await say(web, code(web, other, second))
    assert again.json()["result"] == "duplicate", "an answer that is replayed takes no later page"
    assert kinds(web.house, stream) == before
    assert web.house.desk.state(other).open_pages() != []


async def test_of_several_pages_the_code_says_which(web: Web) -> None:
    (first, page), (second, other) = declare(web), declare(web)
    unclear = await say(web)
    assert unclear.json()["result"] == "which"
    for one in ((first, page), (second, other)):
        assert code(web, *one) in unclear.json()["reply"]
    assert (await say(web, f"OK {code(web, second, other)}", id="r2")).json()["result"] == "done"
    assert web.house.desk.state(first).pages[page.id].state == "open"
    assert web.house.desk.state(second).pages[other.id].acked_by == DUTY
    wrong = next(one for one in ("0000", "0001", "0002") if one not in unclear.json()["reply"])
    assert (await say(web, f"1 {wrong}", id="r3")).json()["result"] == "nothing"


async def test_whoever_forges_the_sender_cannot_stop_the_one_page_there_is(web: Web) -> None:
    stream, page = declare(web)
    unkeyed = hashlib.sha256(f"{stream}/{page.id}".encode()).digest()
    computed = f"{int.from_bytes(unkeyed[:8], 'big') % 10**4:04d}"
    key = f"{stream}/{page.id}/0/1/sms:{DUTY}"
    tries = {"1": "which", computed: "nothing", page_code(b"", stream, page.id): "nothing"}
    for number, (text, result) in enumerate(tries.items()):
        answer = await say(web, text, id=f"r{number}", key=key)
        assert answer.json()["result"] == result, "a key counts in a call only"
    called = await say(web, channel="voice", id="r9")
    assert called.json()["result"] == "unclear" and code(web, stream, page) not in called.text
    assert web.house.desk.state(stream).pages[page.id].state == "open"
    assert refused(web.house)[DUTY] >= 2


async def test_after_five_wrong_codes_not_even_the_right_one_counts_for_a_while(web: Web, clock: Any) -> None:
    stream, page = declare(web)
    right = code(web, stream, page)
    wrong = [one for one in (f"{number:04d}" for number in range(10)) if one != right][:WRONG_CODES]
    for number, text in enumerate(wrong):
        assert (await say(web, text, id=f"r{number}")).json()["result"] == "nothing"
        assert (await say(web, text, id=f"r{number}")).json()["result"] != "done", "handed over twice"
        if number == 0:
            clock.set(clock.now() + timedelta(seconds=1))
    locked = await say(web, right, id="r8")
    assert (locked.status_code, locked.json()["result"]) == (403, "locked")
    assert web.house.desk.state(stream).pages[page.id].state == "open"
    other, second = declare(web)
    key = f"{other}/{second.id}/0/1/sms:{DUTY}"
    assert (await say(web, channel="voice", key=key, id="r9")).json()["result"] == "done", "a call goes on"
    clock.set(clock.now() + timedelta(minutes=10))
    assert (await say(web, right, id="r10")).json()["result"] == "done"


async def test_wrong_codes_of_one_person_cost_another_nothing(web: Web) -> None:
    stream, page = declare(web)
    for number in range(WRONG_CODES + 1):
        await say(web, f"000{number}", id=f"r{number}", **{"from": OUTSIDER})
    assert (await say(web, code(web, stream, page), id="r9")).json()["result"] == "done"


def with_one_code(web: Web, *pages: tuple[str, Page]) -> Web:
    """The same house with a signing key under which these two pages happen to have one code."""
    keys = (f"{number:032d}".encode() for number in range(1_000_000))
    key = next(one for one in keys if len({page_code(one, stream, page.id) for stream, page in pages}) == 1)
    (web.house.data / KEY_FILE).write_bytes(key)
    return Web(web.house)


async def test_an_open_page_goes_before_an_old_one_of_the_same_code(web: Web) -> None:
    (first, page), (second, other) = declare(web), declare(web)
    settled = Acknowledge(actor=Actor(person=DUTY), page=other.id)
    assert web.house.desk.handle(second, settled).accepted
    web = with_one_code(web, (first, page), (second, other))
    assert (await say(web, code(web, first, page))).json()["result"] == "done"
    assert web.house.desk.state(first).pages[page.id].acked_by == DUTY


async def test_of_two_open_pages_of_one_code_neither_is_chosen(web: Web) -> None:
    (first, page), (second, other) = declare(web), declare(web)
    web = with_one_code(web, (first, page), (second, other))
    assert (await say(web, code(web, first, page))).json()["result"] == "same"
    assert {
        web.house.desk.state(one).pages[two.id].state for one, two in ((first, page), (second, other))
    } == {"open"}


async def test_in_a_call_the_message_says_which_and_only_its_own_person_may_answer_it(web: Web) -> None:
    stream, page = declare(web)
    declare(web)
    key = f"{stream}/{page.id}/0/1/sms:{DUTY}"
    stranger = await say(web, channel="voice", key=key, **{"from": OUTSIDER})
    assert stranger.json()["result"] == "nothing"
    assert (await say(web, channel="voice", key=key, id="r2")).json()["result"] == "done"


@pytest.mark.parametrize("sender", ["+15550109999", "unknown", "06-0000-0000"])
async def test_an_unknown_number_is_refused_and_recorded(web: Web, sender: str) -> None:
    stream, page = declare(web)
    answer = await say(web, **{"from": sender})
    assert (answer.status_code, answer.json()["result"]) == (403, "refused")
    assert refused(web.house) == {"unknown": 1}
    assert web.house.desk.state(stream).pages[page.id].state == "open"
    assert sender in "".join(text or "" for text in web.house.desk.texts("house").values())


async def test_a_number_that_two_people_share_is_nobodys(web: Web) -> None:
    declare(web)
    desk = web.house.desk
    people = [one.model_copy(update={"phone": "080-5555-0106"}) for one in desk.directory.organisation.people]
    shared = desk.directory.organisation.model_copy(update={"people": tuple(people)})
    desk.directory = type(desk.directory)(shared)
    assert (await say(web)).status_code == 403


async def test_an_answer_that_means_something_else_acts_on_nothing_and_is_recorded_once(web: Web) -> None:
    stream, page = declare(web)
    for number in range(3):
        answer = await say(web, "call me", id=f"r{number}")
        assert (answer.status_code, answer.json()["result"]) == (200, "unclear")
    assert refused(web.house) == {DUTY: 1}
    assert web.house.desk.state(stream).pages[page.id].state == "open"


async def test_a_distrusted_channel_is_told_nothing(web: Web) -> None:
    stream, page = declare(web)
    wanted = ProposeTrust(
        actor=Actor(person="sato-kenji"), way="out-of-band", channels=("sms",), reason="odd"
    )
    proposed = web.house.desk.handle("house", wanted).facts[0].seq
    agreed = ConfirmTrust(actor=Actor(person="kato-hiroshi"), proposal=proposed)
    assert web.house.desk.handle("house", agreed).accepted
    for text in ("1", "what?"):
        answer = await say(web, text)
        assert (answer.status_code, answer.json()) == (403, {"result": "out-of-band", "reply": ""})
    assert web.house.desk.state(stream).pages[page.id].state == "open"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"secret": "another"}, 401),
        ({"late": 1}, 401),
        ({"body": b"x" * 9_000}, 413),
        ({"body": b"no json"}, 422),
        ({"channel": "slack"}, 422),
        ({"id": "r 1"}, 422),
        ({"text": "1" * 2_000}, 422),
    ],
)
async def test_what_is_not_an_answer_by_the_gateway_is_refused_and_recorded(
    web: Web, change: dict[str, Any], status: int
) -> None:
    stream, page = declare(web)
    for _ in range(2):
        assert (await say(web, **change)).status_code == status
    assert refused(web.house) == {"gateway": 1}
    assert web.house.desk.state(stream).pages[page.id].state == "open"


async def test_an_answer_that_is_out_of_its_time_is_refused(web: Web, clock: Any) -> None:
    declare(web)
    body = orjson.dumps({"id": "r1", "channel": "sms", "from": NUMBER, "text": "1"})
    headers = signed_headers(SECRET.encode(), body, clock.now())
    clock.set(clock.now().replace(minute=6))
    answer = await web.ask("POST", "/api/gateway", content=body, headers=headers)
    assert answer.status_code == 401


async def test_without_a_gateway_there_is_no_door(bank: Institution, desk: Desk, tmp_path: Path) -> None:
    web = Web(make_house(bank, desk, tmp_path))
    assert (await web.ask("POST", "/api/gateway", content=b"{}")).status_code == 404


async def test_without_its_secret_the_door_is_shut_and_health_says_so(
    bank: Institution, desk: Desk, tmp_path: Path
) -> None:
    web = Web(make_house(bank, desk, tmp_path, **SETTINGS))
    assert (await say(web, secret="")).status_code == 401
    assert "gateway" in (await web.ask("GET", "/health")).json()["closed_sources"]
