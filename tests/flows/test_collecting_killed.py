"""A collector that is killed at any byte leaves nothing, and one on a full disk neither."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

SIZE = 3_000_000
KILLS = 60
SCRIPT = r"""
import asyncio, os, random, signal, sys
from datetime import UTC, datetime
from pathlib import Path
import orjson
from flows.actions import ActionContext, run
from flows.actions import collect, store
from models.targets import FileTarget

base, evidence, mode, many = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
# Small pieces, so that there are many places to die at.
collect.PIECE_BYTES = store.PIECE_BYTES = 8_192
target = FileTarget(kind="files", root=str(base))

def collect_all(die_at):
    def progress(name, size):
        if die_at is not None and size >= die_at:
            os.kill(os.getpid(), signal.SIGKILL)
    context = ActionContext(evidence_dir=evidence, secrets=str, base=base, now=datetime.now(UTC),
        timeout_seconds=60, idempotency_key="k", progress=progress)
    result = asyncio.run(run("file.collect", target, {}, context))
    return [(item.name, item.digest, item.problem) for item in result.evidence]

dice = random.Random(4711)
size = (base / "a.log").stat().st_size
killed = 0
for number in range(many):
    child = os.fork()
    if not child:
        if mode == "bytes":
            collect_all(dice.randrange(size) if number == 0 else random.Random(number).randrange(size))
        else:
            signal.setitimer(signal.ITIMER_REAL, random.Random(number).uniform(0.0005, 0.03))
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            collect_all(None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
print(orjson.dumps({"killed": killed}).decode())
if mode == "after":
    print(orjson.dumps(collect_all(None)).decode())
"""


def start(folder: Path, evidence: Path, mode: str, many: int) -> list[object]:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", SCRIPT, str(folder), str(evidence), mode, str(many)],
        capture_output=True,
        check=False,
        timeout=120,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return [orjson.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("mode", ["bytes", "moments"])
def test_a_collector_killed_at_any_byte_leaves_no_object_that_is_not_whole(tmp_path: Path, mode: str) -> None:
    folder, evidence = tmp_path / "logs", tmp_path / "evidence"
    folder.mkdir()
    content = os.urandom(SIZE)
    (folder / "a.log").write_bytes(content)
    [told] = start(folder, evidence, mode, KILLS)
    assert isinstance(told, dict)
    assert told["killed"] >= (KILLS if mode == "bytes" else 1)
    for path in evidence.rglob("*"):
        if path.is_file() and not path.name.startswith((".part-", ".pin-")):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    _, items = start(folder, evidence, "after", 0)
    assert items == [["a.log", f"sha256:{hashlib.sha256(content).hexdigest()}", None]]
    found = [path.name for path in evidence.rglob("*") if path.is_file()]
    left = [name for name in found if not name.startswith(".pin-")]
    assert left == [hashlib.sha256(content).hexdigest()], "parts of the dead are swept away"


FULL = r"""
import asyncio, resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from flows.actions import ActionContext, run
from models.errors import ActionFailed
from models.targets import FileTarget

base, evidence, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
context = ActionContext(evidence_dir=evidence, secrets=str, base=base, now=datetime.now(UTC),
    timeout_seconds=60, idempotency_key="k")
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    result = asyncio.run(run("file.collect", FileTarget(kind="files", root=str(base)), {}, context))
    print("kept", sorted(item.name for item in result.evidence), result.outputs["left_out"], result.summary)
except ActionFailed as failed:
    print("failed", failed)
"""


def on_full_disk(folder: Path, evidence: Path, limit: int) -> str:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", FULL, str(folder), str(evidence), str(limit)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return done.stdout.decode()


def test_what_does_not_fit_on_the_disk_is_left_out_and_named(tmp_path: Path) -> None:
    folder, evidence = tmp_path / "logs", tmp_path / "evidence"
    folder.mkdir()
    (folder / "a.log").write_bytes(b"small")
    (folder / "b.log").write_bytes(b"x" * 2_000_000)
    said = on_full_disk(folder, evidence, 1_000_000)
    assert said.startswith("kept ['a.log'] 1")
    left = [path for path in evidence.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in left] == [b"small"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_really_full_disk_ends_the_collection_and_keeps_what_is_whole(tmp_path: Path) -> None:
    folder, evidence = tmp_path / "logs", tmp_path / "evidence"
    folder.mkdir()
    evidence.mkdir()
    (folder / "a.log").write_bytes(b"small")
    for name in ("b.log", "c.log"):
        (folder / name).write_bytes(os.urandom(2_000_000))
    mounted = subprocess.run(  # noqa: S603
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(evidence)],  # noqa: S607
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("this machine does not let us mount")
    try:
        said = on_full_disk(folder, evidence, 0)
        left = [path.read_bytes() for path in evidence.rglob("*") if path.is_file()]
    finally:
        subprocess.run(["umount", str(evidence)], check=True)  # noqa: S603, S607
    assert said.startswith("kept ['a.log'] 1")
    assert "the evidence folder cannot be written: No space left on device" in said
    assert left == [b"small"]


def test_an_archive_that_would_explode_is_kept_as_it_is(tmp_path: Path) -> None:
    """Nothing is unpacked: a bomb stays as small as it is."""
    folder, evidence = tmp_path / "logs", tmp_path / "evidence"
    folder.mkdir()
    bomb = b"PK\x03\x04" + b"\x00" * 42_000
    (folder / "42.zip").write_bytes(bomb)
    assert on_full_disk(folder, evidence, 0).startswith("kept ['42.zip'] 0")
    assert sum(path.stat().st_size for path in evidence.rglob("*") if path.is_file()) == len(bomb)
