"""A drill's directory, opened: what is played there, and on which time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from console.drill import clockfile
from models.drillfile import DRILL_FILE, DrillFile
from models.errors import BadConfiguration
from models.exercise_clock import Story, StoryClock
from models.fact import read_fact
from models.frozen import thaw_scenario
from models.record import FACT, STREAM, Record
from models.scenario import Scenario
from playbooks.scenarios import Scenarios

_HEADS = select(FACT.c.body).join(STREAM, (STREAM.c.id == FACT.c.stream) & (STREAM.c.seq == FACT.c.seq))
"""The last fact of each stream."""


def scenario_of(directory: Path, file: DrillFile, record: Record) -> Scenario:
    """What is played: as it was frozen when the drill was prepared, whatever its file says now.

    Raises BadConfiguration if it is nowhere.
    """
    with record.read() as tx:
        frozen = tx.document(file.digest) if file.digest else None
    if frozen is not None:
        return thaw_scenario(frozen)
    scenario = Scenarios(directory).get(file.scenario)
    if scenario is None:
        raise BadConfiguration(
            f"{directory / DRILL_FILE}: scenario: there is no sound scenario {file.scenario}; "
            f"put scenarios/{file.scenario}.yaml back as it was prepared (see `hikeshi check`)"
        )
    return scenario


def clock_of(story: Story, data: Path, record: Record) -> StoryClock:
    """The hour of the story, never before what is on record."""
    clock = clockfile.reader(data, story)
    newest = last_recorded(record)
    if newest is not None:
        clock.not_before(newest)
    return clock


def last_recorded(record: Record) -> datetime | None:
    """When the last fact of any stream was recorded, in the story; None if there is none."""
    with record.read() as tx:
        bodies = [bytes(body) for body in tx.connection.execute(_HEADS).scalars()]
    return max((read_fact(body).recorded_at for body in bodies), default=None)
