"""Slack messages: inert, within the limits, and still saying what matters when they are cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from slack_sdk.models.blocks import Block

from notifiers import rendering
from notifiers.message import Message
from notifiers.slack import escape, render
from notifiers.slack.fake import active
from tests.notifiers.test_rendering import OPTIONS, TEMPLATES

Make = Callable[..., Message]

INJECTIONS = (
    "<!channel>",
    "<!here|here>",
    "<!everyone>",
    "<!subteam^S012345|@csirt>",
    "<@U0123456>",
    "<#C0123456|general>",
    "@here",
    "@channel please",
    "(@everyone)",
    "#general",
    "<https://evil.example|node.example>",
    "https://evil.example/login",
    "<mailto:a@evil.example|ciso>",
    "<!date^1392734382^now^https://evil.example|x>",
    "&lt;!channel&gt;",
    "\u202e<!channel>\u200b@\u200bhere",
    "<\n!channel>",
    "<!chan\x00nel>",
    "＜!channel＞ <!channel>",
    "<!here>\n\n<!here>",
    "*<!channel>*",
    "`<@W0123456>`",
    "<tel:+81300000000|call>",
    "<slack://channel?team=T0&id=C0|open>",
    "<!channel|<!here>>",
    "{# mention: channel #}<!channel>",
    "{{ '<!channel>' }}<!everyone|x>",
)


@pytest.mark.parametrize("injection", INJECTIONS)
@pytest.mark.parametrize(
    "template", ["page.decision", "page.confirm", "notice.step", "page.broken_on_purpose"]
)
def test_outside_text_mentions_nobody_and_links_nowhere(message: Make, template: str, injection: str) -> None:
    """Wherever it stands: only the installation's own link and bridge are live."""
    outside: dict[str, Any] = {
        key: injection for key in message().context if key not in {"link", "extra", "options"}
    }
    # The bridge is the installation's own: an address there may be live, anything else may not.
    outside["bridge"] = "" if injection.startswith("https:") else injection
    outside |= {"levels": 3, "level": 1, "extra": {"by": injection, "said": injection, "others": [injection]}}
    options = [{"id": injection, "title": injection, "price": injection}]
    body = render.render(message(template, **outside, options=options))
    live = [found for text in (body.text, *_texts(body)) for found in active(text)]
    assert set(live) == {"<https://node.example/p/abc.DEF-1?x=1&amp;y=2>"}


@pytest.mark.parametrize("injection", INJECTIONS)
def test_the_forms_are_active_when_nothing_is_done(injection: str) -> None:
    """The detector used above is not blind: it finds all of them in a plain paste, but the escaped one."""
    visible = injection.replace("\u200b", "").replace("\x00", "").replace("\n", "")
    assert bool(active(visible)) == (injection != "&lt;!channel&gt;")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("*承認済み* _ok_ ~x~ `y` ```z```", "∗承認済み∗ _ok_ ∼x∼ ˋyˋ ˋˋˋzˋˋˋ"),
        ("host web_01 at 10:05:10", "host web_01 at 10:05:10"),
        (":white_check_mark: approved", "∶white_check_mark: approved"),
        ("MAC aa:bb:cc:dd, fe80::ab:1", "MAC aa:bb:cc:dd, fe80::ab:1"),
        ("a@bank.example # 3 <b> & c", "a@bank.example # 3 &lt;b&gt; &amp; c"),
    ],
)
def test_escaped_text_reads_as_it_was(given: str, shown: str) -> None:
    assert escape.escape(given).replace("\uff3f", "_") == shown


def test_italics_are_broken_only_where_they_would_work() -> None:
    assert escape.escape("_a_ b_c") == "\uff3fa\uff3f b_c"


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 4, "abc…"),
        ("ab&amp;cd", 6, "ab…"),
        ("ab&amp;cdef", 9, "ab&amp;c…"),
        ("x <https://a.example> y z", 10, "x…"),
    ],
)
def test_cutting_leaves_entities_and_links_whole(text: str, limit: int, expected: str) -> None:
    assert escape.cut(text, limit) == expected


