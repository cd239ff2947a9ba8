"""A program that does not start says why; one that hangs is killed; a peer that is missing is named."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.peers import programs
from tests.peers.localslack import LocalSlack
from tests.peers.programs import DidNotStart, Program

pytestmark = pytest.mark.timeout(60)


async def test_what_a_program_said_before_it_ended_is_in_the_error() -> None:
    with pytest.raises(DidNotStart, match="no such workspace"):
        await Program.start([sys.executable, "-c", "print('no such workspace')"], r"listens on (\d+)", env={})


async def test_a_program_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "END_SECONDS", 0.1)
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('listens on 1', flush=True); time.sleep(60)"
    )
    program, found = await Program.start([sys.executable, "-c", script], r"listens on (\d+)", env={})
    assert found == "1"
    await program.end()
    await program.end()
    assert not Path(f"/proc/{program.pid}").exists()


@pytest.mark.parametrize(
    ("name", "peer"), [("local-slack", "localslack.LocalSlack"), ("emulate", "emulate.Emulate")]
)
async def test_a_peer_ends_when_the_tests_are_killed(name: str, peer: str) -> None:
    programs.need(name)
    module, kind = peer.split(".")
    script = (
        f"import asyncio, os, signal; from tests.peers.{module} import {kind} as Peer\n"
        "async def main():\n"
        "    async with Peer() as slack:\n"
        "        print(slack.program.pid, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    tests = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=programs.HERE.parents[1], stdout=asyncio.subprocess.PIPE
    )
    said, _ = await tests.communicate()
    assert tests.returncode == -signal.SIGKILL
    async with asyncio.timeout(10.0):
        while _runs(int(said)):
            await asyncio.sleep(0.05)


def _runs(pid: int) -> bool:
    """Whether the process is there and no zombie that nobody waits for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("wanted", "outcome"), [("", pytest.skip.Exception), ("required", pytest.fail.Exception)]
)
async def test_a_missing_peer_is_named_and_fails_only_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(programs, "LOCAL_SLACK", tmp_path / "nowhere")
    monkeypatch.setenv("HIKESHI_PEERS", wanted)
    with pytest.raises(outcome, match="peer local-slack is not installed"):
        async with LocalSlack():
            pass
