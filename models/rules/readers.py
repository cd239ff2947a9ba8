"""Reading playbooks: a version is announced, people say that they have read it, and those who have not are
reminded and then somebody is paged (event `read-overdue`)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from models.clock import iso
from models.errors import Refused
from models.fact import Draft
from models.frozen import FrozenPlaybook
from models.permission import require
from models.readers import AnnouncePlaybook, ReadPlaybook, announced, readers_of, subject_of, unread
from models.reason import Reason
from models.routing import ask, level_recipients
from models.rules.common import Decided
from models.state import Programme, Reading
from models.world import World


def announce(state: Programme, command: AnnouncePlaybook, world: World) -> Decided:
    """Today's version is to be read. One that no longer asks for readers is no longer waited for."""
    require(command, "playbook-announce", state, world)
    reading = state.readings.get(command.playbook)
    frozen = world.library.get(command.playbook)
    if frozen is None and reading is None:
        raise _unknown(command.playbook, world)
    if frozen is None or not frozen.plan.playbook.read_by:
        asked = reading is not None and bool(reading.roles)
        return [Draft(kind="reading.withdrawn", data={"playbook": command.playbook})] if asked else []
    return [] if announced(reading, frozen) else _announcement(state, frozen, world)


def read(state: Programme, command: ReadPlaybook, world: World) -> Decided:
    """A receipt. If it was the last that was missing, nothing is overdue any more."""
    require(command, "playbook-read", state, world)
    frozen = world.library.get(command.playbook)
    if frozen is None:
        raise _unknown(command.playbook, world)
    # First, because what a scribe wrote is marked on the first fact of a command.
    drafts = [Draft(kind="playbook.read", data=_which(frozen) | {"person": command.who})]
    reading = state.readings.get(command.playbook)
    if frozen.plan.playbook.read_by and not announced(reading, frozen):
        return drafts + _announcement(state, frozen, world, besides=command.who)
    if reading is not None and reading.overdue and not unread(world.organisation, reading, command.who):
        drafts.append(Draft(kind="reading.complete", data=_version(reading)))
    return drafts


def reading_due(state: Programme, world: World) -> Iterator[Draft]:
    """What the time given for reading has come to: all have read, or somebody is told who has not."""
    for reading in state.readings.values():
        if reading.due is None or reading.due > world.now:
            continue
        missing = unread(world.organisation, reading)
        if not missing:
            yield Draft(kind="reading.complete", data=_version(reading))
            continue
        yield Draft(kind="reading.overdue", data=_version(reading) | {"people": missing})
        yield _told(state, reading.playbook, missing, world)
        yield from ask(world, state, "read-overdue", subject_of(reading.playbook), {"missing": missing})


def reading_instants(state: Programme) -> Iterator[datetime | None]:
    """When `reading_due` has something to say."""
    return (reading.due for reading in state.readings.values())


def _announcement(state: Programme, frozen: FrozenPlaybook, world: World, besides: str = "") -> list[Draft]:
    playbook = frozen.plan.playbook
    due = iso(world.now + playbook.read_within)
    data = _which(frozen) | {"roles": list(playbook.read_by), "due": due}
    known = state.readings.get(frozen.name)
    people = [
        name
        for name in readers_of(world.organisation, playbook.read_by)
        if name != besides
        and (known is None or name not in known.readers or known.readers[name].version != frozen.version)
    ]
    return [
        Draft(kind="playbook.announced", data=data),
        _told(state, frozen.name, people, world),
    ]


def _told(state: Programme, playbook: str, people: list[str], world: World) -> Draft:
    """A notice to those who have not read; an absent one's deputy gets it."""
    to = level_recipients(world, state, tuple(people), (), subject_of(playbook))
    data = {"template": "notice.playbook_to_read", "subject": subject_of(playbook), "recipients": to}
    return Draft(kind="message.requested", data=data)


def _which(frozen: FrozenPlaybook) -> dict[str, Any]:
    return {"playbook": frozen.name, "version": frozen.version, "digest": frozen.document.digest}


def _version(reading: Reading) -> dict[str, Any]:
    return {"playbook": reading.playbook, "version": reading.version}


def _unknown(name: str, world: World) -> Refused:
    return Refused(Reason.NO_SUCH_PLAYBOOK, {"playbook": name, "known": sorted(world.library)})
