"""What this process has for itself among those that share a record: its life, and what it alone does.

On SQLite it is alone, and has everything. Elsewhere a lease is counted from the instant before it was
renewed, on the monotonic clock: a process that was frozen knows as it wakes that it has nothing any more,
before it has asked anybody.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

from models.clock import monotonic
from models.lease import LEASE_SECONDS, Life, give_back, take
from models.node import MACHINE_VARIABLE
from models.record import Record, Tx
from models.supervised import forever, wait

LOOK_SECONDS = 0.25
"""How soon it is noticed that a lease was won or lost."""
END_SECONDS = 3.0
"""How long work that is not ours any more may take to end."""
DELIVER = "deliver "
ONCE = "once@"
Work = Callable[[asyncio.Event], Awaitable[None]]


class Leases:
    """The leases of one life. `renew` and what it is given in the writer's thread, `has` in any."""

    def __init__(self, record: Record, node: str, seconds: float = LEASE_SECONDS) -> None:
        self.shared = record.is_shared
        self.life = Life(node=node, epoch=0)
        self.seconds = seconds
        self._wanted: set[str] = set()
        self._until: Mapping[str, float] = {}

    @classmethod
    def for_once(cls, record: Record) -> Leases:
        """Those of a process that is no node and delivers once: nobody takes up its life after it."""
        machine = os.environ.get(MACHINE_VARIABLE) or socket.gethostname()
        made = cls(record, f"{ONCE}{machine}/{os.getpid()}")
        made.begin(1)
        return made

    def begin(self, epoch: int) -> None:
        """Another life: what the one before had is not ours before it is renewed."""
        self.life = Life(node=self.life.node, epoch=epoch)
        self._until = {}

    def want(self, names: Iterable[str]) -> None:
        """What this process would do, if nobody else does it."""
        self._wanted |= set(names)

    def leave(self, names: Iterable[str]) -> None:
        """This process does not do these any more, or not for now: its leases end."""
        self._wanted -= set(names)

    def has(self, name: str) -> bool:
        """Whether this is ours now."""
        return not self.shared or self._until.get(name, 0.0) > monotonic()

    def until(self) -> float:
        """When a lease that is asked for from now on ends, on the monotonic clock."""
        return monotonic() + self.seconds

    def renew(self, tx: Tx, now: datetime) -> list[str]:
        """Ask for everything that is wanted; the names that we got, once this is committed."""
        if not self.shared:
            return []
        return [name for name in sorted(self._wanted) if take(tx, name, self.life, now, self.seconds)]

    def renewed(self, names: Iterable[str], until: float) -> list[str]:
        """It is committed: these are ours until then. Those of them that were not ours before."""
        before, self._until = self._until, dict.fromkeys(names, until)
        return [name for name in self._until if before.get(name, 0.0) <= monotonic()]

    def give_back(self, tx: Tx) -> None:
        """A clean stop: another may begin at once."""
        if self.shared:
            give_back(tx, self.life)

    async def while_ours(self, name: str, stop: asyncio.Event, work: Work) -> None:
        """Do `work` until `stop`, for as long as it is ours to do; its own event says when that is over."""
        if self.shared:
            self.want([name])

        async def turn() -> None:
            if not self.shared:
                # Begun anew after a fault: a pager pages whatever becomes of what it does beside.
                await work(stop)
            elif self.has(name):
                await self._for_now(name, stop, work)
            await wait(stop, LOOK_SECONDS)

        await forever(name, stop, turn)

    async def _for_now(self, name: str, stop: asyncio.Event, work: Work) -> None:
        over = asyncio.Event()
        working = asyncio.ensure_future(work(over))
        try:
            while self.has(name) and not stop.is_set() and not working.done():
                await asyncio.wait([working], timeout=LOOK_SECONDS)
            over.set()
            await asyncio.wait([working], timeout=END_SECONDS)
            if working.done():
                working.result()
        finally:
            working.cancel()
