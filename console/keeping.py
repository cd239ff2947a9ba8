"""The keeper: a part of the pager that makes checkpoints, puts them elsewhere, and compares the clock.

It waits for nobody and nobody waits for it: what cannot be placed is tried again, said once, and pages go on.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import func, select

from console.anchoring import Place, Placed, places
from console.checkpoints import Checkpoints, Made, find_made, kept_form
from console.opening import House
from console.signing import Signer, noted, open_signer
from console.timekeeping import ask
from console.web.running import Run
from models.checkpoint import Owed, anchor_due, retry_after
from models.commands import Actor, Impair
from models.desk import HOUSE
from models.errors import BadConfiguration, RecordConflict
from models.integrity import CLOCK, NoteAnchor, NoteClock, too_far, worth_noting
from models.record import ANCHOR, CHECKPOINT, micros
from models.state import House as HouseState
from models.supervised import attempt_async, forever, wait
from models.upkeep import Upkeep
from notifiers.message import Notifier

log = logging.getLogger("hikeshi.keeping")
CHECKPOINTS, ANCHORS = "checkpoints", "anchors"
LOOK_SECONDS = 1.0
CLOCK_SECONDS = 600.0
FIRST_AFTER_SECONDS = 1.0
FAILURES_UNTIL_TOLD = 3
STRANGE_LOOKS = 3
"""A key is put into place a moment after it is recorded: for so many looks that is no other key."""


class Keeper:
    """Keeps the record of one node. `run` is the node's way into the record's thread."""

    def __init__(self, house: House, notifiers: dict[str, Notifier], run: Run) -> None:
        self.house = house
        self._notifiers, self._run = notifiers, run
        clock = house.desk.clock
        self.checkpoints = Checkpoints(record=house.record, clock=clock, node="pager")
        self._settings = house.institution.settings.integrity
        self._moment = 0
        self._strange = 0
        self._mail_trusted = True

    async def run(self, stop: asyncio.Event) -> None:
        """Keep until `stop`."""
        await wait(stop, FIRST_AFTER_SECONDS)
        tasks = [
            asyncio.create_task(self._checkpoints(stop)),
            asyncio.create_task(self._anchors(stop)),
            asyncio.create_task(forever(CLOCK, stop, partial(self._clock, stop), CLOCK_SECONDS)),
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    # -- checkpoints ----------------------------------------------------------------------------------------

    async def _checkpoints(self, stop: asyncio.Event) -> None:
        signer: Signer | None = None
        while not stop.is_set():
            if signer is None:
                signer = await self._signer()
            else:
                tried = await attempt_async(CHECKPOINTS, partial(self.turn, signer))
                signer = None if tried.value is False else signer
            await wait(stop, LOOK_SECONDS)

    async def _signer(self) -> Signer | None:
        """The key, known to the record; None, and said, if there is none."""
        try:
            signer = await asyncio.to_thread(open_signer, self.house)
        except BadConfiguration as missing:
            await self._impair(CHECKPOINTS, str(missing))
            return None
        known = (await self._run(self._upkeep)).key
        if known and known != signer.id and self._strange < STRANGE_LOOKS:
            self._strange += 1
            return None
        self._strange = 0
        await self._run(partial(noted, self.house, signer))
        await self._mended(CHECKPOINTS)
        return signer

    async def turn(self, signer: Signer) -> bool:
        """One look: a checkpoint if one is owed. False if the record knows another key by now."""
        if (await self._run(self._upkeep)).key != signer.id:
            return False
        taken = await self._run(self.checkpoints.look)
        if taken is None:
            return True
        made = await asyncio.to_thread(self.checkpoints.make, taken, signer)
        try:
            await self._run(partial(self.checkpoints.store, made, taken))
        except RecordConflict:
            return True
        if taken.owed is Owed.MOMENT:
            self._moment = made.number
        return True

    def _upkeep(self) -> Upkeep:
        state = self.house.desk.state(HOUSE)
        return state.upkeep if isinstance(state, HouseState) else Upkeep()

    # -- elsewhere ------------------------------------------------------------------------------------------

    async def _anchors(self, stop: asyncio.Event) -> None:
        try:
            found = places(self.house, self._notifiers, lambda: self._mail_trusted)
        except BadConfiguration as wrong:
            await self._impair(ANCHORS, str(wrong))
            await stop.wait()
            return
        await self._mended(ANCHORS)
        if not found:
            await stop.wait()
            return
        await asyncio.gather(*(self._serve(place, stop) for place in found))

    async def _serve(self, place: Place, stop: asyncio.Event) -> None:
        """Bring checkpoints to one place: slow or dead, it holds up no other."""
        failures = 0
        while not stop.is_set():
            tried = await attempt_async(ANCHORS, partial(self.place, place))
            what = f"anchor {place.kind} {place.name}"
            if tried.error is None:
                failures = 0
                if tried.value:
                    await self._mended(what)
                await wait(stop, LOOK_SECONDS)
                continue
            failures += 1
            if failures == FAILURES_UNTIL_TOLD:
                await self._impair(what, str(tried.error)[:200])
            await wait(stop, retry_after(failures).total_seconds())

    async def place(self, place: Place) -> bool:
        """Put the latest checkpoint into a place if it is due there; whether it was. Raises AnchorFailed."""
        now = self.house.desk.clock.now()
        made = await self._run(partial(self._due, place, now))
        if made is None:
            return False
        kept = await asyncio.to_thread(self._kept, made)
        placed = await place.put(made, kept, now)
        await self._run(partial(self._placed, place, made, placed))
        return True

    def _kept(self, made: Made) -> bytes:
        """The form in which it is kept: thousands of heads, so by a connection of its own."""
        record = self.house.record.another()
        try:
            with record.read() as tx:
                return kept_form(tx, made)
        finally:
            record.close()

    def _due(self, place: Place, now: datetime) -> Made | None:
        """The checkpoint to bring, if one is due. In the record's thread."""
        self._mail_trusted = "email" not in self.house.desk.distrusted()
        with self.house.record.read() as tx:
            last = tx.connection.execute(
                select(ANCHOR.c.checkpoint, ANCHOR.c.at)
                .where(ANCHOR.c.kind == place.kind, ANCHOR.c.place == place.name)
                .order_by(ANCHOR.c.checkpoint.desc())
                .limit(1)
            ).first()
            latest = tx.connection.execute(select(func.max(CHECKPOINT.c.number))).scalar() or 0
            known = (last[0], datetime.fromtimestamp(last[1] / 1_000_000, UTC)) if last else None
            due = anchor_due(latest=latest, moment=self._moment, last=known, every=place.every, now=now)
            if not due:
                return None
            return find_made(tx)

    def _placed(self, place: Place, made: Made, placed: Placed) -> None:
        """Where it lies, with the proof, and the fact that says so: both or neither."""
        desk = self.house.desk
        token = f"sha256:{hashlib.sha256(placed.token).hexdigest()}" if placed.token else ""
        note = NoteAnchor(
            actor=Actor.machine("keeper"),
            checkpoint=made.number,
            kind=place.kind,
            place=place.name,
            token=token,
        )
        with desk.writing() as tx:
            row = {"checkpoint": made.number, "kind": place.kind, "place": place.name}
            row |= {"at": micros(desk.clock.now()), "receipt": placed.receipt[:500], "token": placed.token}
            tx.connection.execute(ANCHOR.insert(), row)
            outcome = desk.handle_in(tx, HOUSE, note)
        desk.settled(outcome)

    # -- the clock ------------------------------------------------------------------------------------------

    async def _clock(self, stop: asyncio.Event) -> None:
        command = await asyncio.to_thread(ask, self._settings.ntp, self.house.desk.clock)
        await self._run(partial(self.note_clock, command))
        await wait(stop, CLOCK_SECONDS)

    def note_clock(self, command: NoteClock) -> None:
        """Write the comparison down if it is worth a fact, and say if the clock is too far off."""
        desk, limit = self.house.desk, self._settings.clock_limit
        if worth_noting(self._upkeep().clock, command, desk.clock.now(), limit):
            desk.handle(HOUSE, command)
        if command.offset is None:
            return
        far = too_far(command.offset, limit)
        detail = f"ahead of {command.source} by {command.offset.total_seconds():.3f} s" if far else ""
        desk.handle(HOUSE, Impair(actor=Actor.machine("keeper"), what=CLOCK, detail=detail, mended=not far))

    # -- how it is ------------------------------------------------------------------------------------------

    async def _impair(self, what: str, detail: str) -> None:
        command = Impair(actor=Actor.machine("keeper"), what=what, detail=detail)
        await attempt_async(what, partial(self._run, partial(self.house.desk.handle, HOUSE, command)))

    async def _mended(self, what: str) -> None:
        state = await self._run(partial(self.house.desk.state, HOUSE))
        if isinstance(state, HouseState) and what in state.impaired:
            command = Impair(actor=Actor.machine("keeper"), what=what, mended=True)
            await attempt_async(what, partial(self._run, partial(self.house.desk.handle, HOUSE, command)))
