"""A collection that a person starts by hand: that it begins is on record before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.commands import Command


@dataclass(frozen=True, kw_only=True)
class BeginCollection(Command):
    """Somebody collects from a target; `source` is the kind of evidence, `step` the step it belongs to."""

    target: str
    source: str
    step: str | None = None


@dataclass(frozen=True, kw_only=True)
class EndCollection(Command):
    """What it came to. `items` are as a collector gives them, also those it took before it failed.

    `begun` is the number of the fact with which it began.
    """

    begun: int
    target: str
    source: str
    outcome: Literal["done", "failed", "unreachable"]
    step: str | None = None
    items: tuple[Mapping[str, Any], ...] = ()
    error: str = ""
