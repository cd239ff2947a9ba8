"""The course of an exercise: its timeline, calls, gates, decisions, deadlines, people, and what they said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from console.views.aar_objectives import actual, outcome, wanted
from console.views.handbook import Chapter, Facts, Heading, Part, Points
from console.views.sheet import harmless
from models.drillresult import Expectation, PagesSummary
from models.exercise import Delivered
from models.scenario import Inject
from models.scoring.result import questionnaire

if TYPE_CHECKING:
    from console.views.aar import Telling

LATEST = "9999"


def course(tell: Telling) -> Iterator[Chapter]:
    """Every chapter of it."""
    yield _timeline(tell)
    yield _calls(tell)
    yield _gates(tell)
    yield _decisions(tell)
    yield _deadlines(tell)
    yield _people(tell)
    yield _hot_wash(tell)
    yield _questions(tell)
    yield _observations(tell)
    yield _guideline(tell)


def _chapter(tell: Telling, name: str, *parts: Part, wide: bool = False) -> Chapter:
    return Chapter(id=name, title=tell(f"chapter.{name}"), parts=parts, wide=wide)


# -- what came in -------------------------------------------------------------------------------------------


def _timeline(tell: Telling) -> Chapter:
    """Each inject as it came in, with what was expected and what was done."""
    seen = _by_inject(tell)
    injects = sorted(tell.made.scenario.in_order(), key=lambda one: _came_at(tell, one))
    columns = ("played", "hour", "inject", "method", "from_to", "delivered", "expected", "actual")
    rows = (_row(tell, one, seen.get(one.id, [])) for one in injects)
    return _chapter(tell, "timeline", tell.grid(columns, rows), wide=True)


def _by_inject(tell: Telling) -> dict[str, list[Expectation]]:
    """What was expected upon each inject; what several objectives ask for stands here once."""
    found: dict[str, list[Expectation]] = {}
    for objective in tell.made.score.objectives:
        for one in objective.expectations:
            known = found.setdefault(one.inject, [])
            if all((each.text, each.step) != (one.text, one.step) for each in known):
                known.append(one)
    return found


def _came_at(tell: Telling, inject: Inject) -> str:
    known = tell.made.exercise.injects.get(inject.id)
    return known.at.isoformat() if known is not None else LATEST


def _row(tell: Telling, inject: Inject, expected: list[Expectation]) -> tuple[str, ...]:
    scenario, say = tell.made.scenario, tell.say
    known = tell.made.exercise.injects.get(inject.id)
    return (
        _played(known),
        _hour(tell, known.at if known is not None else None),
        f"{tell.one(inject.title)} [{inject.id}]",
        f"{say.say(f'kind.{inject.kind}')} / {say.say(f'channel.{inject.channel}')}",
        f"{say.who(inject.from_, scenario)} → {say.names(inject.to, scenario)}",
        tell.word("delivered", known.how) if known is not None else tell("delivered.waiting"),
        "; ".join(wanted(tell, one) for one in expected) or "–",
        "; ".join(_done(tell, one) for one in expected) or "–",
    )


def _done(tell: Telling, one: Expectation) -> str:
    said = outcome(tell, one)
    return said if one.done_at is None else f"{said}: {actual(tell, one)}"


def _played(known: Delivered | None) -> str:
    if known is None:
        return "–"
    minutes = known.played_ms // 60_000
    return f"{minutes // 60}:{minutes % 60:02d}"


def _hour(tell: Telling, at: datetime | None) -> str:
    return tell.times.at(at)


# -- calls, gates, decisions, deadlines ---------------------------------------------------------------------


def _calls(tell: Telling) -> Chapter:
    score = tell.made.score
    columns = ("role", "asked_count", "answered_count", "scripted_count", "undelivered_count", "median")
    rows = (
        (
            tell.role(one.role),
            str(one.asked),
            str(one.answered),
            str(one.scripted),
            str(one.undelivered),
            tell.span(one.median_seconds),
        )
        for one in score.pages.by_role
    )
    routes = ((one.id, str(one.pages), str(one.highest_level), str(one.exhausted)) for one in score.routes)
    return _chapter(
        tell,
        "calls",
        _call_facts(tell, score.pages),
        tell.grid(columns, rows),
        Heading(text=tell("heading.routes")),
        tell.grid(("route", "asked_count", "highest", "exhausted_count"), routes),
    )


def _call_facts(tell: Telling, pages: PagesSummary) -> Facts:
    rows = [
        ("calls", str(pages.asked)),
        ("calls_answered", str(pages.answered)),
        ("calls_scripted", str(pages.scripted)),
        ("calls_climbed", str(pages.climbed)),
        ("calls_exhausted", str(pages.exhausted)),
        ("calls_median", tell.span(pages.median_seconds)),
    ]
    return Facts(rows=tuple((tell(f"label.{name}"), (value,)) for name, value in rows))


def _gates(tell: Telling) -> Chapter:
    rows = (
        (tell.texts.word("words.gate", one.gate), str(one.held), str(one.passed), str(one.overridden))
        for one in tell.made.score.gates
    )
    return _chapter(tell, "gates", tell.grid(("gate", "held", "passed", "overridden"), rows))


def _decisions(tell: Telling) -> Chapter:
    in_time = {True: tell("yes"), False: tell("no"), None: "–"}
    rows = (
        (
            one.incident,
            tell.say.step(one.step),
            tell.say.option(one.step, one.choice),
            tell("by_script", who=tell.person(one.by)) if one.scripted else tell.person(one.by),
            tell.span(one.took_seconds),
            in_time[one.in_time],
        )
        for one in tell.made.score.decisions
    )
    columns = ("incident", "decision", "choice", "decided_by", "took", "in_time")
    return _chapter(tell, "decisions", tell.grid(columns, rows), wide=True)


def _deadlines(tell: Telling) -> Chapter:
    rows = (
        (
            one.incident,
            f"{tell.word('clock', one.kind)} [{one.clock}]",
            tell.times.at(one.due_at),
            tell.times.at(one.stopped_at),
            tell.word("deadline", one.outcome),
        )
        for one in tell.made.score.deadlines
    )
    columns = ("incident", "clock", "due", "stopped", "outcome")
    return _chapter(tell, "deadlines", tell.grid(columns, rows), wide=True)


# -- people, and what they said -----------------------------------------------------------------------------


def _people(tell: Telling) -> Chapter:
    """Participants by role with organisation and absences, then the staff (FSA-2.2.5-B2)."""
    exercise, score = tell.made.exercise, tell.made.score
    people = (
        (
            tell.person(one.person),
            tell.texts("words.comma").join(map(tell.role, one.roles)),
            harmless(one.organisation, 100) or "–",
            tell("there") if one.absent is None else tell("absent", why=harmless(tell.made.said(one.absent))),
        )
        for one in exercise.participants.values()
    )
    roles = (
        (
            tell.role(one.role),
            tell("needed") if one.needed else "–",
            tell.word("how", one.how),
            tell.people(one.by),
        )
        for one in score.roles
    )
    staff = ((tell.person(who), tell.word("staff", role)) for who, role in sorted(exercise.staff.items()))
    return _chapter(
        tell,
        "people",
        tell.grid(("person", "roles", "organisation", "there"), people),
        Heading(text=tell("heading.roles")),
        tell.grid(("role", "needed", "how", "who"), roles),
        Heading(text=tell("heading.staff")),
        tell.grid(("person", "part"), staff),
    )


def _hot_wash(tell: Telling) -> Chapter:
    made = tell.made
    said = []
    for fact in made.facts:
        if fact.kind == "hotwash.said":
            question = harmless(made.said(fact.data.get("question")))
            text, who = harmless(made.said(fact.data["text"])), tell.person(fact.data.get("by"))
            said.append(
                tell("hot_wash_asked" if question else "hot_wash", question=question, text=text, who=who)
            )
    return _chapter(tell, "hot_wash", tell.points(said))


def _questions(tell: Telling) -> Chapter:
    """How many gave which answer, then the free texts, without who gave them."""
    made = tell.made
    rows = []
    for one in questionnaire(made.exercise, made.scenario.questions):
        counts = tell.texts("words.comma").join(
            tell("answered", answer=tell.word("answer", name), n=n) for name, n in one.answers.items()
        )
        rows.append((tell.one(one.text), str(one.answered), counts or "–", _average(one.answers)))
    free = _free_texts(tell)
    parts: list[Part] = [tell.grid(("question", "answers", "counts", "average"), rows)]
    if free:
        parts += [Heading(text=tell("heading.free")), Points(lines=tuple(free))]
    return _chapter(tell, "questions", *parts)


def _average(answers: dict[str, int]) -> str:
    """The mean of answers from 1 to 5, to one place; a dash where there are none."""
    counted = {int(name): n for name, n in answers.items() if name.isdigit()}
    many = sum(counted.values())
    if not many:
        return "–"
    tenths = (sum(value * n for value, n in counted.items()) * 10 + many // 2) // many
    return f"{tenths // 10}.{tenths % 10}"


def _free_texts(tell: Telling) -> list[str]:
    titles = {one.id: one.text for one in tell.made.scenario.questions}
    found = []
    for answers in tell.made.exercise.answers.values():
        for question, digest in answers.items():
            text = harmless(tell.made.said(digest)) if digest.startswith("t:") else ""
            if text:
                found.append(f"{tell.one(titles.get(question)) or question}: {text}")
    return sorted(found)


def _observations(tell: Telling) -> Chapter:
    rows = (
        (
            one.id,
            tell.times.at(one.at),
            tell.person(one.by),
            one.objective or "–",
            tell.word("observation_kind", one.kind),
            harmless(tell.made.said(tell.observed(one.id))),
        )
        for one in tell.made.exercise.observations.values()
    )
    columns = ("no", "hour", "seen_by", "objective", "kind", "text")
    return _chapter(tell, "observations", tell.grid(columns, rows), wide=True)


def _guideline(tell: Telling) -> Chapter:
    comma = tell.texts("words.comma")
    rows = (
        (one.item, comma.join(_exercised_by(tell, each) for each in one.by))
        for one in tell.made.score.guideline
    )
    return _chapter(tell, "guideline", tell.grid(("item", "exercised_by"), rows))


def _exercised_by(tell: Telling, source: str) -> str:
    """A step by title, an objective by its id, the scenario as a whole."""
    kind, _, name = source.partition(":")
    return tell(f"exercised.{kind}", name=tell.say.step(name) if kind == "step" else name)
