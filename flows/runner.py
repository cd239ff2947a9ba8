"""The child process in which flows run: `python -m flows.runner`, started and ended by the conductor.

It is warm: Prefect is imported and the directory read once. It takes one job at a time as a line of JSON on
its standard input, and answers in lines of JSON:

    {"job": "7", "incident": "INC-2026-0001", "node": "conductor", "epoch": 3, "now": null}

    {"ready": true, "engine": "prefect"}
    {"job": "7", "busy": 62.0}          an action may take so long; silence beyond that means it hangs
    {"job": "7", "ok": true, "state": "AwaitingPeople", "message": "…", "engine": "prefect"}

When its input ends, so does the process, at once and whatever it is doing: the conductor is gone then, and
the next one takes back what was in hand. Only a kill bounds a flow whose API hangs, so nothing is waited for.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from console import logs, tracing
from models.clock import parse_instant
from models.errors import HikeshiError
from models.subject import working_on
from models.supervised import attempt_async

MAX_JOB_BYTES = 65_536
MAX_MESSAGE = 500
NAME = "flows"
NICE = 5
"""Paging people comes first when the processor is short."""
log = logging.getLogger("hikeshi.runner")
Say = Callable[[Mapping[str, Any]], None]


def _own_output() -> Say:
    """Answers go to the real standard output; whatever libraries print goes to standard error."""
    answers = os.dup(1)
    os.dup2(2, 1)

    def say(line: Mapping[str, Any]) -> None:
        os.write(answers, orjson.dumps(line) + b"\n")

    return say


def _read_jobs(loop: asyncio.AbstractEventLoop, jobs: asyncio.Queue[bytes]) -> None:
    """Read until the input ends, then leave: in a thread, because the loop may be busy or stuck."""
    while line := sys.stdin.buffer.readline(MAX_JOB_BYTES):
        loop.call_soon_threadsafe(jobs.put_nowait, line)
    os._exit(0)


async def _one(job: Mapping[str, Any], say: Say) -> None:
    """Run one job and answer it."""
    from flows.engine import Ended, engine_state, with_tags  # noqa: PLC0415 - after the output is our own
    from flows.place import here  # noqa: PLC0415
    from flows.respond import respond  # noqa: PLC0415
    from flows.work import UNDER_WAY  # noqa: PLC0415

    UNDER_WAY.tell = lambda seconds: say({"job": job["job"], "busy": seconds})

    async def run() -> Ended:
        # Inside, so that a directory that was broken since is answered, not died of.
        tracing.begin(NAME, here().house)
        here().clock.fix(parse_instant(job["now"]) if job.get("now") else None)
        handle = here().handle_of(job["incident"])
        with with_tags(handle), working_on(incident=job["incident"]):
            return await respond(handle, job["node"], int(job["epoch"]))

    tried = await attempt_async("respond", run)
    answer: dict[str, Any] = {"job": job["job"], "ok": tried.error is None, "engine": engine_state()}
    if tried.value is not None:
        answer |= {"state": tried.value.name, "message": tried.value.message[:MAX_MESSAGE]}
    else:
        wrong = tried.error
        # Our own errors name what to do; the text of others may hold anything.
        message = str(wrong)[:MAX_MESSAGE] if isinstance(wrong, HikeshiError) else ""
        answer |= {"state": type(wrong).__name__, "message": message}
    say(answer)


async def _work(say: Say) -> None:
    jobs: asyncio.Queue[bytes] = asyncio.Queue()
    reader = threading.Thread(
        target=_read_jobs, args=(asyncio.get_running_loop(), jobs), name="jobs", daemon=True
    )
    reader.start()
    from flows.engine import engine_state  # noqa: PLC0415
    from flows.respond import respond  # noqa: F401, PLC0415 - warm before the first job

    # Prefect has set up a log of its own meanwhile.
    logs.begin(NAME)
    say({"ready": True, "engine": engine_state()})
    while True:
        await _one(orjson.loads(await jobs.get()), say)


def main() -> None:
    """Run jobs until the input ends."""
    os.nice(NICE)
    logs.begin(NAME)
    asyncio.run(_work(_own_output()))


if __name__ == "__main__":
    main()
