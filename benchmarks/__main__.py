"""`python -m benchmarks [names…] [--quick|--full] [--write-docs]`: figures, in build/bench.json and bench.md.

Named benchmarks replace theirs in build/bench.json and leave the others as they were. `--write-docs` puts
the tables and the charts into docs/ from what is there; with `--only-docs` nothing is measured for it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from time import perf_counter

from benchmarks.book import Book, Run
from benchmarks.entry import BY_NAME, ENTRIES, Entry
from benchmarks.figure import Figure, conditions
from benchmarks.ground import BUILD, Ground, ground, settle
from benchmarks.report import write_docs, write_report
from models.clock import SystemClock, iso
from models.errors import HikeshiError

RESULT, REPORT = BUILD / "bench.json", BUILD / "bench.md"
MINUTES, QUICK_MINUTES = 45, 10
"""After so long no further benchmark is begun; what is left out is said."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is named, or all of it; 1 if a target was missed or not measured, 2 for a wrong name."""
    given = _given(arguments)
    book = Book.read(RESULT)
    if not given.only_docs:
        _measure(given, book)
    write_report(book, REPORT)
    if given.write_docs or given.only_docs:
        write_docs(book)
        print("docs/performance.md and docs/pictures/bench-*.svg are written")
    missed = book.missed()
    print(f"\n{RESULT} and {REPORT}; {len(missed)} missed" + "".join(f"\n  {name}" for name in missed))
    return 1 if missed else 0


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(BY_NAME)}; all if none is given")
    parser.add_argument("--quick", action="store_true", help="the short forms, of the most important only")
    parser.add_argument("--full", action="store_true", help="the long forms: timers for 10 minutes")
    parser.add_argument(
        "--minutes", type=float, help=f"begin nothing later ({MINUTES}; quick {QUICK_MINUTES})"
    )
    parser.add_argument("--write-docs", action="store_true", help="put tables and charts into docs/")
    parser.add_argument(
        "--only-docs", action="store_true", help="the same from the last figures, measuring none"
    )
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in BY_NAME]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BY_NAME)}")
    given.minutes = given.minutes or (QUICK_MINUTES if given.quick else MINUTES)
    return given


def _measure(given: argparse.Namespace, book: Book) -> None:
    entries = [BY_NAME[name] for name in given.names] or [
        one for one in ENTRIES if one.quick is not None or not given.quick
    ]
    if not given.names:
        book.runs.clear()
    book.conditions = conditions() | {"commit": _commit()}
    left = sum(_seconds(one, quick=given.quick) for one in entries)
    print(f"{len(entries)} benchmarks, about {left / 60:.0f} minutes on a quiet machine")
    start = perf_counter()
    with ground(full=given.full, quick=given.quick) as place:
        for number, entry in enumerate(entries, start=1):
            gone = perf_counter() - start
            usual = _seconds(entry, quick=given.quick)
            print(
                f"\n[{number}/{len(entries)}] {entry.name}, about {usual} s ({gone / 60:.1f} min gone)",
                flush=True,
            )
            late = gone > 60 * given.minutes
            book.runs[entry.name] = _late(given.minutes) if late else _run(entry, place)
            book.write(RESULT)


def _seconds(entry: Entry, *, quick: bool) -> int:
    return entry.quick if quick and entry.quick is not None else entry.seconds


def _late(minutes: float) -> Run:
    print("  left out: out of time", flush=True)
    return Run(at="", seconds=0, load=0, figures=[], failed=f"left out after {minutes:g} minutes")


def _run(entry: Entry, place: Ground) -> Run:
    """One benchmark; what one cannot measure stops none of the others."""
    settle()
    start, before = perf_counter(), os.getloadavg()[0]
    figures: list[Figure] = []
    failed = ""
    try:
        for figure in entry.run(place):
            figures.append(figure)
            _show(figure)
    except (HikeshiError, AssertionError, TimeoutError, subprocess.SubprocessError, OSError) as why:
        failed = f"{type(why).__name__}: {why}"
        print(f"  not measured: {failed}", flush=True)
    load = round((before + os.getloadavg()[0]) / 2, 1)
    took = round(perf_counter() - start, 1)
    print(f"  ({took} s, load {load})", flush=True)
    return Run(
        at=iso(SystemClock().now()), seconds=took, load=load, figures=figures, failed=failed, form=place.form
    )


def _show(figure: Figure) -> None:
    name, value, target, met = figure.as_row()
    print(f"  {name:<74} {value:>14}  {target:>14}  {met}", flush=True)
    if figure.note:
        print(f"      {figure.note}", flush=True)


def _commit() -> str:
    """The commit that is measured, or empty outside a checkout."""
    try:
        said = subprocess.run(("git", "rev-parse", "--short", "HEAD"), capture_output=True, check=True)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.decode().strip()


if __name__ == "__main__":
    sys.exit(main())
