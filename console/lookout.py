"""What the pager says of the conductor, which is a process of its own."""

from __future__ import annotations

from models.commands import Actor, Impair
from models.desk import HOUSE, Desk
from models.state import House

CONDUCTOR = "conductor"


def note_conductor(desk: Desk, *, silent: bool, waiting: bool) -> None:
    """Machine work stands still if the conductor is silent; people are told, pages go on."""
    state = desk.state(HOUSE)
    known = isinstance(state, House) and CONDUCTOR in state.impaired
    if silent and waiting and not known:
        detail = "no sign of life from the conductor; machine steps wait"
        desk.handle(HOUSE, Impair(actor=Actor.machine("node"), what=CONDUCTOR, detail=detail))
    elif not silent and known:
        desk.handle(HOUSE, Impair(actor=Actor.machine("node"), what=CONDUCTOR, mended=True))
