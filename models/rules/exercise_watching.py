"""What is seen and said: observations, ratings, the hot wash, the questionnaire."""

from __future__ import annotations

import re
from typing import get_args

from models.errors import Refused
from models.exercise import (
    MAX_OBSERVATIONS,
    AnswerQuestions,
    Exercise,
    HotWash,
    Observe,
    Rate,
    Rating,
)
from models.fact import Draft
from models.reason import Reason
from models.rules.common import Decided, text
from models.rules.exercise_common import ANYBODY, WATCHING, must_be, must_may, wrong
from models.values import ID_PATTERN
from models.world import World

RATING = ("evaluator", "facilitator")
MAX_ANSWERS, MAX_ID, MAX_ANSWER = 60, 64, 4_000
_QUESTION = re.compile(ID_PATTERN)
SCALE = ("1", "2", "3", "4", "5", "yes", "no")
"""Answers that stand in the fact itself; all else is free text and lies beside it."""


def observe(state: Exercise, command: Observe, world: World) -> Decided:
    """What somebody of the staff saw."""
    must_may(state, command, world, (*WATCHING, "scribe", "observer"))
    must_be(state, "prepared", "running", "ended")
    if len(state.observations) >= MAX_OBSERVATIONS:
        raise wrong("text", f"at most {MAX_OBSERVATIONS} observations", len(state.observations) + 1)
    data = {"id": f"OBS-{len(state.observations) + 1:03d}", "kind": command.kind}
    if command.objective is not None:
        data["objective"] = _objective(command.objective, world)
    return [Draft(kind="observation.written", data=data, texts={"text": text(command.text, "text")})]


def rate(state: Exercise, command: Rate, world: World) -> Decided:
    """A rating stands on something that was seen."""
    must_may(state, command, world, RATING)
    must_be(state, "running", "ended")
    if command.rating not in get_args(Rating):
        raise wrong("rating", ", ".join(get_args(Rating)), command.rating)
    if command.observation not in state.observations:
        known = sorted(state.observations)
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.observation, "known": known})
    if state.signed_off_by is not None and command.objective in state.ratings:
        # What was open may still be confirmed; what management has taken note of is not changed behind them.
        raise wrong("rating", "no change once the report has been signed off", state.signed_off_by)
    data = {
        "objective": _objective(command.objective, world),
        "rating": command.rating,
        "observation": command.observation,
    }
    if command.proposed is not None:
        data["proposed"] = command.proposed
    return [Draft(kind="objective.rated", data=data)]


def hot_wash(state: Exercise, command: HotWash, world: World) -> Decided:
    """Right after ENDEX, while it is fresh."""
    must_may(state, command, world, ANYBODY)
    must_be(state, "ended")
    data = {"by": command.who}
    texts = {"text": text(command.text, "text")}
    if command.question.strip():
        texts["question"] = text(command.question, "question", 1_000)
    return [Draft(kind="hotwash.said", data=data, texts=texts)]


def answer(state: Exercise, command: AnswerQuestions, world: World) -> Decided:
    """A participant's questionnaire; given again it replaces the first."""
    must_may(state, command, world, ANYBODY)
    must_be(state, "ended")
    if command.who not in state.participants:
        raise Refused(Reason.NOT_ENROLLED, {"who": command.who})
    if not 0 < len(command.answers) <= MAX_ANSWERS:
        raise wrong("answers", f"1 to {MAX_ANSWERS} answers", len(command.answers))
    data: dict[str, str] = {}
    texts = {}
    for question, said in command.answers.items():
        if len(question) > MAX_ID or _QUESTION.fullmatch(question) is None:
            raise wrong("answers", "the id of a question", question[:64])
        if said in SCALE:
            data[question] = said
        else:
            data[question] = ""
            texts[f"answers.{question}"] = text(said, question, MAX_ANSWER)
    return [Draft(kind="questions.answered", data={"answers": data}, texts=texts)]


def _objective(name: str, world: World) -> str:
    known = [one.id for one in world.scenario.objectives] if world.scenario is not None else [name]
    if name not in known:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": name, "known": known})
    return name
