"""What is rehearsed, and what one run of it came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.rehearsal.assumptions import Assumptions

HORIZON = timedelta(hours=72)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A playbook under some assumptions. `starts` are the local hours that an incident may begin in."""

    playbook: str
    seed: int
    assumptions: Assumptions
    year: int
    severity: str | None = None
    start: str | None = None
    """A local time of day such as 03:00; None: any minute of the year."""
    horizon: timedelta = HORIZON


@dataclass(kw_only=True)
class Trace:
    """A step of one run. Seconds after the declaration; `begun` is when somebody took it up."""

    key: str
    ready: int
    begun: int | None = None
    done: int | None = None
    by: str = ""
    role: str = ""
    held: int = 0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A level of a route that was called, and whether it was answered before the next one was."""

    route: str
    event: str
    level: int
    hour: int
    answered: bool


@dataclass(kw_only=True)
class Played:
    """One run. Seconds after the declaration; None: not within the time that is rehearsed."""

    run: int
    start: datetime
    hour: int
    band: str
    facts: int = 0
    steps: int = 0
    events: int = 0
    acked: int | None = None
    decided: int | None = None
    """When it was first decided whether to stop or cut off something."""
    contained: int | None = None
    restored: int | None = None
    clocks: dict[str, str] = field(default_factory=dict)
    """Clock -> met, missed, or open: still running when the time was over."""
    asked: list[Asked] = field(default_factory=list)
    waits: dict[str, int] = field(default_factory=dict)
    """Seconds on the path to the end, by what was waited for: `wait step`, `work step`, `gate step`."""
    people: dict[str, int] = field(default_factory=dict)
    """Seconds of waiting on that path, by role."""
    refused: dict[str, int] = field(default_factory=dict)
    grown: int = 0
