"""Packages for those who warn others: JPCERT/CC, an ISAC, the police (FSA-2.5.2.3-B5).

What helps others (attack technical information: indicators, techniques) and what happened here (damage and
response) are two packages, made and shared apart. Hikeshi writes files and sends none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from models.audience import Tlp
from models.commands import Command

Part = Literal["technical", "damage"]
PARTS: tuple[Part, ...] = ("technical", "damage")


class Shared(msgspec.Struct, kw_only=True):
    """That a package was given to somebody; `to` is a third party, or a text beside the record."""

    to: str
    at: datetime
    by: str
    via: str = ""
    message: str = ""


class Sharing(msgspec.Struct, kw_only=True):
    """A package that was made. `digest` is that of its files, `allowed` what its maker let pass the check."""

    id: str
    part: Part
    tlp: Tlp
    digest: str
    at: datetime
    by: str
    indicators: int = 0
    allowed: list[str] = []
    shared: list[Shared] = []


@dataclass(frozen=True, kw_only=True)
class PrepareSharing(Command):
    """A package was written. `files` are digests by name; `allowed` names that its maker let pass.

    `leaks` are the places in it that name who was attacked: with one of them it is refused.
    """

    part: Part
    tlp: Tlp
    digest: str
    files: Mapping[str, str]
    indicators: int = 0
    allowed: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RecordShared(Command):
    """Somebody gave a package to `to`: a third party's id, or words. `message` is the letter to it."""

    sharing: str
    to: str
    via: str
    message: str = ""
    instant: datetime | None = None
