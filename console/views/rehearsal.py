"""What a rehearsal says, as sections for a terminal or a page, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.rehearsing import Rehearsed
from console.texts import Texts
from console.views.sheet import Line, Row, Section, Table
from models.rehearsal.study import HOURS, Effect, Level, Study

MANY = 90
FEW = 50
SHOWN_LEVELS = 12


def as_json(one: Rehearsed) -> dict[str, Any]:
    """All of it; the same for the same seed, whatever it was played on."""
    plan = one.plan
    return {
        "playbook": plan.playbook,
        "seed": plan.seed,
        "year": plan.year,
        "severity": plan.severity,
        "from": plan.start,
        "hours": int(plan.horizon.total_seconds() // 3600),
        "study": one.found.as_json(),
        "compared": one.compared,
        "changes": [_effect_json(change) for change in one.changes],
        "sensitivity": [
            {
                "assumption": less.about["assumption"],
                "half": _effect_json(less),
                "half_more": _effect_json(more),
            }
            for less, more in one.sensitive
        ],
        "assumptions": plan.assumptions.model_dump(mode="json", exclude_none=True),
    }


def _effect_json(one: Effect) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "about": one.about,
        "clocks_met": one.score,
        "gain": one.gain,
        "gain_95": [one.low, one.high],
        "containment_p50": one.contained,
        "sooner": one.sooner,
        "runs_sooner": one.better,
        "runs_later": one.worse,
    }


def sections(one: Rehearsed, texts: Texts) -> list[Section]:
    """What was found, in the order in which it is asked."""
    found = one.found
    made = [
        _head(one, texts),
        _clocks(found, texts),
        _times(found, texts),
        _levels(found, texts),
        _waits(found, texts),
    ]
    if one.changes:
        made.append(_changes(one, texts))
    if one.sensitive:
        made.append(_sensitive(one, texts))
    return made


def span(seconds: int | None, texts: Texts) -> str:
    """A time in words as short as they are: 4m, 3h 20m, 2d 4h; or that it was not reached."""
    if seconds is None:
        return texts("rehearsal.never")
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds}s"
    hours, rest = divmod(minutes, 60)
    if hours >= HOURS:
        return f"{hours // HOURS}d {hours % HOURS}h"
    return f"{hours}h {rest:02}m" if hours else f"{rest}m"


def percent(share: float) -> str:
    """A share in per cent, whole."""
    return f"{share * 100:.0f} %"


def _say(texts: Texts, key: str, **values: object) -> str:
    return texts(f"rehearsal.{key}", **values)


def _head(one: Rehearsed, texts: Texts) -> Section:
    plan, found = one.plan, one.found
    since = plan.start or _say(texts, "any_hour")
    lines = [
        _say(
            texts, "head", runs=found.runs, playbook=plan.playbook, seed=plan.seed, hour=since, year=plan.year
        ),
        _say(texts, "facts", facts=found.facts),
    ]
    notes = [Line(text=line) for line in lines]
    notes.append(Line(text=_say(texts, "honest"), style="warn"))
    return Section(title=_say(texts, "title"), parts=tuple(notes))


def _clocks(found: Study, texts: Texts) -> Section:
    rows = [
        Row(
            cells=(clock_name(chance.clock, texts), percent(chance.share),
                   f"{percent(chance.low)}–{percent(chance.high)}",
                   str(chance.runs), str(chance.open)),
            style="bad" if chance.share * 100 < FEW else "warn" if chance.share * 100 < MANY else "plain",
        )
        for chance in sorted(found.clocks, key=lambda one: (one.share, one.clock))
        if chance.runs
    ]  # fmt: skip
    return Section(
        title=_say(texts, "clocks"), parts=(Table(headers=_headers(texts, "clock"), rows=tuple(rows)),)
    )


def clock_name(clock: str, texts: Texts) -> str:
    """A clock by its kind and what it is about."""
    kind, _, about = clock.partition(":")
    word = texts.get(f"rehearsal.clock.{kind}", kind)
    return f"{word} {about}".strip()


def _headers(texts: Texts, name: str) -> tuple[str, ...]:
    return tuple(_say(texts, f"columns.{name}").split("|"))


def _times(found: Study, texts: Texts) -> Section:
    rows = [
        Row(
            cells=(
                _say(texts, f"time.{one.what}"),
                span(one.p10, texts),
                span(one.p50, texts),
                span(one.p90, texts),
                f"{one.reached}/{one.runs}",
            )
        )
        for one in found.times
    ]
    table = Table(headers=_headers(texts, "time"), rows=tuple(rows))
    return Section(title=_say(texts, "times"), parts=(table,))


def worst_levels(found: Study) -> list[Level]:
    """The levels that were called most often in vain."""
    called = [one for one in found.levels if sum(one.silent)]
    return sorted(called, key=lambda one: (-sum(one.silent), one.route, one.level))[:SHOWN_LEVELS]


def _levels(found: Study, texts: Texts) -> Section:
    rows = []
    for one in worst_levels(found):
        hours = sorted(
            (hour for hour in range(HOURS) if one.asked[hour]),
            key=lambda hour: (-one.silent[hour] / one.asked[hour], -one.silent[hour], hour),
        )[:3]
        worst = ", ".join(f"{hour:02}:00 ({percent(one.silent[hour] / one.asked[hour])})" for hour in hours)
        rows.append(
            Row(
                cells=(one.route, str(one.level + 1), str(sum(one.asked)), percent(one.share), worst),
                style="bad" if one.share * 100 > FEW else "plain",
            )
        )
    table = Table(headers=_headers(texts, "level"), rows=tuple(rows))
    return Section(title=_say(texts, "levels"), parts=(table,))


def _waits(found: Study, texts: Texts) -> Section:
    rows = [
        Row(cells=(_say(texts, f"wait.{one.what}"), one.name, span(one.seconds, texts)))
        for one in (*found.waits[:8], *found.roles[:4])
    ]
    table = Table(headers=_headers(texts, "wait"), rows=tuple(rows))
    return Section(title=_say(texts, "waits"), parts=(table,))


def change_name(one: Effect, texts: Texts) -> str:
    """What is changed, in words."""
    return _say(texts, f"change.{one.kind}", **one.about)


def _changes(one: Rehearsed, texts: Texts) -> Section:
    rows = [
        Row(
            cells=(
                change_name(change, texts),
                f"{points(change.gain)} ({points(change.low)} … {points(change.high)})",
                _sooner(change.sooner, texts),
                f"{change.better}/{change.worse}",
            ),
            style="good" if change.low > 0 else "plain",
        )
        for change in one.changes
    ]
    notes = [Line(text=_say(texts, "compared", runs=one.compared), style="dim")]
    if not any(change.low > 0 for change in one.changes):
        notes.append(Line(text=_say(texts, "luck"), style="warn"))
    table = Table(headers=_headers(texts, "change"), rows=tuple(rows))
    return Section(title=_say(texts, "changes"), parts=(*notes, table))


def points(gain: float) -> str:
    """A gain in percentage points."""
    return f"{gain * 100:+.1f}"


def _sooner(seconds: int | None, texts: Texts) -> str:
    if seconds is None:
        return "–"
    sign = "-" if seconds > 0 else "+" if seconds < 0 else "±"
    return f"{sign}{span(abs(seconds), texts)}"


def _sensitive(one: Rehearsed, texts: Texts) -> Section:
    rows = [
        Row(
            cells=(
                less.about["assumption"],
                *_both(less, texts),
                *_both(more, texts),
            )
        )
        for less, more in one.sensitive
    ]
    table = Table(headers=_headers(texts, "sensitive"), rows=tuple(rows))
    return Section(title=_say(texts, "sensitivity"), parts=(table,))


def _both(one: Effect, texts: Texts) -> Iterator[str]:
    yield percent(one.score)
    yield span(one.contained, texts)
