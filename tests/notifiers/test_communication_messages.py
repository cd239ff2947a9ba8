"""What people get of a situation report, and what whose turn it is to approve has to see."""

from __future__ import annotations

import pytest

from models.communication import ApproveMessage, DraftMessage, RejectMessage, SendSituation, SubmitMessage
from notifiers.briefing_communication import MAX_PARTS, brief_message, brief_situation
from notifiers.briefing_names import Matter
from notifiers.rendering import render
from notifiers.slack.render import MAX_SECTION, MAX_TOTAL
from notifiers.slack.render import render as render_slack
from tests.models.small import AMY, CHO, FAY, Scene, by, policy, scene
from tests.notifiers.test_clock_messages import message

LONG = "\n".join(f"line {number}: <!channel> https://evil.example/{'x' * 60}" for number in range(75))


def reported(text: str) -> Scene:
    made = scene()
    made.do(SendSituation(actor=by(AMY), text=text, to=(CHO,)))
    return made


def waiting() -> Scene:
    made = scene(policy=policy(approvals={"press": ["pr", "ciso"]}))
    made.do(
        DraftMessage(actor=by(AMY), lang="ja", document="sha256:1", gaps=0, audience="press", tlp="CLEAR")
    )
    made.do(SubmitMessage(actor=by(AMY), message="MSG-001"))
    return made


@pytest.mark.parametrize(("lang", "head"), [("ja", "状況報告"), ("en", "situation report")])
def test_a_report_is_read_whole_where_it_fits(lang: str, head: str) -> None:
    made = reported("■ Known\n・Files are encrypted\n\n■ Next\n・Restore")
    rendered = render(message(made, made.outbox(template="notice.situation")[0], lang))
    assert rendered.failed == ""
    assert head in rendered.head
    for line in ("■ Known", "・Files are encrypted", "・Restore"):
        assert f"  {line}" in rendered.text
    assert f"hikeshi situation show {made.stream} 1" in rendered.text


def test_a_long_report_is_split_within_the_limits_of_slack_and_nothing_in_it_acts() -> None:
    made = reported(LONG)
    sent = render_slack(message(made, made.outbox(template="notice.situation")[0], "en"))
    texts = [block["text"]["text"] for block in sent.blocks]
    assert sent.rendering_failed == ""
    assert max(map(len, texts)) <= MAX_SECTION
    assert sum(map(len, texts)) <= MAX_TOTAL
    joined = "\n".join(texts)
    assert "line 0:" in joined and "line 74:" in joined
    assert "<!channel>" not in joined and "https://" not in joined
    assert "hikeshi situation show" in joined


def test_a_report_without_line_breaks_is_cut_too() -> None:
    made = reported("あ" * 7_900)
    matter = Matter(
        state=made.incident, texts=made.desk.texts(made.stream), world=made.desk.world(made.incident)
    )
    parts = brief_situation("1", matter, "ja")["extra"]["lines"]
    assert "".join(parts) == "あ" * 7_900
    assert len(parts) <= MAX_PARTS
    assert brief_situation("9", matter, "ja") == brief_message("MSG-009", matter, "ja") == {}


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_the_page_says_what_waits_for_whom_and_how_but_not_the_text(lang: str) -> None:
    made = waiting()
    row = made.outbox(template="page.message_approval")[0]
    assert row["person"] == CHO or row["person"] == FAY
    rendered = render(message(made, row, lang))
    assert rendered.failed == ""
    for words in ("MSG-001", "TLP:CLEAR", f"hikeshi message show {made.stream} MSG-001", "approve|reject"):
        assert words in rendered.text


def test_the_writer_hears_what_became_of_it() -> None:
    made = waiting()
    made.do(RejectMessage(actor=by(FAY), message="MSG-001", reason="Too early"))
    text = render(message(made, made.outbox(template="notice.message")[0], "en")).text
    assert "ja: rejected (written by amy): Too early" in text
    other = waiting()
    for who in (FAY, CHO):
        other.do(ApproveMessage(actor=by(who), message="MSG-001", read={"ja": "sha256:1"}))
    text = render(message(other, other.outbox(template="notice.message")[0], "ja")).text
    assert "ja 版: 承認済み（書き手 amy）、承認済み fay, cho" in text
