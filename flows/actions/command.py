"""`command.run`: an allow-listed program with typed parameters. No shell, no input, a bare environment.

The program leads a process group of its own. When its time is over, or the step is cancelled, the whole group
is killed, children and grandchildren included.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL
from pathlib import Path
from socket import gethostname

from flows.actions.parameters import check, printable
from flows.actions.taking import Span
from flows.actions.values import ActionContext, ActionResult, CollectedItem, Params, stored_as
from models.clock import iso
from models.errors import ActionFailed, OutcomeUnknown
from models.targets import ARGUMENT, CommandTarget, argv_defects

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_OUTPUT_CHARACTERS = 2_000
MAX_EXCERPT_CHARACTERS = 300
MAX_ERROR_BYTES = 65_536
DRAIN_SECONDS = 1.0


class _Output:
    """What came out of one stream, up to a limit; the rest is dropped, so that the program does not block."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.data = bytearray()
        self.cut = False

    def add(self, piece: bytes) -> None:
        room = self.limit - len(self.data)
        self.cut = self.cut or len(piece) > room
        self.data += piece[:room]

    def text(self, limit: int) -> str:
        return printable(self.data.decode("utf-8", "replace"), limit)


class _Watch(asyncio.SubprocessProtocol):
    """Takes the output, and tells the end of the program from the end of its output.

    asyncio's own `Process.wait` waits for both, and a process left in the background holds the pipes open.
    """

    def __init__(self, out: _Output, err: _Output) -> None:
        self._outputs = {1: out, 2: err}
        self._open = {1, 2}
        self.exited = asyncio.Event()
        self.drained = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._outputs[fd].add(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open:
            self.drained.set()

    def process_exited(self) -> None:
        self.exited.set()


async def run_command(target: CommandTarget, params: Params, context: ActionContext) -> ActionResult:
    """Run the program to its end.

    Outputs: `exit_code`, `stdout` (one line, shortened) and `cut` (yes or no). With `preserve` the whole
    output becomes evidence, also of a run that failed or whose time was over. Raises ActionFailed if it
    cannot be started or ends with another code than 0; OutcomeUnknown if its time was over or it was killed.
    """
    argv = _argv(target, params, context.base)
    out, err = _Output(target.max_bytes), _Output(MAX_ERROR_BYTES)
    try:
        code = await _run(argv, out, err, context)
    except OutcomeUnknown as late:
        if target.preserve and out.data:
            cut = await asyncio.to_thread(_preserve, target, argv, out, context, "killed before its end")
            raise OutcomeUnknown(f"{late}{_where(cut)}") from late
        raise
    kept: CollectedItem | None = None
    if target.preserve:
        ended = None if code == 0 else f"the program ended with code {code}"
        kept = await asyncio.to_thread(_preserve, target, argv, out, context, ended)
    if code != 0:
        raise _failure(code, err, kept)
    outputs = {
        "exit_code": str(code),
        "stdout": out.text(MAX_OUTPUT_CHARACTERS),
        "cut": "yes" if out.cut else "no",
    }
    return ActionResult(
        outputs=outputs,
        summary=f"{Path(argv[0]).name}: ended with code {code}",
        evidence=(kept,) if kept is not None else (),
    )


def _failure(code: int, err: _Output, kept: CollectedItem | None) -> ActionFailed:
    said = err.text(MAX_EXCERPT_CHARACTERS) or "nothing"
    where = _where(kept)
    if code < 0:
        return OutcomeUnknown(f"the program was killed by signal {-code}; look what it had done{where}")
    return ActionFailed(f"the program ended with code {code}; it said: {said}{where}")


def _where(kept: CollectedItem | None) -> str:
    return f"; its output is kept as {kept.digest}" if kept is not None else ""


def _argv(target: CommandTarget, params: Params, base: Path) -> list[str]:
    """The arguments with each parameter in its place. Raises ActionFailed."""
    if found := argv_defects(target.argv, target.parameters):
        raise ActionFailed("nothing was run, the target is not fit for use: " + "; ".join(found))
    values = check(target.parameters, params)
    program = target.argv[0]
    if "/" in program:
        program = str(base / program)
    return [program, *(_filled(argument, values) for argument in target.argv[1:])]


def _filled(argument: str, values: dict[str, str]) -> str:
    place = ARGUMENT.match(argument)
    return argument if place is None else (place["option"] or "") + values[place["name"]]


async def _run(argv: list[str], out: _Output, err: _Output, context: ActionContext) -> int:
    """The exit code; negative is the signal that killed it."""
    try:
        transport, watch = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Watch(out, err),
            *argv,
            stdin=DEVNULL,
            cwd=context.base,
            env={"PATH": PATH, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
    except (OSError, ValueError) as wrong:
        raise ActionFailed(f"the program could not be started: {wrong}") from wrong
    try:
        async with asyncio.timeout(context.timeout_seconds):
            await watch.exited.wait()
        await _drain(watch)
    except TimeoutError as wrong:
        message = (
            f"not done within {context.timeout_seconds:g} s and killed with all it started; look what it did"
        )
        raise OutcomeUnknown(message) from wrong
    finally:
        # Leave nothing of the group behind, whichever way the run ended.
        if not (watch.exited.is_set() and watch.drained.is_set()):
            _kill_group(transport.get_pid())
        transport.close()
    code = transport.get_returncode()
    return code if code is not None else -signal.SIGKILL


async def _drain(watch: _Watch) -> None:
    """Take the last of the output; what still holds the pipes after that was left in the background."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await watch.drained.wait()


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # Nobody is left, or what is left has taken on another user: both are beyond us.
        return


def _preserve(
    target: CommandTarget, argv: list[str], out: _Output, context: ActionContext, ended: str | None
) -> CollectedItem:
    """Keep what the program wrote; `ended` says how it came to a bad end. Raises ActionFailed."""
    try:
        with context.writer() as writer:
            writer.write(bytes(out.data))
            writer.keep()
            kept = stored_as(writer)
    except OSError as wrong:
        raise ActionFailed(f"the program ran, but its output could not be kept: {wrong.strerror}") from wrong
    problems = [ended] if ended else []
    if out.cut:
        problems.append(f"cut after {target.max_bytes} bytes")
    item = CollectedItem(
        name=f"{Path(argv[0]).name}.out",
        source="command: " + " ".join(argv),
        problem="; ".join(problems) or None,
        tool="command.run: " + " ".join(argv)[:MAX_EXCERPT_CHARACTERS],
        host=gethostname(),
        collected_at=iso(Span(context).now()),
        offset_ms=0,
        **kept,
    )
    context.kept.append(item)
    return item
