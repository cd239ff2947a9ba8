"""Evidence: comparing and storing a large file, against bare hashlib on the same file in the same run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure
from benchmarks.ground import Ground
from models.errors import HikeshiError

BYTES = 2 << 30
PIECE = 1 << 24
LEAST_VERIFY = 0.90
LEAST_ADD = 0.50
MOST_MEMORY = 64
RUNS = 3
_WHAT = {
    "verify": ("evidence verify", LEAST_VERIFY),
    "add": ("evidence add (copied, synced)", LEAST_ADD),
    "seal": ("evidence add, sealed", 0.0),
}
CHILD = """
import sys
from time import perf_counter
from pathlib import Path
what, path, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
from console.cli.keeping import keep
from console.cli.progress import Progress
from console.evidence_check import Object, compare
from models.evidence import Evidence
from models.clock import SystemClock
import pyrage
quiet = Progress("x", 0)
digest = sys.argv[4]
item = Evidence(id="EV-0001", source="x", at=SystemClock().now(), by="x", digest=digest, stored="x")
small = folder / "small"
small.parent.mkdir(exist_ok=True, parents=True)
small.write_bytes(b"x")
seal = (str(pyrage.x25519.Identity.generate().to_public()),) if what == "seal" else ()
keep(small, folder, seal, quiet)
def kilobytes(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))
# The highest mark begins here: what loading took before is no work of ours.
Path("/proc/self/clear_refs").write_text("5")
idle = kilobytes("VmRSS")
start = perf_counter()
if what == "verify":
    assert compare(Object(item=item, path=path), quiet).result == "same"
else:
    assert keep(path, folder, seal, quiet).digest == digest
took = perf_counter() - start
print(took, (kilobytes("VmHWM") - idle) / 1024)
"""


def evidence(ground: Ground) -> Iterator[Figure]:
    """Best of three each, the file in the system's memory: what is compared is our own work, not the disk."""
    place = ground.place("evidence")
    place.mkdir(parents=True, exist_ok=True)
    path = place / "image"
    with path.open("wb") as file:
        for _ in range(BYTES // PIECE):
            file.write(os.urandom(PIECE))
    bare, digest = _bare(path)
    copied = _bare_copy(path, place / "copy")
    runs = {what: [_child(what, path, place / f"{what}{n}", digest) for n in range(RUNS)] for what in _WHAT}
    for what, (name, least) in _WHAT.items():
        took = min(one[0] for one in runs[what])
        yield Figure(
            name=f"{name}, share of bare hashlib.file_digest",
            value=round(bare / took, 3),
            unit="",
            n=RUNS,
            target=least or None,
            at_least=True,
            detail={"bare_mb_s": round(BYTES / bare / 1e6), "mb_s": round(BYTES / took / 1e6)},
            note="" if what == "verify" else _copy_note(took, copied),
        )
        yield Figure(
            name=f"{name}, memory above the idle process",
            value=round(max(one[1] for one in runs[what]), 1),
            unit="MB",
            n=RUNS,
            target=MOST_MEMORY,
        )


def _bare(path: Path) -> tuple[float, str]:
    """The best of three runs of the standard library's own function, and the digest."""
    best, digest = float("inf"), ""
    for _ in range(RUNS):
        start = perf_counter()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        best = min(best, perf_counter() - start)
    return best, f"sha256:{digest}"


def _child(what: str, path: Path, folder: Path, digest: str) -> tuple[float, float]:
    """Seconds, and megabytes above idle, in a process of its own."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", CHILD, what, str(path), str(folder), digest],
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(folder, ignore_errors=True)
    if done.returncode != 0:
        raise HikeshiError(f"{what}: {done.stderr[-500:]}")
    took, memory = done.stdout.split()
    return float(took), float(memory)


def _copy_note(took: float, copied: float) -> str:
    """What the disk allows: a copy that is synced and hashed by nobody."""
    rate = BYTES / copied / 1e6
    return f"a bare copy, synced, without a digest: {rate:,.0f} MB/s; this is {copied / took:.2f} of it"


def _bare_copy(path: Path, to: Path) -> float:
    best = float("inf")
    for _ in range(RUNS):
        start = perf_counter()
        with path.open("rb") as source, to.open("wb") as copy:
            while piece := source.read(1 << 20):
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        best = min(best, perf_counter() - start)
        to.unlink()
    return best
