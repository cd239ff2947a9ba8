"""Checkpoints: one signed line over the heads of all records, chained to the one before.

A chain alone shows that a fact was altered, not that its end was cut off, that all of it was computed anew or
that an incident is gone. Whoever holds one checkpoint elsewhere finds each of these, in all that was written
before it. Pure: reading heads, signing and storing are in `console.checkpoints`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from models.canonical import canonical_bytes
from models.clock import iso
from models.errors import BadInput

EVERY_FACTS = 100
EVERY_OPEN = timedelta(seconds=60)
EVERY_QUIET = timedelta(hours=1)
FULL_UP_TO = 100
"""An installation with so few records names all of them each time."""
FULL_EVERY = 1_000
TRAIL_DIGITS = 16
MAX_TRAIL = 1_000
"""Facts whose hashes one checkpoint lists; after a longer pause only the heads are listed."""
NOTHING_BEFORE = "0" * 64

Heads = Mapping[str, tuple[int, str]]
"""Of each record the number of its last fact and that fact's hash in hex."""


class Owed(StrEnum):
    """Why a checkpoint is made now, or is not."""

    FACTS = "so many facts are new"
    OPEN = "an incident is open, and something is new"
    QUIET = "something is new since long"
    MOMENT = "a moment that matters"
    NOTHING_NEW = "nothing is new"
    NOT_DUE = "not due"

    @property
    def yes(self) -> bool:
        """Whether one is made."""
        return self not in {Owed.NOTHING_NEW, Owed.NOT_DUE}


def owed(*, new_facts: int, last: datetime | None, incident_open: bool, moment: bool, now: datetime) -> Owed:
    """Whether a checkpoint is to be made, `new_facts` after the last one, which was made at `last`."""
    if new_facts <= 0:
        return Owed.NOTHING_NEW
    if moment:
        return Owed.MOMENT
    if new_facts >= EVERY_FACTS:
        return Owed.FACTS
    # A clock that was set back must not keep the next one away.
    age = abs(now - last) if last is not None else EVERY_QUIET
    if incident_open and age >= EVERY_OPEN:
        return Owed.OPEN
    return Owed.QUIET if age >= EVERY_QUIET else Owed.NOT_DUE


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed. `heads` are all records if `full`, else those that have grown since the one before.

    `root` covers the heads of all records in either case. `trail` lists the hashes of the facts since the
    one before, cut to 16 digits, so that the first fact that differs can be named.
    """

    number: int
    at: str
    node: str
    key: str
    previous: str
    facts: str
    streams: int
    root: str
    full: bool
    heads: dict[str, tuple[int, str]]
    trail: dict[str, str] = {}
    v: Literal[1] = 1
    type: Literal["checkpoint"] = "checkpoint"

    def body(self) -> bytes:
        """The exact bytes that are signed and stored."""
        content = msgspec.to_builtins(self)
        return canonical_bytes(content | {"heads": {name: list(one) for name, one in self.heads.items()}})


_decoder = msgspec.json.Decoder(Checkpoint)


def read_checkpoint(body: bytes) -> Checkpoint:
    """The checkpoint in `body`. Raises BadInput if it is none."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as wrong:
        raise BadInput(f"this is no checkpoint: {wrong}; expected the stored bytes of one") from wrong


def digest(body: bytes) -> str:
    """SHA-256 of a checkpoint's body in hex: its name, and what the next one is chained to."""
    return hashlib.sha256(body).hexdigest()


def root_of(heads: Heads) -> str:
    """SHA-256 over one line `stream seq hash` for each record, in the order of the names' bytes."""
    lines = [f"{name} {seq} {head}\n".encode() for name, (seq, head) in heads.items()]
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest()


def new_facts(heads: Heads, before: Heads) -> int:
    """How many facts `heads` has more than `before`."""
    return sum(seq - (before[name][0] if name in before else 0) for name, (seq, _) in heads.items())


class Maker(NamedTuple):
    """When, by which node and with which key a checkpoint is made."""

    at: datetime
    node: str
    key: str


def make(
    by: Maker,
    *,
    before: tuple[int, str] | None,
    heads: Heads,
    known: Heads | None,
    trail: Mapping[str, Sequence[str]],
) -> Checkpoint:
    """The checkpoint after the one with this number and digest.

    `known` are the heads at the one before; None if they are not at hand, then all heads are listed.
    """
    number, previous = (before[0] + 1, before[1]) if before else (1, NOTHING_BEFORE)
    full = known is None or len(heads) <= FULL_UP_TO or number % FULL_EVERY == 0
    listed = {name: one for name, one in heads.items() if full or (known or {}).get(name) != one}
    return Checkpoint(
        number=number,
        at=iso(by.at),
        node=by.node,
        key=by.key,
        previous=previous,
        facts=str(sum(seq for seq, _ in heads.values())),
        streams=len(heads),
        root=root_of(heads),
        full=full,
        heads=listed,
        trail=_cut(trail),
    )


def _cut(trail: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Sixteen digits of each hash; nothing if there are too many of them to be listed."""
    if sum(len(hashes) for hashes in trail.values()) > MAX_TRAIL:
        return {}
    return {name: "".join(one[:TRAIL_DIGITS] for one in hashes) for name, hashes in trail.items() if hashes}


def key_id(public: bytes) -> str:
    """The name of a public key (32 bytes): the first half of its SHA-256, in hex."""
    return hashlib.sha256(public).hexdigest()[:32]


def key_statement(public: bytes, before: str, at: datetime) -> bytes:
    """What the key before signs when another takes its place."""
    content = {"at": iso(at), "before": before, "public": public.hex(), "type": "key", "v": 1}
    return canonical_bytes(content)


def aloud(digest_hex: str) -> str:
    """A digest in groups of four, eight groups to a line: to be read out, written down and compared."""
    groups = [digest_hex[at : at + 4] for at in range(0, len(digest_hex), 4)]
    return "\n".join(" ".join(groups[at : at + 8]) for at in range(0, len(groups), 8))


ANCHOR_APART = timedelta(seconds=60)
RETRY_FIRST, RETRY_LONGEST = timedelta(seconds=30), timedelta(minutes=15)


def anchor_due(
    *, latest: int, moment: int, last: tuple[int, datetime] | None, every: timedelta, now: datetime
) -> bool:
    """Whether a place is to get checkpoint `latest`; `last` is what it got and when, `moment` the last one
    made because of something that matters."""
    if latest == 0 or (last is not None and latest <= last[0]):
        return False
    if last is None:
        return True
    age = abs(now - last[1])
    return age >= every or (moment > last[0] and age >= ANCHOR_APART)


def retry_after(failures: int) -> timedelta:
    """How long to leave a place alone after so many failures in a row."""
    return min(RETRY_FIRST * (1 << min(max(failures - 1, 0), 10)), RETRY_LONGEST)
