"""The book of figures: build/bench.json, kept from run to run, so that a part can be measured again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from benchmarks.figure import Figure


@dataclass(kw_only=True)
class Run:
    """What one benchmark gave: when, how long it took, the load beside it, and why if it gave nothing."""

    at: str
    seconds: float
    load: float
    figures: list[Figure]
    failed: str = ""
    form: str = "usual"


@dataclass(kw_only=True)
class Book:
    """The last run of each benchmark."""

    conditions: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Book:
        """What was measured before; empty if nothing was, or by another version of this file."""
        if not path.exists():
            return cls()
        content = orjson.loads(path.read_bytes())
        if not isinstance(content.get("runs"), dict):
            return cls()
        runs = {
            name: Run(**run | {"figures": [Figure.from_json(one) for one in run["figures"]]})
            for name, run in content["runs"].items()
        }
        return cls(conditions=content["conditions"], runs=runs)

    def write(self, path: Path) -> None:
        """All of it; after each benchmark, so that a run that is broken off leaves what there is."""
        runs = {
            name: vars(run) | {"figures": [figure.as_json() for figure in run.figures]}
            for name, run in self.runs.items()
        }
        content = {"conditions": self.conditions, "runs": runs}
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))

    def figure(self, name: str) -> Figure | None:
        """The figure of this name, or None."""
        return next((one for run in self.runs.values() for one in run.figures if one.name == name), None)

    def missed(self) -> list[str]:
        """Targets that were missed, and what was not measured."""
        missed = [one.name for run in self.runs.values() for one in run.figures if one.met is False]
        return missed + [f"{name}: not measured" for name, run in self.runs.items() if run.failed]
