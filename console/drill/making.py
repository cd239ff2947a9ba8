"""`hikeshi drill prepare`: a number, a directory, and the drill's first fact."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from console.drill import guard, preparing
from console.opening import House, open_house
from models.commands import Actor
from models.drillfile import DrillFile
from models.errors import HikeshiError, NotFound, RecordError, Refused
from models.exercise import EXERCISE, PrepareDrill
from models.frozen import freeze_scenario
from models.programme import Organiser
from models.release import VERSION
from models.scenario import Scenario
from playbooks.check import check
from playbooks.defect import Defect, Defects, errors_of

FOLDER = "drills"
MAX_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A drill that can be run. `warnings` are what `hikeshi check` says of its directory."""

    drill: str
    directory: Path
    scenario: str
    seed: int
    startex: str
    port: int
    warnings: tuple[Defect, ...]


def prepare(  # noqa: PLR0913 - one for each option of the command
    house: House,
    scenario: str,
    actor: Actor,
    *,
    to: Path | None = None,
    hour: str | None = None,
    seed: int | None = None,
    by: Organiser = "internal",
    organiser: str = "",
) -> Prepared:
    """Make a drill's directory from the institution that `house` is; `actor` becomes its facilitator.

    Raises NotFound without such a scenario, BadInput if the place or the hour will not do, Defects if the
    scenario does not fit the institution, HikeshiError if production's record gives no number.
    """
    if house.drill is not None:
        raise HikeshiError(
            f"{house.institution.directory} is the directory of the drill {house.drill.drill}; "
            "prepare another one from the institution's own directory"
        )
    found = house.institution.scenarios.entries.get(scenario)
    if found is None:
        known = ", ".join(sorted(house.institution.scenarios))
        raise NotFound(
            f"there is no sound scenario {scenario!r}; known: {known} (see `hikeshi scenario list`)"
        )
    now = house.desk.clock.now()
    zone = house.institution.organisation.zone
    startex = preparing.startex_at(found.scenario, hour, now, zone)
    drill = _number(house)
    directory = (to or house.institution.directory.parent / FOLDER / drill).resolve()
    plan = preparing.Plan(
        drill=drill,
        scenario=found.scenario,
        source=Path(found.document.file),
        startex=startex,
        seed=secrets.randbelow(MAX_SEED) if seed is None else seed,
        prepared=now,
        hikeshi=VERSION,
        by=by,
        organiser=organiser,
    )
    _must_not_be_exposed(house, directory)
    file, port = preparing.write(directory, house.institution, plan)
    wrong = check(directory, startex)
    try:
        if errors_of(wrong):
            raise Defects(errors_of(wrong))
        _first_fact(directory, file, found.scenario, actor)
    except HikeshiError:
        # It was ours until now, and a drill that cannot be played is none.
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return Prepared(
        drill=drill,
        directory=directory,
        scenario=scenario,
        seed=file.seed,
        startex=startex.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes"),
        port=port,
        warnings=tuple(wrong),
    )


def _first_fact(directory: Path, file: DrillFile, scenario: Scenario, actor: Actor) -> None:
    """Open the drill's own record, with the scenario frozen in it. Raises Refused, RecordError."""
    frozen = freeze_scenario(scenario)
    drill = open_house(directory)
    try:
        command = PrepareDrill(
            actor=actor,
            drill=file.drill,
            scenario=scenario.scenario,
            version=scenario.version,
            digest=frozen.digest,
            startex=file.startex,
            seed=file.seed,
        )
        outcome = drill.desk.handle(EXERCISE, command, beside=[(frozen, "application/json")])
    finally:
        drill.record.close()
    if outcome.refused is not None:
        raise Refused(outcome.refused, outcome.detail)


def _must_not_be_exposed(house: House, directory: Path) -> None:
    """Raises HikeshiError if the drill could read production all the same, because of where that lies."""
    for place in (house.institution.directory, house.data):
        if guard.exposes(directory, place):
            raise HikeshiError(
                f"{place} lies in a folder that every program has to read, or in the drill's own; "
                "a drill could not be kept out of it. Move it elsewhere, or give another --to"
            )


def _number(house: House) -> str:
    """The drill's number: production's record counts them. Raises HikeshiError if it cannot be written."""
    year = house.desk.clock.now().astimezone(ZoneInfo(house.institution.organisation.zone)).year
    try:
        with house.record.begin() as tx:
            return f"DRL-{year}-{tx.number(f'drill-{year}'):04d}"
    except RecordError as closed:
        raise HikeshiError(
            f"the record of {house.institution.directory} gives no number for the drill: {closed}"
        ) from closed