def test_bold_of_nothing_is_nothing() -> None:
    assert escape.bold("  ") == ""
    assert escape.bold(" a ") == "*a*"


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("size", [1, 50, 5_000])
def test_every_message_keeps_to_slacks_limits(message: Make, template: str, lang: str, size: int) -> None:
    """`&` is the worst case: escaped it is five times as long."""
    filler = "&" * size
    words: dict[str, Any] = {
        key: filler for key in message().context if key not in {"link", "extra", "options"}
    }
    words |= {"levels": 3, "level": 1, "step_text": (filler + "\n") * 30}
    options = [{"id": filler, "title": filler, "price": filler}] * 20
    body = render.render(message(template, lang=lang, **words, options=options, extra={"said": filler}))
    assert body.rendering_failed == ""
    posts = render.split(body)
    assert len(posts) <= render.MAX_PARTS
    for post in posts:
        blocks = Block.parse_all(list(post.blocks))
        for block in blocks:
            block.validate_json()
        assert 1 < len(blocks) <= render.MAX_BLOCKS
        assert sum(map(len, _texts(post))) <= render.MAX_TOTAL
        assert max(map(len, _texts(post))) <= render.MAX_SECTION
        assert len(post.text) <= 2 * render.MAX_FALLBACK + render.MAX_FALLBACK + 10
    assert "<https://node.example/p/" in "".join(_texts(posts[-1]))


def test_a_page_looks_like_this_in_slack(message: Make) -> None:
    body = render.render(message("page.decision", options=OPTIONS, step_title="遮断するか"))
    assert _texts(body)[0] == (
        "*［SEV1 重大］INC-2026-0001 判断してください（11/23 03:05 JST (+09:00) までに受領）*"
    )
    assert _texts(body)[1].startswith("*何が起きたか:* EDR が 12 台")
    assert _texts(body)[-1] == (
        "*受領・詳細:* <https://node.example/p/abc.DEF-1?x=1&amp;y=2>\n*会議:* 03-0000-0000"
    )
    assert all(block["text"]["verbatim"] is True for block in body.blocks)
    assert {block["type"] for block in body.blocks} == {"section"}
    assert body.metadata == {
        "event_type": "hikeshi_message",
        "event_payload": {"key": "INC-2026-0001/7/1/1/U0YAMADA"},
    }


def test_of_a_long_signed_link_only_the_beginning_is_shown(message: Make) -> None:
    link = f"https://node.example/p/{'A' * 120}&x"
    shown = _texts(render.render(message(link=link)))[-1].splitlines()[0]
    whole = link.replace("&", "&amp;")
    assert shown == f"*受領・詳細:* <{whole}|https://node.example/p/{'A' * 37}…>"


@pytest.mark.parametrize(
    ("lang", "to", "told"),
    [
        ("ja", "*宛先:* 伊藤 翔太、佐藤 健二", "hikeshi ack INC-2026-0001"),
        ("en", "*To:* 伊藤 翔太, 佐藤 健二", "hikeshi ack INC-2026-0001"),
    ],
)
def test_the_duty_channel_is_told_who_was_paged_and_how_to_answer(
    message: Make, lang: str, to: str, told: str
) -> None:
    """It is nobody's own copy: no name of its own and no personal link."""
    others = {"others": ["伊藤 翔太", "佐藤 健二"]}
    texts = _texts(render.render(message(lang=lang, recipient="", link="", extra=others)))
    assert to in "\n".join(texts).splitlines()
    assert told in texts[-1]


def test_the_lock_screen_shows_first_what_is_asked(message: Make) -> None:
    lines = render.render(message(asked="遮断を判断")).text.splitlines()
    assert "遮断を判断" in lines[0]
    assert lines[1].startswith("*何が起きたか:*")
    assert "https://node.example/p/" in lines[3]


LONG: dict[str, Any] = {
    "template": "page.decision",
    "step_text": "\n".join(f"{n:02d} " + "&" * 70 for n in range(20)),
    "otherwise": "&" * 600,
    "options": [{"id": f"o{n:02d}", "title": "&" * 500, "price": "&" * 500} for n in range(20)],
}
"""A decision that one post of Slack does not take."""


