"""What the house remembers of how its record is kept: the keys of checkpoints, and the clock."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec


class TimeNoted(msgspec.Struct, frozen=True, kw_only=True):
    """What was known of the clock at `at`. `offset` is how far it is ahead of `source`, None if unknown."""

    at: datetime
    source: str
    synchronised: bool
    offset: timedelta | None = None
    error: timedelta | None = None


class Upkeep(msgspec.Struct, frozen=True, kw_only=True):
    """`key` signs checkpoints now; `keys` are all there were, with their public halves in hex."""

    key: str = ""
    keys: dict[str, str] = {}
    clock: TimeNoted | None = None
    anchored: dict[str, int] = {}
    """By kind of place the last checkpoint that lies there."""
    rules: int = 0
    """By which rules the due times were last reckoned anew, and the changes listed; 0 if they never were."""
