"""A record leaves the house as an archive: who took it, which records, with or without texts."""

from __future__ import annotations

from dataclasses import dataclass

from models.commands import Command
from models.fact import Draft
from models.permission import require
from models.rules.common import Decided
from models.state import House
from models.world import World

PERMISSION = "record-export"
MAX_NAMED = 200


@dataclass(frozen=True, kw_only=True)
class NoteExport(Command):
    """Written before the archive is, so that it holds this fact itself. `everything`: all records."""

    streams: tuple[str, ...]
    everything: bool = False
    texts: bool = True
    objects: bool = False


def note_export(state: House, command: NoteExport, world: World) -> Decided:
    """Texts hold personal data: who took them out of the house stays on record."""
    require(command, PERMISSION, state, world)
    data = {
        "streams": list(command.streams[:MAX_NAMED]),
        "count": len(command.streams),
        "everything": command.everything,
        "texts": command.texts,
        "objects": command.objects,
    }
    return [Draft(kind="record.exported", data=data)]
