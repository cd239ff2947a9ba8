"""What is found: counts, problems, and of each record where its first bad fact is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

MAX_PROBLEMS = 50


@dataclass(kw_only=True)
class Verification:
    """What was looked at, and every problem found (the first fifty of them)."""

    facts: int = 0
    texts: int = 0
    disposed: int = 0
    documents: int = 0
    checkpoints: int = 0
    signatures: int = 0
    stamps: int = 0
    held: int = 0
    stamped: dict[int, str] = field(default_factory=dict)
    """The time in each time-stamp, as its authority wrote it."""
    heads: dict[str, str] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bad: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of each record that was altered, between which numbers its first bad fact is; mostly one number."""

    @property
    def ok(self) -> bool:
        """Whether nothing was altered."""
        return not self.problems

    @property
    def streams(self) -> int:
        """How many records there are."""
        return len(self.heads)

    @property
    def first_bad(self) -> dict[str, Any] | None:
        """The first bad fact, of the first record that has one."""
        if not self.bad:
            return None
        stream = min(self.bad)
        return {"stream": stream, "seq": self.bad[stream][0], "to": self.bad[stream][1]}

    def counts(self) -> dict[str, int]:
        """The figures by name."""
        names = "streams facts texts disposed documents checkpoints signatures stamps held"
        return {name: getattr(self, name) for name in names.split()}

    def as_json(self) -> dict[str, Any]:
        """All of it for programs."""
        bad = {"first_bad": self.first_bad, "bad": {name: list(one) for name, one in self.bad.items()}}
        lists: dict[str, Any] = {"heads": self.heads, "problems": self.problems, "notes": self.notes}
        lists |= {"stamped": {str(number): at for number, at in self.stamped.items()}}
        return {"ok": self.ok, **self.counts(), **bad, **lists}

    def problem(self, text: str, stream: str = "", low: int = 0, high: int = 0) -> None:
        """Note a problem; a damaged database may have more than anybody reads."""
        if stream:
            known = self.bad.get(stream)
            if known is None or low < known[0] or (low == known[0] and high < known[1]):
                self.bad[stream] = (low, max(low, high))
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)

    def note(self, text: str) -> None:
        """Say what was not checked, or what to look at."""
        if len(self.notes) < MAX_PROBLEMS:
            self.notes.append(text)


def as_bytes(value: Any) -> bytes:
    """A column as bytes, whatever somebody who meddled has made of it."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else repr(value).encode()


def sha256_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
