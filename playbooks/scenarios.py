"""Drill scenarios: the shipped ones, those of the institution, and which of them override which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from models.scenario import ExerciseKit, Scenario
from playbooks.defect import Defect, Defects
from playbooks.document import Document
from playbooks.library import Origin
from playbooks.reading import read_folder, read_yaml

FOLDER = Path(__file__).parent / "scenarios"
KIT = Path(__file__).parent / "catalogue" / "exercise.yaml"
OWN_FOLDER = "scenarios"
MAX_SCENARIOS = 200


@dataclass(frozen=True, kw_only=True)
class ScenarioEntry:
    """One scenario with the file it was read from."""

    scenario: Scenario
    document: Document
    origin: Origin


def read_scenarios(directory: Path) -> tuple[Mapping[str, ScenarioEntry], list[Defect]]:
    """All scenarios by id; one of the institution's own takes the place of a shipped one of the same id."""
    shipped, defects = _shipped(FOLDER)
    own, more = read_folder(directory / OWN_FOLDER, Scenario, "scenario", MAX_SCENARIOS)
    entries = dict(shipped)
    for name, (scenario, document) in own.items():
        origin: Origin = "overrides" if name in shipped else "own"
        entries[name] = ScenarioEntry(scenario=scenario, document=document, origin=origin)
    return entries, [*defects, *more]


class Scenarios(Mapping[str, Scenario]):
    """The scenarios of an institution, read when the first of them is asked for.

    One with a defect of form is left out; a shipped one comes back in the place of a broken override, and
    `hikeshi check` says so.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, name: str) -> Scenario:
        return self.entries[name].scenario

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def entries(self) -> Mapping[str, ScenarioEntry]:
        """The sound ones, with where each comes from."""
        return read_scenarios(self._directory)[0]


def shipped_scenarios() -> Mapping[str, Scenario]:
    """The scenarios that come with Hikeshi."""
    return {name: entry.scenario for name, entry in _shipped(FOLDER)[0].items()}


@cache
def _shipped(folder: Path) -> tuple[Mapping[str, ScenarioEntry], tuple[Defect, ...]]:
    """Read once: the package's files do not change while a process runs."""
    found, defects = read_folder(folder, Scenario, "scenario", MAX_SCENARIOS)
    entries = {
        name: ScenarioEntry(scenario=scenario, document=document, origin="shipped")
        for name, (scenario, document) in found.items()
    }
    return entries, tuple(defects)


@cache
def exercise_kit() -> ExerciseKit:
    """Ground rules and questions that every exercise has. Raises Defects if the package's file is broken."""
    kit, defects = read_yaml(KIT, ExerciseKit)
    if kit is None:
        raise Defects(defects)
    return kit


def whole(scenario: Scenario) -> Scenario:
    """The scenario with what every exercise has before its own ground rules and questions."""
    kit = exercise_kit()
    return scenario.model_copy(
        update={
            "rules": (*kit.rules, *scenario.rules),
            "hot_wash": (*kit.hot_wash, *scenario.hot_wash),
            "questions": (*kit.questions, *scenario.questions),
        }
    )
