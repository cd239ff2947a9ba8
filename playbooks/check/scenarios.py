"""Drill scenarios: what they name, what they leave untested, how old they are (FSA-2.2.5-B5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from models.organisation import Service
from models.scenario import Expected, Inject, Measure, Scenario
from models.values import Text
from playbooks.check.review import aged
from playbooks.check.script import Script, conditions, times
from playbooks.check.view import View, twice, unknown
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath
from playbooks.scenarios import OWN_FOLDER, ScenarioEntry

CONTROL = "control"
"""Who sends what comes from nobody in particular."""
_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


def defects(view: View) -> Iterator[Defect]:
    """What cannot be played as it is written."""
    for entry in view.contents.scenarios.values():
        found = list(_wrong(view, entry))
        scenario, document = entry.scenario, entry.document
        yield from _not_here(view, scenario, found) if entry.origin == "shipped" else found
        yield from aged(view, document, scenario.reviewed, scenario.review_every)
        if entry.origin != "shipped":
            yield from _one_language(document, scenario)


def _wrong(view: View, entry: ScenarioEntry) -> Iterator[Defect]:
    document, scenario = entry.document, entry.scenario
    script = Script(view, document, scenario)
    for path in (("injects",), ("objectives",), ("outside",), ("questions",), ("start", "backups")):
        yield from twice(document, path)
    yield from twice(document, ("roles",), key="role")
    yield from unknown(document, ("playbooks",), scenario.playbooks, view.playbooks, "playbook")
    yield from _guideline(view, document, scenario)
    yield from _people(view, document, scenario)
    yield from _start(view, document, scenario)
    yield from _objectives(view, script)
    for number, inject in enumerate(scenario.injects):
        yield from _inject(script, ("injects", number), inject)
    for number, outcome in enumerate(scenario.outcomes):
        yield from script.step(("outcomes", number, "step"), outcome.step)
    yield from times(script)
    yield from conditions(script)


def _not_here(view: View, scenario: Scenario, found: list[Defect]) -> Iterator[Defect]:
    """A shipped scenario that does not fit this institution is no defect of the institution's own files."""
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        yield Defect(
            file=str(view.contents.directory / OWN_FOLDER),
            line=1,
            column=1,
            path=scenario.scenario,
            wrong=f"this shipped scenario cannot be played here as it is: {found[0].path}: "
            f"{found[0].wrong}{more}",
            expected=f"a scenario of your own in its place: {scenario.scenario}.yaml",
            severity="warning",
        )


def _guideline(view: View, document: Document, scenario: Scenario) -> Iterator[Defect]:
    items = view.contents.catalogue
    if not items:  # a catalogue that cannot be read is told already
        return
    yield from unknown(document, ("guideline",), scenario.guideline, items, "guideline item")
    for number, objective in enumerate(scenario.objectives):
        path: KeyPath = ("objectives", number, "guideline")
        yield from unknown(document, path, objective.guideline, items, "guideline item")


def _people(view: View, document: Document, scenario: Scenario) -> Iterator[Defect]:
    if view.organisation is None:
        return
    for number, card in enumerate(scenario.roles):
        yield from _named(document, ("roles", number, "role"), card.role, view.roles, "role")
    for number, party in enumerate(scenario.outside):
        path: KeyPath = ("outside", number, "party")
        yield from _named(document, path, party.party, view.parties, "third party")


def _start(view: View, document: Document, scenario: Scenario) -> Iterator[Defect]:
    start = scenario.start
    named = [
        *((("start", "services", n, "service"), one.service) for n, one in enumerate(start.services)),
        *((("start", "backups", n, "service"), one.service) for n, one in enumerate(start.backups)),
    ]
    for path, name in named:
        yield from _service(view, document, path, name)
    policy = view.contents.severity
    if policy is not None:
        known = [one.id for one in policy.severities]
        yield from _named(document, ("start", "severity"), start.severity, known, "severity")


def _service(view: View, document: Document, path: KeyPath, name: str) -> Iterator[Defect]:
    if view.organisation is not None:
        yield from _named(document, path, name, view.services, "service")


def _objectives(view: View, script: Script) -> Iterator[Defect]:
    document, scenario = script.document, script.scenario
    for number, objective in enumerate(scenario.objectives):
        path: KeyPath = ("objectives", number)
        yield from _named(document, (*path, "since"), objective.since, script.injects, "inject")
        for place, measure in enumerate(objective.measures):
            yield from _measure(view, document, (*path, "measures", place), measure)
        if not scenario.tests(objective.id):
            yield document.defect(
                (*path, "id"), f"no inject tests {quoted(objective.id)}", "it in `objectives` of an inject"
            )


def _measure(view: View, document: Document, path: KeyPath, measure: Measure) -> Iterator[Defect]:
    yield from _service(view, document, (*path, "service"), measure.service)
    services: Iterable[Service] = view.organisation.services if view.organisation else ()
    for service in services:
        if service.id == measure.service:
            levels = [level.id for level in service.levels]
            what = f"level of {service.id}"
            yield from _named(document, (*path, "level"), measure.level, levels, what)


def _inject(script: Script, path: KeyPath, inject: Inject) -> Iterator[Defect]:
    document, cards = script.document, script.cards
    senders = {*cards, *(one.id for one in script.scenario.outside), CONTROL}
    yield from _named(document, (*path, "from"), inject.from_, senders, "outside party or role with a card")
    yield from unknown(document, (*path, "to"), inject.to, cards, "role with a card")
    yield from unknown(document, (*path, "objectives"), inject.objectives, script.objectives, "objective")
    for number, one in enumerate(inject.expect):
        here: KeyPath = (*path, "expect", number)
        yield from _named(document, (*here, "role"), one.role, cards, "role with a card")
        yield from _named(document, (*here, "objective"), one.objective, script.objectives, "objective")
        if one.step is not None:
            yield from script.step((*here, "step"), one.step, option=((*here, "option"), one.option))
            yield from _somebody_elses(script, (*here, "role"), one)


def _somebody_elses(script: Script, path: KeyPath, expected: Expected) -> Iterator[Defect]:
    """A step that is expected of a role which the playbook does not give it to: nobody could meet it."""
    found = script.steps.get(expected.step or "")
    step = found.step if found is not None else None
    acts = {step.owner, step.authority, step.approver} - {None} if step is not None else set()
    if expected.role is not None and acts and expected.role not in acts:
        wrong = f"{quoted(expected.step)} is not a step of {quoted(expected.role)}"
        who = ", ".join(sorted(map(str, acts)))
        yield script.document.defect(path, wrong, f"{who}, or no role", severity="warning")


def _named(
    document: Document, path: KeyPath, name: str | None, known: Iterable[str], what: str
) -> Iterator[Defect]:
    if name is not None and name not in known:
        yield document.defect(path, f"{quoted(name)} is no {what}", one_of(known, name))


def _one_language(document: Document, scenario: Scenario) -> Iterator[Defect]:
    """Texts whose English is Japanese: whoever reads English would get them as they are."""
    untold = [path for path, text in _texts(scenario, ()) if _JAPANESE.search(text.en)]
    if untold:
        more = f", and {len(untold) - 1} more like it" if len(untold) > 1 else ""
        yield document.defect(
            untold[0],
            f"stands in Japanese alone{more}",
            "{ja: …, en: …}, if anybody reads English",
            severity="warning",
        )


def _texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Text]]:
    if isinstance(value, Text):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _texts(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))
