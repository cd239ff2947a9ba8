"""What a rule says of one clock now, before anything of it is in the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from models.policy import ClockKind

LONG = timedelta(hours=24)
"""Targets beyond this warn in business hours, not at shares of their time."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """When a service can be back at the earliest, the way through what it needs, and who gave no forecast."""

    at: datetime | None
    path: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A clock as the record has it now. Without `due_at` it has not started, or has no end: see `needs`.

    `stopped_at` is when it was reached; `warn_at` are warnings that the rule itself asks for.
    """

    id: str
    kind: ClockKind
    owner: str
    started_at: datetime | None = None
    due_at: datetime | None = None
    stopped_at: datetime | None = None
    needs: tuple[str, ...] = ()
    internal: bool = False
    ends: bool = False
    warn_at: tuple[datetime, ...] = ()
    outlook: Outlook | None = None
    basis: Mapping[str, Any] = field(default_factory=dict)
