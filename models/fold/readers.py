"""How receipts and announcements of playbooks change the programme.

Bounded: one entry a playbook, one receipt a person, and only people of the directory can give one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.fact import Fact
from models.state import Programme, Reading, Receipt


def _announced(state: Programme, fact: Fact) -> None:
    data = fact.data
    known = state.readings.get(data["playbook"])
    kept = known.readers.items() if known is not None else ()
    state.readings[data["playbook"]] = Reading(
        playbook=data["playbook"],
        version=data["version"],
        digest=data["digest"],
        roles=data["roles"],
        asked_at=fact.at,
        due=datetime.fromisoformat(data["due"]),
        readers={name: receipt for name, receipt in kept if receipt.version == data["version"]},
    )


def _read(state: Programme, fact: Fact) -> None:
    data = fact.data
    name, version = data["playbook"], data["version"]
    reading = state.readings.get(name)
    if reading is None:
        # Nobody asked for it: kept all the same, with nothing to wait for.
        reading = state.readings[name] = Reading(playbook=name, version=version, digest=data["digest"])
    reading.readers[data["person"]] = Receipt(
        version=version,
        digest=data["digest"],
        at=fact.at,
        recorded_by=fact.actor if fact.for_ is not None else None,
    )


def _overdue(state: Programme, fact: Fact) -> None:
    reading = state.readings[fact.data["playbook"]]
    reading.overdue, reading.due = True, None


def _complete(state: Programme, fact: Fact) -> None:
    reading = state.readings[fact.data["playbook"]]
    reading.overdue, reading.due = False, None


def _withdrawn(state: Programme, fact: Fact) -> None:
    del state.readings[fact.data["playbook"]]


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "playbook.announced": _announced,
    "playbook.read": _read,
    "reading.overdue": _overdue,
    "reading.complete": _complete,
    "reading.withdrawn": _withdrawn,
}
