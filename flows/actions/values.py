"""What an action is given and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

Value = str | int | bool
Params = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class ActionContext:
    """Where and for what an action runs.

    `secrets` gives the secret behind a reference such as `env:NAME`; `base` is the institution's directory,
    from which relative paths start; `now` is aware. `idempotency_key` is the same whenever one attempt is
    repeated. What an action preserves it adds to `kept` at once, so that it becomes evidence however the
    action ends.
    """

    evidence_dir: Path
    secrets: Callable[[str], str]
    base: Path
    now: datetime
    timeout_seconds: float
    idempotency_key: str
    kept: list[CollectedItem] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class CollectedItem:
    """One preserved object. `stored` is relative to the evidence folder; `source` says where it was taken.

    `digest` is `sha256:` and 64 hexadecimal digits over the bytes kept; `problem` says what is wrong with it,
    as when the file changed while it was read, and is None when nothing is.
    """

    name: str
    digest: str
    size: int
    stored: str
    source: str
    problem: str | None = None


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
