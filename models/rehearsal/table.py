"""What a rehearsal plays on: a desk that somebody winds on. In memory, or on a database for comparing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from models.clock import ExerciseClock
from models.commands import Command
from models.premises import Outcome
from models.state import Incident, StreamState
from models.world import World


class Table(Protocol):
    """A desk with its own time. `models.virtual.VirtualDesk` is one; a test puts the real desk behind it."""

    @property
    def clock(self) -> ExerciseClock: ...

    @property
    def outbox(self) -> Mapping[str, dict[str, Any]]:
        """The messages asked for so far, in their order."""

    def handle(self, stream: str | None, command: Command) -> Outcome: ...

    def tick(self, stream: str) -> Outcome: ...

    def next_due(self, stream: str | None = None) -> datetime | None: ...

    def due_streams(self, now: datetime) -> list[str]: ...

    def incident(self, stream: str) -> Incident: ...

    def world(self, state: StreamState) -> World: ...
