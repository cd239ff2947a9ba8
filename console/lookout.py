"""What a pager says of the conductor, and of the other pagers where several machines share a record."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from models.commands import Actor, Impair
from models.desk import HOUSE, Desk
from models.node import GIVEN_UP, parts
from models.state import House

CONDUCTOR, PAGER = "conductor", "pager"
SILENT_AFTER = timedelta(seconds=30)
Standing = Literal["alive", "silent", "unknown"]


def standing(last: datetime | None, now: datetime, running: timedelta) -> Standing:
    """How the conductor is, by its last sign of life; `running` is for how long this pager has run.

    A conductor that has just been started with us is given its time. Until that is over nothing is known:
    a pager that starts beside others must not take back what these have said.
    """
    if last is not None and now - last <= SILENT_AFTER:
        return "alive"
    return "silent" if running > SILENT_AFTER else "unknown"


def note_conductor(desk: Desk, conductor: Standing, *, waiting: bool) -> None:
    """Machine work stands still if the conductor is silent; people are told, pages go on."""
    state = desk.state(HOUSE)
    known = isinstance(state, House) and CONDUCTOR in state.impaired
    if conductor == "silent" and waiting and not known:
        detail = "no sign of life from the conductor; machine steps wait"
        desk.handle(HOUSE, Impair(actor=Actor.machine("node"), what=CONDUCTOR, detail=detail))
    elif conductor == "alive" and known:
        desk.handle(HOUSE, Impair(actor=Actor.machine("node"), what=CONDUCTOR, mended=True))


def note_pagers(desk: Desk) -> None:
    """Say of another machine's pager that it is gone, and that it is back: there is one fewer to page."""
    if not desk.record.is_shared:
        return
    with desk.record.read() as tx:
        gone = {part.name for part in parts(tx, PAGER) if part.detail == GIVEN_UP}
    state = desk.state(HOUSE)
    known = (
        {name for name in state.impaired if name.startswith(f"{PAGER}@")}
        if isinstance(state, House)
        else set()
    )
    for name in sorted(gone - known):
        detail = f"no sign of life from {name} for {SILENT_AFTER.seconds} s; the other nodes page on"
        desk.handle(HOUSE, Impair(actor=Actor.machine("node"), what=name, detail=detail))
    for name in sorted(known - gone):
        desk.handle(HOUSE, Impair(actor=Actor.machine("node"), what=name, mended=True))
