"""A record goes on in another place: who took it over, why, from what, and how much of it there was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.commands import Command
from models.fact import Draft
from models.permission import require
from models.rules.common import Decided, text
from models.state import House
from models.world import World

PERMISSION = "record-restore"
MAX_HEADS = 200
"""Heads that are named one by one; `root` covers all of them."""


@dataclass(frozen=True, kw_only=True)
class RestoreRecord(Command):
    """Written with the facts that were restored, or not at all. `heads`: stream -> seq and hash."""

    source: str
    reason: str
    heads: Mapping[str, tuple[int, str]]
    root: str
    counts: Mapping[str, int] = field(default_factory=dict)


def restore(state: House, command: RestoreRecord, world: World) -> Decided:
    """The living node, if there is one, must be stopped: two would write different facts under one number."""
    require(command, PERMISSION, state, world)
    reason = text(command.reason, "take-over")
    named = {name: list(command.heads[name]) for name in sorted(command.heads)[:MAX_HEADS]}
    data = {
        "streams": len(command.heads),
        "facts": sum(seq for seq, _ in command.heads.values()),
        "heads": named,
        "root": command.root,
        **command.counts,
    }
    texts = {"reason": reason, "source": command.source[:300]}
    return [Draft(kind="record.restored", data=data, texts=texts)]


@dataclass(frozen=True, kw_only=True)
class MoveRecord(Command):
    """Written in the new database with all that was moved, or not at all. `to` has no password."""

    to: str
    reason: str
    facts: int
    heads: Mapping[str, tuple[int, str]]
    root: str


def move(state: House, command: MoveRecord, world: World) -> Decided:
    """The old database must not be written any more: two would write different facts under one number."""
    require(command, PERMISSION, state, world)
    named = {name: list(command.heads[name]) for name in sorted(command.heads)[:MAX_HEADS]}
    data = {"streams": len(command.heads), "facts": command.facts, "heads": named, "root": command.root}
    return [
        Draft(
            kind="record.moved",
            data=data,
            texts={"reason": text(command.reason, "reason"), "to": command.to[:300]},
        )
    ]
