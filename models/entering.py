"""Coming in over the network: tokens of programs, links that log in, and what is noted of sessions.

A token is a person's, with some of their roles and an end. Of any secret the record holds the SHA-256 at
most: whoever reads the record, or a copy of it, cannot come in by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from models.commands import Command

TOKEN_MOST = timedelta(days=366)
TOKENS_KEPT = 200
TOKENS_EACH = 20
"""Of one person in use at a time: nobody can use up those of everybody."""
LINK_MOST = timedelta(hours=24)
ALL_ROLES = "*"
"""As a token's role: whatever roles its person holds at the time."""
BY_TOKEN = "api:"  # noqa: S105 - the name of a door
"""How the `via` of an act says that a token is behind it."""
KEY_SIZE = 10
"""How much of a session's digest names it: nobody comes in by it."""


class Token(msgspec.Struct, kw_only=True):
    """What a program comes in by, as somebody of the directory.

    It can use those of the person's roles that are in `roles`; `looks`: it may only read. `digest` is the
    SHA-256 of the token, which is shown once and kept nowhere.
    """

    id: str
    person: str
    until: datetime
    by: str
    digest: str
    roles: list[str] = []
    looks: bool = False


@dataclass(frozen=True, kw_only=True)
class IssueToken(Command):
    """Let a program act as `person`, with some of their roles, until a time."""

    person: str
    name: str
    until: datetime
    digest: str
    roles: tuple[str, ...] = ()
    looks: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RevokeToken(Command):
    """End it before its time."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class OfferLogin(Command):
    """Make a link that logs `person` in once."""

    person: str
    until: datetime


@dataclass(frozen=True, kw_only=True)
class NoteLogin(Command):
    """A session has begun. `key` names it and opens nothing; `way` says how they showed who they are."""

    key: str
    way: str
    until: datetime
    inspector: str = ""


@dataclass(frozen=True, kw_only=True)
class NoteLogout(Command):
    """A session has ended because its owner said so."""

    key: str


@dataclass(frozen=True, kw_only=True)
class EndSession(Command):
    """Somebody ends a session, their own or another's."""

    key: str
    person: str
    reason: str = ""
