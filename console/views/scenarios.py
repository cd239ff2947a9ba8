"""The scenarios there are, on one screen and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from console.texts import Texts
from console.views.sheet import Row, Section, Table, harmless
from models.scenario import Scenario
from models.values import write_duration
from playbooks.scenarios import ScenarioEntry

_FOR_PLAYERS = ("version", "form", "blind", "rules", "briefing")


def listing(entries: Iterable[ScenarioEntry], texts: Texts) -> Section:
    """All scenarios, for the facilitator: the titles tell what happens."""
    rows = tuple(
        Row(
            cells=(
                one.scenario.scenario,
                one.scenario.version,
                harmless(one.scenario.title.lang(texts.lang)),
                write_duration(one.scenario.duration),
                str(len(one.scenario.injects)),
                ", ".join(one.scenario.playbooks),
                texts.word("reading.origin", one.origin),
            )
        )
        for one in entries
    )
    names = ("name", "version", "title", "duration", "injects", "playbooks", "origin")
    headers = tuple(texts(f"scenarios.listed.{name}") for name in names)
    title = texts("scenarios.listed.heading")
    return Section(title=title, parts=(Table(headers=headers, rows=rows, whole=(0, 1, 3)),))


def as_json(entry: ScenarioEntry) -> dict[str, object]:
    """One scenario in the list."""
    one = entry.scenario
    return {
        "scenario": one.scenario,
        "version": one.version,
        "title": one.title.model_dump(),
        "origin": entry.origin,
        "reviewed": one.reviewed.isoformat(),
        "duration": write_duration(one.duration),
        "playbooks": list(one.playbooks),
        "roles": [card.role for card in one.roles],
        "objectives": len(one.objectives),
        "injects": len(one.injects),
        "blind": one.blind,
        "large_scale": one.large_scale,
    }


def whole_json(scenario: Scenario) -> dict[str, Any]:
    """Everything, for programs of the facilitator."""
    return scenario.model_dump(mode="json", by_alias=True)


def players_json(scenario: Scenario) -> dict[str, Any]:
    """What players may know. Fields are named here, so that a new one stays secret until somebody says so."""
    made = scenario.model_dump(mode="json", by_alias=True)
    start = made["start"]
    return {
        **{name: made[name] for name in _FOR_PLAYERS},
        "title": scenario.called.model_dump(),
        "duration": made["duration"],
        "roles": [card.role for card in scenario.roles if card.played_by == "participant"],
        "objectives": [one.text.model_dump() for one in scenario.objectives if one.told],
        "start": {name: start[name] for name in ("day", "time", "known")},
    }
