"""Shifts of one incident that lasts for days: who takes a role from when to when.

A shift begins with the hand-over: from `since` the incoming person is there and has the brief, at `takes_at`
the role goes over. How a plan is made and checked is in `models.shiftplan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from models.clock import utc
from models.commands import Command

REST = timedelta(hours=8)
"""What everybody has between two shifts unless the plan says otherwise."""


@dataclass(frozen=True, kw_only=True)
class PlannedShift:
    """One shift as somebody asks for it. Raises NaiveInstant if an instant has no zone."""

    role: str
    person: str
    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "since", utc(self.since))
        object.__setattr__(self, "until", utc(self.until))


@dataclass(frozen=True, kw_only=True)
class SetShifts(Command):
    """The plan of these roles from now on; what was planned for them before is gone.

    `roles` without shifts are no longer planned. `rest` is what everybody has between two shifts, in seconds.
    """

    shifts: tuple[PlannedShift, ...]
    roles: tuple[str, ...] = ()
    rest: int = int(REST.total_seconds())


class ShiftState(msgspec.Struct, kw_only=True):
    """A shift of the plan. `told` are those who have had the brief, `taken_by` who took the role.

    `missed`: nobody could take it, the role stayed. `passed`: over before anybody looked, or settled by hand.
    """

    id: str
    role: str
    person: str
    since: datetime
    until: datetime
    takes_at: datetime
    status: Literal["planned", "begun", "taken", "missed", "passed"] = "planned"
    told: list[str] = []
    taken_by: str | None = None


class Tenure(msgspec.Struct, kw_only=True):
    """Who has a role of the incident since when, and who had it before."""

    person: str
    since: datetime
    before: str | None = None
    before_since: datetime | None = None
