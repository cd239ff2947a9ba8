"""Every link of the pages of reference leads somewhere; texts of files are texts; rights are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.async_api import Browser

from console.operations.catalogue import operations
from console.operations.running import run
from console.visitor import Visitor
from models.access import Viewer
from models.clock import ExerciseClock
from tests.browser.roomnode import ROOT, Room, browsing, faults, opened, shoot

PAGES = (
    "/playbooks", "/guideline", "/oncall", "/routes", "/comchecks", "/services", "/severity", "/obligations",
)  # fmt: skip
THIRD_PARTY = {
    "/oncall": 200, "/routes": 200, "/severity": 200, "/playbooks": 403, "/playbooks/ransomware": 403,
    "/playbooks/ransomware/graph": 403, "/guideline": 403, "/services": 403, "/services/core-banking": 403,
    "/vendors/core-vendor": 403, "/obligations": 403, "/comchecks": 403,
}  # fmt: skip
OURS = (*(f"{one}/" for one in PAGES), "/vendors/")
OUTSIDER = """
people:
  - {id: outsider, name: {ja: 業者, en: Engineer of the vendor}, third_party: core-vendor}
"""
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
PLAYBOOK = f"""
playbook: evil
version: 1.0.0
title: {{ja: "悪意 {EVIL}", en: "Evil {EVIL}"}}
summary: {{ja: "{EVIL}", en: "{EVIL}"}}
reviewed: 2020-11-01
priority: 9
steps:
  - id: one
    phase: triage
    kind: manual
    owner: csirt-duty
    title: {{ja: "{EVIL}", en: "{EVIL}"}}
    text: {{ja: "{EVIL}", en: "{EVIL}"}}
    do_not: [{{ja: "{EVIL}", en: "{EVIL}"}}]
"""


def with_evil(folder: Path) -> None:
    """The example bank with an own playbook, a service and a third party whose texts are markup."""
    bank = folder / "bank"
    shutil.copytree(ROOT / "examples" / "mihon-bank", bank, ignore=shutil.ignore_patterns("var"))
    (bank / "playbooks" / "evil.yaml").write_text(PLAYBOOK, encoding="utf-8")
    file = bank / "organisation.yaml"
    text = file.read_text(encoding="utf-8")
    text = text.replace("en: Core banking}", f'en: "{EVIL}"}}', 1)
    text = text.replace("en: Mihon Data Co.}", f'en: "{EVIL}"}}', 1)
    text = text.replace("\npeople:\n", OUTSIDER, 1)
    file.write_text(text, encoding="utf-8")


async def do(room: Room, person: str, name: str, **values: object) -> None:
    """A command as this person, in the thread that writes."""
    visitor = Visitor(viewer=Viewer(person=person), lang="en")
    answer = await room.node.run_in_writer(lambda: run(room.house, visitor, operations()[name], values))
    assert answer.code in {0, 3}, answer.message


async def test_links_lead_somewhere_and_markup_stays_text(tmp_path: Path, clock: ExerciseClock) -> None:
    with_evil(tmp_path)
    async with opened(tmp_path, clock) as room, browsing() as browser:
        await do(room, "sato-kenji", "declare", text="Core banking is down", playbook="ransomware")
        incident = "INC-2026-0001"
        await do(room, "sato-kenji", "service impact", incident=incident, service="core-banking")
        await do(
            room, "sato-kenji", "service level", incident=incident, service="core-banking", level="stopped"
        )
        page = await room.open(browser, "sato-kenji", "/services", lang="en")
        dialogs: list[str] = []
        page.on("dialog", lambda one: dialogs.append(one.message))
        assert await page.locator(".estate .node.down").count() == 1
        left, seen = list(PAGES), set[str]()
        while left:
            path = left.pop()
            if path in seen:
                continue
            seen.add(path)
            got = await page.request.get(room.url + path, max_redirects=0)
            assert got.status == 200, path
            body = await got.text()
            assert "<script>alert" not in body, path
            assert "<img src=x" not in body, path
            if "text/html" in got.headers["content-type"]:
                found = await page.evaluate(LINKS, body)
                left += [one for one in found if (one in PAGES or one.startswith(OURS)) and one not in seen]
        assert len(seen) > 60
        for path in ("/playbooks/evil", "/playbooks/evil/graph", "/services", "/vendors/core-vendor"):
            await page.goto(room.url + path)
            assert await faults(page) == []
        assert dialogs == []
        for lang in ("en", "ja"):
            for name, path in (
                ("services", "/services"),
                ("service", "/services/core-banking"),
                ("vendor", "/vendors/core-vendor"),
            ):
                await page.goto(f"{room.url}{path}?lang={lang}")
                await shoot(page, f"{name}-{lang}")
        await _a_third_party_reads_whom_to_call_and_no_more(room, browser)


LINKS = """html => [...new DOMParser().parseFromString(html, "text/html").querySelectorAll("a[href^='/']")]
  .map(one => one.getAttribute("href").split("#")[0].split("?")[0])"""


async def _a_third_party_reads_whom_to_call_and_no_more(room: Room, browser: Browser) -> None:
    page = await room.open(browser, "outsider", "/oncall", lang="en")
    for path, status in THIRD_PARTY.items():
        got = await page.request.get(room.url + path)
        assert got.status == status, path
    refused = [one.data for one in await room.facts("house") if one.kind == "refused"]
    assert {one["command"] for one in refused} >= {"web:playbooks", "web:services", "web:vendor"}
