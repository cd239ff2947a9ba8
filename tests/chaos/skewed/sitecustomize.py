"""In every Python below a harness that put this folder first: the wall clock is off by what a file says.

The file holds seconds, and a rate after them if it drifts: `-90`, or `0 1.02`. All of Hikeshi reads the wall
clock at one place, which is changed here; nothing in the product knows of it.
"""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

_FILE = os.environ.get("CHAOS_CLOCK")

if _FILE:
    from models.clock import SystemClock

    _BEGUN = datetime.now(UTC)

    def _now(self: SystemClock) -> datetime:
        now = datetime.now(UTC)
        with suppress(OSError, ValueError):
            off, _, rate = Path(_FILE or "").read_text(encoding="ascii").partition(" ")
            drift = (now - _BEGUN) * (float(rate or 1) - 1)
            return now + timedelta(seconds=float(off or 0)) + drift
        return now

    SystemClock.now = _now  # type: ignore[method-assign]
