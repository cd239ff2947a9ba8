"""A real process on a real file is killed at each named point; what it said is stored, is."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.canonical import GENESIS, chain_hash
from models.clock import ExerciseClock
from models.commands import Declare, Note
from models.decide import next_due
from models.fold import empty, fold
from models.messages import messages
from models.record import FACT, OUTBOX, STREAM, Record, micros
from models.state import Incident
from tests.models.small import AMY, NIGHT, by, open_desk

ROOT = Path(__file__).parents[2]
PACKAGES = ("models", "flows", "notifiers", "console")
POINT = re.compile(r"crash_point\(\s*\"([a-z-]+)\"")
POINTS = ("facts-written", "outbox-written", "before-commit", "after-commit")


def written(path: Path, at: str, *what: str) -> subprocess.CompletedProcess[str]:
    """What became of a writer that dies at a point."""
    return subprocess.run(  # noqa: S603 - our own interpreter and file
        [sys.executable, "-m", "tests.models.writer", str(path), *what],
        env=os.environ | {"HIKESHI_CRASH_AT": at, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def killed(path: Path, at: str, *what: str) -> list[int]:
    """Run the writer until it dies at a point; the seqs that it was told are stored."""
    found = written(path, at, *what)
    assert found.returncode == -signal.SIGKILL, found.stderr
    return [int(line.split()[2]) for line in found.stdout.splitlines() if line.startswith("stored")]


DEATHS = [(point, times) for point in POINTS for times in ((1,) if point == "outbox-written" else (1, 2, 4))]


@pytest.mark.parametrize(("point", "times"), DEATHS)
def test_what_was_said_to_be_stored_is_and_nothing_is_half_done(
    tmp_path: Path, point: str, times: int
) -> None:
    path = tmp_path / "hikeshi.db"
    record = Record.at(path)
    record.migrate()
    record.close()
    told = killed(path, f"{point}:{times}")
    record = Record.at(path)
    desk = open_desk(record=record, clock=ExerciseClock(NIGHT))
    with record.read() as tx:
        streams = tx.connection.execute(STREAM.select()).mappings().all()
        rows = tx.connection.execute(FACT.select().order_by(FACT.c.seq)).mappings().all()
        queued = tx.connection.execute(OUTBOX.select()).mappings().all()
        facts = tx.facts("INC-2026-0001")
    assert len(facts) >= max(told, default=0)
    if point == "after-commit":
        assert facts
    state = fold(empty("INC-2026-0001"), facts)
    assert isinstance(state, Incident)
    before = GENESIS
    for row in rows:
        before = chain_hash(before, row["body"])
        assert row["hash"] == before
    if facts:
        [stream] = streams
        due = next_due(state)
        assert (stream["seq"], stream["hash"]) == (facts[-1].seq, before)
        assert stream["next_due_at"] == (micros(due) if due else None)
    else:
        assert (streams, queued) == ([], [])
    world = desk.world(state)
    wanted = {row["key"] for fact in facts for row in messages(fact, state, world)}
    assert {row["key"] for row in queued} == wanted
    stream_id = desk.handle(None, Declare(actor=by(AMY), text="again")).stream
    assert desk.handle(stream_id, Note(actor=by(AMY), text="x")).accepted
    record.close()


def sent(path: Path) -> list[str]:
    """The keys of the messages that left, as the channel's own file says."""
    lines = (path.parent / "messages.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["key"] for line in lines]


@pytest.mark.parametrize("point", ["claimed-outbox", "line-written", "sent-not-marked"])
def test_a_message_that_was_under_way_is_looked_up_and_arrives_once(tmp_path: Path, point: str) -> None:
    path = tmp_path / "hikeshi.db"
    record = Record.at(path)
    record.migrate()
    killed(path, f"{point}:1", "deliver")
    with record.read() as tx:
        keys = [row.key for row in tx.connection.execute(OUTBOX.select())]
        assert "sending" in {row.state for row in tx.connection.execute(OUTBOX.select())}
    record.close()
    again = written(path, "no-such-point", "deliver-only")
    assert again.returncode == 0, again.stderr
    with record.read() as tx:
        assert {row.state for row in tx.connection.execute(OUTBOX.select())} == {"sent"}
    record.close()
    assert sorted(sent(path)) == sorted(keys)


def test_a_process_that_nobody_wants_to_crash_lives(tmp_path: Path) -> None:
    record = Record.at(tmp_path / "hikeshi.db")
    record.migrate()
    record.close()
    found = written(tmp_path / "hikeshi.db", "no-such-point")
    assert found.returncode == 0
    assert found.stdout.count("stored") == 5


def test_every_point_at_which_we_may_die_is_named_in_a_test() -> None:
    named = {
        name
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for name in POINT.findall(file.read_text(encoding="utf-8"))
    }
    assert set(POINTS) <= named
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("*.py")]
    deaths = "\n".join(text for text in texts if "HIKESHI_CRASH_AT" in text)
    missing = sorted(name for name in named if not re.search(rf'"{name}[":]', deaths))
    assert not missing, f"no test dies at {missing}"
