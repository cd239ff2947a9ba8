"""Settings, alert sources, and files of the directory that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from models.drillfile import DRILL_FILE, PARTICIPANTS_FILE
from models.installation import Intake, Rule
from models.organisation import Channel
from playbooks.catalogue import OWN_FILE
from playbooks.check import hooks, integrity
from playbooks.check.view import View, twice, unknown
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath
from playbooks.drillfiles import defects as of_drill
from playbooks.drillfiles import is_drill
from playbooks.institution import FILES
from playbooks.library import OWN_FOLDER
from playbooks.scenarios import OWN_FOLDER as SCENARIOS

TABLES = {"sms": "gateway", "voice": "gateway"}
LOOKED_AT = {".yaml", ".yml", ".toml"}


def defects(view: View) -> Iterator[Defect]:
    """What does not fit in settings and intake."""
    yield from _unread(view.contents.directory)
    yield from of_drill(view.contents.directory, view.organisation)
    yield from _channels(view)
    yield from _shared(view)
    yield from integrity.defects(view)
    yield from hooks.defects(view)
    if view.contents.intake is not None and "intake.yaml" in view.contents.documents:
        yield from _intake(view, view.document("intake.yaml"), view.contents.intake)


def _unread(directory: Path) -> Iterator[Defect]:
    """Files that look like ours but are not: a misspelt name would be a silent loss."""
    known = {*FILES, OWN_FILE} | ({DRILL_FILE, PARTICIPANTS_FILE} if is_drill(directory) else set())
    for path in sorted(directory.glob("*")):
        if path.suffix in LOOKED_AT and path.name not in known:
            yield _ignored(path, one_of(known, path.name))
    for folder in (OWN_FOLDER, SCENARIOS):
        for path in sorted((directory / folder).glob("*")):
            if path.suffix in LOOKED_AT - {".yaml"}:
                yield _ignored(path, f"the name {path.stem}.yaml")


def _ignored(path: Path, expected: str) -> Defect:
    return Defect(
        file=str(path),
        line=1,
        column=1,
        path="",
        wrong="this file is not read",
        expected=expected,
        severity="warning",
    )


def _shared(view: View) -> Iterator[Defect]:
    """Several machines may have the record: a link signed by one of them has to open at the others."""
    settings = view.contents.settings
    if settings is None or "settings.toml" not in view.contents.documents:
        return
    if not (settings.database or "").startswith("postgresql"):
        return
    missing = []
    if settings.signing_key is None:
        links = "each machine makes a signing key of its own: links of one open at no other"
        missing.append((links, "`signing_key`, the same secret on each"))
    if settings.integrity.key is None:
        wrong = "each machine makes a key for checkpoints of its own, and only one of them can be used"
        missing.append((wrong, "`[integrity] key`, the same secret on each, or one `checkpoint.key` for all"))
    for wrong, expected in missing:
        yield view.document("settings.toml").defect(("database",), wrong, expected, severity="warning")


def _channels(view: View) -> Iterator[Defect]:
    """Channels that people, routes or the fallback use, without the settings that they need."""
    settings, organisation, routes = view.contents.settings, view.organisation, view.contents.routes
    set_up = view.channels
    for number, person in enumerate(organisation.people if organisation else ()):
        yield from _used(
            view.document("organisation.yaml"), ("people", number, "channels"), person.channels, set_up
        )
    for number, route in enumerate(routes.routes if routes else ()):
        for place, level in enumerate(route.levels):
            path: KeyPath = ("routes", number, "levels", place, "channels")
            yield from _used(view.document("routes.yaml"), path, level.channels, set_up)
    if settings is not None and "settings.toml" in view.contents.documents:
        document = view.document("settings.toml")
        yield from unknown(document, ("fallback",), settings.fallback, get_args(Channel), "channel")
        yield from _used(document, ("fallback",), settings.fallback, set_up)


def _used(
    document: Document, path: KeyPath, channels: tuple[str, ...], set_up: frozenset[str]
) -> Iterator[Defect]:
    for place, channel in enumerate(channels):
        if channel in get_args(Channel) and channel not in set_up:
            yield document.defect(
                (*path, place),
                f"the channel {channel} is used, but settings.toml does not set it up",
                f"a table [{TABLES.get(channel, channel)}] in settings.toml, or another channel",
            )


def _intake(view: View, document: Document, intake: Intake) -> Iterator[Defect]:
    yield from twice(document, ("sources",))
    for number, source in enumerate(intake.sources):
        path: KeyPath = ("sources", number)
        if source.format == "json" and source.mapping is None:
            yield document.defect(path, f"{source.id} has format json but no mapping", "a `mapping`")
        for place, rule in enumerate(source.rules):
            yield from _rule(view, document, (*path, "rules", place), rule)


def _rule(view: View, document: Document, path: KeyPath, rule: Rule) -> Iterator[Defect]:
    severity = view.contents.severity
    if rule.playbook is not None and rule.playbook not in view.playbooks:
        yield document.defect(
            (*path, "playbook"),
            f"{quoted(rule.playbook)} is no playbook",
            one_of(view.playbooks, rule.playbook),
        )
    if rule.severity is not None and severity is not None and severity.rank(rule.severity) < 0:
        known = [one.id for one in severity.severities]
        yield document.defect(
            (*path, "severity"), f"{quoted(rule.severity)} is no severity", one_of(known, rule.severity)
        )
