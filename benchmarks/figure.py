"""A figure: what was measured, what was promised, and under which conditions."""

from __future__ import annotations

import math
import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

VERSIONS = ("sqlalchemy", "msgspec", "orjson", "prefect", "dbos", "psycopg", "uvicorn")
"""Packages whose versions change a figure."""


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

    @property
    def shown(self) -> str:
        """The number with its unit."""
        return f"{_number(self.value)} {self.unit}"

    def as_json(self) -> dict[str, Any]:
        """Everything, for the file."""
        return {**asdict(self), "met": self.met}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Figure:
        """As it was written."""
        return cls(**{name: value for name, value in content.items() if name != "met"})


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
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load_before": [round(one, 2) for one in os.getloadavg()],
        "machine": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "versions": {name: metadata.version(name) for name in VERSIONS},
        "database": "SQLite in a file, journal_mode=WAL, synchronous=FULL",
    }


def _processor() -> str:
    """What the system calls it (Linux), or empty."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return ""
    lines = (line.partition(":") for line in info.read_text("utf-8", "replace").splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == "model name"), "")


def _number(value: float) -> str:
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
