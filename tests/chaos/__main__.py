"""`make chaos`: every scenario once, a table, and build/chaos.json. Exit code 1 if a promise broke."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import orjson

from tests.chaos.bank import ROOT
from tests.chaos.play import Order, Row
from tests.chaos.scenarios import SCENARIOS

OUT = ROOT / "build" / "chaos.json"
COLUMNS = ("scenario", "incidents", "kills", "messages", "lost", "doubled", "repeated", "seconds")


def main(arguments: list[str]) -> int:
    """Run what the arguments name; all without any."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--minutes", type=float, default=10.0, help="of trouble, all together")
    parser.add_argument("--incidents", type=int, default=50, help="in the scenario of kills")
    parser.add_argument("--only", nargs="*", default=[], metavar="SCENARIO")
    given = parser.parse_args(arguments)
    # Whoever stops us stops all that we started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = given.only or list(SCENARIOS)
    print(f"seed {given.seed}; {len(names)} scenarios, {given.minutes:g} minutes of trouble", flush=True)
    rows = []
    folder = Path(tempfile.mkdtemp(prefix="hikeshi-chaos-"))
    try:
        for name in names:
            order = Order(
                folder=folder / name, seed=given.seed, incidents=given.incidents,
                seconds=given.minutes * 60 / len(names),
            )  # fmt: skip
            row = SCENARIOS[name](order)
            rows.append(row)
            tell(row, given)
    finally:
        broken = [row for row in rows if row.faults]
        if not broken:
            shutil.rmtree(folder, ignore_errors=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(orjson.dumps([asdict(row) for row in rows], option=orjson.OPT_INDENT_2))
    print(table(rows))
    if broken:
        print(f"\n{len(broken)} scenarios broke a promise; what they left is in {folder}")
    return 1 if broken else 0


def tell(row: Row, given: argparse.Namespace) -> None:
    """What came of one, and how to have it again."""
    print(f"{row.scenario}: {'BROKEN' if row.faults else 'held'} {row.note}".rstrip(), flush=True)
    for fault in row.faults[:20]:
        print(f"  {fault}")
    if row.faults:
        print(f"  again: {again(row, given.minutes, given.incidents)}", flush=True)


def again(row: Row, minutes: float, incidents: int) -> str:
    """The command that plays a row once more."""
    return f"make chaos SEED={row.seed} MINUTES={minutes:g} INCIDENTS={incidents} ONLY={row.scenario}"


def table(rows: list[Row]) -> str:
    """A line for each."""
    lines = [COLUMNS, *(tuple(str(getattr(row, name)) for name in COLUMNS) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(COLUMNS))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    notes = ["", *(row.note for row in rows)]
    return "\n".join(f"{line}  {note}".rstrip() for line, note in zip(shown, notes, strict=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
