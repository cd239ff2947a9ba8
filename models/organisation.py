"""The institution as its `organisation.yaml` says: people, roles, rotas, services, third parties.

People and rotas are read as they are now; nothing of this is frozen into an incident (design, 9).
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from models.calendars import OwnCalendar
from models.telephone import e164
from models.values import Duration, Frozen, Id, Lang, Text

Channel = Literal["console", "file", "slack", "email", "teams", "sms", "voice", "script"]
"""`script` is there in a drill alone: whoever is reached nowhere else is played by the script."""
Level = Literal["none", "low", "medium", "high", "critical"]


class Absence(Frozen):
    """A time in which a person cannot be reached; `until` is not part of it."""

    since: AwareDatetime
    until: AwareDatetime
    why: str = ""


def zone_exists(value: str) -> str:
    """`value` if it names a time zone. Raises ValueError."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as missing:
        raise ValueError(f"no time zone {value!r}; write it as Asia/Tokyo") from missing
    return value


Zone = Annotated[str, AfterValidator(zone_exists)]


class ReachChannel(Frozen):
    """One channel of a person's order."""

    channel: Channel
    after: Duration | None = Field(
        default=None,
        description="tried as well, so long after the call; without it only if one before it fails",
    )
    quiet: bool = Field(default=False, description="pages may use it in quiet hours")


class Quiet(Frozen):
    """When somebody is not woken by what can wait; by the clock on the wall."""

    since: time = Field(alias="from")
    until: time
    zone: Zone | None = Field(default=None, description="default: that of the institution")
    except_at_least: Id = Field(description="severity from which on quiet hours do not count")


class Reach(Frozen):
    """How a person is reached for some severities; the first that fits is used."""

    severities: tuple[Id, ...] = Field(default=(), description="these; without it and `at_least`, all")
    at_least: Id | None = Field(default=None, description="this severity and those above it")
    channels: tuple[ReachChannel, ...] = Field(min_length=1, max_length=9)
    quiet: Quiet | None = None

    @model_validator(mode="after")
    def _later_is_later(self) -> Reach:
        names = [one.channel for one in self.channels]
        if len(set(names)) < len(names):
            raise ValueError("channels: each may be named once")
        if self.channels[0].after is not None:
            raise ValueError("channels: the first goes at once; leave out its `after`")
        spans = [one.after for one in self.channels if one.after is not None]
        if spans != sorted(spans):
            raise ValueError(
                "channels: write them in the order in which they are tried; `after` may only grow"
            )
        return self


