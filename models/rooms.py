"""An incident's own channel: that it exists is a fact; what it shows is a mirror of the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from models.commands import Command
from models.fact import SYSTEM, Draft, Fact

MAX_ROOMS = 9
"""How many channels one incident gets: losing it again and again must not fill Slack and the record."""


@dataclass(frozen=True, kw_only=True)
class OpenRoom(Command):
    """The machine has made the incident's channel, or found the one that it had made.

    `replaces` is the id of the channel that is lost, or too open by now; empty for the first one.
    """

    via: str
    address: str
    name: str
    private: bool
    replaces: str = ""


class Room(msgspec.Struct, kw_only=True):
    """Where an incident is worked on; `address` is the channel's own id, `number` counts them from 1."""

    address: str
    name: str
    private: bool
    at: datetime
    replaces: str = ""
    number: int = 1


def open_room(state: Any, command: OpenRoom, world: Any) -> list[Draft]:
    """The channel is known from now on. Only the machine says so, and once for each kind of channel.

    Another one has to name the one that it replaces: of two nodes that make one, the second changes nothing.
    """
    del world
    known = state.rooms.get(command.via)
    if command.actor.person != SYSTEM or command.replaces != (known.address if known else ""):
        return []
    if known and (command.address == known.address or known.number >= MAX_ROOMS):
        return []
    data = {
        "via": command.via,
        "address": command.address,
        "name": command.name[:80],
        "private": command.private,
    }
    if command.replaces:
        data["replaces"] = command.replaces
    return [Draft(kind="room.opened", data=data)]


def _opened(state: Any, fact: Fact) -> None:
    data, before = fact.data, state.rooms.get(fact.data["via"])
    state.rooms[data["via"]] = Room(
        address=data["address"],
        name=data["name"],
        private=data["private"],
        at=fact.at,
        replaces=data.get("replaces", ""),
        number=before.number + 1 if before else 1,
    )


FOLDS: dict[str, Callable[[Any, Fact], None]] = {"room.opened": _opened}
