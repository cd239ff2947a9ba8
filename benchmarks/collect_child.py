"""A process of its own for `benchmarks.collect`: its memory is measured. Prints one line of JSON."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import orjson

from flows.actions import ActionContext, run
from models.targets import FileTarget

ROUNDS = 3
PIECE = 1 << 20


def memory(name: str) -> float:
    """A line of /proc/self/status in megabytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def bare(path: Path) -> float:
    """Seconds that hashlib alone takes."""
    began, summed = perf_counter(), hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(PIECE):
            summed.update(piece)
    return perf_counter() - began


def collected(source: Path, evidence: Path) -> float:
    """Seconds that a collection takes, the disk included."""
    shutil.rmtree(evidence, ignore_errors=True)
    context = ActionContext(
        evidence_dir=evidence,
        secrets=str,
        base=source,
        now=datetime.now(UTC),
        timeout_seconds=600,
        idempotency_key="benchmark",
    )
    target = FileTarget(kind="files", root=str(source), max_bytes=1 << 40)
    began = perf_counter()
    result = asyncio.run(run("file.collect", target, {}, context))
    if result.outputs["partial"] != "no":
        raise SystemExit(result.summary)
    return perf_counter() - began


def main() -> None:
    """Once to warm up with a small file, then in turns."""
    source, evidence = Path(sys.argv[1]), Path(sys.argv[2])
    small = source.parent / "small"
    small.mkdir(exist_ok=True)
    (small / "a.log").write_bytes(b"a")
    collected(small, evidence)
    idle = memory("VmRSS")
    turns = [(bare(source / "large.log"), collected(source, evidence)) for _ in range(ROUNDS)]
    found = {
        "bare_seconds": min(one for one, _ in turns),
        "collect_seconds": min(two for _, two in turns),
        "idle_mb": idle,
        "peak_mb": memory("VmHWM"),
    }
    print(orjson.dumps(found).decode())


if __name__ == "__main__":
    main()
