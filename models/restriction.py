"""Who may know of an incident, and who may only look: what is remembered, and what people may ask for.

The rules stand in `models.access` (may somebody read?) and `models.rules.access` (who changes that, and how).
An insider may be anybody: whoever is suspected is barred whatever their role, duty or deputyship says, so
that neither page nor list reaches them (FSA-2.5.2.3-B1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from models.commands import Command

GLASS_LASTS = timedelta(hours=4)
"""How long broken glass gives rights. Whoever needs longer is made a reader by then."""
GLASS_ROLES = frozenset({"csirt-duty", "commander"})
"""Whose rights it gives; never those of an authority, and never writing for somebody else."""
READ_AGAIN = timedelta(hours=1)
"""How long further looks of the same person are the same reading."""
INSPECTOR_MOST = timedelta(days=30)
INSPECTORS_KEPT = 100
NAMES_MOST = 50
"""People and roles that one act may name; a longer list is not need-to-know."""
READER_ROLES = ("commander", "scribe")
"""Whoever was named to lead the incident or to write for it may read it."""
GLASS = "glass"
GLASS_EVENT = "break-glass"
SURFACES_KEPT = 8


class Glass(msgspec.Struct, kw_only=True):
    """Somebody has taken rights that they do not have, until a time."""

    since: datetime
    until: datetime
    ended: bool = False


class Restriction(msgspec.Struct, kw_only=True):
    """Who may know of one incident. Without `since` everybody may, and `glass` only adds rights to act.

    `people` and `roles` are named, `told` are those whom the record has paged or told, `barred` may never.
    `reads` is when each person's last recorded reading was.
    """

    since: datetime | None = None
    by: str = ""
    people: list[str] = []
    roles: list[str] = []
    told: list[str] = []
    barred: list[str] = []
    reads: dict[str, datetime] = {}
    glass: dict[str, Glass] = {}

    @property
    def on(self) -> bool:
        """Whether only some may know of it."""
        return self.since is not None

    def broken(self, person: str, now: datetime) -> bool:
        """Whether the person has broken the glass and it is not over."""
        glass = self.glass.get(person)
        return glass is not None and not glass.ended and now < glass.until and person not in self.barred


class Inspector(msgspec.Struct, kw_only=True):
    """Somebody from outside who may read and nothing else, until a time.

    Without `incidents` everything that is not restricted; a restricted one only if it is named.
    `digest` is the SHA-256 of the token, which is shown once and kept nowhere.
    """

    id: str
    until: datetime
    by: str
    incidents: list[str] = []
    account: str | None = None
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Restrict(Command):
    """Name who may know; the first time it restricts. `bar` excludes a person whatever role they hold.

    `people` and `remove` are ids of people or of roles. `lift` opens it to everybody again.
    """

    reason: str
    people: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    bar: tuple[str, ...] = ()
    lift: bool = False


@dataclass(frozen=True, kw_only=True)
class BreakGlass(Command):
    """Take rights at once that one does not have. Others are paged, and it is reviewed afterwards."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class EndGlass(Command):
    """Give them back before their time is over."""


@dataclass(frozen=True, kw_only=True)
class RecordRead(Command):
    """Somebody has read the incident, says the machine; `inspector:NAME` for one from outside."""

    reader: str
    surface: str


@dataclass(frozen=True, kw_only=True)
class GrantInspector(Command):
    """Let somebody from outside read for a time, by an account of this machine or by a token."""

    name: str
    until: datetime
    reason: str
    incidents: tuple[str, ...] = ()
    account: str | None = None
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class RevokeInspector(Command):
    """End it before its time."""

    name: str
    reason: str
