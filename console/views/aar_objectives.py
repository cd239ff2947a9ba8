"""Objectives one by one: what was expected, what was done, against which time; and the recovery targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from console.views.handbook import Chapter, Facts, Heading, Part, Points
from console.views.sheet import harmless
from models.drillresult import Expectation, MeasureResult, ObjectiveResult

if TYPE_CHECKING:
    from console.views.aar import Telling


def objectives(tell: Telling) -> Iterator[Chapter]:
    """A chapter for each."""
    for one in tell.made.score.objectives:
        yield Chapter(
            id=f"objective-{one.id}",
            title=tell("chapter.objective", id=one.id, text=tell.one(one.text)),
            parts=tuple(_parts(tell, one)),
            wide=True,
        )


def _parts(tell: Telling, one: ObjectiveResult) -> Iterator[Part]:
    yield Facts(rows=tuple((tell(f"label.{name}"), (value,)) for name, value in _head(tell, one)))
    yield Heading(text=tell("heading.expected"))
    columns = ("inject", "expected", "role", "asked", "limit", "outcome", "actual", "took")
    yield tell.grid(columns, (_expected(tell, each) for each in one.expectations))
    if one.measures:
        yield Heading(text=tell("heading.measures"))
        yield _measures(tell, one.measures)
    yield Heading(text=tell("heading.observations"))
    yield tell.points(_observed(tell, one))


def _head(tell: Telling, one: ObjectiveResult) -> Iterator[tuple[str, str]]:
    comma = tell.texts("words.comma")
    yield "capability", tell.say.say(f"capability.{one.capability}")
    yield "proposed", one.proposed or tell("no_proposal")
    yield "because", comma.join(tell.word("reason", each) for each in one.reasons)
    confirmed = tell("confirmed", rating=one.rating or "", by=tell.person(one.rated_by))
    yield "rating", confirmed if one.rating is not None else tell("unrated")
    if one.limit_seconds is not None:
        yield "limit", tell.span(one.limit_seconds)
        yield "took", tell.span(one.took_seconds) if one.took_seconds is not None else tell("not_complete")
    if one.guideline:
        yield "guideline", comma.join(one.guideline)


def _expected(tell: Telling, one: Expectation) -> tuple[str, ...]:
    inject = tell.made.scenario.inject(one.inject)
    return (
        tell.one(inject.title) if inject is not None else one.inject,
        wanted(tell, one),
        tell.role(one.role),
        tell.times.at(one.asked_at),
        tell.span(one.within_seconds),
        outcome(tell, one),
        actual(tell, one),
        tell.span(one.took_seconds),
    )


def outcome(tell: Telling, one: Expectation) -> str:
    """What became of it, in words."""
    said = tell.word("outcome", one.outcome)
    if one.scripted and one.outcome == "not-done":
        return tell("outcome_unplayed")
    return tell("outcome_leapt", outcome=said) if one.leapt else said


def wanted(tell: Telling, one: Expectation) -> str:
    """What was expected, with the step and the option that stand for it."""
    if one.step is None:
        return tell.one(one.text)
    step = tell.say.step(one.step)
    if one.option is None:
        return tell.say.say("asked_step", text=tell.one(one.text), step=step)
    option = tell.say.option(one.step, one.option)
    return tell.say.say("asked_option", text=tell.one(one.text), step=step, option=option)


def actual(tell: Telling, one: Expectation) -> str:
    """Who did it and when; a dash if nobody did."""
    if one.done_at is None:
        return "–"
    who = tell.person(one.done_by)
    if one.scripted:
        who = tell("by_script", who=who)
    at = tell.times.at(one.done_at)
    if one.choice is None or one.step is None:
        return tell("did", who=who, at=at)
    return tell("chose", who=who, at=at, choice=tell.say.option(one.step, one.choice))


def _observed(tell: Telling, one: ObjectiveResult) -> Iterator[str]:
    for name in one.observations:
        seen = tell.made.exercise.observations[name]
        yield tell(
            "observed",
            id=name,
            kind=tell.word("observation_kind", seen.kind),
            text=harmless(tell.made.said(tell.observed(name))),
            by=tell.person(seen.by),
            at=tell.times.at(seen.at),
        )


# -- recovery targets ---------------------------------------------------------------------------------------


def measures(tell: Telling) -> Chapter:
    """Every recovery target that an objective named, against what was measured (FSA-2.2.5-Da)."""
    found = tuple(each for one in tell.made.score.objectives for each in one.measures)
    note = Points(lines=(tell("measures_note"),))
    return Chapter(
        id="measures", title=tell("chapter.measures"), parts=(_measures(tell, found), note), wide=True
    )


def _measures(tell: Telling, found: tuple[MeasureResult, ...]) -> Part:
    columns = ("measure", "service", "target", "measured", "outcome", "why")
    return tell.grid(columns, (_measure(tell, one) for one in found))


def _measure(tell: Telling, one: MeasureResult) -> tuple[str, ...]:
    target, got = tell.span(one.target_seconds), tell.span(one.measured_seconds)
    if one.kind == "rlo":
        target, got = (_level(tell, one.service, level) for level in (one.target_level, one.measured_level))
    said = tell.word("measured", one.outcome)
    return (
        tell.word("measures", one.kind),
        tell.say.service(one.service),
        tell("target_own", target=target) if one.target_from == "objective" else target,
        got,
        tell("by_script", who=said) if one.scripted else said,
        tell.word("missing", one.why) if one.why else "–",
    )


def _level(tell: Telling, service: str, level: str | None) -> str:
    if level is None:
        return "–"
    known = tell.directory.service(service)
    titles = {one.id: one.title for one in known.levels} if known is not None else {}
    return tell.one(titles[level]) if level in titles else harmless(level, 80)
