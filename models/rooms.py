"""An incident's own channel: that it exists is a fact; what it shows is a mirror of the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from models.commands import Command
from models.fact import SYSTEM, Draft, Fact


@dataclass(frozen=True, kw_only=True)
class OpenRoom(Command):
    """The machine has made the incident's channel, or found the one that it had made."""

    via: str
    address: str
    name: str
    private: bool


class Room(msgspec.Struct, kw_only=True):
    """Where an incident is worked on; `address` is the channel's own id."""

    address: str
    name: str
    private: bool
    at: datetime


def open_room(state: Any, command: OpenRoom, world: Any) -> list[Draft]:
    """The channel is known from now on. Only the machine says so, and once for each kind of channel."""
    del world
    if command.actor.person != SYSTEM or command.via in state.rooms:
        return []
    data = {
        "via": command.via,
        "address": command.address,
        "name": command.name[:80],
        "private": command.private,
    }
    return [Draft(kind="room.opened", data=data)]


def _opened(state: Any, fact: Fact) -> None:
    data = fact.data
    state.rooms[data["via"]] = Room(
        address=data["address"], name=data["name"], private=data["private"], at=fact.at
    )


FOLDS: dict[str, Callable[[Any, Fact], None]] = {"room.opened": _opened}
