"""Where this process's flows work: the institution's directory, opened once, and its clock.

Opening reads every file of the directory, so a process that runs many short flows does it once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from console.opening import House, find_directory, open_house, secrets_of
from flows.actions import ACTIONS, Actions
from models.clock import SystemClock, utc
from models.commands import Actor, Command
from models.desk import Desk
from models.errors import RecordBusy
from models.installation import Target
from models.organisation import Organisation
from models.premises import Outcome

ACTOR = Actor.machine("conductor")
BUSY_TRIES = 5
BUSY_SECONDS = 0.1


class RunClock:
    """The machine's time, or the fixed instant that a demo or drill gives to a run."""

    def __init__(self) -> None:
        self._fixed: datetime | None = None
        self._system = SystemClock()

    def fix(self, at: datetime | None) -> None:
        """Stand at `at` (aware) from now on; None follows the machine's time."""
        self._fixed = utc(at) if at is not None else None

    def now(self) -> datetime:
        return self._fixed or self._system.now()


@dataclass(frozen=True, kw_only=True)
class Place:
    """The house that flows work in. `secret` resolves references such as `env:NAME`."""

    house: House
    clock: RunClock
    secret: Callable[[str], str]
    actions: Actions = field(default_factory=lambda: ACTIONS)

    @property
    def desk(self) -> Desk:
        """Takes the commands."""
        return self.house.desk

    @property
    def organisation(self) -> Organisation:
        """People, roles and services as they are now."""
        return self.house.institution.organisation

    @property
    def targets(self) -> Mapping[str, Target]:
        """What actions may touch, by name."""
        return self.house.institution.targets.targets

    @property
    def lang(self) -> str:
        """The language of what is written for people here."""
        return self.house.institution.settings.lang

    def local(self, at: datetime) -> str:
        """`at` (aware) as people of the institution read it, to the minute."""
        return at.astimezone(ZoneInfo(self.organisation.zone)).strftime("%Y-%m-%d %H:%M")

    async def handle(self, stream: str, command: Command) -> Outcome:
        """Write through the desk, again while another process holds the record.

        Raises RecordBusy when it still does after BUSY_TRIES, and what `Desk.handle` raises.
        """
        for number in range(BUSY_TRIES - 1):
            try:
                return self.desk.handle(stream, command)
            except RecordBusy:
                await asyncio.sleep(BUSY_SECONDS * 2**number)
        return self.desk.handle(stream, command)


@lru_cache(maxsize=1)
def here() -> Place:
    """The place that HIKESHI_DIR (or the working directory) names, opened at the first call.

    Raises NotFound without a directory, BadConfiguration with its defects, RecordError.
    """
    clock = RunClock()
    directory = find_directory(None)
    return Place(house=open_house(directory, clock), clock=clock, secret=secrets_of(directory))
