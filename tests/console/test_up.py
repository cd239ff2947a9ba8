"""`hikeshi up` for real: processes are started, started again when they die, and stopped in time."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

from console.texts import texts
from console.up import Part, _follow_addresses

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


class Up:
    """A running `hikeshi up`, and the lines it says."""

    def __init__(self, bank: Path) -> None:
        environment = os.environ | {
            "HIKESHI_WAZUH_SECRET": "x" * 20,
            "HIKESHI_EDR_SECRET": "x" * 20,
            "PYTHONPATH": str(ROOT),
            # Nobody answers there: the embedded server is tested with the demo, and pages need neither.
            "PREFECT_API_URL": "http://127.0.0.1:9/api",
        }
        environment.pop("HIKESHI_ENGINE", None)
        self.bank, self.environment = bank, environment
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "console.main", "--dir", str(bank), "--lang", "en", "up", "--port", "0"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: Queue[str] = Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def wait_for(self, words: str) -> str:
        until = time.monotonic() + PATIENCE
        seen = []
        while time.monotonic() < until:
            try:
                seen.append(self.lines.get(timeout=0.2))
            except Empty:
                continue
            if words in seen[-1]:
                return seen[-1]
        raise AssertionError(f"{words!r} was not said: {seen}")

    def children(self) -> dict[str, int]:
        """Processes below this one, by what they run."""
        found = {}
        listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True)  # noqa: S607
        for line in listed.stdout.splitlines()[1:]:
            pid, parent, args = line.split(None, 2)
            if int(parent) == self.process.pid:
                found[args] = int(pid)
        return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    bank = tmp_path / "bank"
    shutil.copytree(ROOT / "examples" / "mihon-bank", bank, ignore=shutil.ignore_patterns("var"))
    running = Up(bank)
    yield running
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(PATIENCE)
    running.reader.join(PATIENCE)
    assert running.process.stdout is not None
    running.process.stdout.close()


def health(port: int) -> dict[str, object]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def port_of(line: str) -> int:
    return int(line.rsplit(":", 1)[1].strip().rstrip("/"))


def test_the_pager_is_there_without_prefect_is_started_again_and_all_stops_in_five_seconds(up: Up) -> None:
    port = port_of(up.wait_for("alerts, pages and board"))
    assert health(port)["status"] == "ok"
    pager = next(pid for args, pid in up.children().items() if "console.node" in args)
    os.kill(pager, signal.SIGKILL)
    up.wait_for("pager ended (-9)")
    again = port_of(up.wait_for("alerts, pages and board"))
    assert health(again)["status"] == "ok"
    family = up.children()
    assert {"console.node", "flows.conductor"} <= {
        args.split(" -m console.leash ")[-1].split()[0] for args in family
    }

    begun = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(PATIENCE) == 0
    assert time.monotonic() - begun < 5
    for pid in family.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_parts_leave_when_up_is_killed_and_the_next_up_can_start(up: Up) -> None:
    up.wait_for("alerts, pages and board")
    family = up.children()
    up.process.kill()
    up.process.wait(PATIENCE)
    until = time.monotonic() + PATIENCE
    while any(is_alive(pid) for pid in family.values()):
        assert time.monotonic() < until, "a part goes on without anybody who looks after it"
        time.sleep(0.1)
    assert len(family) >= 2


def test_a_closed_terminal_ends_everything_in_order(up: Up) -> None:
    up.wait_for("alerts, pages and board")
    family = up.children()
    up.process.send_signal(signal.SIGHUP)
    assert up.process.wait(PATIENCE) == 0
    assert not any(is_alive(pid) for pid in family.values())


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_second_up_on_the_same_directory_says_so_and_ends_with_1(up: Up) -> None:
    up.wait_for("alerts, pages and board")
    second = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "console.main", "--dir", str(up.bank), "--lang", "en", "up", "--port", "0"],
        env=up.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert second.returncode == 1
    assert "a pager runs already" in second.stdout + second.stderr


async def keep_for(part: Part, seconds: float) -> None:
    """Look after a part for a while, then end it."""
    stop = asyncio.Event()
    keeping = asyncio.create_task(part.keep(stop))
    await asyncio.sleep(seconds)
    stop.set()
    await part.end()
    await asyncio.wait_for(keeping, 5)


def part(script: str) -> Part:
    return Part(name="x", argv=[sys.executable, "-c", script], environment=os.environ, say=texts("en"))


async def test_a_line_without_end_stops_nobody_from_being_looked_after(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = part("import sys; sys.stdout.write('x' * 300_000 + '\\nafter\\n')")
    await keep_for(long, 1.5)
    shown = capsys.readouterr().out
    assert shown.count("x") >= 300_000
    assert "after" in shown
    assert long.deaths >= 1, "its end was seen, and it was started again"


async def test_a_part_that_cannot_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    create, refused = asyncio.create_subprocess_exec, 0

    async def fork_refused(*given: Any, **named: Any) -> Any:
        nonlocal refused
        refused += 1
        if refused == 1:
            raise OSError(errno.EAGAIN, "no more processes")
        return await create(*given, **named)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fork_refused)
    await keep_for(part("print('here', flush=True); import time; time.sleep(9)"), 2.0)
    assert "here" in capsys.readouterr().out


class Gone(io.StringIO):
    """A terminal that has been closed."""

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


async def test_a_terminal_that_has_gone_ends_no_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Gone())
    talks = part("print('x', flush=True)")
    await keep_for(talks, 2.0)
    assert talks.deaths >= 2


async def test_a_death_is_seen_while_the_terminal_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    talks = part("print('x' * 500, flush=True)")
    with os.fdopen(write, "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        os.set_blocking(write, False)
        with suppress(BlockingIOError):
            while os.write(write, b"x" * 65_536):
                pass
        os.set_blocking(write, True)
        await keep_for(talks, 4.0)
        assert talks.deaths >= 1
        # Somebody reads again: what was held back comes.
        os.set_blocking(read, False)
        shown = b""
        for _ in range(30):
            with suppress(BlockingIOError):
                shown += os.read(read, 1_000_000)
            await asyncio.sleep(0.01)
        assert b"x" * 500 + b"\n" in shown
    os.close(read)


async def test_a_drills_node_is_started_anew_when_somebody_is_enrolled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, stop = tmp_path / "participants.yaml", asyncio.Event()
    file.write_text("people: []\n", encoding="utf-8")
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    node = Part(name="pager", argv=argv, environment=os.environ, say=texts("en"))
    running = asyncio.create_task(node.keep(stop))
    following = asyncio.create_task(_follow_addresses(file, node, stop))
    first = await _started(node, None)
    # Nothing has changed: it is left alone.
    await asyncio.sleep(1)
    assert node.process is not None and node.process.pid == first
    file.write_text("people:\n- person: sato-kenji\n  channels: [console]\n", encoding="utf-8")
    second = await _started(node, first)
    assert second != first and node.deaths == 0
    stop.set()
    await node.end()
    await asyncio.gather(running, following)
    said = capsys.readouterr().out
    assert "pager is started again: addresses have changed" in said and "ended (" not in said


async def _started(node: Part, before: int | None) -> int:
    until = time.monotonic() + PATIENCE
    while node.process is None or node.process.pid == before or node.process.returncode is not None:
        assert time.monotonic() < until, "the node did not start"
        await asyncio.sleep(0.05)
    return node.process.pid
