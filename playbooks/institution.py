"""The institution's own directory, read whole: people, routes, playbooks, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field

from models.audience import APPROVALS, Audience
from models.directory import shift_rule
from models.errors import BadConfiguration
from models.installation import Intake, Settings
from models.organisation import Organisation
from models.policy import Limits, Policy, Route, SeverityPolicy
from models.targets import Targets
from models.values import Frozen, Id
from playbooks.catalogue import GuidelineItem, read_catalogue
from playbooks.defect import Defect, Defects, errors_of
from playbooks.document import Document, read_document
from playbooks.library import Entry, Library, read_library
from playbooks.obligations import ObligationsFile, merged
from playbooks.outgoing import MessagesFile
from playbooks.reading import fit
from playbooks.scenarios import ScenarioEntry, Scenarios, read_scenarios

Model = TypeVar("Model", bound=BaseModel)


def _each_once(chain: tuple[str, ...]) -> tuple[str, ...]:
    """Nobody approves a message twice, so a role named twice would be paged for what it cannot give.

    Asked of the file, not of the policy: what was frozen into an incident before still has to load.
    """
    twice = sorted({role for role in chain if chain.count(role) > 1})
    if twice:
        raise ValueError(f"expected each role once, got {', '.join(twice)} more than once")
    return chain


class RoutesFile(Frozen):
    """`routes.yaml`: routes, and the limits and permissions that are frozen with them."""

    routes: tuple[Route, ...] = Field(min_length=1)
    limits: Limits = Limits()
    permissions: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="command -> roles, over the shipped table"
    )
    approvals: dict[Audience, Annotated[tuple[Id, ...], AfterValidator(_each_once)]] = Field(
        default_factory=dict, description="audience -> roles that approve, in order, over the shipped ones"
    )
    lists: dict[Id, tuple[Id, ...]] = Field(
        default_factory=dict, description="name -> roles or people, whom situation reports go to"
    )


FILES: Mapping[str, type[BaseModel]] = {
    "organisation.yaml": Organisation,
    "routes.yaml": RoutesFile,
    "severity.yaml": SeverityPolicy,
    "obligations.yaml": ObligationsFile,
    "targets.yaml": Targets,
    "intake.yaml": Intake,
    "settings.toml": Settings,
    "messages.yaml": MessagesFile,
}
REQUIRED = ("organisation.yaml", "routes.yaml", "severity.yaml")


@dataclass(frozen=True, kw_only=True)
class Institution:
    """Everything the directory says, merged with what is shipped."""

    directory: Path
    organisation: Organisation
    policy: Policy
    intake: Intake
    targets: Targets
    settings: Settings
    playbooks: Library
    owed: ObligationsFile = field(default_factory=ObligationsFile)
    messages: MessagesFile | None = None

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each playbook comes from: shipped, own, or own in the place of a shipped one."""
        return {name: entry.origin for name, entry in self.playbooks.entries.items()}

    @cached_property
    def scenarios(self) -> Scenarios:
        """The drill scenarios, shipped and own."""
        return Scenarios(self.directory)

    @cached_property
    def catalogue(self) -> Mapping[str, GuidelineItem]:
        """The guideline's items, the institution's own among them; without what cannot be read."""
        return read_catalogue(self.directory)[0]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The directory as far as it can be read: a file with defects is None, and the others still count."""

    directory: Path
    documents: Mapping[str, Document]
    organisation: Organisation | None
    routes: RoutesFile | None
    severity: SeverityPolicy | None
    targets: Targets | None
    intake: Intake | None
    settings: Settings | None
    owed: ObligationsFile | None
    messages: MessagesFile | None
    entries: Mapping[str, Entry]
    catalogue: Mapping[str, GuidelineItem]
    defects: tuple[Defect, ...]
    scenarios: Mapping[str, ScenarioEntry] = field(default_factory=dict)


def load(directory: Path) -> Institution:
    """The institution in `directory`. Raises Defects (a BadConfiguration) with every defect of its own files.

    Playbooks are read when they are needed, and one with a defect is left out (see Library). What only shows
    across files is found by `playbooks.check`.
    """
    contents = _read_core(directory)
    wrong = errors_of(contents.defects)
    if wrong:
        raise Defects(wrong)
    organisation, routes, severity = contents.organisation, contents.routes, contents.severity
    assert organisation and routes and severity  # noqa: S101 - what is missing is a defect
    return Institution(
        directory=directory,
        organisation=organisation,
        policy=_policy(routes, severity, contents.owed),
        intake=contents.intake or Intake(),
        targets=contents.targets or Targets(),
        settings=contents.settings or Settings(),
        playbooks=Library(directory),
        owed=contents.owed or ObligationsFile(),
        messages=contents.messages,
    )


def _policy(routes: RoutesFile, severity: SeverityPolicy, owed: ObligationsFile | None) -> Policy:
    """What is frozen into an incident; the obligations among it, picked by the incident's day."""
    return Policy(
        routes=routes.routes,
        severity=severity,
        limits=routes.limits,
        permissions=routes.permissions,
        profile=(owed or ObligationsFile()).profile,
        obligations=merged(owed).obligations,
        approvals={**APPROVALS, **routes.approvals},
        lists=routes.lists,
    )


