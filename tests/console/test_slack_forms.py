"""Every dialog, board and thread as Slack would check it, in both languages, with the worst of texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from console.slack import board, feed
from console.slack.blocks import given
from console.slack.desk import FORMS
from console.slack.forms import Case, NotUnderstood, view, written_instant
from console.texts import texts
from console.views.naming import Naming
from models.clock import ExerciseClock
from models.commands import Actor, Declare, SetSeverity
from models.communication import Outgoing
from models.desk import Desk
from models.premises import Premises
from models.record import Record
from notifiers.acts import Target, read_target
from notifiers.slack.fake import active
from playbooks.institution import Institution

INC = "INC-2026-0001"
NASTY = "<!channel> @here <https://evil.example|click> *b* `c` #general & " + "長い題名" * 50
SATO = Actor(person="sato-kenji", via="slack")
LANGS = pytest.mark.parametrize("lang", ["ja", "en"])


@pytest.fixture
def desk(bank: Institution, clock: ExerciseClock) -> Iterator[Desk]:
    premises = Premises(organisation=bank.organisation, policy=bank.policy, playbooks=bank.playbooks)
    made = Desk(Record.in_memory(), premises, clock)
    outcome = made.handle(None, Declare(actor=SATO, text=NASTY, playbooks=("ransomware",), severity="high"))
    assert outcome.accepted
    made.handle(INC, SetSeverity(actor=SATO, severity="critical", reason=NASTY))
    yield made
    made.record.close()


def case(desk: Desk, lang: str, target: Target, **extra: str) -> Case:
    state = desk.state(target.stream)
    naming = Naming(texts=texts(lang), world=desk.world(state), state=state, beside=desk.texts(target.stream))
    return Case(target=target, naming=naming, actor=SATO, extra=extra)


def targets(desk: Desk) -> Iterator[Target]:
    """Every page, every step of the playbooks, and the incident itself."""
    state = desk.incident(INC)
    yield Target(stream=INC)
    for page in state.pages.values():
        yield Target(stream=INC, page=page.id, subject=page.subject)
    for key in desk.world(state).steps(state):
        yield Target(stream=INC, subject=f"step:{key}")


def texts_in(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        text = block.get("text")
        if isinstance(text, dict) and text["type"] == "mrkdwn":
            yield text["text"]


@LANGS
@pytest.mark.parametrize("name", sorted(FORMS))
def test_every_form_fits_slack_whatever_it_is_about(desk: Desk, lang: str, name: str) -> None:
    extra = {"text": NASTY, "incidents": f"{INC}={NASTY}", "names": NASTY, "text.ja": NASTY * 9}
    for target in targets(desk):
        made = view(FORMS[name], case(desk, lang, target, **extra), "{}")
        View(**made).validate_json()
        assert len(made["blocks"]) <= 100
        assert len(orjson.dumps(made)) < 250_000
        for block in made["blocks"]:
            parsed = Block.parse(block)
            assert parsed is not None
            parsed.validate_json()
        assert [found for text in texts_in(made["blocks"]) for found in active(text)] == []
        ids = [block["block_id"] for block in made["blocks"] if "block_id" in block]
        assert len(set(ids)) == len(ids)


@LANGS
def test_boards_and_threads_fit_slack_and_call_nobody(desk: Desk, lang: str) -> None:
    made = case(desk, lang, Target(stream=INC)).naming
    with desk.record.read() as tx:
        facts = tuple(tx.facts(INC))
    shown = [board.blocks(made, "https://hikeshi.example.jp/"), board.clock_blocks(made)]
    batches = feed.batches(facts, made)
    assert {batch.root for batch in batches} >= {"main"}
    shown += [feed.root(batch.root, made) for batch in batches if batch.root != "main"]
    for blocks in shown:
        for block in blocks:
            parsed = Block.parse(block)
            assert parsed is not None
            parsed.validate_json()
        active_in = [found for text in texts_in(blocks) for found in active(text)]
        assert [one for one in active_in if "hikeshi.example.jp" not in one] == []
    lines = [line for batch in batches for line in feed.lines(batch, made)]
    assert lines
    assert [found for line in lines for found in active(line)] == []
    assert active(board.topic(made)) == []
    assert len(board.topic(made)) <= 250
    assert active(board.one_line(made)) == []


@LANGS
def test_a_form_that_nothing_was_filled_into_raises_no_surprise(desk: Desk, lang: str) -> None:
    """Slack asks for what is needed; a client that does not is answered by the rules, not by a crash."""
    for name, form in FORMS.items():
        if name == "more":
            continue
        for target in targets(desk):
            try:
                command = form.read(case(desk, lang, target), {})
            except NotUnderstood as said:
                assert said.errors
                continue
            outcome = desk.handle(None if form.opens else INC, command)
            assert not outcome.accepted, name


def test_times_are_read_as_people_write_them(desk: Desk) -> None:
    made = case(desk, "ja", Target(stream=INC))
    for written, read in (
        ("02:50", "2026-11-23T02:50:00+09:00"),
        ("11-22 23:55", "2026-11-22T23:55:00+09:00"),
        ("11/22 23:55", "2026-11-22T23:55:00+09:00"),
        ("2026-11-22 23:55", "2026-11-22T23:55:00+09:00"),
        ("2026-11-22T23:55:00Z", "2026-11-22T23:55:00Z"),
        # What would lie ahead has happened the day, or the year, before.
        ("23:50", "2026-11-22T23:50:00+09:00"),
        ("12-31 23:50", "2025-12-31T23:50:00+09:00"),
        ("unknown", "unknown"),
        ("さっき", "さっき"),
    ):
        assert written_instant(made, written) == read


def test_what_was_filled_in_is_read_by_block_and_nonsense_is_nothing() -> None:
    view_ = {
        "state": {
            "values": {
                "a": {"a": {"type": "plain_text_input", "value": " x "}},
                "b": {"b": {"type": "static_select", "selected_option": {"value": "one"}}},
                "c": {"c": {"selected_options": [{"value": "1"}, {"value": "2"}, "odd"]}},
                "d": {"d": {"value": None}},
                "e": [],
                "f": {},
            }
        }
    }
    assert given(view_) == {"a": "x", "b": "one", "c": ["1", "2"]}
    assert given({}) == given({"state": None}) == given({"state": {"values": []}}) == {}


@pytest.mark.parametrize("value", ["", "x", "INC 1", "INC x -", "INC 1 2 3", " 1 -", "I 1 -" + "x" * 2_000])
def test_a_button_that_is_not_ours_is_about_nothing(value: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_target(value)


def test_a_button_comes_back_as_it_was_made() -> None:
    for made in (Target(stream=INC), Target(stream=INC, page=12, subject="step:ransomware/isolate-segment")):
        assert read_target(made.value) == made


@LANGS
def test_a_text_that_cannot_be_read_whole_cannot_be_approved(desk: Desk, lang: str) -> None:
    """What was not read is not approved: only sending back is left."""
    made = desk.incident(INC)
    made.outgoing["MSG-001"] = Outgoing(id="MSG-001", audience="press", tlp="CLEAR", chain=["pr"])
    target = Target(stream=INC, subject="message:MSG-001/pr")
    short = "\n".join(f"{number} 行目 <!channel>" for number in range(400))
    shown = view(FORMS["message"], case(desk, lang, target, **{"text.ja": short}), "{}")
    assert "399 行目" in str(shown)
    assert [one["value"] for one in _options(shown)] == ["approve", "reject"]
    long = "\n".join(f"{number} 行目 {'x' * 400}" for number in range(400))
    shown = view(FORMS["message"], case(desk, lang, target, **{"text.ja": long}), "{}")
    View(**shown).validate_json()
    assert [one["value"] for one in _options(shown)] == ["reject"]
    assert "hikeshi message show" in str(shown)


def _options(shown: dict[str, Any]) -> list[dict[str, Any]]:
    [act] = [one for one in shown["blocks"] if one.get("block_id") == "act"]
    found: list[dict[str, Any]] = act["element"]["options"]
    return found
