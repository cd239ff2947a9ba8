"""The stored object of disposed evidence goes, unless other evidence consists of the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sqlalchemy import select

from flows.actions.store import remove
from models.record import FACT

if TYPE_CHECKING:
    from pathlib import Path

    from models.desk import Desk

Removed = Literal["removed", "shared", "missing", "not-ours"]


def remove_object(desk: Desk, folder: Path, stream: str, number: str) -> Removed:
    """Remove the object of a disposed item; what became of it. Raises OSError if it cannot be removed."""
    item = desk.incident(stream).evidence[number]
    if not item.stored:
        return "not-ours"
    if _is_needed(desk, item.stored, stream, number):
        return "shared"
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
