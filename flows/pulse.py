"""The sign of life of a run that somebody else's process does: a worker's, maybe on another machine.

Prefect is not asked for it: after `kill -9` a run stays RUNNING there. The conductor announces the run by a
lease, the run renews it while it gets on, and lets it go when it has come to its end. One that was not
announced (started by hand) has no pulse and needs none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal

from flows.place import Place
from flows.work import UNDER_WAY
from models import lease
from models.clock import monotonic
from models.lease import Life
from models.record import Tx
from models.supervised import attempt

PULSE_SECONDS = 2.0
GONE_SECONDS = 15.0
"""How long a run may be silent before it counts as dead."""
PATIENCE_SECONDS = 60.0
"""How long it may take beyond what its actions may; then it is stuck, and gives no sign of life any more."""
Pulse = Literal["alive", "ended", "silent"]


def _name(incident: str) -> str:
    return f"flow {incident}"


def announce(tx: Tx, incident: str, life: Life, now: datetime, seconds: float) -> None:
    """A run for this life is on its way, and has so many seconds to begin."""
    lease.put(tx, _name(incident), life, now, seconds)


def feel(tx: Tx, incident: str, now: datetime) -> Pulse:
    """How the run that was announced last is doing."""
    if lease.held_by(tx, _name(incident), now) is not None:
        return "alive"
    known = lease.had_last(tx, _name(incident))
    return "ended" if known is not None and known[1] else "silent"


@asynccontextmanager
async def beating(place: Place, incident: str, life: Life) -> AsyncIterator[None]:
    """Show that the run lives, if it was announced, until it has come to its end in good order."""
    with place.house.record.read() as tx:
        expected = lease.had_last(tx, _name(incident)) == (life, False)
    if not expected:
        yield
        return
    until = monotonic() + PATIENCE_SECONDS

    def word(seconds: float) -> None:
        nonlocal until
        until = monotonic() + PATIENCE_SECONDS + seconds

    def renew() -> bool:
        with place.house.record.begin() as tx:
            return lease.renew(tx, _name(incident), life, place.house.wall.now(), GONE_SECONDS)

    async def beat() -> None:
        # Without an answer it is tried again: the database may only be restarting.
        while monotonic() < until and attempt(incident, renew).value is not False:
            await asyncio.sleep(PULSE_SECONDS)

    UNDER_WAY.tell = word
    going = asyncio.create_task(beat())
    try:
        yield
        with place.house.record.begin() as tx:
            lease.let_go(tx, _name(incident), life)
    finally:
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
