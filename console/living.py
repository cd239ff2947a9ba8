"""The life of a pager among those that share its record: it begins, beats, is given up by others, ends.

On SQLite there is one, and its lock on the record says so; then a beat is no more than a sign of life.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import datetime, timedelta
from secrets import token_hex

from console.opening import House
from models.clock import from_micros
from models.errors import NameTaken, Superseded
from models.node import (
    GIVEN_UP,
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
EVIDENCE = "evidence"
"""The lease of whoever compares stored evidence with its digests."""
SHELF = ".shelf"
APART = "data/evidence is not the same folder on all machines: nobody compares what is stored; share it"
SHOWN = timedelta(days=1)
"""For how long one is shown that gives no sign of life any more."""


class Living:
    """One node's life after life. In the writer's thread."""

    def __init__(self, house: House, holding: Holding, seconds: float) -> None:
        """`seconds` is how long a node may be silent before the others take over."""
        self._house = house
        self._holding = holding
        self.name = name_here(KIND, house.record)
        self.leases = Leases(house.record, self.name, seconds)
        self._apart = False
        self.hold = Hold.beside(house.record.url, house.data)
        holding.join(self.leases)

    def _shelf(self) -> str:
        """What a file in the folder of evidence calls it: the same on all machines, if they share it."""
        folder = self._house.evidence
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / SHELF).exists():
            # Never seen empty: of two that make it at once one is laid in place.
            part = folder / f".{SHELF}-{token_hex(4)}"
            part.write_text(token_hex(8), encoding="ascii")
            with suppress(FileExistsError):
                os.link(part, folder / SHELF)
            part.unlink()
        return (folder / SHELF).read_text(encoding="ascii").strip()

    def problems(self) -> dict[str, str]:
        """What is not in order among the nodes, for health."""
        return {"evidence": APART} if self._apart else {}

    @property
    def _place(self) -> str:
        """Where this node runs: another one elsewhere must have another name."""
        return f"{socket.gethostname()}:{self._house.data}"

    def begin(self) -> tuple[datetime, datetime] | None:
        """Register; the last sign of life of any pager, and now.

        Raises NameTaken if a pager of this name is alive elsewhere.
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
            place, _ = _where(one)
            if one.name == self.name and place and place != self._place and now - one.beat_at < silent:
                raise NameTaken(
                    f"another {self.name} runs at {place}; give this machine a name of its own: "
                    f"export {MACHINE_VARIABLE}=…"
                )

    def _born(self, tx: Tx) -> None:
        detail = f"pid {os.getpid()}"
        detail += f" at {self._place} with {self._shelf()}" if tx.shared else ""
        self.leases.begin(register(tx, self.name, self._house.wall.now(), detail))

    def beat(self, tx: Tx) -> None:
        """We are alive. Raises Superseded if the others have given this life up."""
        now = self._house.wall.now()
        if tx.shared:
            must_be_current(tx, self.name, self.leases.life.epoch)
            beat(tx, self.name, now)  # first: nobody gives itself up for having been slow
            give_up_silent(tx, KIND, now, timedelta(seconds=self.leases.seconds))
            self._look_at_shelves(tx)
            return
        beat(tx, self.name, now)

    def _look_at_shelves(self, tx: Tx) -> None:
        """Where each keeps evidence of its own, nobody compares it: the others' would be called missing."""
        shelves = {_where(one)[1] for one in parts(tx, KIND) if one.detail not in {RETIRED, GIVEN_UP}}
        self._apart = len(shelves) > 1
        if self._apart:
            self.leases.leave([EVIDENCE])
        else:
            self.leases.want([EVIDENCE])

    def anew(self) -> None:
        """Others gave us up: nothing of what we had in hand is ours, and another life begins.

        Raises Superseded if it was no silence of ours: another process took our name.
        """
        self._holding.lose()
        with self._house.record.begin() as tx:
            known = next((one for one in parts(tx, self.name) if one.name == self.name), None)
            place, _ = _where(known) if known else ("", "")
            if place and place != self._place:
                raise Superseded(f"{place} took the name {self.name}; give each machine its own")
            self._born(tx)
        self._holding.renew()

    def end(self) -> None:
        """A clean stop: whoever asks from now on is told, and what was ours is free at once."""
        with self._house.record.begin() as tx:
            retire(tx, self.name, self.leases.life.epoch)
            self.leases.give_back(tx)

    def others(self, tx: Tx) -> dict[str, float]:
        """All pagers that run or ought to, with the age of their last sign of life in seconds.

        Nobody where one has the record for itself: it answers, or it does not.
        """
        if not tx.shared:
            return {}
        now = from_micros(tx.instant(self._house.wall.now()))
        running = [one for one in parts(tx, KIND) if one.detail != RETIRED and now - one.beat_at < SHOWN]
        return {one.name: round((now - one.beat_at).total_seconds(), 1) for one in running}


def _where(part: Part) -> tuple[str, str]:
    """The place and the folder of evidence that a node wrote itself down with; empty if it did not."""
    place, _, shelf = part.detail.partition(" at ")[2].partition(" with ")
    return place, shelf