def read_contents(directory: Path) -> Contents:
    """All files of the directory with their places and the defects of their form."""
    core = _read_core(directory)
    entries, defects = read_library(directory)
    catalogue, _, more = read_catalogue(directory)
    scenarios, wrong = read_scenarios(directory)
    return replace(
        core,
        entries=entries,
        scenarios=scenarios,
        catalogue=catalogue,
        defects=tuple(sorted([*core.defects, *defects, *more, *wrong])),
    )


def _read_core(directory: Path) -> Contents:
    """What every command needs: these files, without playbooks and catalogue."""
    documents, defects = _read_files(directory)
    organisation = _fit(documents, "organisation.yaml", Organisation, defects)
    if organisation is not None:
        defects += _bad_shifts(organisation, documents["organisation.yaml"])
    return Contents(
        directory=directory,
        documents=documents,
        organisation=organisation,
        routes=_fit(documents, "routes.yaml", RoutesFile, defects),
        severity=_fit(documents, "severity.yaml", SeverityPolicy, defects),
        targets=_fit(documents, "targets.yaml", Targets, defects),
        intake=_fit(documents, "intake.yaml", Intake, defects),
        settings=_fit(documents, "settings.toml", Settings, defects),
        owed=_fit(documents, "obligations.yaml", ObligationsFile, defects),
        messages=_fit(documents, "messages.yaml", MessagesFile, defects),
        entries={},
        catalogue={},
        defects=tuple(sorted(defects)),
    )


def _read_files(directory: Path) -> tuple[dict[str, Document], list[Defect]]:
    documents: dict[str, Document] = {}
    defects: list[Defect] = []
    for name in FILES:
        path = directory / name
        if name not in REQUIRED and not path.exists():
            continue
        document, more = read_document(path)
        defects += more
        if document is not None:
            documents[name] = document
    return documents, defects


def _fit(
    documents: Mapping[str, Document], name: str, model: type[Model], defects: list[Defect]
) -> Model | None:
    if name not in documents:
        return None
    value, more = fit(documents[name], model)
    defects += more
    return value


def _bad_shifts(organisation: Organisation, document: Document) -> Iterator[Defect]:
    """Rules of shifts that give no days: a node that started with one could not say who is on duty."""
    for number, rota in enumerate(organisation.rotas):
        for turn, shift in enumerate(rota.shifts):
            try:
                shift_rule(shift)
            except BadConfiguration as wrong:
                yield document.defect(("rotas", number, "shifts", turn, "rule"), str(wrong))