class Person(Frozen):
    """Somebody who can be paged or can act. `contacts` are tried in the order they are written."""

    id: Id
    name: Text
    title: Text | None = None
    lang: Lang = "ja"
    account: str | None = Field(default=None, description="operating-system account: the CLI's actor")
    slack: str | None = Field(default=None, pattern=r"^[UW][A-Z0-9]{2,}$")
    email: str | None = Field(default=None, pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    teams: Id | None = Field(default=None, description="name of a destination in `[teams.urls]`")
    phone: str | None = Field(default=None, description="for `sms` and `voice`: 080-…, or +81 …")
    channels: tuple[Channel, ...] = Field(default=("console",), min_length=1)
    reach: tuple[Reach, ...] = Field(
        default=(), max_length=8, description="by severity, instead of `channels`; the first that fits"
    )
    roles: tuple[Id, ...] = ()
    deputies: tuple[Id, ...] = Field(default=(), description="who stands in while absent, in this order")
    absences: tuple[Absence, ...] = ()
    third_party: Id | None = Field(
        default=None, description="the outside party this person belongs to: sees their own steps only"
    )

    def absent(self, now: datetime) -> bool:
        """Whether the person is away at `now` (aware)."""
        return any(away.since <= now < away.until for away in self.absences)

    def address(self, channel: str) -> str | None:
        """Where `channel` reaches this person, or None if it cannot."""
        return {
            "console": self.id,
            "file": self.id,
            "script": self.id,
            "slack": self.slack,
            "email": self.email,
            "teams": self.teams,
            "sms": self.number,
            "voice": self.number,
        }.get(channel)

    @property
    def ways(self) -> tuple[str, ...]:
        """Every channel that may ever be used for this person, each once: of `channels` and of `reach`."""
        orders = (one.channel for reach in self.reach for one in reach.channels)
        return tuple(dict.fromkeys((*self.channels, *orders)))

    @property
    def number(self) -> str | None:
        """The telephone number in E.164, or None if `phone` is no whole number."""
        return e164(self.phone)


class Role(Frozen):
    """What somebody is answerable for. Its `rota` says who holds it when; without one, all who have it do."""

    id: Id
    title: Text
    rota: Id | None = None
    hours: str | None = Field(default=None, description="when the role answers, for people to read")


class Override(Frozen):
    """Somebody else takes a shift, or part of it."""

    since: AwareDatetime
    until: AwareDatetime
    people: tuple[Id, ...] = Field(min_length=1)


class Shift(Frozen):
    """A recurring stretch of duty: `rule` (RRULE) gives the days, in the rota's zone."""

    rule: str = Field(description="RRULE on days, for example FREQ=WEEKLY;BYDAY=MO,TU")
    starts: time
    lasts: Duration
    people: tuple[Id, ...] = Field(min_length=1)
    rotate: Literal["none", "daily", "weekly"] = Field(
        default="none", description="take turns through `people`, counted from `since`"
    )
    since: date = date(2026, 1, 1)


class Rota(Frozen):
    """Who is on duty when."""

    id: Id
    zone: Zone = "Asia/Tokyo"
    shifts: tuple[Shift, ...] = Field(min_length=1)
    overrides: tuple[Override, ...] = ()


class ServiceLevel(Frozen):
    """How well a service runs, in the words that people decide by."""

    id: Id
    title: Text


LEVELS = (
    ServiceLevel(id="stopped", title=Text(ja="停止", en="stopped")),
    ServiceLevel(id="partial", title=Text(ja="一部のみ", en="partial")),
    ServiceLevel(id="target", title=Text(ja="目標復旧水準", en="recovery level reached")),
    ServiceLevel(id="normal", title=Text(ja="通常", en="normal")),
)
"""From worst to best, for services that name none of their own."""


class RegisteredPoint(Frozen):
    """A recovery point that the register knows of before anything happens."""

    id: Id
    at: AwareDatetime
    kind: Literal["backup", "replica", "snapshot"] = "backup"
    tamper: Literal["unknown", "clean", "tampered"] = "unknown"
    malware: Literal["unknown", "clean", "infected"] = "unknown"
    tested: date | None = Field(default=None, description="when restoring from this kind was last tested")


class Service(Frozen):
    """A business service with its recovery targets (FSA-2.5.1-B1)."""

    id: Id
    name: Text
    owner: Id = Field(description="role of the system's owner, who confirms recovery (FSA-2.5.2.6-B5)")
    tier: int = Field(ge=1, le=4)
    important: bool = False
    rto: Duration
    rto_from: Literal["outage", "decision"] = "outage"
    rpo: Duration
    rlo: Text
    levels: tuple[ServiceLevel, ...] = Field(
        default=LEVELS, min_length=2, max_length=9, description="from worst to best"
    )
    rlo_level: Id = Field(default="target", description="the level that `rlo` describes (FSA-2.5.1-B1)")
    recovery_points: tuple[RegisteredPoint, ...] = Field(default=(), max_length=200)
    mtpd: Duration
    needs: tuple[Id, ...] = ()
    vendors: tuple[Id, ...] = ()
    hosts: tuple[str, ...] = ()
    recovery_order: int = Field(ge=1)

    @model_validator(mode="after")
    def _target_is_a_level(self) -> Service:
        names = [level.id for level in self.levels]
        if self.rlo_level not in names[1:]:
            raise ValueError(f"rlo_level: {self.rlo_level!r} must be one of {names[1:]}, above the worst")
        return self


class Contract(Frozen):
    """What was agreed with an outside expert or vendor, so that nobody looks for it at night."""

    number: str
    hours: str
    call_out: Duration = Field(description="how soon they come after the call")
    notification_within: Duration | None = Field(default=None, description="how soon they must tell us")
    logs_within: Duration | None = Field(default=None, description="how soon they must hand over logs")


class ThirdParty(Frozen):
    """An outside party: the columns of FSA-2.6-B5, and what an incident needs of it."""

    id: Id
    name: Text
    kind: Literal[
        "vendor", "counsel", "forensics", "insurer", "authority", "police", "jpcert", "fisac", "bank", "other"
    ]
    provides: Text = Field(description="product, service or function")
    access: Text | None = None
    data: Text | None = Field(default=None, description="kinds of data held, how sensitive, and where")
    criticality: Level = "medium"
    phone: str | None = None
    email: str | None = None
    hours: str = Field(description="when they answer")
    contract: Contract | None = None
    alternative: Text | None = None
    alternative_tested: date | None = None
    critical_supplier: Text | None = Field(default=None, description="the party's own critical supplier")


class EvidenceSource(Frozen):
    """Something that evidence can be had from, and how long it still has it (RFC 3227)."""

    id: Id
    title: Text
    where: Text | None = None
    owner: Id | None = Field(default=None, description="role that gets at it; default: csirt-lead")
    volatility: int | None = Field(default=None, ge=1, le=7, description="1 is lost first, 7 last")
    retention: Duration | None = Field(default=None, description="after this time it rotates or is deleted")
    lost_by_waiting: Text | None = None


class Organisation(Frozen):
    """The whole of `organisation.yaml`."""

    name: Text
    zone: str = "Asia/Tokyo"
    lang: Lang = "ja"
    bridge: str | None = Field(default=None, description="meeting link or telephone bridge, shown in pages")
    calendar: OwnCalendar = Field(default=OwnCalendar(), description="working days of the institution")
    duty_channel: str | None = Field(default=None, description="id of the standing Slack duty channel")
    people: tuple[Person, ...] = Field(min_length=1)
    roles: tuple[Role, ...] = Field(min_length=1)
    rotas: tuple[Rota, ...] = ()
    services: tuple[Service, ...] = ()
    third_parties: tuple[ThirdParty, ...] = ()
    evidence_sources: tuple[EvidenceSource, ...] = Field(default=(), max_length=200)
