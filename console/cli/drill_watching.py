"""drill: what is seen, rated and said: observations, ratings, the hot wash, the questionnaire."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import Text
from console.cli.drilling import STREAM, exercise, scenario
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from models.scenario import Question

Opt = typer.Option
RATINGS = ("P", "S", "M", "U")
SCALE, YES_NO = ("1", "2", "3", "4", "5"), ("yes", "no")


def add(drill: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(drill, "observe")(observe)
    writes(drill, "rate")(rate)
    writes(drill, "hotwash")(hotwash)
    reads(drill, "questions")(questions)
    writes(drill, "answer")(answer)


def observe(
    session: Session,
    text: Text,
    objective: Annotated[str | None, Opt("--objective", metavar="ID", show_default=False)] = None,
    strength: Annotated[bool, Opt("--strength")] = False,
    improve: Annotated[bool, Opt("--improve")] = False,
) -> None:
    """Write down what was seen."""
    from models.exercise import Observe  # noqa: PLC0415

    exercise(session)
    if strength and improve:
        session.wrong(session.texts("playing.one_kind"))
    kind = "strength" if strength else "improvement" if improve else "observation"
    session.write(STREAM, Observe, text=text, objective=objective, kind=kind)


def rate(
    session: Session,
    objective: Annotated[str, typer.Argument(metavar="OBJECTIVE")],
    rating: Annotated[str, typer.Argument(metavar="P|S|M|U")],
    observation: Annotated[str, Opt("--observation", metavar="OBS")],
) -> None:
    """Rate an objective, on an observation."""
    from models.exercise import Rate  # noqa: PLC0415

    exercise(session)
    session.one_of(rating.upper(), RATINGS, "P|S|M|U")
    on = observation.upper()
    session.write(STREAM, Rate, objective=objective, rating=rating.upper(), observation=on)


def hotwash(
    session: Session,
    text: Text,
    question: Annotated[str, Opt("--question", metavar="TEXT", show_default=False)] = "",
) -> None:
    """Write down what was said right after ENDEX."""
    from models.exercise import HotWash  # noqa: PLC0415

    exercise(session)
    session.write(STREAM, HotWash, text=text, question=question)


# -- the questionnaire ------------------------------------------------------------------------------------


def questions(session: Session) -> None:
    """The questions to each participant, and what you have answered."""
    from console.cli import output  # noqa: PLC0415
    from console.views import drill as view  # noqa: PLC0415

    state = exercise(session)
    asked, said = scenario(session).questions, state.answers.get(session.actor.person or "", {})
    if session.given.json:
        output.json(view.questions_json(asked, said, session.naming(state)))
    else:
        output.show([view.questions(asked, said, session.naming(state))])


def answer(
    session: Session,
    pairs: Annotated[list[str] | None, typer.Argument(metavar="ID=ANSWER…", show_default=False)] = None,
) -> None:
    """Answer them: each as ID=ANSWER, or one after the other on a terminal."""
    from models.exercise import AnswerQuestions  # noqa: PLC0415

    state = exercise(session)
    asked = scenario(session).questions
    if pairs:
        given = _given(session, pairs, asked)
    elif sys.stdin.isatty() and not session.given.json and session.given.visitor is None:
        given = _asked(session, asked)
    else:
        names = " ".join(f"{one.id}=…" for one in asked)
        session.wrong(session.texts("playing.answer_how", names=names))
    who = session.person(session.given.for_) if session.given.for_ else session.actor.person or ""
    # Given again the answers replace the first ones as a whole: what is not asked again stays.
    beside = session.desk.texts(STREAM)
    before = {name: beside.get(said) or said for name, said in state.answers.get(who, {}).items()}
    session.write(STREAM, AnswerQuestions, answers=before | given)


def _given(session: Session, pairs: list[str], asked: tuple[Question, ...]) -> dict[str, str]:
    known = {one.id: one for one in asked}
    found = session.pairs(pairs, "ID=ANSWER")
    for name, said in found.items():
        session.one_of(name, tuple(known), "ID")
        if (choices := _choices(known[name])) and said.strip() not in choices:
            session.one_of(said.strip(), choices, name)
    return {name: said.strip() for name, said in found.items()}


def _choices(one: Question) -> tuple[str, ...]:
    return {"scale": SCALE, "yes-no": YES_NO}.get(one.kind, ())


def _asked(session: Session, asked: tuple[Question, ...]) -> dict[str, str]:
    """On a terminal: an empty line leaves a question out, a wrong one asks again."""
    found: dict[str, str] = {}
    for one in asked:
        choices = _choices(one)
        hint = f" [{'/'.join(choices)}]" if choices else ""
        prompt = f"{one.text.lang(session.given.lang)}{hint}"
        said = typer.prompt(prompt, default="", show_default=False).strip()
        while said and choices and said not in choices:
            said = typer.prompt(prompt, default="", show_default=False).strip()
        if said:
            found[one.id] = said
    return found
