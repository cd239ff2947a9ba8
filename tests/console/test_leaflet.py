"""Playbooks for reading: every step is there, in every form and language, and outside text stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from console.texts import LANGUAGES, texts
from console.views.graph_layout import cut, edges_of, lay_out_graph, measure, wrap
from console.views.graph_svg import KINDS, svg
from console.views.leaflet import Leaflet, gates_of, leaflet
from console.views.leaflet_html import POLICY, html
from console.views.leaflet_md import markdown
from models.directory import Directory
from models.frozen import freeze_playbook
from models.gate import CLOSING, GATES
from models.plan import Plan, lay_out
from models.playbook import Playbook, Step
from playbooks.institution import Institution
from playbooks.library import shipped
from tests.models.small import action, decision, playbook, step

NAMES = sorted(shipped())
EVERY = pytest.mark.parametrize("name", NAMES)
BOTH = pytest.mark.parametrize("lang", LANGUAGES)
SVG = "{http://www.w3.org/2000/svg}"
ALONE: dict[str, Playbook] = {}
HOSTILE = "</title><script>alert(1)</script> ![x](javascript:alert(1)) \u202e\x07 & \" ' ]]> <!-- 「'a'」"


def plan_of(name: str) -> Plan:
    return freeze_playbook(name, shipped()).plan


def made(bank: Institution, plan: Plan, lang: str) -> Leaflet:
    return leaflet(plan, "shipped", Directory(bank.organisation), texts(lang))


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own drawing


def keys(plan: Plan) -> set[str]:
    return {key.split("/", 1)[1] for key in plan.steps}


# -- nothing is left out ------------------------------------------------------------------------------------


@BOTH
@EVERY
def test_every_step_stands_in_the_leaflet_with_its_phase(bank: Institution, name: str, lang: str) -> None:
    plan = plan_of(name)
    one = made(bank, plan, lang)
    placed = {card.key: chapter.phase for chapter in one.chapters for card in chapter.cards}
    assert placed == {key.split("/", 1)[1]: step.step.phase for key, step in plan.steps.items()}
    assert len(one.cards) == len(plan.steps)


@BOTH
@EVERY
def test_html_is_well_formed_strict_and_whole(bank: Institution, name: str, lang: str) -> None:
    plan = plan_of(name)
    text = html(made(bank, plan, lang), texts(lang))
    root = parsed(text.removeprefix("<!DOCTYPE html>\n"))
    assert root.get("lang") == lang
    assert {one.text for one in root.iter("span") if one.get("class") == "key" and one.text} >= keys(plan)
    assert len(list(root.iter("article"))) == len(plan.steps)
    assert {one.tag for one in root.iter()}.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert [one.get("content") for one in root.iter("meta") if one.get("http-equiv")] == [POLICY]
    inner = [one.get("href", "") for one in root.iter("a")]
    assert inner and all(re.fullmatch(r"#[a-z]+", target) for target in inner)


@BOTH
@EVERY
def test_markdown_has_a_heading_for_each_step(bank: Institution, name: str, lang: str) -> None:
    plan = plan_of(name)
    text = markdown(made(bank, plan, lang), texts(lang))
    headings = [line for line in text.splitlines() if line.startswith("### ")]
    assert {re.sub(r"\\", "", line).rsplit("[", 1)[1].rstrip("]") for line in headings} == keys(plan)


@BOTH
@EVERY
def test_the_graph_has_every_step_once_and_says_it_in_words(bank: Institution, name: str, lang: str) -> None:
    plan = plan_of(name)
    one = made(bank, plan, lang)
    root = parsed(svg(one, plan, texts(lang)))
    boxes = [group for group in root.iter(f"{SVG}g") if (group.get("class") or "").startswith("step")]
    titles = [box.findtext(f"{SVG}title") or "" for box in boxes]
    assert len(boxes) == len(plan.steps)
    assert all(sum(f"[{key}]" in title for title in titles) == 1 for key in keys(plan))
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "title desc")
    assert root.find(f"{SVG}title") is not None and root.find(f"{SVG}desc") is not None
    assert {one.tag for one in root.iter()}.isdisjoint({f"{SVG}script", f"{SVG}foreignObject", f"{SVG}image"})


# -- the drawing --------------------------------------------------------------------------------------------


@BOTH
@EVERY
def test_no_box_covers_another_and_the_sheet_is_about_a3(bank: Institution, name: str, lang: str) -> None:
    plan = plan_of(name)
    drawing = lay_out_graph(made(bank, plan, lang), plan)
    boxes = list(drawing.boxes.values())
    for number, one in enumerate(boxes):
        assert one.x > 0 and one.x + one.width < drawing.width
        assert one.y + one.height < drawing.height
        for other in boxes[number + 1 :]:
            apart = one.x + one.width <= other.x or other.x + other.width <= one.x
            assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y
    if len(boxes) > 40:
        assert 1.1 < drawing.width / drawing.height < 1.6


@EVERY
def test_arrows_say_what_the_plan_says_and_nothing_twice(name: str) -> None:
    plan = plan_of(name)
    edges = list(edges_of(plan))
    drawn = [(one.source, one.target) for one in edges if one.kind == "after"]
    assert len(drawn) == len(set(drawn))
    ahead: dict[str, set[str]] = {}
    for source, target in drawn:
        ahead.setdefault(source, set()).add(target)
    for key, planned in plan.steps.items():
        inherited = (plan.steps[planned.caller].after or ()) if planned.caller else ()
        for other in planned.after or ():
            if other not in inherited:
                assert _leads(ahead, other.split("/", 1)[1], key.split("/", 1)[1]), (other, key)


def _leads(ahead: dict[str, set[str]], source: str, target: str) -> bool:
    waiting, seen = [source], set[str]()
    while waiting:
        one = waiting.pop()
        if one == target:
            return True
        if one not in seen:
            seen.add(one)
            waiting += ahead.get(one, ())
    return False


def test_an_arrow_that_follows_from_two_others_is_not_drawn() -> None:
    plan = lay_out(
        playbook("flood", step("a"), step("b", after=["a"]), step("c", after=["a", "b"], when='done("b")')),
        ALONE.__getitem__,
    )
    assert [(one.source, one.target, one.conditional) for one in edges_of(plan)] == [
        ("a", "b", False),
        ("b", "c", True),
    ]


def test_every_kind_has_a_shape_of_its_own(bank: Institution) -> None:
    called = playbook("part", step("look"))
    several = playbook(
        "flood",
        step("man"),
        action("machine"),
        decision("choose"),
        step("tell", kind="notice", to=["ciso"], phase="communication"),
        step("part", kind="call", call="part"),
        step("late", after_any=["man", "machine"], optional=True),
    )
    plan = lay_out(several, {"part": called}.__getitem__)
    root = parsed(svg(made(bank, plan, "en"), plan, texts("en")))
    shapes = {}
    for group in root.iter(f"{SVG}g"):
        if (group.get("class") or "").startswith("step"):
            kind = next(k for k in KINDS for one in group if (one.get("class") or "") == f"box {k}")
            shapes[kind] = tuple((one.tag, one.get("rx"), one.get("class") == "thin") for one in group[1:3])
    assert len(set(shapes.values())) == len(shapes) == len(KINDS)


LINES: list[tuple[str, str, float, int, list[str]]] = [
    ("Japanese breaks between characters", "感染したサーバを止める", 6, 3, ["感染したサー", "バを止める"]),
    ("No line begins with a full stop", "止める。次へ進む", 3, 3, ["止め", "る。次", "へ進む"]),
    ("English breaks between words", "Cut the network now", 5, 9, ["Cut the", "network", "now"]),
    ("What does not fit ends in an ellipsis", "一二三四五六七八九", 3, 2, ["一二三", "四五…"]),
]


@pytest.mark.parametrize(
    ("text", "room", "most", "lines"), [row[1:] for row in LINES], ids=[row[0] for row in LINES]
)
def test_lines(text: str, room: float, most: int, lines: list[str]) -> None:
    assert wrap(text, room, most) == lines
    assert all(measure(line) <= room for line in lines)


def test_what_fits_is_not_cut() -> None:
    assert cut("短い", 2) == "短い"
    assert cut("長すぎる文", 3) == "長す…"


# -- what is said -------------------------------------------------------------------------------------------


def test_gates_are_those_that_the_rules_know() -> None:
    wants = {
        "analysis": Step.model_validate(step("a", phase="analysis", sources=["memory"])),
        "stops": Step.model_validate(decision("a", stops=["payments"])),
        "rest": Step.model_validate(
            step("a", restores=["payments"], reconnects=["payments"], resumes=["payments"])
        ),
        "none": Step.model_validate(step("a", sources=["memory"])),
    }
    assert {gate for one in wants.values() for gate in gates_of(one)} == set(GATES) - {CLOSING}
    assert gates_of(wants["none"]) == {}


@BOTH
def test_a_decision_says_price_recommendation_and_what_silence_means(bank: Institution, lang: str) -> None:
    plan = plan_of("ransomware")
    one = next(card for card in made(bank, plan, lang).cards if card.key == "isolate-segment")
    step_ = plan.steps["ransomware/isolate-segment"].step
    assert [choice.id for choice in one.choices if choice.recommended] == [step_.recommend]
    assert all(choice.price for choice in one.choices)
    assert one.otherwise == step_.otherwise.lang(lang) if step_.otherwise else False
    assert [gate.id for gate in one.gates] == ["shutdown-authority", "containment-or-preservation"]
    text = html(made(bank, plan, lang), texts(lang))
    assert texts(lang)("reading.otherwise", text=one.otherwise) in text
    assert texts(lang)("reading.recommended") in text


def test_a_condition_about_a_decision_is_said_in_words(bank: Institution) -> None:
    plan = lay_out(
        playbook(
            "flood",
            decision("choose"),
            step("do", after=["choose"], when='decided("choose") in ["yes", "no"] and done("choose")'),
            step("odd", after=["choose"], when='decided("nowhere") == "yes"'),
        ),
        ALONE.__getitem__,
    )
    cards = {card.key: card for card in made(bank, plan, "en").cards}
    said = {key: [f.lines[0] for f in card.fields if f.label == "only if"] for key, card in cards.items()}
    assert said["do"] == ['"choose" was decided as "yes" or "no" and done("choose")']
    assert said["odd"] == ['decided("nowhere") == "yes"']


def test_called_parts_stand_under_the_step_that_calls_them(bank: Institution) -> None:
    cards = {card.key: card for card in made(bank, plan_of("ransomware"), "en").cards}
    inner = [card for key, card in cards.items() if key.startswith("evidence/")]
    assert inner
    assert all(card.path == (cards["evidence"].title,) for card in inner)


# -- outside text -------------------------------------------------------------------------------------------


def hostile() -> Playbook:
    text = {"ja": HOSTILE, "en": HOSTILE}
    options = [{"id": name, "title": text, "price": text} for name in ("yes", "no")]
    return playbook(
        "flood",
        step("look", text=text, where=text, stop_when=text, do_not=[text], lost_by_waiting=text)
        | {"title": text, "record": [{"id": "seen", "title": text}]},
        decision("choose", after=["look"], options=options, otherwise=text) | {"title": text},
        step("tell", kind="notice", to=["ciso"], draft=text, after=["choose"]) | {"title": text},
        action("go", params={"body": HOSTILE}, when='decided("choose") == "yes"') | {"title": text},
        title=text,
        summary=text,
    )


@BOTH
def test_hostile_titles_stay_text_everywhere(bank: Institution, lang: str) -> None:
    plan = lay_out(hostile(), ALONE.__getitem__)
    one = made(bank, plan, lang)
    page, graph, text = html(one, texts(lang)), svg(one, plan, texts(lang)), markdown(one, texts(lang))
    for drawn in (page.removeprefix("<!DOCTYPE html>\n"), graph):
        root = parsed(drawn)
        assert not [one for one in root.iter() if one.tag.endswith("script")]
        assert any("<script>alert(1)</script>" in (part or "") for part in root.itertext())
        assert "\u202e" not in drawn and "\x07" not in drawn
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: seen.append(tag)  # type: ignore[method-assign]
    parser.feed(page)
    assert "script" not in seen
    assert not re.search(r"(?<!\\)[<\[]", text), "every angle and square bracket is escaped"


@pytest.mark.parametrize("name", ["leaflet.css", "graph.css"])
def test_style_sheets_mean_the_same_in_html_and_xml(name: str) -> None:
    style = (Path(__file__).parents[2] / "console" / "views" / name).read_text(encoding="utf-8")
    assert not set(style) & set("<>&")
    assert "url(" not in style and "@import" not in style
    assert "prefers-color-scheme: dark" in style and "@media print" in style
