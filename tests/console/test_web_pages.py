"""The signed page: it tells enough to act on, in ja and en; reading changes nothing, the button acts once."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from console.intake import receive
from console.web.links import form_token, sign
from console.web.rendering import HERE, span, words
from models.clock import ExerciseClock
from models.commands import Actor, Decide, Declare, Delegate, EndIncident, Impair
from models.desk import Desk
from models.errors import RecordBusy, RecordUncertain
from models.policy import Event, RouteLevel
from models.premises import Premises
from models.record import Record
from models.state import Page
from playbooks.institution import Institution
from tests.conftest import THREE_AT_NIGHT
from tests.console.webhouse import WAZUH, Web, decision, kinds, make_house, wazuh

DUTY, LEAD, CISO, CLERK = "nakamura-yui", "sato-kenji", "kato-hiroshi", "mori-chie"
INCIDENT = "INC-2026-0001"


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    return Web(make_house(bank, desk, tmp_path))


@pytest.fixture
def page(web: Web) -> Page:
    """The first call-out of an incident that an alert declared; the duty officer reads English."""
    receive(web.house, "wazuh", WAZUH)
    return only(web, INCIDENT, "declared")


def only(web: Web, stream: str, event: Event) -> Page:
    [found] = [one for one in web.house.desk.state(stream).pages.values() if one.event == event]
    return found


def current(web: Web, page: Page, stream: str = INCIDENT) -> Page:
    return web.house.desk.state(stream).pages[page.id]


async def shown(web: Web, page: Page, person: str, stream: str = INCIDENT) -> str:
    answer = await web.ask("GET", f"/p/{web.token(stream, page.id, person)}")
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", unescape(answer.text))


async def test_the_page_tells_what_a_woken_person_needs(web: Web, page: Page) -> None:
    text = await shown(web, page, DUTY)
    for part in (
        '<html lang="en">',
        "You are paged as Yui Nakamura",
        "Acknowledge and begin the response",
        "High",
        INCIDENT,
        "By: <strong>11/23 03:05 (+09:00)</strong> (5 min left)",
        "Possible ransomware",
        "affected: Core banking",
        "at 03:05 Kenji Sato, Misaki Tanaka will be paged",
        "Level 1: Yui Nakamura (CSIRT on duty)",
        "050-5555-0100",
        "I have it: acknowledge",
    ):
        assert part in text, part


async def test_the_page_is_in_the_language_of_its_person(web: Web, page: Page) -> None:
    text = await shown(web, page, LEAD)
    for part in (
        '<html lang="ja">',
        "佐藤 健二 さん宛ての呼出です",
        "受領し、初動対応を始めてください",
        "期限: <strong>11/23 03:05 (+09:00)</strong> (あと 5 分)",
        "影響サービス: 勘定系システム",
        "03:05 に 佐藤 健二",
        "1 段目: 中村 結衣 (CSIRT当番)",
        "受領する",
    ):
        assert part in text, part


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reading_never_acts(web: Web, page: Page, method: str) -> None:
    """Mail scanners and link previews open every link, and its address with /ack as well."""
    before = {stream: kinds(web.house, stream) for stream in (INCIDENT, "house", "intake")}
    token = web.token(INCIDENT, page.id, DUTY)
    assert (await web.ask(method, f"/p/{token}")).status_code == 200
    assert (await web.ask(method, f"/p/{token}/ack")).status_code == 405
    assert (await web.ask(method, f"/p/{token}?form={form_token(web.key, token)}")).status_code == 200
    assert {stream: kinds(web.house, stream) for stream in before} == before
    assert current(web, page).state == "open" and web.woken == 0


async def test_the_button_acknowledges_as_the_person_of_the_link(web: Web, page: Page) -> None:
    answer = await web.press(web.token(INCIDENT, page.id, DUTY))
    assert answer.status_code == 303 and answer.headers["location"].startswith("/p/")
    after = current(web, page)
    assert (after.state, after.acked_by) == ("acknowledged", DUTY)
    with web.house.record.read() as tx:
        fact = next(fact for fact in tx.facts(INCIDENT) if fact.kind == "page.acknowledged")
    assert (fact.actor, fact.via, fact.data["page"]) == (DUTY, "web", page.id)


async def test_pressing_again_changes_nothing_and_is_no_refusal(web: Web, page: Page) -> None:
    token = web.token(INCIDENT, page.id, DUTY)
    await web.press(token)
    before = kinds(web.house, INCIDENT)
    form = {"form": form_token(web.key, token)}
    for _ in range(3):
        assert (await web.ask("POST", f"/p/{token}/ack", data=form)).status_code == 303
    other = web.token(INCIDENT, page.id, LEAD)
    again = await web.ask("POST", f"/p/{other}/ack", data={"form": form_token(web.key, other)})
    assert again.status_code == 303
    assert kinds(web.house, INCIDENT) == before and kinds(web.house, "house") == []


async def test_after_the_ack_the_page_says_what_to_do_now(web: Web, page: Page) -> None:
    await web.press(web.token(INCIDENT, page.id, DUTY))
    text = await shown(web, page, DUTY)
    for part in (
        "You acknowledged at 11/23 03:00 (+09:00).",
        "Steps that can be taken now",
        "Check whether files really are being encrypted",
        "by 11/23 03:10 (+09:00)",
        "yours",
        "Do not power off or restart",
        f"hikeshi done {INCIDENT} ransomware/confirm-alert --set genuine=",
    ):
        assert part in text, part
    assert "/ack" not in text and "will be paged" not in text
    assert "中村 結衣 さんが 11/23 03:00 (+09:00) に受領済みです。" in await shown(web, page, LEAD)


async def test_the_next_levels_and_the_last_resort_are_shown(
    web: Web, page: Page, clock: ExerciseClock
) -> None:
    clock.advance(timedelta(minutes=6))
    web.house.desk.tick(INCIDENT)
    text = await shown(web, page, LEAD)
    assert "2 段目: 佐藤 健二 (CSIRT責任者), 田中 美咲 (CSIRT副責任者)" in text and "加藤 博" in text
    clock.advance(timedelta(hours=2))
    web.house.desk.tick(INCIDENT)
    text = await shown(web, page, CISO)
    assert "最終連絡先: 渡辺 修" in text and "最終連絡先（渡辺 修" in text


async def test_a_deputy_sees_for_whom_they_stand_in(web: Web, page: Page, clock: ExerciseClock) -> None:
    clock.set(THREE_AT_NIGHT + timedelta(days=40))
    web.house.desk.handle(
        None, Declare(actor=Actor(person=CLERK, via="test"), text="x", playbooks=("unknown",))
    )
    clock.advance(timedelta(minutes=6))
    web.house.desk.tick("INC-2027-0001")
    second = only(web, "INC-2027-0001", "declared")
    text = await shown(web, second, "tanaka-misaki", "INC-2027-0001")
    assert "田中 美咲 さん（佐藤 健二 さんの代行）宛ての呼出です" in text
    assert "佐藤 健二 の代行" in text


async def test_somebody_who_is_not_on_the_route_is_told_and_only_seen(web: Web, page: Page) -> None:
    token = web.token(INCIDENT, page.id, CLERK)
    text = await shown(web, page, CLERK)
    assert "この報告ルートの呼出先ではありません" in text
    assert "確認したことだけを記録する" in text
    assert (await web.press(token)).status_code == 303
    assert current(web, page).state == "open"
    assert "確認したことを記録しました" in await shown(web, page, CLERK)
    form = {"form": form_token(web.key, token)}
    for _ in range(3):
        await web.ask("POST", f"/p/{token}/ack", data=form)
    assert kinds(web.house, INCIDENT).count("page.seen") == 1


async def test_whoever_has_it_delegated_may_acknowledge(web: Web, page: Page, clock: ExerciseClock) -> None:
    until = clock.now() + timedelta(hours=1)
    order = Delegate(actor=Actor(person=DUTY, via="test"), page=page.id, to=CLERK, until=until)
    assert web.house.desk.handle(INCIDENT, order).accepted
    assert "受領する" in await shown(web, page, CLERK)
    await web.press(web.token(INCIDENT, page.id, CLERK))
    assert current(web, page).acked_by == CLERK


async def test_where_all_of_a_level_must_answer_one_is_not_enough(
    bank: Institution, clock: ExerciseClock, tmp_path: Path
) -> None:
    level = RouteLevel(to=("csirt-lead", "ciso"), answer="all", within=timedelta(minutes=5))
    routes = [
        one.model_copy(update={"levels": (level, *one.levels[1:])}) if one.id == "main" else one
        for one in bank.policy.routes
    ]
    policy = bank.policy.model_copy(update={"routes": tuple(routes)})
    premises = Premises(organisation=bank.organisation, policy=policy, playbooks=bank.playbooks)
    web = Web(make_house(bank, Desk(Record.in_memory(), premises, clock), tmp_path))
    receive(web.house, "wazuh", WAZUH)
    page = only(web, INCIDENT, "declared")
    await web.press(web.token(INCIDENT, page.id, LEAD))
    assert current(web, page).state == "open"
    text = await shown(web, page, LEAD)
    assert "この段では全員の受領が必要です。残り: 加藤 博" in text and "/ack" not in text
    before = kinds(web.house, INCIDENT)
    token = web.token(INCIDENT, page.id, LEAD)
    await web.ask("POST", f"/p/{token}/ack", data={"form": form_token(web.key, token)})
    assert kinds(web.house, INCIDENT) == before
    await web.press(web.token(INCIDENT, page.id, CISO))
    assert current(web, page).state == "acknowledged"
    assert "あなたが 11/23 03:00 (+09:00) に受領しました。" in await shown(web, page, LEAD)
    web.house.record.close()


async def test_a_page_that_is_over_asks_for_nothing(web: Web, page: Page) -> None:
    end = EndIncident(actor=Actor(person=LEAD, via="test"), how="cancelled", reason="declared by mistake")
    assert web.house.desk.handle(INCIDENT, end).accepted
    text = await shown(web, page, DUTY)
    assert "This page is over." in text and "<button" not in text
    token = web.token(INCIDENT, page.id, DUTY)
    form = {"form": form_token(web.key, token)}
    assert (await web.ask("POST", f"/p/{token}/ack", data=form)).status_code == 303
    assert "page.acknowledged" not in kinds(web.house, INCIDENT)


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("another person", {"person": "nobody"}),
        ("another page", {"page": 99}),
        ("another incident", {"stream": "INC-2026-0999"}),
        ("a stream that is none", {"stream": "../../etc"}),
        ("another key", {"key": b"x" * 32}),
        ("too old", {"now": THREE_AT_NIGHT - timedelta(days=15)}),
    ],
)
async def test_a_link_that_leads_nowhere_says_so_alike_and_never_acts(
    web: Web, page: Page, why: str, change: dict[str, object]
) -> None:
    whole = {"key": web.key, "stream": INCIDENT, "page": page.id, "person": DUTY, "now": THREE_AT_NIGHT}
    token = sign(**(whole | change))  # type: ignore[arg-type]
    answer = await web.ask("GET", f"/p/{token}")
    forged = await web.ask("GET", "/p/forged")
    assert answer.status_code == 404 and answer.content == forged.content, why
    assert "このリンクは使えません" in answer.text and "This link cannot be used" in answer.text
    form = {"form": form_token(web.key, token)}
    assert (await web.ask("POST", f"/p/{token}/ack", data=form)).status_code == 404
    assert current(web, page).state == "open"


@pytest.mark.parametrize(
    ("why", "headers", "allowed"),
    [
        ("a browser on our page", {"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ("an older browser under no-referrer", {"Origin": "null"}, True),
        ("an older browser", {"Origin": "http://127.0.0.1:8410"}, True),
        ("no browser, but it read the page", {}, True),
        ("a page of somebody else", {"Sec-Fetch-Site": "cross-site"}, False),
        ("a page on a neighbouring name", {"Sec-Fetch-Site": "same-site"}, False),
        ("typed into the address bar", {"Sec-Fetch-Site": "none"}, False),
        ("another origin", {"Origin": "https://evil.example"}, False),
        ("an origin that is broken", {"Origin": "http://[:::"}, False),
    ],
)
async def test_only_our_own_page_can_press_the_button(
    web: Web, page: Page, why: str, headers: dict[str, str], allowed: bool
) -> None:
    answer = await web.press(web.token(INCIDENT, page.id, DUTY), headers)
    assert answer.status_code == (303 if allowed else 403), why
    assert current(web, page).state == ("acknowledged" if allowed else "open"), why


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"form=",
        b"form=wrong",
        b"form=%FF",
        b"\xff\xfe",
        b"&".join([b"a=1"] * 50),
        b"form=" + b"x" * 10_000,
    ],
)
async def test_a_form_without_its_token_is_refused(web: Web, page: Page, body: bytes) -> None:
    token = web.token(INCIDENT, page.id, DUTY)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await web.ask("POST", f"/p/{token}/ack", content=body, headers=headers)
    assert answer.status_code == 403 and f"/p/{token}" in answer.text
    assert current(web, page).state == "open"
    foreign = form_token(web.key, web.token(INCIDENT, page.id, LEAD))
    answer = await web.ask("POST", f"/p/{token}/ack", data={"form": foreign})
    assert answer.status_code == 403


async def test_a_decision_shows_its_options_and_how_to_decide(web: Web, page: Page) -> None:
    made = decision(web.house, INCIDENT, DUTY)
    text = await shown(web, made, CISO)
    incident = web.house.desk.incident(INCIDENT)
    key = made.subject.removeprefix("step:")
    planned = web.house.desk.world(incident).step(incident, key)
    assert planned is not None and planned.step.otherwise is not None
    assert planned.step.otherwise.ja[:20] in text and "推奨" in text and "判断してください" in text
    for option in planned.step.options:
        assert option.title.ja in text
        assert f"hikeshi decide {INCIDENT} {key} {option.id} --reason" in text
    if planned.step.stops:
        assert "--factor window=" in text
    factors = dict.fromkeys(
        (*planned.step.factors, *(("window", "duration", "services", "alternative", "customers-affected")
                                  if planned.step.stops else ())), "unknown"
    )  # fmt: skip
    choice = planned.step.options[0]
    decide = Decide(
        actor=Actor(person=CISO, via="test"), step=key, choice=choice.id, reason="r", factors=factors
    )
    assert web.house.desk.handle(INCIDENT, decide).accepted
    text = await shown(web, made, CISO)
    assert f"判断済み: {choice.title.ja}（加藤 博）" in text and "hikeshi decide" not in text


async def test_an_alert_that_cannot_be_read_has_a_page_too(web: Web) -> None:
    receive(web.house, "wazuh", b"\xff<script>alert(1)</script>")
    made = only(web, "intake", "alert-unreadable")
    text = await shown(web, made, DUTY, "intake")
    assert "Look at an alert that could not be read" in text and "hikeshi alert show AL-000001" in text
    await web.press(web.token("intake", made.id, DUTY))
    assert current(web, made, "intake").acked_by == DUTY


async def test_triage_that_is_late_has_a_page_too(web: Web, clock: ExerciseClock) -> None:
    receive(web.house, "wazuh", wazuh(level=11, description="<b>disk & more</b>"))
    clock.advance(timedelta(minutes=31))
    web.house.desk.tick("intake")
    made = only(web, "intake", "triage-overdue")
    answer = await web.ask("GET", f"/p/{web.token('intake', made.id, DUTY)}")
    assert "&lt;b&gt;disk &amp; more&lt;/b&gt;" in answer.text and "<b>" not in answer.text
    assert 'hikeshi alert dismiss AL-000001 --reason "…"' in unescape(answer.text)


async def test_a_fault_of_the_house_has_a_page_too(web: Web) -> None:
    web.house.desk.handle("house", Impair(actor=Actor.machine("test"), what="slack", detail="429"))
    made = only(web, "house", "impaired")
    person = made.reached["0"][0].person
    text = await shown(web, made, person, "house")
    assert "slack" in text and "hikeshi health" in text


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '"><svg onload=alert(1)>',
        "{{ 7*7 }}",
        "【訓練】 this is only a drill",
        "https://evil.example/reset",
        "\u202eevil\u200b",
    ],
)
async def test_outside_text_on_the_page_is_text(web: Web, hostile: str) -> None:
    receive(web.house, "wazuh", wazuh(description=hostile, agent={"name": hostile}))
    made = only(web, INCIDENT, "declared")
    answer = await web.ask("GET", f"/p/{web.token(INCIDENT, made.id, DUTY)}")
    for raw in ("<script", "<svg", "【訓練】", "https://evil", "\u202e", "\u200b"):
        assert raw not in answer.text
    assert ("{{ 7*7 }}" in answer.text) is ("{{" in hostile)
    assert answer.text.count("<form") == 2 and "49" not in re.sub(r"[\w.-]{40,}", "", answer.text)


async def test_a_drill_is_marked_everywhere(bank: Institution, desk: Desk, tmp_path: Path) -> None:
    object.__setattr__(desk.premises, "drill", True)
    web = Web(make_house(bank, desk, tmp_path))
    receive(web.house, "wazuh", WAZUH)
    made = only(web, INCIDENT, "declared")
    assert (await shown(web, made, LEAD)).count("【訓練】") >= 2
    assert "【訓練】" in (await web.look(LEAD, "/")).text


async def test_a_record_out_of_reach_is_said_in_words(web: Web, page: Page) -> None:
    web.broken = RecordBusy("locked")
    answer = await web.press(web.token(INCIDENT, page.id, DUTY))
    assert answer.status_code == 403
    token = web.token(INCIDENT, page.id, DUTY)
    form = {"form": form_token(web.key, token)}
    for method, path in (("GET", f"/p/{token}"), ("POST", f"/p/{token}/ack")):
        answer = await web.ask(method, path, data=form if method == "POST" else None)
        assert answer.status_code == 503 and "受領は記録されていません" in answer.text
        assert "is not recorded" in answer.text and "locked" not in answer.text
    web.broken = RecordUncertain("the database broke off")
    answer = await web.ask("POST", f"/p/{token}/ack", data=form)
    assert answer.status_code == 503 and "受領が記録されたか確かめられます" in answer.text
    assert "not recorded" not in answer.text and "whether you have it" in answer.text


async def test_a_meeting_link_of_our_own_is_live_and_nothing_else(
    bank: Institution, web: Web, page: Page
) -> None:
    bridge = "会議 https://meet.mihon-bank.example.jp/119 <b>"
    changed = bank.organisation.model_copy(update={"bridge": bridge})
    object.__setattr__(web.house.desk.premises, "organisation", changed)
    answer = await web.ask("GET", f"/p/{web.token(INCIDENT, page.id, DUTY)}")
    assert '<a href="https://meet.mihon-bank.example.jp/119" rel="noreferrer">' in answer.text
    # The other leads to the incident's page.
    assert "&lt;b&gt;" in answer.text and answer.text.count("<a ") == 2
    assert f'<a href="/incidents/{INCIDENT}">' in answer.text


def test_both_languages_have_the_same_words() -> None:
    def keys(value: object, path: str = "") -> set[str]:
        if not isinstance(value, dict):
            fields = sorted(re.findall(r"\{\w+\}", str(value)))
            return {f"{path} {fields}"}
        return {one for name, inner in value.items() for one in keys(inner, f"{path}.{name}")}

    ja, en = dict(words("ja")), dict(words("en"))
    assert keys(ja) == keys(en)
    assert set(ja["asked"]) - {"notice", "comcheck"} == set(Event.__args__)  # type: ignore[attr-defined]
    assert words("fr") == words("ja")


def test_no_template_prints_without_escaping() -> None:
    for template in (HERE / "templates").rglob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert "|safe" not in text.replace(" ", "") and "autoescape" not in text, template.name
        scripts = text.count("<script") - text.count("<script src=\"{{ asset('")
        assert not scripts and " style=" not in text and " onclick" not in text, template.name
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", ""), template.name


@pytest.mark.parametrize(
    ("seconds", "ja", "en"),
    [
        (299, "あと 4 分", "4 min left"),
        (0, "あと 0 分", "0 min left"),
        (-61, "1 分超過", "1 min over"),
        (7_300, "あと 2 時間", "2 h left"),
        (-200_000, "2 日超過", "2 d over"),
    ],
)
def test_time_left_is_said_in_words(seconds: int, ja: str, en: str) -> None:
    until = THREE_AT_NIGHT + timedelta(seconds=seconds)
    assert (span(until, THREE_AT_NIGHT, "ja"), span(until, THREE_AT_NIGHT, "en")) == (ja, en)
