"""What an action is given and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.actions.store import Writer
from models.installation import Settings

Value = str | int | bool
Params = Mapping[str, Value]
BAD_END = "taken by a run that did not end well"
"""What is wrong with evidence in which nothing else is: nobody knows whether it is all there was to take."""


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """For which incident something is collected: its stream, its channel, and when it began (aware)."""

    incident: str = ""
    room: str = ""
    began: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ActionContext:
    """Where and for what an action runs.

    `secrets` gives the secret behind a reference such as `env:NAME`; `base` is the institution's directory,
    from which relative paths start; `now` is aware. `idempotency_key` is the same whenever it is repeated,
    also after a crash in its middle. What an action preserves it adds to `kept` at once, so that it becomes
    evidence however the action ends. `progress` is told the name of what is being taken and how many bytes of
    it there are.
    """

    evidence_dir: Path
    secrets: Callable[[str], str]
    base: Path
    now: datetime
    timeout_seconds: float
    idempotency_key: str
    kept: list[CollectedItem] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)
    occasion: Occasion = field(default_factory=Occasion)
    progress: Callable[[str, int], None] = lambda name, size: None

    def writer(self) -> Writer:
        """A new object of the evidence folder, sealed if settings say so. Raises OSError, ActionFailed."""
        return Writer(self.evidence_dir, self.settings.evidence.seal_to)


@dataclass(frozen=True, kw_only=True)
class CollectedItem:
    """One preserved object. `stored` is relative to the evidence folder; `source` says where it was taken.

    `digest` is `sha256:` and 64 hexadecimal digits over the bytes kept; `problem` says what is wrong with it,
    as when the file changed while it was read, and is None when nothing is. The rest is what a custody form
    asks for: `tool` with version or command, `host` it came from, `collected_at` in UTC, `offset_ms` by which
    the clock there was ahead of ours, and the range of time that was asked for. What is sealed lies in the
    folder as other bytes: `stored_digest`, `stored_size`, `sealed_to`.
    """

    name: str
    digest: str
    size: int
    stored: str
    source: str
    problem: str | None = None
    tool: str = ""
    host: str = ""
    collected_at: str = ""
    offset_ms: int | None = None
    range_from: str = ""
    range_until: str = ""
    stored_digest: str = ""
    stored_size: int = 0
    sealed_to: tuple[str, ...] = ()


def stored_as(writer: Writer) -> dict[str, Any]:
    """The fields of an item that say how it lies in the folder; known once the writer has kept it."""
    return {
        "digest": writer.digest,
        "size": writer.size,
        "stored": writer.stored,
        "stored_digest": writer.stored_digest if writer.sealed_to else "",
        "stored_size": writer.stored_size if writer.sealed_to else 0,
        "sealed_to": writer.sealed_to,
    }


def salvaged(items: Iterable[CollectedItem]) -> tuple[CollectedItem, ...]:
    """What was preserved before it failed is evidence all the same, and says so (FSA-2.5.2.2-B1)."""
    return tuple(replace(item, problem=item.problem or BAD_END) for item in items)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Something that was asked for and not taken, and why."""

    source: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ActionResult:
    """What came of an action. `outputs` are the fields that conditions and the record read."""

    outputs: dict[str, str]
    summary: str
    evidence: tuple[CollectedItem, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
