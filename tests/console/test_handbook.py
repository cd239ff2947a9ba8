"""Scenarios on paper: the facilitator gets all of it, players nothing that gives the surprise away."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from console.texts import LANGUAGES, texts
from console.views.handbook import Book, Facts, Grid, Points, Wording, Words, participants
from console.views.handbook_control import facilitator
from console.views.handbook_html import html
from console.views.handbook_md import markdown, sections
from console.views.leaflet_html import POLICY
from console.views.scenarios import players_json
from models.directory import Directory
from models.frozen import freeze_playbook
from models.scenario import Scenario
from playbooks.institution import Institution
from playbooks.library import shipped
from playbooks.scenarios import shipped_scenarios, whole
from tests.models.test_scenario import inject, scenario

NAMES = sorted(shipped_scenarios())
EVERY = pytest.mark.parametrize("name", NAMES)
BOTH = pytest.mark.parametrize("lang", LANGUAGES)
HOSTILE = "</p><script>alert(1)</script> ![x](javascript:alert(1)) \u202e\x07 & \" ' ]]> | <!-- 「'a'」"


def wording(bank: Institution, one: Scenario, lang: str) -> Wording:
    plans = {name: freeze_playbook(name, shipped()).plan for name in one.playbooks if name in shipped()}
    return Wording(
        texts=texts(lang),
        directory=Directory(bank.organisation),
        steps={key: step for plan in plans.values() for key, step in plan.steps.items()},
        titles={name: plan.playbook.title for name, plan in plans.items()},
    )


def handbook(bank: Institution, name: str, lang: str) -> Book:
    one = whole(shipped_scenarios()[name])
    return facilitator(one, wording(bank, one, lang))


def handout(bank: Institution, name: str, lang: str) -> Book:
    one = whole(shipped_scenarios()[name])
    return participants(one, wording(bank, one, lang))


def said(book: Book) -> str:
    """Every word of a book."""
    return "\n".join([book.title, book.mark, *book.lead, book.printed, *_parts(book.chapters)])


def _parts(chapters: Any) -> list[str]:
    found: list[str] = []
    for chapter in chapters:
        found.append(chapter.title)
        for part in chapter.parts:
            if isinstance(part, Grid):
                found += [*part.headers, *(cell for row in part.rows for cell in row)]
            elif isinstance(part, Facts):
                found += [line for label, lines in part.rows for line in (label, *lines)]
            elif isinstance(part, Words | Points):
                found += part.lines
            else:
                found.append(part.text)
    return found


def flat(text: str) -> str:
    return " ".join(text.split())


# -- nothing is left out, nothing slips out -----------------------------------------------------------------


@BOTH
@EVERY
def test_the_handbook_has_the_whole_script(bank: Institution, name: str, lang: str) -> None:
    one = whole(shipped_scenarios()[name])
    text = flat(said(handbook(bank, name, lang)))
    for part in one.injects:
        assert flat(part.text.lang(lang)) in text, part.id
        assert all(flat(expected.text.lang(lang)) in text for expected in part.expect)
    for several in (one.rules, one.hot_wash):
        assert all(flat(each.lang(lang)) in text for each in several)
    for card in one.roles:
        assert flat(card.task.lang(lang)) in text
    assert flat(one.truth.lang(lang)) in text
    assert all(flat(question.text.lang(lang)) in text for question in one.questions)


@BOTH
@EVERY
def test_players_get_no_inject_no_expected_action_and_nothing_of_the_truth(
    bank: Institution, name: str, lang: str
) -> None:
    one = whole(shipped_scenarios()[name])
    secrets = [one.title, one.truth, one.summary, one.plausibility, one.customer_impact]
    secrets += [text for part in one.injects for text in (part.title, part.text)]
    secrets += [expected.text for part in one.injects for expected in part.expect]
    secrets += [text for card in one.roles for text in (*card.knows, *card.does_not_know)]
    secrets += [objective.text for objective in one.objectives if not objective.told]
    secrets += [party.knows for party in one.outside]
    book = handout(bank, name, lang)
    for shown in (flat(said(book)), markdown(book), html(book), str(players_json(one))):
        assert not [secret.lang(lang) for secret in secrets if flat(secret.lang(lang)) in flat(shown)]
        assert one.scenario not in shown, "the name of the file gives it away too"
        assert not [playbook for playbook in one.playbooks if playbook in shown]


@BOTH
@EVERY
def test_players_read_their_frame_rules_and_briefing(bank: Institution, name: str, lang: str) -> None:
    one = whole(shipped_scenarios()[name])
    text = flat(said(handout(bank, name, lang)))
    assert flat(one.briefing.lang(lang)) in text
    assert all(flat(rule.lang(lang)) in text for rule in one.rules)
    assert all(flat(known.lang(lang)) in text for known in one.start.known)
    assert all(flat(each.text.lang(lang)) in text for each in one.objectives if each.told)
    assert "【訓練】" in text


@BOTH
@EVERY
def test_a_role_card_is_a_page_of_its_own_without_what_the_role_does_not_know(
    bank: Institution, name: str, lang: str
) -> None:
    one = whole(shipped_scenarios()[name])
    cards = {chapter.id: chapter for chapter in handbook(bank, name, lang).chapters}
    for card in one.roles:
        page = cards[f"card-{card.role}"]
        text = flat("\n".join(_parts([page])))
        assert page.alone
        assert flat(card.task.lang(lang)) in text
        assert not [each for each in card.does_not_know if flat(each.lang(lang)) in text]
        assert flat(one.title.lang(lang)) not in text


@BOTH
@EVERY
def test_each_objective_has_a_sheet_with_all_four_ratings(bank: Institution, name: str, lang: str) -> None:
    one = whole(shipped_scenarios()[name])
    pages = {chapter.id: chapter for chapter in handbook(bank, name, lang).chapters if chapter.alone}
    for objective in one.objectives:
        text = "\n".join(_parts([pages[f"sheet-{objective.id}"]]))
        assert all(f"{rating}: " in text for rating in "PSMU")
        expected = [each.text.lang(lang) for _, each in one.expected(objective.id)]
        assert expected and all(each in text for each in expected)


# -- how it looks -------------------------------------------------------------------------------------------


@BOTH
@EVERY
def test_html_is_well_formed_strict_and_fetches_nothing(bank: Institution, name: str, lang: str) -> None:
    for book in (handbook(bank, name, lang), handout(bank, name, lang)):
        root = ET.fromstring(html(book).removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own drawing
        assert root.get("lang") == lang
        tags = {one.tag for one in root.iter()}
        assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "form", "input"})
        metas = [one.get("content") for one in root.iter("meta") if one.get("http-equiv")]
        assert metas == [POLICY]
        anchors = {one.get("href", "")[1:] for one in root.iter("a")}
        assert anchors == {one.get("id") for one in root.iter("h2")}


@EVERY
def test_markdown_tables_have_the_same_columns_in_every_row(bank: Institution, name: str) -> None:
    lines = markdown(handbook(bank, name, "ja")).splitlines()
    width = 0
    for line in lines:
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert width in (0, cells), line
        width = cells


def test_outside_text_stays_text(bank: Institution) -> None:
    hostile = {"ja": HOSTILE, "en": HOSTILE}
    one = scenario(
        inject("a", title=hostile, text=hostile, note=hostile, expect=[{"text": hostile}]),
        title=hostile, truth=hostile, briefing=hostile,
    )  # fmt: skip
    book = facilitator(one, wording(bank, one, "ja"))
    root = ET.fromstring(html(book).removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own drawing
    assert "script" not in {each.tag for each in root.iter()}
    text = markdown(book)
    assert "<script>" not in text
    assert "![" not in text
    assert "\u202e" not in text and "\x07" not in text


def test_on_the_screen_pages_and_columns_to_write_on_are_left_out(bank: Institution) -> None:
    book = handbook(bank, NAMES[0], "en")
    shown = sections(book)
    titles = [getattr(one, "title", "") for one in shown]
    assert "The script (MSEL)" in titles
    assert not [title for title in titles if title.startswith(("Role card", "Evaluator's"))]
    headers = [
        part.headers for one in shown for part in getattr(one, "parts", ()) if hasattr(part, "headers")
    ]
    assert headers and all("observed" not in one for one in headers)


# -- what is said of times and conditions -------------------------------------------------------------------


def script(bank: Institution, one: Scenario) -> list[tuple[str, ...]]:
    book = facilitator(one, wording(bank, one, "en"))
    grid = next(chapter for chapter in book.chapters if chapter.id == "msel").parts[0]
    assert isinstance(grid, Grid)
    return list(grid.rows)


def test_the_script_tells_time_of_play_and_hour_of_the_story(bank: Institution) -> None:
    one = scenario(
        inject("late", at="50m"),
        inject("soon", at="5m"),
        inject("open", when='done("ransomware/confirm-alert")'),
        leaps=[{"at": "20m", "by": "25h", "text": "A day passes"}],
        playbooks=["ransomware"],
    )
    assert [row[:3] for row in script(bank, one)] == [
        ("1", "0:05", "23:55"),
        ("→", "0:20", "01:10 (day +2)"),
        ("2", "0:50", "01:40 (day +2)"),
        ("3", "when it holds", ""),
    ]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('not done("ransomware/confirm-alert")', "[ransomware/confirm-alert] is not done"),
        ('done("ransomware/confirm-alert") and declared()', "is done and an incident has been declared"),
        ("not declared()", "no incident has been declared"),
        ('decided("ransomware/isolate-segment") == "watch"', "was chosen in Decide on cutting off"),
        ('decided("ransomware/isolate-segment") != "watch"', "was not chosen in Decide on cutting off"),
        ('not decided("ransomware/isolate-segment") == "watch"', "was not chosen in Decide on cutting off"),
        ('decided("ransomware/isolate-segment") == none', "nothing has been decided in Decide on cutting"),
        ('decided("ransomware/isolate-segment") != none', "something has been decided in Decide on cutting"),
        ('delivered("one") or carries("ransomware")', 'the inject "T" has been delivered or the playbook'),
        ('not affected("atm")', "ATM is not recorded as affected"),
        ('skipped("ransomware/hunt")', "was skipped"),
        ("severity() >= 2", "severity() >= 2"),
        ('output("x/y", "z") == "w"', 'output("x/y", "z") == "w"'),
        ('affected("nothing-such") and delivered("nobody")', "nothing-such is recorded as affected"),
    ],
)
def test_a_condition_is_said_in_words_where_there_are_words(
    bank: Institution, condition: str, words: str
) -> None:
    one = scenario(inject("one"), playbooks=["ransomware"])
    assert words in wording(bank, one, "en").condition(condition, one)


def test_when_an_inject_comes_is_said_in_full(bank: Institution) -> None:
    one = scenario(
        inject("first", at="5m"),
        inject("then", after="first", later="10m", when='done("ransomware/hunt")', kind="contingency"),
        inject("open", when='done("ransomware/hunt")'),
        playbooks=["ransomware"],
    )
    text = said(facilitator(one, wording(bank, one, "en")))
    assert "0:15 after STARTEX (00:05 (day +1) in the story); 10 min after inject 1; only if" in text
    assert "as soon as Hunt for hosts with the same traces" in text


def test_targets_are_the_scenarios_own_or_else_those_of_the_service(bank: Institution) -> None:
    measures = [
        {"kind": "rto", "service": "atm"}, {"kind": "rpo", "service": "atm", "target": "9m"},
        {"kind": "rlo", "service": "atm"}, {"kind": "rlo", "service": "core-banking", "level": "enquiry"},
        {"kind": "rto", "service": "nothing-such"},
    ]  # fmt: skip
    one = scenario(objectives=[{"id": "aim", "text": "A", "measures": measures}])
    text = said(facilitator(one, wording(bank, one, "en")))
    assert "RTO of ATM: 4 h, RPO of ATM: 9 min, RLO of ATM: Cash and balance at 80 % of own ATMs" in text
    assert "RLO of Core banking: enquiry, RTO of nothing-such: " in text


def test_names_that_mean_nothing_here_stand_as_they_are(bank: Institution) -> None:
    one = scenario(
        inject("one", to=["nobody"], expect=[{"text": "E", "step": "short/gone", "option": "x"}]),
        outcomes=[{"step": "short/gone", "when": 'done("short/gone")', "fields": {"n": 3}, "text": "Over"}],
        roles=[{"role": "nobody", "task": "T", "needed": False}],
        start={"day": "D", "time": "10:00", "severity": "high"},
    )  # fmt: skip
    text = said(facilitator(one, wording(bank, one, "en")))
    assert "E → short/gone: x" in text
    assert "short/gone, if short/gone is done" in text
    assert "Over [n = 3]" in text
    assert "Role card: nobody" in text
    assert "Severity set already: high" in text
    assert "short" in text
