"""What a message says after its matter has moved on, however many posts it had become."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import structs

from notifiers.bundling import bundle
from notifiers.message import Act, Message
from notifiers.slack import render
from notifiers.slack.copies import _edited, _is_fresh
from notifiers.slack.fake import active

Make = Callable[..., Message]
TAKEN = "✅ 佐藤 健二 が受領しました（03:05）"
ACK = Act(name="ack", value="INC-2026-0001 4 incident", primary=True)


def texts(body: render.SlackMessage) -> str:
    return "\n".join(block["text"]["text"] for block in body.blocks if "text" in block)


def test_one_post_says_it_under_its_head(message: Make) -> None:
    body = _edited(structs.replace(message(), standing=TAKEN))
    assert "受領しました" in body.blocks[1]["text"]["text"]


def test_of_several_posts_the_last_says_it_because_it_is_the_one_that_is_edited(
    message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "MAX_TOTAL", render.PART_ROOM + 400)
    long = message(what="長" * 550, then="長" * 500)
    sent = render.split(render.render(structs.replace(long, acts=(ACK,))))
    assert len(sent) > 1
    body = _edited(structs.replace(long, standing=TAKEN))
    assert "受領しました" in body.blocks[0]["text"]["text"]
    assert f"({len(sent)}/{len(sent)})" in texts(body)


def test_a_bundle_says_of_each_page_how_it_stands(message: Make) -> None:
    many = [
        structs.replace(
            message(key=f"INC-2026-000{number}/4/0/1/slack:x"), standing=TAKEN if number == 2 else ""
        )
        for number in range(1, 6)
    ]
    body = _edited(bundle(many))
    assert texts(body).count("受領しました") == 1


def test_what_stands_there_is_text_from_outside(message: Make) -> None:
    body = _edited(structs.replace(message(), standing="<!channel> @here <https://evil.example|x>"))
    assert [found for found in active(texts(body)) if "evil" in found or "channel" in found] == []


def test_a_message_is_fresh_while_it_says_what_it_said_when_it_left(message: Make) -> None:
    made = structs.replace(message(), acts=(ACK,))
    assert _is_fresh(made, buttons=True)
    assert not _is_fresh(structs.replace(made, acts=()), buttons=True)
    assert _is_fresh(structs.replace(made, acts=()), buttons=False)
    assert not _is_fresh(structs.replace(made, standing=TAKEN), buttons=True)
