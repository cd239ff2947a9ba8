"""The power goes: what the disk was not asked to keep is taken away, and what was acknowledged is there (P4).

A library between SQLite and the system keeps each write with what was there before until it is synced. The
writer dies at a named point, and then all, the last, or some of what was not synced is undone: a disk writes
in any order.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from models.canonical import GENESIS, chain_hash
from models.record import FACT, Record

ROOT = Path(__file__).parents[2]
COMPILER = shutil.which("cc")
HEAD = struct.Struct("<qqI")
DEATHS = ("facts-written:3", "before-commit:2", "before-commit:4", "after-commit:3", "after-commit:5")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler: power cuts are left out")


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, compiled."""
    made = tmp_path_factory.mktemp("power") / "power.so"
    source = Path(__file__).with_name("power.c")
    subprocess.run(  # noqa: S603 - our own file
        [str(COMPILER), "-shared", "-fPIC", "-O1", "-w", "-o", str(made), str(source), "-ldl"], check=True
    )
    return made


class Journal:
    """What was written and not synced when the writer died."""

    def __init__(self, path: Path, *, lies: bool = False) -> None:
        """`lies`: the disk says that it has synced, and has not."""
        self.left: list[tuple[str, int, int, bytes]] = []
        self.syncs = 0
        raw, at = path.read_bytes(), 0
        while at < len(raw):
            what, length = raw[at], int.from_bytes(raw[at + 1 : at + 3], "little")
            name = raw[at + 3 : at + 3 + length].decode()
            at += 3 + length
            place, size, count = HEAD.unpack_from(raw, at)
            at += HEAD.size
            if what == 1:
                self.left.append((name, place, size, raw[at : at + count]))
            else:
                self.syncs += 1
                self.left = [one for one in self.left if one[0] != name or lies]
            at += count

    def undo(self, which: list[int]) -> None:
        """Take these writes back, the last first."""
        for number in sorted(which, reverse=True):
            name, place, size, before = self.left[number]
            with Path(name).open("r+b") as file:
                file.seek(place)
                file.write(before)
                if place + len(before) >= size:
                    file.truncate(size)


def died(tmp_path: Path, between: Path, at: str) -> list[int]:
    """Run the writer until it dies; the numbers of the facts that it was told are stored."""
    record = Record.at(tmp_path / "hikeshi.db")
    record.migrate()
    record.close()
    found = subprocess.run(  # noqa: S603 - our own interpreter and file
        [sys.executable, "-m", "tests.models.writer", str(tmp_path / "hikeshi.db")],
        env=os.environ | {
            "HIKESHI_CRASH_AT": at, "PYTHONPATH": str(ROOT), "LD_PRELOAD": str(between),
            "POWER_JOURNAL": str(tmp_path / "journal"),
        },
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert found.returncode == -signal.SIGKILL, found.stderr
    return [int(line.split()[2]) for line in found.stdout.splitlines() if line.startswith("stored")]


def facts_left(path: Path) -> int:
    """How many facts there are after the cut; their chain must hold."""
    (path.parent / "hikeshi.db-shm").unlink(missing_ok=True)  # memory
    record = Record.at(path)
    try:
        with record.read() as tx:
            assert tx.connection.exec_driver_sql("pragma integrity_check").scalar() == "ok"
            ordered = FACT.select().where(FACT.c.stream == "INC-2026-0001").order_by(FACT.c.seq)
            rows = tx.connection.execute(ordered).mappings().all()
    finally:
        record.close()
    before = GENESIS
    for row in rows:
        before = chain_hash(before, row["body"])
        assert row["hash"] == before
    return len(rows)


@pytest.mark.parametrize("at", DEATHS)
def test_what_was_acknowledged_outlives_a_power_cut(tmp_path: Path, between: Path, at: str) -> None:
    told = died(tmp_path, between, at)
    journal = Journal(tmp_path / "journal")
    assert journal.syncs >= len(told) > 0
    everything = list(range(len(journal.left)))
    dice = random.Random(at)  # noqa: S311 - a test's dice
    cuts = [everything, everything[len(everything) // 2 :]]
    cuts += [[one for one in everything if dice.random() < 0.5] for _ in range(6)]
    kept = {name: (tmp_path / name).read_bytes() for name in ("hikeshi.db", "hikeshi.db-wal")}
    for cut in cuts:
        for name, body in kept.items():
            (tmp_path / name).write_bytes(body)
        journal.undo(cut)
        assert facts_left(tmp_path / "hikeshi.db") >= max(told)


def test_a_disk_that_lies_loses_it_so_that_this_test_can_fail(tmp_path: Path, between: Path) -> None:
    told = died(tmp_path, between, "after-commit:5")
    journal = Journal(tmp_path / "journal", lies=True)
    journal.undo([number for number, one in enumerate(journal.left) if one[0].endswith("-wal")])
    assert facts_left(tmp_path / "hikeshi.db") < max(told)
