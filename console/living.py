"""The life of a pager among those that share its record: it begins, beats, is given up by others, ends.

On SQLite there is one, and its lock on the record says so; then a beat is no more than a sign of life.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from console.opening import House
from models.clock import from_micros
from models.errors import HikeshiError, Superseded
from models.node import (
    MACHINE_VARIABLE,
    RETIRED,
    Part,
    beat,
    give_up_silent,
    last_beat,
    must_be_current,
    name_here,
    parts,
    register,
    retire,
)
from models.record import Tx
from notifiers.hold import Hold
from notifiers.holding import Holding
from notifiers.leases import Leases

KIND = "pager"


class Living:
    """One node's life after life. In the writer's thread."""

    def __init__(self, house: House, holding: Holding, seconds: float) -> None:
        """`seconds` is how long a node may be silent before the others take over."""
        self._house = house
        self._holding = holding
        self.name = name_here(KIND, house.record)
        self.leases = Leases(house.record, self.name, seconds)
        self.hold = Hold.beside(house.record.url, house.data)
        holding.join(self.leases)

    @property
    def _place(self) -> str:
        """Where this node runs: another one elsewhere must have another name."""
        return f"{socket.gethostname()}:{self._house.data}"

    def begin(self) -> tuple[datetime, datetime] | None:
        """Register; the last sign of life of any pager, and now.

        Raises HikeshiError if a pager of this name is alive elsewhere.
        """
        with self._house.record.begin() as tx:
            tx.hold("nodes", told=True)
            now = from_micros(tx.instant(self._house.wall.now()))
            before = last_beat(tx, KIND)
            if tx.shared:
                self._must_be_alone(parts(tx, self.name), now)
            self._born(tx)
        self._holding.renew()
        return None if before is None else (before, now)

    def _must_be_alone(self, known: list[Part], now: datetime) -> None:
        silent = timedelta(seconds=self.leases.seconds)
        for one in known:
            _, _, place = one.detail.partition(" at ")
            if one.name == self.name and place and place != self._place and now - one.beat_at < silent:
                raise HikeshiError(
                    f"another {self.name} runs at {place}; give this machine a name of its own: "
                    f"export {MACHINE_VARIABLE}=…"
                )

    def _born(self, tx: Tx) -> None:
        detail = f"pid {os.getpid()}" + (f" at {self._place}" if tx.shared else "")
        self.leases.begin(register(tx, self.name, self._house.wall.now(), detail))

    def beat(self, tx: Tx) -> None:
        """We are alive. Raises Superseded if the others have given this life up."""
        now = self._house.wall.now()
        if tx.shared:
            must_be_current(tx, self.name, self.leases.life.epoch)
            give_up_silent(tx, KIND, now, timedelta(seconds=self.leases.seconds))
        beat(tx, self.name, now)

    def anew(self) -> None:
        """Others gave us up: nothing of what we had in hand is ours, and another life begins.

        Raises Superseded if it was no silence of ours: another process took our name.
        """
        self._holding.lose()
        with self._house.record.begin() as tx:
            known = next((one for one in parts(tx, self.name) if one.name == self.name), None)
            _, _, place = known.detail.partition(" at ") if known else ("", "", "")
            if place and place != self._place:
                raise Superseded(f"{place} took the name {self.name}; give each machine its own")
            self._born(tx)
        self._holding.renew()

    def end(self) -> None:
        """A clean stop: whoever asks from now on is told, and what was ours is free at once."""
        with self._house.record.begin() as tx:
            retire(tx, self.name)
            self.leases.give_back(tx)

    def others(self, tx: Tx) -> list[Part]:
        """All pagers that run or ought to, with their last sign of life."""
        return [one for one in parts(tx, KIND) if one.detail != RETIRED]
