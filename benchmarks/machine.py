"""A playbook whose steps are all a machine's and all ready at once, and a Prefect server to run them with."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bank import Bank
from flows.prepare import prepare_from_template
from flows.server import PrefectServer, client_environment
from models.errors import HikeshiError

PLAYBOOK = "bench"
STEPS = 200
_HEAD = """\
playbook: bench
version: 1.0.0
title: {ja: 計測用, en: For measuring}
reviewed: 2026-11-01
priority: 9
steps:
"""
_STEP = """\
  - id: step-{number:03d}
    phase: triage
    kind: action
    use: command.run
    target: nothing
    on_crash: idempotent
    timeout: 30s
    title: {{ja: 何もしない {number}, en: Do nothing {number}}}
"""
_TARGET = """
  nothing:
    kind: command
    argv: ["true"]
"""


def equip(bank: Bank) -> None:
    """Give the bank the playbook and the target that it names: a program that does nothing."""
    text = _HEAD + "".join(_STEP.format(number=number) for number in range(1, STEPS + 1))
    (bank.directory / "playbooks" / f"{PLAYBOOK}.yaml").write_text(text, encoding="utf-8")
    with (bank.directory / "targets.yaml").open("a", encoding="utf-8") as targets:
        targets.write(_TARGET)


@dataclass(frozen=True, kw_only=True)
class Prefect:
    """A running server: the environment of a process that runs flows with it, and its own process."""

    environment: dict[str, str]
    pid: int


@asynccontextmanager
async def prefect(home: Path) -> AsyncIterator[Prefect]:
    """An embedded Prefect server while entered. Raises HikeshiError if it is not healthy within a minute."""
    prepare_from_template(home)
    server = PrefectServer(home)
    server.start()
    try:
        if not await server.healthy() or server.pid is None:
            raise HikeshiError(f"the Prefect server is not healthy; see {server.log}")
        environment = {name: value for name, value in os.environ.items() if name != "HIKESHI_ENGINE"}
        environment |= client_environment(home, server.url)
        yield Prefect(environment=environment, pid=server.pid)
    finally:
        await server.stop()
