"""`drill.yaml`, which makes a directory that of a drill, and `participants.yaml`: who is reached, and how.

Addresses of an exercise stand in `participants.yaml` and nowhere else; whoever is not in it is not reached.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AwareDatetime, Field, model_validator

from models.organisation import Channel, Person
from models.programme import Organiser
from models.telephone import e164
from models.values import Frozen, Id

DRILL_FILE, PARTICIPANTS_FILE = "drill.yaml", "participants.yaml"
DrillId = Annotated[str, Field(pattern=r"^DRL-\d{4}-\d{4,6}$")]
SCRIPT: Channel = "script"
"""The channel of whoever has no address in the drill: a scripted responder plays their roles."""
_ADDRESSES = ("slack", "email", "teams", "phone")


class DrillFile(Frozen):
    """`drill.yaml`: which exercise this directory is for."""

    drill: DrillId
    scenario: Id
    digest: str = Field(
        default="", pattern=r"^(sha256:[0-9a-f]{64})?$", description="of the scenario as it was frozen"
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="of the scripted responders")
    startex: AwareDatetime = Field(description="the hour of the story at STARTEX")
    institution: str = Field(default="", max_length=200, description="whose exercise it is, for people")
    organiser: str = Field(
        default="", max_length=200, description="who holds it, by name; empty: the institution itself"
    )
    by: Organiser = Field(
        default="internal", description="who holds it (FSA-2.2.5-Dd): internal, vendor, sector, authority"
    )
    prepared: AwareDatetime | None = Field(default=None, description="when the directory was made")
    hikeshi: str = Field(default="", max_length=40, description="the version that made it")


class Enrolled(Frozen):
    """Somebody who takes part, with the addresses that the drill may use. At least one."""

    person: Id
    channels: tuple[Channel, ...] = Field(
        default=(), max_length=9, description="in the order in which they are tried; default: as written"
    )
    slack: str | None = Field(default=None, pattern=r"^[UW][A-Z0-9]{2,}$")
    email: str | None = Field(default=None, pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    teams: Id | None = None
    phone: str | None = Field(default=None, description="for `sms` and `voice`")

    @model_validator(mode="after")
    def _each_channel_has_its_address(self) -> Self:
        if self.phone is not None and e164(self.phone) is None:
            raise ValueError(f"phone: expected a whole number such as 080-1234-5678, got {self.phone!r}")
        if not self.ways:
            raise ValueError("channels: expected at least one of slack, email, teams, phone, or `console`")
        if len(set(self.channels)) < len(self.channels):
            raise ValueError("channels: each may be named once")
        for channel in self.channels:
            if channel == SCRIPT:
                raise ValueError("channels: `script` is for those who are not in this file; leave them out")
            if channel not in ("console", "file") and channel not in self._written:
                raise ValueError(f"channels: {channel} is named, and its address is missing")
        return self

    @property
    def _written(self) -> tuple[Channel, ...]:
        found: list[Channel] = [name for name in ("slack", "email", "teams") if getattr(self, name)]
        return (*found, "sms", "voice") if self.phone else tuple(found)

    @property
    def ways(self) -> tuple[Channel, ...]:
        """The channels that are tried, in their order. A number alone stands for `sms`."""
        if self.channels:
            return self.channels
        return tuple(one for one in self._written if one != "voice")


class Participants(Frozen):
    """The whole of `participants.yaml`."""

    people: tuple[Enrolled, ...] = Field(default=(), max_length=500)

    @model_validator(mode="after")
    def _nobody_twice(self) -> Self:
        names = [one.person for one in self.people]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"people: expected each person once, got {', '.join(twice)} more than once")
        return self

    def of(self, person: str) -> Enrolled | None:
        """What stands here of a person."""
        return next((one for one in self.people if one.person == person), None)


def without_addresses(person: Person) -> Person:
    """The person as a drill knows them: name, roles, deputies and absences; reached by the script alone."""
    gone = dict.fromkeys(_ADDRESSES)
    return person.model_copy(update={**gone, "channels": (SCRIPT,), "reach": ()})


def with_addresses(person: Person, enrolled: Enrolled | None) -> Person:
    """The person with the addresses that they have in the drill; unchanged if they have none."""
    if enrolled is None:
        return person
    given = {name: getattr(enrolled, name) for name in _ADDRESSES}
    return person.model_copy(update={**given, "channels": enrolled.ways})
