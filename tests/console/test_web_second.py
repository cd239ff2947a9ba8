"""Deciding from a signed link: by a code that came another way, or by a session; never by the link alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from console.intake import receive
from console.web.links import code_of, form_token, link_maker
from console.web.second import MAX_TRIES
from console.web.sessions import Sessions, cookie_name
from models.clock import ExerciseClock
from models.codes import AskCode
from models.commands import Actor
from models.desk import Desk
from models.distrust import travelled
from models.fact import Fact
from models.premises import Premises
from models.reason import Reason
from models.record import ONCE, OUTBOX, Record
from models.state import Page
from notifiers.briefing import Envelope
from notifiers.composing import compose
from playbooks.institution import Institution
from tests.console.webhouse import WAZUH, Web, decision, kinds, make_house, refused

DUTY, CISO, INC = "nakamura-yui", "kato-hiroshi", "INC-2026-0001"


@pytest.fixture
def web(bank: Institution, clock: ExerciseClock, tmp_path: Path) -> Iterator[Web]:
    premises = Premises(
        organisation=bank.organisation,
        policy=bank.policy,
        playbooks=bank.playbooks,
        channels=frozenset({"console", "file", "email", "sms"}),
    )
    desk = Desk(Record.in_memory(), premises, clock)
    yield Web(make_house(bank, desk, tmp_path))
    desk.record.close()


@pytest.fixture
def page(web: Web) -> Page:
    receive(web.house, "wazuh", WAZUH)
    return decision(web.house, INC, DUTY)


def facts(web: Web) -> list[Fact]:
    with web.house.record.read() as tx:
        return tx.facts(INC)


def code(web: Web, page: Page, person: str = CISO) -> str:
    """The code of the last asking, as its message says it."""
    cause = [fact for fact in facts(web) if fact.data.get("template") == "notice.code"][-1].seq
    return code_of(web.key, INC, page.id, person, cause)


def answers(web: Web, page: Page) -> dict[str, str]:
    incident = web.house.desk.incident(INC)
    planned = web.house.desk.world(incident).step(incident, page.subject.removeprefix("step:"))
    assert planned is not None
    given = {f"factor.{name}": "unknown" for name in planned.step.weighed}
    return {"do": "decide", "option": planned.step.options[0].id, "reason": "広がっているため"} | given


async def send(client: httpx.AsyncClient, web: Web, token: str, path: str, **fields: str) -> httpx.Response:
    form = {"form": form_token(web.key, token)} | fields
    return await client.post(f"/p/{token}/{path}", data=form)


async def test_a_code_by_another_channel_decides_once(web: Web, page: Page) -> None:
    token = web.token(INC, page.id, CISO, "email")
    async with web.client() as client:
        shown = await client.get(f"/p/{token}")
        assert "SMSでコードを送る" in shown.text and 'name="option"' not in shown.text
        alone = await send(client, web, token, "act", **answers(web, page))
        assert alone.status_code == 403 and "コードが入力されていません" in alone.text
        assert "decision.made" not in kinds(web.house, INC)
        assert (await send(client, web, token, "code")).status_code == 303
        assert web.woken >= 1
        sent = code(web, page)
        text = (await client.get(f"/p/{token}")).text
        assert 'autocomplete="one-time-code"' in text and sent not in text
        missing = await send(client, web, token, "act", **(answers(web, page) | {"reason": ""}), code=sent)
        assert missing.status_code == 403 and "decision.made" not in kinds(web.house, INC)
        spaced = f"{sent[:4]} {sent[4:]}"
        assert (await send(client, web, token, "act", **answers(web, page), code=spaced)).status_code == 303
        made = next(fact for fact in facts(web) if fact.kind in {"decision.made", "decision.proposed"})
        assert (made.actor, made.via) == (CISO, "web:email;code=sms")
        again = await send(client, web, token, "act", **answers(web, page), code=sent)
        assert again.status_code == 403
    stored = str([fact.body() for fact in facts(web)])
    with web.house.record.read() as tx:
        for table in (ONCE, OUTBOX):
            stored += str(tx.connection.execute(select(table)).all())
    assert sent not in stored


async def test_the_code_is_in_the_message_of_the_other_channel_alone(web: Web, page: Page) -> None:
    token = web.token(INC, page.id, CISO, "email")
    async with web.client() as client:
        await send(client, web, token, "code")
    with web.house.record.read() as tx:
        wanted = select(OUTBOX).where(OUTBOX.c.template == "notice.code")
        [row] = tx.connection.execute(wanted).mappings().all()
    assert (row["channel"], row["person"], row["further"]) == ("sms", CISO, "[]")
    given = {name: row[name] for name in Envelope.__dataclass_fields__}
    made = Envelope(**given)
    link = link_maker(web.house, web.key)
    sent = code(web, page)
    said = compose(web.house.desk, made, None, link).context["asked"]
    assert f"{sent[:4]} {sent[4:]}" in str(said)
    for channel in ("console", "file", "email"):
        other = Envelope(**(given | {"channel": channel}))
        assert sent[:4] not in str(compose(web.house.desk, other, None, link).context["asked"])
    plain = compose(web.house.desk, made, None, lambda *_: "https://node.example/p/1")
    assert sent[:4] not in str(plain.context["asked"])


async def test_wrong_codes_are_bounded_and_on_record(web: Web, page: Page, clock: ExerciseClock) -> None:
    token = web.token(INC, page.id, CISO, "email")
    async with web.client() as client:
        await send(client, web, token, "code")
        right = code(web, page)
        for number in range(MAX_TRIES):
            wrong = await send(client, web, token, "act", **answers(web, page), code=f"{number:08d}")
            assert wrong.status_code == 403 and "コードが違います" in wrong.text
            clock.advance(timedelta(seconds=1))
        locked = await send(client, web, token, "act", **answers(web, page), code=right)
        assert locked.status_code == 403 and "多すぎます" in locked.text
        # Another code gives no further guesses until the lock is over.
        assert "多すぎます" in (await send(client, web, token, "code")).text
        assert refused(web.house)[CISO] == 1
        clock.advance(timedelta(minutes=11))
        late = await send(client, web, token, "act", **answers(web, page), code=right)
        assert "期限切れ" in late.text
        assert (await send(client, web, token, "code")).status_code == 303
        new = code(web, page)
        assert new != right
        assert (await send(client, web, token, "act", **answers(web, page), code=new)).status_code == 303


async def test_asking_twice_within_a_minute_sends_once(web: Web, page: Page, clock: ExerciseClock) -> None:
    token = web.token(INC, page.id, CISO, "email")
    async with web.client() as client:
        for _ in range(5):
            assert (await send(client, web, token, "code")).status_code == 303
        clock.advance(timedelta(seconds=61))
        await send(client, web, token, "code")
    assert len([fact for fact in facts(web) if fact.data.get("template") == "notice.code"]) == 2


async def test_a_code_is_of_one_person_and_page(web: Web, page: Page) -> None:
    token, other = web.token(INC, page.id, CISO, "email"), web.token(INC, page.id, "sato-kenji", "email")
    async with web.client() as client:
        await send(client, web, token, "code")
        sent = code(web, page)
        for path, more in (("act", {"code": sent} | answers(web, page)), ("code", {})):
            assert "decision.made" not in kinds(web.house, INC)
            await send(client, web, other, path, **more)
        assert "decision.made" not in kinds(web.house, INC)
        assert (await client.post(f"/p/{token}/act", data={"code": sent})).status_code == 403


async def test_without_another_channel_it_says_what_to_do(
    bank: Institution, desk: Desk, tmp_path: Path, clock: ExerciseClock
) -> None:
    web = Web(make_house(bank, desk, tmp_path))
    receive(web.house, "wazuh", WAZUH)
    page = decision(web.house, INC, DUTY)
    for carrier in ("email", ""):
        token = web.token(INC, page.id, CISO, carrier)
        async with web.client() as client:
            text = (await client.get(f"/p/{token}")).text
            assert "記録係に電話してください" in text and "/login?next=/p/" in text
            assert (await send(client, web, token, "code")).status_code == 403
    actor = Actor(person=CISO, via="web")
    outcome = desk.handle(INC, AskCode(actor=actor, page=page.id, carrier=""))
    assert outcome.refused is Reason.NO_OTHER_CHANNEL


async def test_a_session_of_that_person_needs_no_code_and_anothers_does(web: Web, page: Page) -> None:
    token = web.token(INC, page.id, CISO, "email")
    for person, status in (("sato-kenji", 403), (CISO, 303)):
        value = Sessions(web.house).open("test", person=person)
        async with web.client(cookies={cookie_name(web.house): value}) as client:
            shown = unescape((await client.get(f"/p/{token}")).text)
            assert ("ログイン済みです" in shown) is (person == CISO)
            done = await send(client, web, token, "act", **answers(web, page))
            assert done.status_code == status
    made = next(fact for fact in facts(web) if fact.kind in {"decision.made", "decision.proposed"})
    assert made.actor == CISO and re.fullmatch(r"web:[0-9a-f]{10}", made.via)


async def test_whoever_may_not_decide_has_no_form_and_is_refused(web: Web, page: Page) -> None:
    value = Sessions(web.house).open("test", person=DUTY)
    token = web.token(INC, page.id, DUTY, "email")
    async with web.client(cookies={cookie_name(web.house): value}) as client:
        assert 'name="option"' not in (await client.get(f"/p/{token}")).text
        done = await send(client, web, token, "act", **answers(web, page))
        assert done.status_code == 403 and "asked of you" in done.text
    assert "decision.made" not in kinds(web.house, INC)


def test_a_code_over_a_distrusted_channel_counts_as_having_come_over_it() -> None:
    assert travelled("web:email;code=sms") == {"web", "email", "sms"}
    assert travelled("web:3f9c2a71b0;as=sato;uid=0") == {"web", "3f9c2a71b0"}
    assert travelled("cli:as=sato;uid=0") >= {"cli"}
