"""`command.run` against real processes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.actions import ActionContext, run
from flows.actions.command import MAX_OUTPUT_CHARACTERS
from models.clock import monotonic
from models.errors import ActionFailed, OutcomeUnknown
from models.targets import CommandTarget, Parameter, argv_defects

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
PYTHON = sys.executable
TEXT = Parameter(type="text")


def make_context(folder: Path, *, timeout_seconds: float = 30.0) -> ActionContext:
    """A context whose institution's directory and evidence lie in `folder`."""
    base = folder / "bank"
    base.mkdir()
    return ActionContext(
        evidence_dir=folder / "evidence",
        secrets=str,
        base=base,
        now=NOW,
        timeout_seconds=timeout_seconds,
        idempotency_key="INC-2026-0001/isolate/1",
    )


@pytest.fixture
def context(tmp_path: Path) -> ActionContext:
    return make_context(tmp_path)


def python(code: str, **fields: object) -> CommandTarget:
    """A target that runs a piece of Python."""
    return CommandTarget.model_validate({"kind": "command", "argv": [PYTHON, "-c", code], **fields})


async def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = monotonic() + seconds
    while not holds() and monotonic() < until:
        await asyncio.sleep(0.02)
    return holds()


def is_alive(pid: int) -> bool:
    """Whether a process still does something; one that nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_the_exit_code_and_the_output_are_recorded(context: ActionContext) -> None:
    result = await run("command.run", python("print('blocked'); print('東京')"), {}, context)
    assert result.outputs == {"exit_code": "0", "stdout": "blocked 東京", "cut": "no"}
    assert result.evidence == ()


async def test_parameters_are_whole_arguments_or_follow_an_option(context: ActionContext) -> None:
    target = CommandTarget(
        kind="command",
        argv=(PYTHON, "-c", "import sys; print(sys.argv[1:])", "--host={host}", "--", "{note}"),
        parameters={"host": Parameter(type="host"), "note": TEXT},
    )
    params = {"host": "web-1.example", "note": "a b; $(id) `id` | *"}
    result = await run("command.run", target, params, context)
    assert result.outputs["stdout"] == "['--host=web-1.example', '--', 'a b; $(id) `id` | *']"


async def test_the_environment_is_bare_and_the_input_is_closed(
    context: ActionContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-secret")
    code = "import os, sys; print(sorted(set(os.environ) - {'LC_CTYPE'}), repr(sys.stdin.read()))"
    result = await run("command.run", python(code), {}, context)
    assert result.outputs["stdout"] == "['LANG', 'PATH'] ''"


async def test_a_program_of_the_institution_is_found_from_its_directory(context: ActionContext) -> None:
    tool = context.base / "tools" / "isolate"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\npwd\n")
    tool.chmod(0o755)
    target = CommandTarget(kind="command", argv=("tools/isolate",))
    result = await run("command.run", target, {}, context)
    assert Path(result.outputs["stdout"]).samefile(context.base)


async def test_another_exit_code_is_a_failure_that_says_what_the_program_said(context: ActionContext) -> None:
    target = python("import sys; sys.stderr.write('no such\\x1b[31m host\\n'); sys.exit(3)")
    with pytest.raises(ActionFailed, match=r"code 3; it said: no such \[31m host") as caught:
        await run("command.run", target, {}, context)
    assert not isinstance(caught.value, OutcomeUnknown)


async def test_a_program_killed_from_outside_leaves_an_unknown_outcome(context: ActionContext) -> None:
    with pytest.raises(OutcomeUnknown, match="signal 9"):
        await run("command.run", python("import os; os.kill(os.getpid(), 9)"), {}, context)


@pytest.mark.parametrize("program", ["no-such-program-anywhere", "./no/such/program", "/"])
async def test_a_program_that_cannot_be_started_has_failed(context: ActionContext, program: str) -> None:
    with pytest.raises(ActionFailed, match="could not be started") as caught:
        await run("command.run", CommandTarget(kind="command", argv=(program,)), {}, context)
    assert not isinstance(caught.value, OutcomeUnknown)


FAMILY = """
import os, subprocess, sys, time
inner = "import os, time; open('grandchild', 'w').write(str(os.getpid())); time.sleep(600)"
outer = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {inner!r}]); time.sleep(600)"
open('leader', 'w').write(str(os.getpid()))
subprocess.Popen([sys.executable, '-c', outer])
while not (os.path.exists('grandchild') and open('grandchild').read()):
    time.sleep(0.01)
