"""What the checks look at: the files as far as they could be read, and the names that they define."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import get_args

from models.directory import Directory
from models.drillfile import SCRIPT
from models.errors import BadInput
from models.organisation import Channel, Organisation, Role
from models.plan import Plan, PlannedStep, lay_out
from models.playbook import Playbook
from models.targets import Target, Targets
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath
from playbooks.drillfiles import is_drill
from playbooks.institution import Contents
from playbooks.library import FOLDER, OWN_FOLDER, Entry, parts


@dataclass(frozen=True)
class View:
    """The contents of the directory at `now` (aware). A file that could not be read defines nothing."""

    contents: Contents
    now: datetime

    @property
    def organisation(self) -> Organisation | None:
        """`organisation.yaml`, or None if it has defects of form."""
        return self.contents.organisation

    def document(self, name: str) -> Document:
        """A file of the directory, with its places."""
        return self.contents.documents[name]

    @cached_property
    def directory(self) -> Directory | None:
        """Who is when; None if the organisation cannot be read or a rota has no days."""
        if self.organisation is None:
            return None
        try:
            return Directory(self.organisation)
        except BadInput:
            return None

    @cached_property
    def people(self) -> frozenset[str]:
        """Ids of all people."""
        return (
            frozenset(person.id for person in self.organisation.people) if self.organisation else frozenset()
        )

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """All roles by id."""
        return {role.id: role for role in self.organisation.roles} if self.organisation else {}

    @cached_property
    def services(self) -> frozenset[str]:
        """Ids of all services."""
        found = self.organisation.services if self.organisation else ()
        return frozenset(service.id for service in found)

    @cached_property
    def parties(self) -> frozenset[str]:
        """Ids of all third parties."""
        found = self.organisation.third_parties if self.organisation else ()
        return frozenset(party.id for party in found)

    @cached_property
    def targets(self) -> Mapping[str, Target] | None:
        """Targets by name, none if there is no file; None if the file has defects of form.

        None in a drill as well, which has no targets: machine steps are simulated there.
        """
        found = self.contents.targets
        if is_drill(self.contents.directory):
            return None
        return None if found is None and self._there("targets.yaml") else (found or Targets()).targets

    @cached_property
    def channels(self) -> frozenset[str]:
        """Channels that the settings set up; all if the settings cannot be read."""
        settings = self.contents.settings
        if settings is None and self._there("settings.toml"):
            return frozenset(get_args(Channel))
        set_up = settings.channels() if settings is not None else frozenset({"console", "file"})
        return set_up | {SCRIPT} if is_drill(self.contents.directory) else set_up

    def _there(self, file: str) -> bool:
        return (self.contents.directory / file).exists()

    @cached_property
    def playbooks(self) -> frozenset[str]:
        """Names of all playbooks, those included whose file has defects of form."""
        files = (*FOLDER.glob("*.yaml"), *(self.contents.directory / OWN_FOLDER).glob("*.yaml"))
        return frozenset(self.contents.entries) | {path.stem for path in files}

    def candidates(self, who: str) -> frozenset[str]:
        """Everybody who could ever be reached for a role or person, deputies included."""
        return self._candidates.get(who, frozenset())

    @cached_property
    def _candidates(self) -> dict[str, frozenset[str]]:
        if self.organisation is None:
            return {}
        deputies = {person.id: person.deputies for person in self.organisation.people}
        direct: dict[str, set[str]] = {person: {person} for person in self.people}
        for role in self.organisation.roles:
            direct[role.id] = self._direct(self.organisation, role)
        return {who: frozenset(_closure(found & self.people, deputies)) for who, found in direct.items()}

    @staticmethod
    def _direct(organisation: Organisation, role: Role) -> set[str]:
        rota = next((one for one in organisation.rotas if one.id == role.rota), None)
        if rota is None:
            return {person.id for person in organisation.people if role.id in person.roles}
        turns: Iterable[tuple[str, ...]] = [
            *(shift.people for shift in rota.shifts),
            *(override.people for override in rota.overrides),
        ]
        return {name for people in turns for name in people}

    @cached_property
    def used_roles(self) -> Mapping[str, frozenset[str]]:
        """Whom routes, services and playbooks name, with the names of those that do."""
        used: dict[str, set[str]] = {}
        for route in self.contents.routes.routes if self.contents.routes else ():
            for who in (*route.exhausted.to, *(who for level in route.levels for who in level.to)):
                used.setdefault(who, set()).add(f"route {route.id}")
        for service in self.organisation.services if self.organisation else ():
            used.setdefault(service.owner, set()).add(f"service {service.id}")
        for name, entry in self.contents.entries.items():
            for step in entry.playbook.steps:
                for name_or_none in (step.owner, *step.deciders, step.approver, *step.to):
                    used.setdefault(name_or_none or "", set()).add(f"playbook {name}")
        return {who: frozenset(by) for who, by in used.items()}

    def wrong_actor(self, document: Document, path: KeyPath, who: str) -> Iterator[Defect]:
        """A role or person that does not exist. A role that nobody has is told once, where it is defined."""
        if self.organisation is not None and who not in self.roles and who not in self.people:
            yield document.defect(
                path, f"{quoted(who)} is no role or person of organisation.yaml", one_of(self.roles, who)
            )

    @cached_property
    def plans(self) -> list[PlanView]:
        """Every playbook that is no part of another one, laid out with what it calls."""
        entries = self.contents.entries
        called = parts(entries)
        found = []
        for name, entry in entries.items():
            if name not in called:
                plan = self._lay_out(entry)
                if isinstance(plan, Plan):
                    found.append(PlanView(name=name, plan=plan, entries=entries))
        return found

    def plan_of(self, name: str) -> Plan | None:
        """The plan of one playbook, also of one that is a part; None if it cannot be laid out."""
        entry = self.contents.entries.get(name)
        plan = self._lay_out(entry) if entry is not None else None
        return plan if isinstance(plan, Plan) else None

    def unlaid(self) -> Iterator[Defect]:
        """Calls that go in a circle, nest too deep or bring in too much."""
        for entry in self.contents.entries.values():
            plan = self._lay_out(entry)
            if isinstance(plan, str) and plan:
                yield entry.document.defect(("steps",), plan)

    def _lay_out(self, entry: Entry) -> Plan | str:
        """The plan, or why there is none; an empty text if that is told elsewhere."""
        told: list[str] = []

        def find(name: str) -> Playbook:
            found = self.contents.entries.get(name)
            if found is None or _step_twice(found.playbook):
                told.append(name)
                raise BadInput(name)
            return found.playbook

        try:
            return lay_out(find(entry.playbook.playbook), find)
        except BadInput as wrong:
            return "" if told else str(wrong)


@dataclass(frozen=True, kw_only=True)
class PlanView:
    """One plan, with the file and place of each of its steps."""

    name: str
    plan: Plan
    entries: Mapping[str, Entry]

    def home(self, planned: PlannedStep) -> Entry:
        """The playbook that the step is written in."""
        caller = self.plan.steps[planned.caller] if planned.caller else None
        return self.entries[caller.step.call or "" if caller else self.name]

    def defect(self, planned: PlannedStep, path: KeyPath, wrong: str, expected: str = "") -> Defect:
        """A defect at `path` within a step."""
        entry = self.home(planned)
        number = next(n for n, step in enumerate(entry.playbook.steps) if step.id == planned.step.id)
        return entry.document.defect(("steps", number, *path), wrong, expected)


def _closure(start: set[str], deputies: Mapping[str, tuple[str, ...]]) -> set[str]:
    found, todo = set(start), list(start)
    while todo:
        for name in deputies.get(todo.pop(), ()):
            if name in deputies and name not in found:
                found.add(name)
                todo.append(name)
    return found


def _step_twice(playbook: Playbook) -> bool:
    return len({step.id for step in playbook.steps}) < len(playbook.steps)


def twice(document: Document, path: KeyPath, key: str = "id") -> Iterator[Defect]:
    """Ids that a list of the file gives to two of its items."""
    seen: dict[str, int] = {}
    items = document.get(path)
    for number, item in enumerate(items if isinstance(items, list) else ()):
        name = item.get(key) if isinstance(item, dict) else None
        if not isinstance(name, str):
            continue
        if name in seen:
            line = document.place((*path, seen[name], key))[0]
            yield document.defect(
                (*path, number, key),
                f"the {key} {quoted(name)} is there twice",
                f"another one: see line {line}",
            )
        else:
            seen[name] = number


def unknown(
    document: Document, path: KeyPath, names: Iterable[str], known: Iterable[str], what: str
) -> Iterator[Defect]:
    """Items of the list at `path` that name nothing."""
    there = set(known)
    for number, name in enumerate(names):
        if name not in there:
            yield document.defect((*path, number), f"{quoted(name)} is no {what}", one_of(there, name))
