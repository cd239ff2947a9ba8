"""Opening an institution's directory: its files, its record, its desk, its secrets."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from console.drill import guard
from console.drill.directory import clock_of, scenario_of
from console.logs import hide
from console.participants import address_key
from models.clock import Clock, SystemClock
from models.desk import Desk
from models.drillfile import SCRIPT, DrillFile
from models.errors import BadConfiguration, NotFound, RecordElsewhere, RecordError
from models.exercise_clock import Story
from models.installation import Settings
from models.marks import marks
from models.premises import Premises
from models.record import Record
from models.succession import is_ours, must_silence_nobody, take_over
from playbooks.defect import Defects
from playbooks.drillfiles import enrolled, is_drill, read_drill
from playbooks.institution import FILES, Institution, load
from playbooks.library import Library

DIRECTORY_VARIABLE = "HIKESHI_DIR"
MARKER = "organisation.yaml"
MOVED = "moved-to"
"""File in the data that says where the record lies since it was moved: nobody opens the old one unawares."""
LAST_GOOD = "last-good"
"""Folder in the data with the institution's files as they were when last read without defects."""


@dataclass(frozen=True, kw_only=True)
class House:
    """An institution's directory, opened."""

    institution: Institution
    desk: Desk
    data: Path
    defects: tuple[str, ...] = ()
    drill: DrillFile | None = None
    """Which drill the directory is for; None in production."""

    @property
    def wall(self) -> Clock:
        """Tells the machine's time in a drill, whose own time stands, leaps and runs; else the desk's."""
        return SystemClock() if self.drill is not None else self.desk.clock

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
    return institution.settings.channels()


def open_house(
    directory: Path, clock: Clock | None = None, *, drill: bool = False, leads: bool = True
) -> House:
    """Read the directory and open its record, laying it down if it is not there.

    Files with defects are replaced by those that were last read without: a slip of the pen in the middle of
    an incident must not keep anybody from acknowledging. `House.defects` then says what is wrong.
    A drill's directory is opened as such, on the hour of its story unless a `clock` is given.
    `leads` False: what opens it does not page, so it takes the record over from no version that does.
    Raises BadConfiguration if there are none yet, RecordError if the database cannot be used.
    """
    guard.arm_here()
    institution, defects = load_or_last_good(directory)
    data = data_directory(institution)
    settings = institution.settings
    file = read_drill(directory) if is_drill(directory) else None
    if file is not None:
        institution = replace(institution, organisation=enrolled(directory, institution.organisation))
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(PermissionError):
        # Whoever made it before us: what lies in it is for its owner alone.
        data.chmod(0o700)
    record = record_of(settings, data, secrets_of(directory))
    if not leads:
        must_silence_nobody(record, SystemClock())
    record.migrate()
    scenario = scenario_of(directory, file, record) if file is not None else None
    premises = Premises(
        organisation=institution.organisation,
        policy=institution.policy,
        playbooks=institution.playbooks,
        channels=channels_of(institution) | ({SCRIPT} if file is not None else set()),
        drill=drill or file is not None,
        scenario=scenario,
        hooks=settings.webhooks,
        marks=marks(institution.organisation, address_key(data)) if file is not None else None,
    )
    if clock is None and file is not None and scenario is not None:
        clock = clock_of(Story.of(scenario, file.startex), data, record)
    desk = Desk(record, premises, clock or SystemClock())
    _take_over(record, SystemClock() if file is not None else desk.clock)
    return House(institution=institution, desk=desk, data=data, defects=defects, drill=file)


def _take_over(record: Record, clock: Clock) -> None:
    """Let the record go by this version's rules. If it cannot be written now, the desk refuses to act."""
    with record.read() as tx:
        if is_ours(tx):
            return
    with suppress(RecordError), record.begin() as tx:
        take_over(tx, clock.now())


def record_of(settings: Settings, data: Path, secret: Callable[[str], str]) -> Record:
    """The record that the settings name, not opened yet. Raises BadConfiguration without its password."""
    if settings.database is None:
        if (to := moved_to(data)) is not None:
            raise RecordElsewhere(
                f"the record of this directory was moved; put at the top of settings.toml: {to} (only if "
                f"`hikeshi move` itself broke off and that database is empty, remove {data / MOVED} instead)"
            )
        return Record.at(data / "hikeshi.db")
    password = secret(settings.database_password) if settings.database_password else ""
    return Record(settings.database, password)


def moved_to(data: Path) -> str | None:
    """What settings.toml has to say since the record was moved; None while it lies here."""
    try:
        return "; ".join((data / MOVED).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return None


def load_or_last_good(directory: Path) -> tuple[Institution, tuple[str, ...]]:
    """The institution as its files say, or as they said when last without defects, and the defects.

    Raises BadConfiguration with all defects if they never were.
    """
    try:
        institution = load(directory)
    except Defects as wrong:
        kept = directory / "var" / LAST_GOOD
        if not (kept / MARKER).is_file():
            raise
        last = load(kept)
        institution = replace(last, directory=directory, playbooks=Library(directory))
        return institution, tuple(str(defect) for defect in wrong.defects)
    with suppress(OSError):
        _keep_good(directory, data_directory(institution) / LAST_GOOD)
    return institution, ()


def _keep_good(directory: Path, kept: Path) -> None:
    """Copy what has changed of the six files, each at once or not at all."""
    kept.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in FILES:
        source, target = directory / name, kept / name
        if not source.is_file():
            target.unlink(missing_ok=True)
        elif not target.is_file() or source.read_bytes() != target.read_bytes():
            part = target.with_suffix(".part")
            part.write_bytes(source.read_bytes())
            part.replace(target)


def secrets_of(directory: Path) -> Callable[[str], str]:
    """Resolves `env:NAME` and `file:path` (relative to the directory). Raises BadConfiguration if missing.

    The value is never logged or shown: the log of this process blots it out. A drill has none but its own,
    whoever asks (P8): also the command line, which runs behind no guard, sends nothing in production's name.
    """
    drill = is_drill(directory)

    def resolve(reference: str) -> str:
        kind, _, name = reference.partition(":")
        if drill and not _of_the_drill(directory, kind, name):
            raise BadConfiguration(
                f"the secret {reference} is not the drill's; name a variable HIKESHI_DRILL_…, or a file in "
                f"{directory}"
            )
        if kind == "env":
            value = os.environ.get(name, "")
            if not value:
                raise BadConfiguration(f"the secret {reference} is not set; export {name} before starting")
            return hide(value)
        path = directory / name
        try:
            value = path.read_text(encoding="utf-8").strip()
        except OSError as missing:
            raise BadConfiguration(f"the secret {reference} cannot be read: {missing.strerror}") from missing
        if not value:
            raise BadConfiguration(f"the secret {reference} is empty")
        return hide(value)

    return resolve


def _of_the_drill(directory: Path, kind: str, name: str) -> bool:
    """Whether a secret is one that a drill may have: what its processes keep, or a file of its own."""
    if kind == "env":
        return name.startswith(guard.SECRETS)
    return (directory / name).resolve().is_relative_to(directory.resolve())
