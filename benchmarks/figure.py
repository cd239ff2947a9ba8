"""A figure: what was measured, what was promised, and under which conditions."""

from __future__ import annotations

import math
import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number. `target` is a limit, or with `at_least` a floor; None if nothing was promised."""

    name: str
    value: float
    unit: str
    n: int
    target: float | None = None
    at_least: bool = False
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the promise holds; None if there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

    def as_row(self) -> tuple[str, str, str, str]:
        """The line of the table: name, figure, target, met."""
        target = ""
        if self.target is not None:
            target = f"{'≥' if self.at_least else '≤'} {_number(self.target)} {self.unit}"
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return self.name, f"{_number(self.value)} {self.unit}", target, met

    def as_json(self) -> dict[str, Any]:
        """Everything, for the file."""
        return {**asdict(self), "met": self.met}


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of `values` do not exceed (nearest rank). Raises ValueError without any."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the greatest, rounded for reading."""
    found = {f"p{share}": quantile(values, share / 100) for share in (50, 95, 99)}
    return {name: round(value, 3) for name, value in {**found, "max": max(values)}.items()}


def conditions() -> dict[str, Any]:
    """Of the machine and the programs, as far as they change a figure."""
    import msgspec  # noqa: PLC0415 - wanted for their versions alone
    import sqlalchemy  # noqa: PLC0415

    return {
        "cores": os.cpu_count(),
        "load_before": [round(one, 2) for one in os.getloadavg()],
        "machine": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "sqlalchemy": sqlalchemy.__version__,
        "msgspec": msgspec.__version__,
        "database": "SQLite in a file, journal_mode=WAL, synchronous=FULL",
    }


def _number(value: float) -> str:
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
