"""`python -m benchmarks [names…] [--full]`: a table of figures, and all of it in build/bench.json."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson

from benchmarks.ack import ack
from benchmarks.alert import alert
from benchmarks.alert_busy import alert_busy
from benchmarks.cli import cli
from benchmarks.clocks import clocks
from benchmarks.collect import collect
from benchmarks.commands import commands
from benchmarks.continuity import continuity
from benchmarks.evidence import evidence
from benchmarks.figure import Figure, conditions
from benchmarks.fold import fold
from benchmarks.ground import BUILD, Benchmark, Ground, ground, settle
from benchmarks.idle import idle
from benchmarks.press import press
from benchmarks.rehearsal import rehearsal
from benchmarks.replay import replay
from benchmarks.room import room
from benchmarks.steps import steps
from benchmarks.storm import storm
from benchmarks.timers import timers
from benchmarks.verifying import verifying
from models.errors import HikeshiError

RESULT = BUILD / "bench.json"
BENCHMARKS: dict[str, Benchmark] = {
    "commands": commands,
    "clocks": clocks,
    "fold": fold,
    "ack": ack,
    "alert": alert,
    "alert-busy": alert_busy,
    "press": press,
    "timers": timers,
    "storm": storm,
    "steps": steps,
    "verify": verifying,
    "collect": collect,
    "evidence": evidence,
    "continuity": continuity,
    "cli": cli,
    "idle": idle,
    "rehearsal": rehearsal,
    "replay": replay,
    "room": room,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is named, or all of it; 1 if a target was missed or not measured, 2 for a wrong name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(BENCHMARKS)}; all if none is given")
    parser.add_argument("--full", action="store_true", help="the long forms: timers for 10 minutes")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    here = conditions()
    with ground(full=given.full) as place:
        runs = [_run(name, place) for name in given.names or BENCHMARKS]
    _write(RESULT, here, runs)
    missed = [figure.name for run in runs for figure in run["figures"] if figure.met is False]
    missed += [f"{run['name']}: not measured" for run in runs if run["failed"]]
    print(f"\n{RESULT}; {len(missed)} missed" + "".join(f"\n  {name}" for name in missed))
    return 1 if missed else 0


def _run(name: str, place: Ground) -> dict[str, Any]:
    """One benchmark; what one cannot measure stops none of the others."""
    print(f"\n{name}", flush=True)
    settle()
    start = perf_counter()
    figures, failed = [], ""
    try:
        for figure in BENCHMARKS[name](place):
            figures.append(figure)
            _show(figure)
    except (HikeshiError, TimeoutError) as why:
        failed = f"{type(why).__name__}: {why}"
        print(f"  not measured: {failed}", flush=True)
    took = round(perf_counter() - start, 1)
    load = round(os.getloadavg()[0], 2)
    print(f"  ({took} s, load {load})", flush=True)
    return {"name": name, "seconds": took, "load": load, "figures": figures, "failed": failed}


def _show(figure: Figure) -> None:
    name, value, target, met = figure.as_row()
    print(f"  {name:<74} {value:>14}  {target:>14}  {met}", flush=True)
    if figure.note:
        print(f"      {figure.note}", flush=True)


def _write(path: Path, here: dict[str, Any], runs: Sequence[dict[str, Any]]) -> None:
    shown = [run | {"figures": [figure.as_json() for figure in run["figures"]]} for run in runs]
    content = {"conditions": here, "runs": shown}
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


if __name__ == "__main__":
    sys.exit(main())
