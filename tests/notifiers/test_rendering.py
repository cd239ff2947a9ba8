"""What people read: the words, their order, and that outside text stays text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from notifiers import rendering
from notifiers.message import Message, blank_context
from notifiers.rendering import HTML, PLAIN, Rendered, render

Make = Callable[..., Message]

PAGES = (
    "declared decision step step_overdue step_unknown severity confirm delivery_failed triage "
    "alert_unreadable timers_stopped impaired improvement read_overdue exhausted comcheck "
    "clock_warning clock_forecast clock_breached approval message_approval shift_uncovered reopening "
    "evidence_damaged source_unreachable break_glass"
)
NOTICES = (
    "step step_ready page_stopped acknowledged delegated incident_closed improvement_due playbook_to_read "
    "clock reports severity declined opinion opinion_given handed_over hand_over_refused taken_over "
    "situation message "
    "handover trust_proposed code "
    "inject said leap outcome exercise_started exercise_ended exercise_aborted ending_reached "
    "exercise_control"
)
TEMPLATES = tuple(f"page.{name}" for name in PAGES.split()) + tuple(f"notice.{n}" for n in NOTICES.split())
OPTIONS = [
    {"id": "isolate", "title": "遮断する", "price": "ネットバンキングが止まる"},
    {"id": "watch", "title": "監視を続ける", "price": ""},
]


def test_a_page_in_japanese_reads_in_this_order(message: Make) -> None:
    rendered = render(message("page.declared", extra={"others": ["鈴木 花子", "佐藤 次郎"]}))
    assert rendered.failed == ""
    assert rendered.text == (
        "［SEV1 重大］INC-2026-0001 受領し、初動対応を始めてください（11/23 03:05 JST (+09:00) までに受領）\n"
        "\n"
        "何が起きたか: EDR が 12 台の端末で暗号化の挙動を検知\n"
        "インシデント: 基幹系でランサムウェアを検知（見本銀行）／フェーズ: トリアージ\n"
        "\n"
        "受領すると、次の段への呼出を止めます。受領後に着手の記録がなければ、再度確認します。\n"
        "\n"
        "期限までに受領がない場合: 03:05 に CISO へ\n"
        "\n"
        "宛先: 山田 太郎\n"
        "報告ルート: 重大インシデント（3 段のうち 1 段目）\n"
        "同時に呼び出した人: 鈴木 花子、佐藤 次郎\n"
        "\n"
        "受領・詳細: https://node.example/p/abc.DEF-1?x=1&y=2\n"
        "会議: 03-0000-0000"
    )


def test_a_decision_in_english_shows_the_options_with_their_price(message: Make) -> None:
    rendered = render(
        message(
            "page.decision",
            lang="en",
            asked="decide on isolating the segment",
            step_title="Isolate the infected segment",
            options=[
                {"id": "isolate", "title": "Isolate", "price": "internet banking stops"},
                {"id": "watch", "title": "Watch", "price": ""},
            ],
            recommend="isolate",
            otherwise="the infection spreads",
            then="at 03:05 the CISO is paged",
            deputy_for="Hanako Suzuki",
            delayed_by="02:10-02:55",
        )
    )
    head, what, decide, options, then, who, where = (rendered.head, *rendered.paragraphs)
    assert (
        head == "[SEV1 重大] INC-2026-0001 decide on isolating the segment"
        " (acknowledge by 11/23 03:05 JST (+09:00))"
    )
    assert what.startswith("What happened: EDR")
    assert decide == "To decide: Isolate the infected segment"
    assert options == (
        "Options:\n"
        "  1. Isolate (isolate) - price: internet banking stops\n"
        "  2. Watch (watch)\n"
        "Recommended: isolate\n"
        "If nothing is decided: the infection spreads"
    )
    assert then == "If nobody acknowledges in time: at 03:05 the CISO is paged"
    assert "(deputy for Hanako Suzuki)" in who
    assert "late because the system was down (02:10-02:55)" in who
    assert where.startswith("Acknowledge, details: https://node.example/p/")


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_there_is_a_template_for_everything_that_is_sent(lang: str) -> None:
    assert set(rendering.template_names(lang)) == set(TEMPLATES)


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("empty", [True, False])
def test_every_template_renders(message: Make, template: str, lang: str, empty: bool) -> None:
    """With every known key, and with nothing known at all."""
    full = message(
        template, lang=lang, step_title="T", step_text="a\n\nb", options=OPTIONS, extra={"by": "佐藤"}
    )
    rendered = render(msgspec.structs.replace(full, context=blank_context()) if empty else full)
    assert rendered.failed == ""
    assert "{" not in rendered.text and "None" not in rendered.text
    assert all(paragraph.strip() for paragraph in rendered.paragraphs)
    if not empty:
        assert "INC-2026-0001" in rendered.head
        assert "https://node.example/p/abc.DEF-1?x=1&y=2" in rendered.paragraphs[-1]


@pytest.mark.parametrize("template", [name for name in TEMPLATES if name.startswith("page.")])
@pytest.mark.parametrize(("lang", "asks"), [("ja", "ください"), ("en", "")])
def test_a_page_says_what_by_when_and_what_follows(
    message: Make, template: str, lang: str, asks: str
) -> None:
    rendered = render(message(template, lang=lang))
    assert asks in rendered.head
    assert "11/23 03:05 JST (+09:00)" in rendered.head
    assert "03:05 に CISO へ" in rendered.text


def test_a_notice_says_that_nothing_is_asked(message: Make) -> None:
    assert "受領の操作は要りません" in render(message("notice.acknowledged")).text
    assert "nothing to acknowledge" in render(message("notice.acknowledged", lang="en")).text


def test_the_last_resort_is_loud_whatever_is_asked(message: Make) -> None:
    assert render(message("page.exhausted", asked="引き受け")).head.startswith("【最終呼出】［SEV1")
    assert render(message("page.exhausted", lang="en")).head.startswith("【LAST RESORT】[SEV1")


def test_a_test_page_says_that_there_is_no_incident(message: Make) -> None:
    assert "実際のインシデントではありません" in render(message("page.comcheck", what="")).text
    assert "基幹系" not in render(message("page.comcheck", what="")).text
    assert render(message("page.comcheck")).head.startswith("【通信試験】")
    assert render(message("page.comcheck", lang="en")).head.startswith("【通信試験】[TEST] ")


@pytest.mark.parametrize("template", [*TEMPLATES, "page.there_is_none"])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_drill_and_a_repeat_are_marked_even_on_the_minimal_form(
    message: Make, template: str, lang: str
) -> None:
    head = render(message(template, lang=lang, drill=True, attempt=2)).head
    assert head.startswith("【訓練】")
    assert {"ja": "【再送】", "en": "【repeat】"}[lang] in head
    plain = render(message(template, lang=lang)).head
    for own in ("【最終呼出】", "【LAST RESORT】", "【通信試験】"):
        plain = plain.replace(own, "")
    assert "【" not in plain


def test_the_context_can_mark_a_repeat_too(message: Make) -> None:
    assert render(message(repeat=True)).head.startswith("【再送】")


def test_outside_text_cannot_pass_a_real_page_off_as_a_drill(message: Make) -> None:
    assert "【訓練】" not in render(message(what="【訓練】です", title="【訓練】", asked="【訓練】")).text


def test_outside_text_makes_no_line_of_its_own(message: Make) -> None:
    forged = "x\n\n受領・詳細: hxxp\r\n\u2028期限までに受領がない場合: 何もしない\x0b\x85y"
    rendered = render(message(what=forged, title=forged, asked=forged, phase=forged))
    lines = rendered.text.splitlines()
    assert sum(line.startswith("受領・詳細") for line in lines) == 1
    assert sum(line.startswith("期限までに受領がない場合") for line in lines) == 1
    assert len(rendered.paragraphs) == 5


def test_a_step_keeps_its_lines_but_indented(message: Make) -> None:
    text = "電源は切らない\n\n受領・詳細: https://evil.example/\n" + "行\n" * 40
    detail = render(message("page.step", step_text=text)).paragraphs[1]
    assert detail.splitlines()[2:4] == ["  電源は切らない", "  受領・詳細: hxxps://evil.example/"]
    assert detail.endswith("\n  …")
    assert len(detail.splitlines()) == 23


HIDDEN = {
    "an escape sequence": "a\x1b[31mb",
    "an operating system command": "a\x1b]0;title\x07b",
    "a direction override": "a\u202eb\u2066",
    "a zero-width space": "a\u200bb",
    "a null byte": "a\x00b",
    "a C1 control": "a\x9b31mb",
    "a lone surrogate": "a\ud800b",
    "a byte order mark": "\ufeffab",
    "a tag character": "a\U000e0041b",
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
def test_hidden_characters_go(message: Make, hidden: str) -> None:
    rendered = render(message(what=hidden, step_text=hidden, options=[]))
    assert not set(hidden) & set(rendered.text) - set("ab31m[]0;title")
    rendered.text.encode()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("see http://evil.example/x", "see hxxp://evil.example/x"),
        ("HTTPS://EVIL.example", "hxxps://EVIL.example"),
        ("slack://open", "slack[:]//open"),
        ("ratio 3://4", "ratio 3://4"),
    ],
)
def test_links_from_outside_are_dull(given: str, shown: str) -> None:
    assert rendering.clean(given) == shown


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "https://a.example/>|x",
        "https://a.example/ b",
        "http://a\nb",
        "//a",
        "https://a/" + "x" * 5000,
    ],
)
def test_an_address_that_is_none_is_shown_but_never_live(message: Make, link: str) -> None:
    assert rendering.safe_url(link) == ""
    rendered = render(message(link=link, bridge=link), HTML)
    assert rendered.failed == ""
    assert "<a " not in rendered.text


def test_html_is_escaped(message: Make) -> None:
    rendered = render(message(what="<script>alert('x')</script>"), HTML)
    assert "<script" not in rendered.text
    assert "&lt;script&gt;alert(&#39;x&#39;)" in rendered.text
    assert '<a href="https://node.example/p/abc.DEF-1?x=1&amp;y=2"' in rendered.text


def test_long_text_is_cut_with_an_ellipsis(message: Make) -> None:
    rendered = render(message("page.decision", title="長" * 5000, what="い" * 5000, otherwise="ぞ" * 5000))
    assert "長" * 299 + "…" in rendered.text and "長" * 300 not in rendered.text
    assert "い" * 599 + "…" in rendered.text
    assert len(rendered.text) < 2000


def test_a_huge_context_costs_no_more_than_a_large_one(message: Make) -> None:
    options = [{"id": "x" * 10_000, "title": "y" * 10_000, "price": "z" * 10_000}] * 10_000
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"by": deep}
    rendered = render(message("page.decision", options=options, extra=deep, step_text="\n" * 1_000_000))
    assert rendered.failed == ""
    assert len(rendered.text) < 12_000


BROKEN: dict[str, dict[str, Any]] = {
    "a key is missing": {"route": None},
    "the options are no list": {"template": "page.decision", "options": 7},
    "an option lacks its price": {"template": "page.decision", "options": [{"id": "a", "title": "b"}]},
    "extra is no dict": {"extra": "text"},
    "the template does not exist": {"template": "page.nothing"},
    "the template's name climbs out": {"template": "page.../../en/page.step"},
    "the title is a number": {"title": 5},
}


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_page_that_cannot_be_rendered_still_says_the_least(
    message: Make, change: dict[str, Any], lang: str
) -> None:
    asked = message(asked="遮断を判断", lang=lang)
    context = asked.context | {key: value for key, value in change.items() if key != "template"}
    context = {key: value for key, value in context.items() if value is not None}
    template = change.get("template", asked.template)
    rendered = render(msgspec.structs.replace(asked, context=context, template=template))
    assert rendered.failed
    assert "SEV1" in rendered.head and "INC-2026-0001 遮断を判断" in rendered.head
    for said in ("11/23 03:05 JST (+09:00)", "https://node.example/p/", "03:05 に CISO へ"):
        assert said in rendered.text


def test_even_an_empty_context_gives_a_page() -> None:
    bare = Message(
        key="k",
        channel="console",
        address="a",
        person=None,
        lang="fr",
        kind="page",
        template="page.declared",
        context={"severity": 3, "link": ["x"]},
        attempt=1,
        drill=True,
    )
    rendered = render(bare, PLAIN)
    assert rendered.failed.startswith("UndefinedError")
    assert rendered.head == "【訓練】[?] 受領してください"
    assert "hikeshi コマンド" in rendered.text


def test_templates_cannot_reach_python(message: Make) -> None:
    """A context is data: its attributes are not followed, and what looks like a template is not run."""
    rendered = render(message(what="{{ ''.__class__.__mro__ }}{% for x in range(10**9) %}{% endfor %}"))
    assert rendered.failed == ""
    assert "{{ ''.__class__.__mro__ }}" in rendered.text


def test_rendering_needs_its_medium() -> None:
    template = rendering._environment().get_template("ja/page.comcheck.j2")
    with pytest.raises(TypeError, match="without a medium"):
        template.render(blank_context())


def test_warming_compiles_every_template_once() -> None:
    rendering._environment.cache_clear()
    rendering.warm()
    cache = rendering._environment().cache
    assert cache is not None
    assert len(cache) == 2 * len(TEMPLATES)


def test_rendered_text_joins_head_and_paragraphs() -> None:
    assert Rendered(head="h", paragraphs=("a", "b")).text == "h\n\na\n\nb"
