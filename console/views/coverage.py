"""Which item of the guideline is covered by which step of which playbook, and which are empty and why.

The catalogue is a selection with paraphrases: its counts say how far this installation has come with it, and
are never a count of what the FSA requires.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from console.texts import Texts
from console.views.sheet import Line, Section, harmless
from models.exercised import SERVED_BY
from models.plan import Plan
from playbooks.catalogue import GuidelineItem

Why = Literal["covered", "governance", "exercise", "gap", "gap-in-some"]
LEVELS = ("basic", "desirable")
ORIGINS = ("official", "seed", "own")


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What covers an item: a step, or the playbook as a whole (`step` empty)."""

    playbook: str
    step: str


@dataclass(frozen=True, kw_only=True)
class Covered:
    """An item with all that covers it; `missing` are playbooks that should cover it and do not."""

    item: GuidelineItem
    by: tuple[Cover, ...]
    missing: tuple[str, ...]
    why: Why


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """All items, what the institution wrote over, and items that steps name and no catalogue has."""

    items: tuple[Covered, ...]
    overridden: tuple[str, ...]
    own: tuple[str, ...]
    unknown: tuple[str, ...]


def coverage(
    plans: Mapping[str, Plan],
    catalogue: Mapping[str, GuidelineItem],
    origins: Mapping[str, str],
    parts: frozenset[str],
) -> Coverage:
    """Coverage of `catalogue` by `plans` (every playbook laid out); `parts` are only called by others."""
    by: dict[str, list[Cover]] = {}
    for name, plan in plans.items():
        for item, step in _named(name, plan):
            by.setdefault(item, []).append(Cover(playbook=name, step=step))
    reach = {name: _reached(plan, plans) for name, plan in plans.items() if name not in parts}
    return Coverage(
        items=tuple(_covered(item, by, reach) for item in catalogue.values()),
        overridden=tuple(name for name, origin in origins.items() if origin == "overrides"),
        own=tuple(name for name, origin in origins.items() if origin == "own"),
        unknown=tuple(sorted(set(by) - set(catalogue))),
    )


def _named(name: str, plan: Plan) -> Iterator[tuple[str, str]]:
    """Items that a playbook's own steps name; those of a called part are counted there."""
    yield from ((item, "") for item in plan.playbook.covers)
    for step in plan.playbook.steps:
        yield from ((item, step.id) for item in step.guideline)


def _reached(plan: Plan, plans: Mapping[str, Plan]) -> set[str]:
    """Items that a playbook covers with all that it calls."""
    called = {planned.step.call for planned in plan.steps.values() if planned.step.call}
    whole = {item for name in called if name in plans for item in plans[name].playbook.covers}
    steps = {item for planned in plan.steps.values() for item in planned.step.guideline}
    return whole | steps | set(plan.playbook.covers)


def _covered(item: GuidelineItem, by: Mapping[str, list[Cover]], reach: Mapping[str, set[str]]) -> Covered:
    missing: tuple[str, ...] = ()
    if item.scope == "playbook":
        missing = tuple(name for name, items in reach.items() if item.id not in items)
    found = tuple(by.get(item.id, ()))
    return Covered(item=item, by=found, missing=missing, why=_why(item, found, missing))


def _why(item: GuidelineItem, found: tuple[Cover, ...], missing: tuple[str, ...]) -> Why:
    if found:
        return "gap-in-some" if missing else "covered"
    return item.scope if item.scope in ("governance", "exercise") else "gap"


# -- for people and programs --------------------------------------------------------------------------------


def sections(found: Coverage, texts: Texts) -> list[Section | Line]:
    """The items of each level, what is counted, what was written over."""
    parts: list[Section | Line] = []
    for level in LEVELS:
        of = [one for one in found.items if one.item.level == level]
        lines = tuple(line for one in of for line in _lines(one, texts))
        parts.append(Section(title=texts(f"reading.coverage.{level}"), parts=lines))
    return [*parts, Section(title=texts("reading.coverage.counts"), parts=tuple(_counts(found, texts)))]


def _lines(one: Covered, texts: Texts) -> Iterator[Line]:
    origin = texts(f"reading.coverage.origins.{one.item.origin}")
    state = texts(f"reading.coverage.why.{one.why}", playbooks=", ".join(one.missing))
    style = {"gap": "bad", "gap-in-some": "warn", "covered": "strong"}.get(one.why, "dim")
    yield Line(text=f"{one.item.id}  [{origin}]  {state}", style=style)  # type: ignore[arg-type]
    yield Line(text=harmless(one.item.summary.lang(texts.lang)), indent=1)
    if served := SERVED_BY.get(one.item.id):
        commands = texts("words.comma").join(f"hikeshi {command}" for command in served)
        yield Line(text=texts("programme.served_by", commands=commands), style="dim", indent=1)
    by = "; ".join(
        f"{name}: {', '.join(step or '*' for step in steps)}" for name, steps in _by_playbook(one).items()
    )
    if by:
        yield Line(text=texts("reading.coverage.by", by=by), style="dim", indent=1)


def _by_playbook(one: Covered) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for cover in one.by:
        found.setdefault(cover.playbook, []).append(cover.step)
    return found


def _counts(found: Coverage, texts: Texts) -> Iterator[Line]:
    for row in counts(found):
        yield Line(text=texts("reading.coverage.count", **row | _named_row(row, texts)))
    yield Line(text=texts("reading.coverage.not_a_total"), style="warn")
    for name in ("overridden", "own", "unknown"):
        if names := getattr(found, name):
            yield Line(text=texts(f"reading.coverage.{name}", names=", ".join(names)))


def _named_row(row: Mapping[str, object], texts: Texts) -> dict[str, object]:
    return {
        "origin": texts(f"reading.coverage.origins.{row['origin']}"),
        "level": texts(f"reading.coverage.{row['level']}"),
    }


def counts(found: Coverage) -> list[dict[str, object]]:
    """Listed and covered items, each origin and level apart: they are never added up."""
    rows: list[dict[str, object]] = []
    for origin in ORIGINS:
        for level in LEVELS:
            of = [one for one in found.items if (one.item.origin, one.item.level) == (origin, level)]
            if of:
                states = [one.why for one in of]
                rows.append(
                    {
                        "origin": origin,
                        "level": level,
                        "listed": len(of),
                        "covered": states.count("covered"),
                        "partly": states.count("gap-in-some"),
                        "elsewhere": states.count("governance") + states.count("exercise"),
                        "gaps": states.count("gap"),
                    }
                )
    return rows


def as_json(found: Coverage) -> dict[str, object]:
    """The coverage for programs."""
    return {
        "items": [
            {
                "id": one.item.id,
                "edition": one.item.edition.isoformat(),
                "origin": one.item.origin,
                "level": one.item.level,
                "scope": one.item.scope,
                "confidence": one.item.confidence,
                "summary": one.item.summary.model_dump(),
                "covered_by": [{"playbook": cover.playbook, "step": cover.step or None} for cover in one.by],
                "missing_in": list(one.missing),
                "state": one.why,
                "served_by": [f"hikeshi {command}" for command in SERVED_BY.get(one.item.id, ())],
            }
            for one in found.items
        ],
        "counts": counts(found),
        "counts_are": "items of the catalogue, a selection; not the number of requirements of the FSA",
        "overridden": list(found.overridden),
        "own": list(found.own),
        "unknown_items": list(found.unknown),
    }
