"""What people get in an exercise: read as a script, from the outbox to the words."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from models.commands import Declare, Done
from models.exercise import AbortExercise, EndExercise, PutInject, SpeakFor
from models.record import OUTBOX
from notifiers.briefing import Envelope
from notifiers.briefing_exercise import (
    brief_ending,
    brief_exercise,
    brief_inject,
    brief_leap,
    brief_outcome,
    brief_said,
)
from notifiers.briefing_names import Matter
from notifiers.composing import compose
from notifiers.rendering import Rendered, render
from tests.models.exercises import AMY, BEN, LEAD, MINUTE, Played, inject, scenario, started
from tests.models.small import by, organisation

LONG = "\n".join(f"line {number} <!channel> https://evil.example" for number in range(40))
SCRIPT = scenario(
    inject("first", title={"ja": "警察から", "en": "The police"}, text={"ja": LONG, "en": LONG}),
    leaps=[{"at": "30m", "by": "6h", "text": {"ja": "朝になった", "en": "It is morning"}}],
    outcomes=[{"step": "unknown/look", "text": {"ja": "何もない", "en": "It was nothing"}}],
    endings=[{"when": 'done("unknown/look")', "text": {"ja": "全員復旧", "en": "All is well"}}],
    briefing={"ja": "今日は給与日です", "en": "It is pay day"},
    roles=[
        {"role": "csirt-duty", "task": "watch the alerts", "knows": ["the console was slow"]},
        {"role": "csirt-lead", "task": "lead", "knows": ["the vendor was here"]},
    ],
)


def sent(made: Played, template: str) -> list[tuple[str, Rendered]]:
    """Everything in the outbox by this template: to whom, and how it reads."""
    with made.desk.record.read() as tx:
        rows = [dict(one) for one in tx.connection.execute(OUTBOX.select()).mappings()]
    found = []
    for row in rows:
        if row["template"] == template:
            names = [one.name for one in fields(Envelope)]
            envelope = Envelope(**{name: row[name] for name in names})
            message = compose(made.desk, envelope, None, lambda *_: "https://node.example/p/1")
            found.append((row["person"], render(message)))
    return found


def played(lang: str = "en") -> Played:
    bank = organisation()
    people = tuple(one.model_copy(update={"lang": lang}) for one in bank.people)
    made = started(SCRIPT, organisation=bank.model_copy(update={"people": people}))
    made.catch_up()
    return made


@pytest.mark.parametrize(
    ("lang", "title", "by_whom"), [("ja", "警察から", "発信"), ("en", "The police", "From")]
)
def test_an_inject_says_from_whom_by_what_and_its_whole_text(lang: str, title: str, by_whom: str) -> None:
    ((person, rendered),) = sent(played(lang), "notice.inject")
    assert person == AMY
    assert rendered.failed == ""
    assert rendered.head.startswith("【訓練】")
    assert title in rendered.head and "DRL-2026-0001" in rendered.head
    assert f"{by_whom}: Police" in rendered.text
    for number in range(40):
        assert f"line {number} " in rendered.text
    assert "https://evil" not in rendered.text


def test_an_inject_that_control_wrote_reads_as_it_was_written() -> None:
    made = played()
    made.do(PutInject, inject=inject("extra", title="A new one", text="as it was written"))
    made.catch_up()
    rendered = sent(made, "notice.inject")[-1][1]
    assert "A new one" in rendered.head
    assert "as it was written" in rendered.text


def test_control_lends_its_voice() -> None:
    made = played()
    made.do(SpeakFor, party="police", to=("csirt-lead",), text="we have a suspect")
    made.do(SpeakFor, party="control", to=("csirt-lead",), text="mind the time")
    (_, police), (_, control) = sent(made, "notice.said")
    assert "from Police" in police.head and "we have a suspect" in police.text
    assert "from control" in control.head and "mind the time" in control.text


def test_startex_tells_everybody_the_state_of_things_and_each_their_own_card() -> None:
    texts = {person: rendered.text for person, rendered in sent(played(), "notice.exercise_started")}
    assert set(texts) == {AMY, BEN, LEAD}
    assert all("It is pay day" in text and "hikeshi drill abort" in text for text in texts.values())
    assert "the console was slow" in texts[AMY] and "the vendor was here" not in texts[AMY]
    assert "the vendor was here" in texts[BEN] and "the console was slow" not in texts[BEN]
    assert "watch the alerts" not in texts[LEAD]


def test_the_story_moves_on_and_what_came_of_a_step_is_told() -> None:
    made = played()
    declared = made.desk.handle(None, Declare(actor=by(AMY), text="it burns"))
    assert made.desk.handle(declared.stream, Done(actor=by(AMY), step="unknown/look")).accepted
    made.pass_(31 * MINUTE)
    leap = sent(made, "notice.leap")
    assert [person for person, _ in leap] == [AMY, BEN]
    assert "It is morning" in leap[0][1].text and "12/30 05:30 (+09:00)" in leap[0][1].text
    assert all("It was nothing" in one.text for _, one in sent(made, "notice.outcome"))
    ((person, ending),) = sent(made, "notice.ending_reached")
    assert person == LEAD
    assert "All is well" in ending.text and "hikeshi drill end" in ending.text
    made.pass_(timedelta(hours=2))
    up = sent(made, "notice.ending_reached")[-1][1]
    assert "the planned time is up" in up.head
    assert "hikeshi drill resume" in up.text and "hikeshi drill end" in up.text


@pytest.mark.parametrize(("lang", "words"), [("ja", "演習中止"), ("en", "BROKEN OFF")])
def test_an_abort_says_so_in_its_first_line(lang: str, words: str) -> None:
    made = played(lang)
    made.do(AbortExercise, BEN, wall=made.wall, reason="a real one")
    found = sent(made, "notice.exercise_aborted")
    assert {person for person, _ in found} == {AMY, BEN, LEAD}
    for _, rendered in found:
        assert "実インシデント発生、演習中止" in rendered.head
        assert words in rendered.head
        assert "a real one" in rendered.text


def test_endex_asks_for_the_questionnaire() -> None:
    made = played()
    made.do(EndExercise, wall=made.wall)
    found = sent(made, "notice.exercise_ended")
    assert {person for person, _ in found} == {AMY, BEN, LEAD}
    assert all("hikeshi drill questions" in rendered.text for _, rendered in found)


@pytest.mark.parametrize(
    "look",
    [
        lambda matter: brief_inject("none", matter, "en"),
        lambda matter: brief_said("99", matter, "en"),
        lambda matter: brief_leap("9", matter, "en"),
        lambda matter: brief_outcome("9", matter, "en"),
        lambda matter: brief_outcome("x", matter, "en"),
        lambda matter: brief_ending("9", matter, "en"),
        lambda matter: brief_exercise("started", matter, "en", None),
    ],
)
def test_what_is_not_there_any_more_breaks_no_message(look: Any) -> None:
    made = played()
    world = made.desk.world(made.state)
    assert isinstance(look(Matter(state=made.state, texts={}, world=world)), dict)
    other = made.desk.state("house")
    assert isinstance(look(Matter(state=other, texts={}, world=made.desk.world(other))), dict)
