"""What an incident has reached: assets, accounts, services, data, entry routes, indicators (FSA-2.5.2.5-B1).

Names lie beside the record; the state knows their digests. Whether something is in scope already is asked of
the texts that the desk reads in the same transaction (`World.beside`), so that nothing is ever in it twice.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal

import msgspec

from models.commands import Command
from models.indicator import guess, same

KINDS = (
    "entry-route", "account", "host", "server", "terminal", "network-device", "indicator", "data", "service",
)  # fmt: skip
HOSTS = frozenset({"host", "server", "terminal", "network-device"})
NEED_A_FIX = frozenset({"entry-route", "account", "indicator", *HOSTS})
"""Each of these is linked to a fix, or its risk is accepted, before services resume. Data and services come
back by restoring them, which has gates of its own."""
WORDS = {"confirmed": 95, "likely": 70, "suspected": 30}
"""How sure a word is, in percent: the middle of what STIX 2.1 (appendix A) calls high, medium and low."""
NAMED = 10
"""Open items of one kind that a gate names one by one; beyond it says how many there are."""


class ScopeItem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An affected thing, and what was done about it. `name`, `source`, `note`, `fix` are digests of texts.

    `fix` may be empty where a step or a piece of evidence shows what was done.
    """

    id: str
    kind: str
    name: str
    at: datetime
    fix: str | None = None
    accepted: str | None = None
    type: str = ""
    by: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    confidence: str = ""
    source: str = ""
    note: str = ""
    evidence: str = ""
    party: str = ""
    service: str = ""
    times: int = 1
    settled_at: datetime | None = None
    fix_step: str = ""
    fix_evidence: str = ""
    retracted: str | None = None
    reopened_seq: int = 0

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do about it: fixed, accepted, or a false alarm."""
        return self.fix is not None or self.accepted is not None or self.retracted is not None

    @property
    def holds(self) -> bool:
        """Whether resuming waits for it."""
        return self.kind in NEED_A_FIX and not self.settled


class PartyNotice(msgspec.Struct, kw_only=True):
    """A third party has to hear of this incident (FSA-2.5.2.4-Da). `because` are items or services."""

    party: str
    since: datetime
    because: list[str] = []
    settled_at: datetime | None = None
    how: Literal["", "sent", "not-due"] = ""
    message: str = ""
    reason: str = ""
    by: str = ""


def sureness(confidence: str) -> int | None:
    """A confidence in percent; None if nobody said."""
    if confidence in WORDS:
        return WORDS[confidence]
    return int(confidence) if confidence else None


@lru_cache(maxsize=20_000)
def identity(kind: str, type_: str, name: str) -> tuple[str, str]:
    """What makes two items the same thing: a host is one whatever sort of host people call it."""
    if kind == "indicator":
        return f"indicator:{type_}", same(type_, name)
    return "host" if kind in HOSTS else kind, unicodedata.normalize("NFKC", name).casefold().strip()


def known_items(items: Iterable[ScopeItem], beside: Mapping[str, str | None]) -> dict[tuple[str, str], str]:
    """The number of each item by what it is. One whose name was disposed of cannot be met again."""
    found: dict[tuple[str, str], str] = {}
    for item in items:
        name = beside.get(item.name, None if item.name.startswith("t:") else item.name)
        if name is not None:
            found.setdefault(identity(item.kind, type_of(item, name), name), item.id)
    return found


def is_of(item: ScopeItem, kind: str) -> bool:
    """Whether an item counts as one of a kind: every sort of host is a host; a false alarm is nothing."""
    return item.retracted is None and (item.kind == kind or (kind == "host" and item.kind in HOSTS))


def type_of(item: ScopeItem, name: str) -> str:
    """The type of an indicator; records of the first versions have none, and it is told by its looks."""
    return item.type or (guess(name) if item.kind == "indicator" else "")


def open_causes(items: Iterable[ScopeItem]) -> Iterator[str]:
    """What the scope still holds against resuming: each item by number, or how many of a kind there are."""
    waiting: dict[str, list[str]] = {}
    for item in items:
        if item.holds:
            waiting.setdefault(item.kind, []).append(item.id)
    for kind, numbers in waiting.items():
        if len(numbers) > NAMED:
            yield f"no-fix-many:{kind}/{len(numbers)}"
        else:
            yield from (f"no-fix:{number}" for number in numbers)


# -- commands -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewItem:
    """One thing as somebody gives it; `where` says where in a file it stood, for what is wrong with it."""

    kind: str
    name: str
    type: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    confidence: str = ""
    source: str = ""
    evidence: str = ""
    party: str = ""
    note: str = ""
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class AddScope(Command):
    """Things are affected: one, or all of a file (`origin` csv or stix, with the file's digest)."""

    items: tuple[NewItem, ...]
    origin: Literal["", "csv", "stix"] = ""
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class UpdateScope(Command):
    """More is known of an item: seen again, surer, whose it is, what shows it."""

    id: str
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    confidence: str = ""
    source: str = ""
    evidence: str = ""
    party: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class RetractScope(Command):
    """An item was a false alarm; it stays in the record and holds nothing up."""

    ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class FixScope(Command):
    """What was done about items: in words, by a step, or shown by a piece of evidence.

    Either `ids`, or with `every` all that are open, of this kind and type if given.
    """

    ids: tuple[str, ...] = ()
    every: bool = False
    kind: str = ""
    type: str = ""
    text: str = ""
    step: str = ""
    evidence: str = ""


@dataclass(frozen=True, kw_only=True)
class AcceptScope(Command):
    """The risk of items is accepted by its authority; chosen as in FixScope."""

    ids: tuple[str, ...] = ()
    every: bool = False
    kind: str = ""
    type: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SettleParty(Command):
    """A person decides that a third party is owed no notice, and why (FSA-2.5.2.4-Da)."""

    party: str
    reason: str
