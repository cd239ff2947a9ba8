"""What people and the node ask of the evidence ledger, beside adding to it (`AddEvidence`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from models.commands import Command
from models.evidence import CheckResult


@dataclass(frozen=True, kw_only=True)
class TransferEvidence(Command):
    """An item changes hands. `to` is a person or third party of the directory, or a name with `organisation`.

    `digest` is what the receiver found when the item was handed over.
    """

    id: str
    to: str
    organisation: str = ""
    purpose: str
    place: str
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What comparing one item with its digest came to."""

    id: str
    result: CheckResult
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class VerifyEvidence(Command):
    """Items were compared with their digests. By the node, only what has changed becomes a fact."""

    found: tuple[Found, ...]


@dataclass(frozen=True, kw_only=True)
class HoldEvidence(Command):
    """Put a legal hold on items, or lift it; without `ids` on everything, also what comes later.

    `hold` names the one to lift by its fact, where there are several.
    """

    how: Literal["hold", "release"]
    reason: str
    ids: tuple[str, ...] = ()
    hold: int | None = None


@dataclass(frozen=True, kw_only=True)
class DisposeEvidence(Command):
    """Decide that an item is kept no longer. `authority` is the rule or order on which that rests."""

    id: str
    reason: str
    authority: str


@dataclass(frozen=True, kw_only=True)
class RecordRemoval(Command):
    """The stored object of a disposed item was removed, or why it was not."""

    id: str
    how: Literal["removed", "shared", "missing", "not-ours"]


@dataclass(frozen=True, kw_only=True)
class DisposeTexts(Command):
    """Dispose of texts beside the record, by their digests; the facts keep the digests."""

    digests: tuple[str, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class RecordRound(Command):
    """The node has compared all stored items once: one line for all of them (house)."""

    since: datetime
    items: int
    size: int
    damaged: int
    unrecorded: int = 0