def test_what_one_post_does_not_take_becomes_several_in_order_and_nothing_is_cut(message: Make) -> None:
    body = render.render(message(**LONG))
    posts = render.split(body)
    assert len(posts) > 1
    assert [(post.part, post.parts) for post in posts] == [(n, len(posts)) for n in range(1, len(posts) + 1)]
    whole = [text for post in posts for text in _texts(post)]
    repeated = [text for text in whole if text.endswith(f"/{len(posts)})")]
    assert len(repeated) == len(posts) - 1, "from the second on each says what it continues"
    assert [text for text in whole if text not in repeated] == _texts(body), "nothing lost, nothing moved"
    joined = "".join(whole)
    assert [joined.count(f"o{n:02d}") for n in range(20)] == [1] * 20
    payloads = [post.metadata["event_payload"] for post in posts]
    assert {one["key"] for one in payloads} == {message().key}
    assert [one["part"] for one in payloads] == [post.part for post in posts]


def test_a_tail_stands_at_the_end_of_the_last_post_alone(message: Make) -> None:
    button = {"type": "actions", "elements": []}
    body = msgspec.structs.replace(render.render(message(**LONG)), tail=(button,))
    *others, last = render.split(body)
    assert others and last.blocks[-1] == button
    assert all(button not in post.blocks for post in others)
    (alone,) = render.split(msgspec.structs.replace(render.render(message()), tail=(button,)))
    assert alone.blocks[-1] == button and (alone.part, alone.parts) == (1, 1)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abcdef", 6, ["abcdef"]),
        ("abcdef", 4, ["abcd", "ef"]),
        ("one two three", 9, ["one two", "three"]),
        ("ab&amp;cd", 6, ["ab", "&amp;c", "d"]),
        ("x <https://a.ex> y", 15, ["x", "<https://a.ex>", "y"]),
    ],
)
def test_pieces_lose_nothing_and_leave_entities_and_links_whole(
    text: str, limit: int, expected: list[str]
) -> None:
    assert escape.pieces(text, limit) == expected


def test_many_are_called_only_where_the_template_says_so_and_many_read_along(message: Make) -> None:
    for address, template, called in (
        ("C0DUTY", "page.exhausted", True),
        ("G0DUTY", "page.exhausted", True),
        ("U0YAMADA", "page.exhausted", False),
        ("D0YAMADA", "page.exhausted", False),
        ("C0DUTY", "page.declared", False),
    ):
        body = render.render(message(template, address=address, title="{# mention: channel #} <!channel>"))
        live = [found for text in (body.text, *_texts(body)) for found in active(text)]
        assert ("<!channel>" in live) == called, (address, template)
        assert live.count("<!channel>") == 2 * called, "once in the blocks, once where they are not shown"


def test_only_the_templates_that_mean_it_call_many() -> None:
    asked = {name for name in rendering.template_names("ja") if rendering.mention_of(name)}
    assert asked == {"page.exhausted"}


def test_a_block_that_slack_sdk_refuses_becomes_plain_text(
    message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(escape, "pieces", lambda text, limit: ["x" * 3_001])
    body = render.render(message())
    assert body.blocks == ()
    assert body.rendering_failed.startswith("SlackObjectFormationError")
    assert "INC-2026-0001" in body.text and "https://node.example/p/" in body.text


def test_a_broken_template_is_reported(message: Make) -> None:
    body = render.render(message("page.nothing"))
    assert body.rendering_failed.startswith("TemplateNotFound")
    assert body.blocks


def test_a_head_alone_is_a_message(message: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        rendering, "render", lambda message, medium: rendering.Rendered(head="h", paragraphs=())
    )
    assert _texts(render.render(message())) == ["*h*"]


def _texts(body: render.SlackMessage) -> list[str]:
    texts: list[Any] = [block["text"]["text"] for block in body.blocks]
    return texts
