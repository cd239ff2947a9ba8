"""What the pages say to whoever has no command line: labels, what to do next, and what stands first."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from console.texts import texts
from console.visitor import Visitor
from console.web.kept import KEPT_SECONDS, Typed
from models.commands import Declare
from models.desk import Desk
from models.reason import Reason
from playbooks.institution import Institution
from tests.console.test_web_typed import INC, SATO, logged_in
from tests.console.webhouse import Web, kinds, make_house

COMMAND = re.compile(r"hikeshi [a-z]|(?<![\w-])--[a-z]")


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    made = Web(make_house(bank, desk, tmp_path))
    assert desk.handle(
        None, Declare(actor=SATO, text="x", severity="high", playbooks=("ransomware",))
    ).accepted
    return made


async def said(client: httpx.AsyncClient, visitor: Visitor, operation: str, **fields: str) -> str:
    """What the next page says of a form."""
    page = f"/incidents/{INC}/steps"
    sent = {"csrf": visitor.csrf, "next": page, "back": page, "incident": INC} | fields
    assert (await client.post(f"/do/{operation}", data=sent)).status_code == 303
    shown = (await client.get(page)).text
    return " ".join(re.findall(r'<p class="said [^>]*>(.*?)</p>', shown))


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_no_advice_of_the_pages_is_a_command(lang: str) -> None:
    found = {key: one for key, one in texts(lang).entries.items() if key.startswith("refused.web.")}
    assert len(found) > 40
    for key, one in found.items():
        assert not COMMAND.search(one), key
        name = key.removeprefix("refused.web.").partition("-")[0]
        assert name == "otherwise" or name in Reason.__members__, key


@pytest.mark.parametrize("lang", ["ja", "en"])
async def test_a_refused_form_is_told_by_its_labels(web: Web, lang: str) -> None:
    async with web.client() as client:
        visitor = logged_in(web, client, lang=lang)
        step = "ransomware/confirm-alert"
        title = {"ja": "検知時刻", "en": "Detected"}[lang]
        no = await said(client, visitor, "done", step=step)
        assert not COMMAND.search(no) and "how-noticed" not in no and "detected-at" not in no, no
        wrong = await said(client, visitor, "done", step=step, **{"set.detected-at": "soon"})
        assert "detected-at" not in wrong and not COMMAND.search(wrong), (wrong, title)
        for operation, fields in {
            "close": {"assessment": "x"},
            "resolve": {"cause": "x", "entry_route": "x"},
            "decide": {"step": "ransomware/contain-or-preserve", "option": "x", "reason": "x"},
            "report/submit": {"obligation": "NO-SUCH", "stage": "x"},
        }.items():
            told = await said(client, visitor, operation, **fields)
            assert told and not COMMAND.search(told), told


async def test_evidence_without_a_file_asks_for_a_tick(web: Web) -> None:
    async with web.client() as client:
        visitor = logged_in(web, client, lang="en")
        fields = {"source": "disk-image", "description": "The laptop"}
        no = await said(client, visitor, "evidence/add", **fields)
        assert "No file was chosen" in no and "evidence.preserved" not in kinds(web.house, INC)
        await said(client, visitor, "evidence/add", **fields, without_file="on")
        assert any(one.startswith("evidence.") for one in kinds(web.house, INC))
        page = (await client.get(f"/incidents/{INC}/evidence")).text
        assert page.count("EV-0001 ") >= 1 and '<p class="line-plain">EV-0001' not in page
        assert "to be preserved:" not in page


async def test_a_report_is_judged_first_and_its_draft_stands_open(web: Web, desk: Desk) -> None:
    async with web.client() as client:
        visitor = logged_in(web, client, lang="en")
        page = (await client.get(f"/incidents/{INC}/reports")).text
        judged = re.search(r'id="report-judge-([a-z0-9-]+)"', page)
        assert judged is not None
        assert "/do/report/correct" not in page
        known = re.findall(r'name="obligation" value="([^"]+)"', page)
        one = known[0]
        await said(client, visitor, "report/judge", obligation=one, applicable="yes", reason="x")
        page = (await client.get(f"/incidents/{INC}/reports")).text
        form = page[page.index(f'id="report-draft-{one.lower()}"') :]
        stage = re.search(r'<option value="([^"]+)"', form)
        assert stage is not None
        fields = {"csrf": visitor.csrf, "incident": INC, "obligation": one, "stage": stage[1]}
        await said(client, visitor, "report/draft", obligation=one, stage=stage[1])
        page = (await client.get(f"/incidents/{INC}/reports")).text
        assert re.search(r"<details open><summary>[^<]*</summary><div class=\"draft\">", page)
        file = await client.post("/do/report/draft", data=fields | {"out": "on"})
        name = file.headers["content-disposition"]
        assert INC in name and one in name and stage[1] in name, name


async def test_a_form_that_was_shown_and_left_does_not_come_back(web: Web) -> None:
    async with web.client() as client:
        visitor = logged_in(web, client, lang="en")
        await said(client, visitor, "done", step="ransomware/confirm-alert", note="kept text")
        page = f"/incidents/{INC}/steps"
        assert "kept text" in (await client.get(page)).text, "a reload keeps it"
        assert "kept text" in (await client.get(page, params={"lang": "ja"})).text
        await client.get("/")
        assert "kept text" not in (await client.get(page)).text


def test_what_is_kept_is_dropped_after_some_minutes() -> None:
    now = [0.0]
    typed = Typed(lambda: now[0])
    typed.keep("a", "note", {"text": ["x"]}, [])
    now[0] = KEPT_SECONDS
    assert typed.of("a")
    now[0] += 1
    assert not typed.of("a")
    typed.visit("a", "/")
