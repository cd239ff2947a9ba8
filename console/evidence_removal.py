"""The stored object of disposed evidence goes, unless other evidence consists of the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sqlalchemy import select

from flows.actions.store import held, pinned, remove
from models.clock import iso
from models.errors import ActionFailed
from models.record import FACT

if TYPE_CHECKING:
    from pathlib import Path

    from models.desk import Desk

Removed = Literal["removed", "shared", "missing", "not-ours"]


def remove_object(desk: Desk, folder: Path, stream: str, number: str) -> Removed:
    """Remove the object of a disposed item; what became of it.

    Raises OSError if it cannot be removed, ActionFailed if somebody who is keeping evidence just now, or has
    not recorded it yet, needs it.
    """
    item = desk.incident(stream).evidence[number]
    if not item.stored:
        return "not-ours"
    with held(folder, alone=True):
        if _is_needed(desk, item.stored, stream, number):
            return "shared"
        if (until := pinned(folder, item.stored)) is not None:
            raise ActionFailed(
                f"the object of {number} was collected once more less than a day ago, and that may not be on "
                f"record yet; run this again, at the latest after {iso(until)}"
            )
        return "removed" if remove(folder, item.stored) else "missing"


def _is_needed(desk: Desk, stored: str, stream: str, number: str) -> bool:
    """Whether an item anywhere that is not disposed of has its bytes in this object."""
    with desk.record.read() as tx:
        added = select(FACT.c.stream).distinct().where(FACT.c.kind == "evidence.added")
        streams = list(tx.connection.execute(added).scalars())
    for one in streams:
        for item in desk.incident(one).evidence.values():
            if item.stored == stored and item.disposal is None and (one, item.id) != (stream, number):
                return True
    return False