open('ready', 'w').close()
LAST
"""


def family(last: str) -> CommandTarget:
    """A program with a child and a grandchild that sleep, which does `last` once all are there."""
    return python(FAMILY.replace("LAST", last))


def pids(base: Path) -> list[int]:
    return [int((base / name).read_text()) for name in ("leader", "grandchild")]


async def test_beyond_its_time_the_whole_group_is_killed_and_the_outcome_unknown(tmp_path: Path) -> None:
    context = make_context(tmp_path, timeout_seconds=3)
    began = monotonic()
    with pytest.raises(OutcomeUnknown, match="within 3 s"):
        await run("command.run", family("time.sleep(600)"), {}, context)
    assert monotonic() - began < 10
    assert await eventually(lambda: not any(map(is_alive, pids(context.base))))


async def test_a_cancelled_step_kills_the_whole_group(context: ActionContext) -> None:
    running = asyncio.create_task(run("command.run", family("time.sleep(600)"), {}, context))
    assert await eventually((context.base / "ready").exists, 20)
    assert all(map(is_alive, pids(context.base)))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await eventually(lambda: not any(map(is_alive, pids(context.base))))


async def test_what_a_program_leaves_in_the_background_ends_with_it(context: ActionContext) -> None:
    began = monotonic()
    result = await run("command.run", family("print('done')"), {}, context)
    assert result.outputs["stdout"] == "done"
    assert monotonic() - began < 20
    assert await eventually(lambda: not any(map(is_alive, pids(context.base))))


async def test_a_background_process_that_fled_the_group_holds_nothing_up(context: ActionContext) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'],"
        " start_new_session=True)\n"
        "print(child.pid)"
    )
    began = monotonic()
    result = await run("command.run", python(code), {}, context)
    assert monotonic() - began < 10
    os.kill(int(result.outputs["stdout"]), 9)


async def test_output_beyond_the_limit_is_dropped_and_marked(context: ActionContext) -> None:
    target = python("import sys; sys.stdout.write('x' * 3_000_000)", max_bytes=10_000, preserve=True)
    result = await run("command.run", target, {}, context)
    assert result.outputs["cut"] == "yes"
    assert len(result.outputs["stdout"]) == MAX_OUTPUT_CHARACTERS
    [item] = result.evidence
    assert (item.size, item.problem) == (10_000, "cut after 10000 bytes")


async def test_preserved_output_is_evidence_byte_for_byte(context: ActionContext) -> None:
    target = python("import sys; sys.stdout.buffer.write(bytes(range(256)) * 300)", preserve=True)
    [item] = (await run("command.run", target, {}, context)).evidence
    expected = bytes(range(256)) * 300
    stored = context.evidence_dir / item.stored
    assert stored.read_bytes() == expected
    assert item.digest == f"sha256:{hashlib.sha256(expected).hexdigest()}"
    assert stat.S_IMODE(stored.stat().st_mode) == 0o400
    assert item.problem is None
    assert item.source.startswith(f"command: {PYTHON} -c ")


async def test_a_failed_program_s_output_is_kept_and_named(context: ActionContext) -> None:
    target = python("import sys; print('process list'); sys.exit(1)", preserve=True)
    digest = hashlib.sha256(b"process list\n").hexdigest()
    with pytest.raises(ActionFailed, match=f"kept as sha256:{digest}"):
        await run("command.run", target, {}, context)
    assert (context.evidence_dir / "sha256" / digest[:2] / digest).read_bytes() == b"process list\n"


async def test_evidence_that_cannot_be_written_fails_the_step(context: ActionContext) -> None:
    context.evidence_dir.write_text("a file where the folder should be")
    with pytest.raises(ActionFailed, match="could not be kept"):
        await run("command.run", python("print(1)", preserve=True), {}, context)


@pytest.mark.parametrize(
    ("argv", "names", "expected"),
    [
        pytest.param(["ls", "{a}"], ["a"], "", id="a whole argument is fine"),
        pytest.param(["ls", "--in={a}", "-o={b}"], ["a", "b"], "", id="after an option is fine"),
        pytest.param(["jq", '{"a": 1}'], [], "", id="other braces are plain text"),
        pytest.param(["ls", "x{a}"], ["a"], "argv.1", id="inside an argument is refused"),
        pytest.param(["ls", "{a}{b}"], ["a", "b"], "argv.1", id="two in one are refused"),
        pytest.param(["ls", "--in={a}.log"], ["a"], "argv.1", id="text after it is refused"),
        pytest.param(["{a}"], ["a"], "argv.0", id="the program is no parameter"),
        pytest.param(["ls", "{b}"], [], "not among the parameters", id="unknown parameter"),
        pytest.param(["ls"], ["a"], "used nowhere", id="unused parameter"),
    ],
)
async def test_an_unfit_allow_list_entry_is_refused(
    context: ActionContext, argv: list[str], names: list[str], expected: str
) -> None:
    target = CommandTarget(kind="command", argv=tuple(argv), parameters=dict.fromkeys(names, TEXT))
    assert expected in "; ".join(argv_defects(target.argv, target.parameters))
    assert bool(expected) == bool(argv_defects(target.argv, target.parameters))
    if expected:
        with pytest.raises(ActionFailed, match="nothing was run"):
            await run("command.run", target, dict.fromkeys(names, "x"), context)
