"""The deadline of a report in words: from when, how long, how its days are counted, and where it ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from console.texts import Texts
from console.views.sheet import harmless
from console.views.times import Times
from models.obligation import SUBMITTED, Deadline, Obligation, Term


def written(deadline: Deadline, owed: Obligation, texts: Texts) -> list[str]:
    """One sentence a line; of several terms the first line says which of them counts."""
    if deadline.none:
        return [texts("criteria.none")]
    if deadline.on or deadline.at_once:
        kind = "on" if deadline.on else "at_once"
        instant = _anchor(deadline.on or deadline.at_once or "", owed, texts)
        span = _span(deadline.internal, texts) if deadline.internal else ""
        return [texts(f"criteria.{kind}", instant=instant), texts("criteria.internal", span=span)]
    terms = [" ".join(_term(one, owed, texts)) for one in deadline.terms]
    if len(terms) == 1:
        return terms
    return [texts(f"criteria.{'earliest' if deadline.earliest else 'latest'}"), *terms]


def _term(one: Term, owed: Obligation, texts: Texts) -> Iterator[str]:
    limit = texts(f"criteria.unit.{one.limit.unit}", n=one.limit.count)
    yield texts("criteria.within", limit=limit, instant=_anchor(one.from_, owed, texts))
    if one.limit.unit in {"d", "bd", "mo"}:
        yield texts(f"criteria.first_{one.first_day}")
    if one.ends not in {None, "same-time"}:
        yield texts("criteria.ends", at="24:00" if one.ends == "day-end" else one.ends, zone=owed.zone)
    if one.limit.unit == "bd" or one.roll != "none":
        yield texts("criteria.calendar", name=texts.word("criteria.calendars", one.calendar))
    if one.roll != "none":
        yield texts("criteria.roll")
    if one.requires:
        names = texts("words.comma").join(texts.word("words.instant", name) for name in one.requires)
        yield texts("criteria.requires", names=names)
    if one.within_of is not None:
        switch = one.within_of
        yield texts(
            "criteria.switch",
            instant=texts.word("words.instant", switch.instant),
            of=texts.word("words.instant", switch.of),
            span=_span(switch.span, texts),
        )


def _anchor(name: str, owed: Obligation, texts: Texts) -> str:
    """What the time is counted from: an instant of the incident, or an earlier report."""
    if not name.startswith(SUBMITTED):
        return texts("criteria.instant", name=texts.word("words.instant", name))
    stage = owed.stage(name.removeprefix(SUBMITTED))
    title = stage.title.lang(texts.lang) if stage is not None else name.removeprefix(SUBMITTED)
    return texts("criteria.submission", stage=harmless(title))


def _span(span: timedelta, texts: Texts) -> str:
    return Times(texts=texts, zone=ZoneInfo("UTC")).span(span)
