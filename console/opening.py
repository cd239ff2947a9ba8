"""Opening an institution's directory: its files, its record, its desk, its secrets."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from models.clock import Clock, SystemClock
from models.desk import Desk
from models.errors import BadConfiguration, NotFound
from models.premises import Premises
from models.record import Record
from playbooks.institution import Institution, load

DIRECTORY_VARIABLE = "HIKESHI_DIR"
MARKER = "organisation.yaml"


@dataclass(frozen=True, kw_only=True)
class House:
    """An institution's directory, opened."""

    institution: Institution
    desk: Desk
    data: Path

    @property
    def record(self) -> Record:
        """The database."""
        return self.desk.record

    @property
    def evidence(self) -> Path:
        """Where preserved files are kept, under their digest."""
        return self.data / "evidence"


def find_directory(given: str | None) -> Path:
    """The institution's directory: as given, from HIKESHI_DIR, or the one we are in.

    Raises NotFound with what to do.
    """
    for candidate in (given, os.environ.get(DIRECTORY_VARIABLE)):
        if candidate:
            directory = Path(candidate).resolve()
            if not (directory / MARKER).is_file():
                raise NotFound(f"{directory} has no {MARKER}; make one with `hikeshi init {candidate}`")
            return directory
    here = Path.cwd()
    for directory in (here, *here.parents):
        if (directory / MARKER).is_file():
            return directory
    raise NotFound(
        f"no institution's directory here; use --dir DIR, set {DIRECTORY_VARIABLE}, or `hikeshi init DIR`"
    )


def data_directory(institution: Institution) -> Path:
    """Where the record and the evidence lie."""
    return (institution.directory / institution.settings.data).resolve()


def channels_of(institution: Institution) -> frozenset[str]:
    """The channels that this installation has set up."""
    found = {"console", "file"}
    if institution.settings.slack is not None:
        found.add("slack")
    if institution.settings.email is not None:
        found.add("email")
    return frozenset(found)


def open_house(directory: Path, clock: Clock | None = None, *, drill: bool = False) -> House:
    """Read the directory and open its record, laying it down if it is not there.

    Raises BadConfiguration with all defects, RecordError if the database cannot be used.
    """
    institution = load(directory)
    data = data_directory(institution)
    settings = institution.settings
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(PermissionError):
        # Whoever made it before us: what lies in it is for its owner alone.
        data.chmod(0o700)
    record = Record(settings.database) if settings.database else Record.at(data / "hikeshi.db")
    record.migrate()
    premises = Premises(
        organisation=institution.organisation,
        policy=institution.policy,
        playbooks=institution.playbooks,
        channels=channels_of(institution),
        drill=drill,
    )
    return House(institution=institution, desk=Desk(record, premises, clock or SystemClock()), data=data)


def secrets_of(directory: Path) -> Callable[[str], str]:
    """Resolves `env:NAME` and `file:path` (relative to the directory). Raises BadConfiguration if missing.

    The value is never kept, logged or shown.
    """

    def resolve(reference: str) -> str:
        kind, _, name = reference.partition(":")
        if kind == "env":
            value = os.environ.get(name, "")
            if not value:
                raise BadConfiguration(f"the secret {reference} is not set; export {name} before starting")
            return value
        path = directory / name
        try:
            value = path.read_text(encoding="utf-8").strip()
        except OSError as missing:
            raise BadConfiguration(f"the secret {reference} cannot be read: {missing.strerror}") from missing
        if not value:
            raise BadConfiguration(f"the secret {reference} is empty")
        return value

    return resolve
