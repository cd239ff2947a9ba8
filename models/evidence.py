"""What was preserved, and who has held it since: the evidence ledger as folded from the record.

The fields are those of a chain of custody (RFC 3227 §4.1, NIST's definition): what it is, where it was found,
by whom, when and on what authority it was taken, what its bytes were then, who has held it since and why, and
what became of it. Free text and personal data lie beside the facts; here are their digests (`t:…`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

ItemKind = Literal["file", "device", "medium", "paper", "photo", "other"]
CheckResult = Literal["same", "different", "missing", "unreadable"]
STORE = "hikeshi"
"""Who holds what a machine collected, until a person takes it: the evidence folder."""
BROKEN = frozenset({"different", "missing", "unreadable"})
"""Results after which nobody can rely on an item, until it has been compared again."""
WORDS = (
    "description", "name", "problem", "make", "model", "serial", "owner", "host", "account", "location",
    "collected_by", "tool", "command", "reason", "storage", "seal", "witness",
)  # fmt: skip
"""Fields of an item that are free text or personal data, and therefore lie beside its fact."""
VOLATILITY = range(1, 8)
"""The order of RFC 3227: 1 registers and caches … 7 archival media; the smaller is lost the sooner."""
WHOLE = 64
"""Characters of a token such as the kind of a source."""


class Transfer(msgspec.Struct, kw_only=True):
    """The item changed hands. `received_by` is a person or third party of the directory; empty for others.

    `words` are `released_name`, `received_name`, `organisation`, `purpose`, `place`. `result` is what a check
    of the digest on handing over came to. `confirmed_at`: when a receiver of the directory said so.
    """

    seq: int
    at: datetime
    released_by: str
    received_by: str = ""
    outside: bool = False
    words: dict[str, str] = {}
    digest: str | None = None
    result: Literal["same", "different", "not-checked"] = "not-checked"
    recorded_by: str = ""
    confirmed_at: datetime | None = None
    settled: bool = False
    """A person has compared it since, and it was the same."""


class Check(msgspec.Struct, kw_only=True):
    """The bytes were compared with their digest. `found` is what they are now, if that is another."""

    at: datetime
    by: str
    result: CheckResult
    found: str | None = None


class Hold(msgspec.Struct, kw_only=True):
    """A legal hold: nothing under it is disposed of until somebody entitled lifts it.

    There may be several at once, of a lawsuit and of the police; `seq` is the fact that names this one.
    """

    at: datetime
    by: str
    reason: str
    seq: int = 0


class Disposal(msgspec.Struct, kw_only=True):
    """The decision that ends an item's keeping. Its digest and its chain of custody stay.

    `removed` says what became of the stored object; empty until that has been done.
    """

    at: datetime
    by: str
    reason: str
    authority: str = ""
    removed: Literal["", "removed", "shared", "missing", "not-ours"] = ""


class Evidence(msgspec.Struct, kw_only=True):
    """A preserved object. `digest` and `size` are of its own bytes, `stored_digest` of those in the folder.

    `words` are digests of texts by field, see `WORDS`. `clock_offset_ms` is by how much the clock of the
    source was ahead of a reference when it was taken; None says honestly that nobody compared them.
    """

    id: str
    source: str
    sources: list[str] = []
    digest: str | None = None
    at: datetime
    by: str
    size: int = 0
    step: str | None = None
    partial: bool = False
    stored: str = ""
    name: str = ""
    kind: ItemKind = "file"
    words: dict[str, str] = {}
    clock_offset_ms: int | None = None
    volatility: int | None = None
    stored_digest: str | None = None
    stored_size: int = 0
    sealed_to: list[str] = []
    covers: list[str] = []
    """The range of time that was asked for, of logs: from and until, each an instant or empty."""
    referenced: bool = False
    duplicate_of: str | None = None
    holder: str = ""
    """A person or third party of the directory, `hikeshi` for the evidence folder, empty for others."""
    holder_name: str = ""
    """The digest of the holder's name, if they are in no directory."""
    transfers: list[Transfer] = []
    check: Check | None = None
    holds: list[Hold] = []
    disposal: Disposal | None = None

    @property
    def secures(self) -> bool:
        """Whether analysis may rest on it: whole, its bytes known, and there (FSA-2.5.2.2-B1)."""
        return bool(self.digest and self.size) and not (self.partial or self.doubted or self.disposal)

    @property
    def doubted(self) -> bool:
        """Whether it was found to be other bytes or gone, and not to be the same since."""
        if self.check is not None and self.check.result in BROKEN:
            return True
        compared = [one for one in self.transfers if one.result != "not-checked"]
        return bool(compared) and compared[-1].result == "different" and not compared[-1].settled

    @property
    def gone(self) -> bool:
        """Whether its bytes are not kept by it any more: the same ones are worth keeping again."""
        return self.disposal is not None or self.doubted

    @property
    def is_object(self) -> bool:
        """Whether there are bytes that can be compared with a digest."""
        return self.digest is not None and bool(self.stored or self.referenced)


@dataclass(frozen=True, kw_only=True)
class Particulars:
    """What else is known of an item when it is recorded; empty is unknown. See `Evidence`.

    `words` may hold any field of `WORDS` but `description`, `name` and `problem`.
    """

    kind: ItemKind = "file"
    words: tuple[tuple[str, str], ...] = ()
    clock_offset_ms: int | None = None
    volatility: int | None = None
    stored_digest: str = ""
    stored_size: int = 0
    sealed_to: tuple[str, ...] = ()
    covers: tuple[str, str] = ("", "")
    referenced: bool = False
    problem: str = ""
