"""A fact: one line of a record. What happened, when, by whom."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from models.canonical import canonical_bytes
from models.clock import iso

SYSTEM = "hikeshi"
"""The actor of what time and rules do by themselves."""

DISPOSED = "text.disposed"
"""The fact with which a text beside the record goes."""


class Fact(msgspec.Struct, frozen=True, kw_only=True, rename={"for_": "for"}):
    """One stored line. `at` is when it happened, `recorded_at` when it was written; both aware, UTC.

    `actor` is a person's id or `hikeshi`; `for_` the person on whose behalf a scribe wrote; `data` holds no
    free text, only digests of it (`t:…`), and no floats.
    """

    stream: str
    seq: int
    at: datetime
    recorded_at: datetime
    actor: str
    kind: str
    data: dict[str, Any]
    v: int = 1
    for_: str | None = None
    via: str = ""

    def body(self) -> bytes:
        """The exact bytes that are stored and hashed."""
        content: dict[str, Any] = {
            "actor": self.actor,
            "at": iso(self.at),
            "data": self.data,
            "kind": self.kind,
            "recorded_at": iso(self.recorded_at),
            "seq": self.seq,
            "stream": self.stream,
            "v": self.v,
            "via": self.via,
        }
        if self.for_ is not None:
            content["for"] = self.for_
        return canonical_bytes(content)


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A fact as a rule asks for it: the writer adds seq, hash and the time of recording.

    `texts` are free text or personal data by field name; in the stored `data` each becomes its digest.
    """

    kind: str
    data: dict[str, Any] = {}
    texts: dict[str, str] = {}
    at: datetime | None = None
    v: int = 1


class StoredText(msgspec.Struct, frozen=True, kw_only=True):
    """A text beside a fact, with the salt that its digest was made with."""

    digest: str
    salt: bytes
    body: str


_decoder = msgspec.json.Decoder(Fact)


def read_fact(body: bytes) -> Fact:
    """The fact in `body`, as written by `Fact.body`. Raises msgspec.DecodeError if it is none."""
    return _decoder.decode(body)


def place(data: dict[str, Any] | list[Any], path: str, value: str) -> None:
    """Put a digest where the text belongs: `outputs.entry` is the field `entry` of `outputs`.

    A number is the place in a list that is there. The mappings and lists on the way are copied: those of a
    draft are not the writer's to change.
    """
    head, _, rest = path.partition(".")
    within: Any = data
    key: str | int = int(head) if isinstance(data, list) else head
    if not rest:
        within[key] = value
        return
    inner = within[key] if isinstance(data, list) else data.get(head)
    within[key] = inner.copy() if isinstance(inner, (dict, list)) else {}
    place(within[key], rest, value)
