"""Who has read which version of which playbook (周知), and what people and time may ask about it.

A version is announced once: that is when its readers' time begins, not on the day of its review, because
nobody can read what was not there. A receipt counts for the version it names; the digest beside it says
exactly which words, called parts included, were read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.commands import Command
from models.frozen import FrozenPlaybook
from models.organisation import Organisation
from models.playbook import Playbook
from models.state import Reading

SUBJECT = "reading"


@dataclass(frozen=True, kw_only=True)
class AnnouncePlaybook(Command):
    """Ask the roles in `read_by` to read today's version; their time begins. Nothing if that was done."""

    playbook: str


@dataclass(frozen=True, kw_only=True)
class ReadPlaybook(Command):
    """Somebody has read today's version."""

    playbook: str


def subject_of(playbook: str) -> str:
    """What a page or a notice about reading this playbook is about."""
    return f"{SUBJECT}:{playbook}"


def members(organisation: Organisation, role: str) -> tuple[str, ...]:
    """Ids of all who act in a role: those who have it, and those whom its rota ever puts on duty.

    Not only who is on duty now: whoever takes the next shift reads beforehand, or not at all.
    """
    rota_name = next((one.rota for one in organisation.roles if one.id == role), None)
    rota = next((one for one in organisation.rotas if one.id == rota_name), None)
    shifts = [name for shift in rota.shifts for name in shift.people] if rota else []
    own = [one.id for one in organisation.people if role in one.roles]
    known = {one.id for one in organisation.people}
    return tuple(name for name in dict.fromkeys((*own, *shifts)) if name in known)


def readers_of(organisation: Organisation, roles: Iterable[str]) -> tuple[str, ...]:
    """Everybody who acts in one of the roles, each once."""
    return tuple(dict.fromkeys(name for role in roles for name in members(organisation, role)))


def has_read(reading: Reading | None, person: str, version: str) -> bool:
    """Whether the person's receipt is for this version."""
    receipt = reading.readers.get(person) if reading is not None else None
    return receipt is not None and receipt.version == version


def unread(organisation: Organisation, reading: Reading, besides: str = "") -> list[str]:
    """Who of the roles asked, as they are filled now, has not read the version asked for."""
    return [
        name
        for name in readers_of(organisation, reading.roles)
        if name != besides and not has_read(reading, name, reading.version)
    ]


def announced(reading: Reading | None, frozen: FrozenPlaybook) -> bool:
    """Whether this version has been announced to the roles that it names today."""
    return (
        reading is not None
        and bool(reading.roles)
        and (reading.version, tuple(reading.roles)) == (frozen.version, frozen.plan.playbook.read_by)
    )


def acting_roles(playbook: Playbook, frozen: FrozenPlaybook) -> tuple[str, ...]:
    """Who has to know a playbook: `read_by`, or else the roles that act or decide in it."""
    if playbook.read_by:
        return playbook.read_by
    steps = [planned.step for planned in frozen.plan.steps.values()]
    named = (step.deciders or (step.owner,) for step in steps)
    return tuple(dict.fromkeys(role for roles in named for role in roles if role))
