"""A node announces new versions of playbooks by itself, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from console.announcing import Announcer
from console.opening import House, open_house
from models.clock import ExerciseClock
from models.state import Programme
from tests.console.clihouse import SHORT, START, bank_in

READ = SHORT.replace("priority: 5\n", "priority: 5\nread_by: [csirt-lead]\n")


def opened(directory: Path, text: str) -> House:
    (directory / "playbooks" / "short.yaml").write_text(text, encoding="utf-8")
    return open_house(directory, ExerciseClock(START))


async def here(call: Callable[[], Any]) -> Any:
    return call()


def kinds(house: House, *, stopped: bool = False) -> list[str]:
    """What a node's start writes about reading."""
    with house.record.read() as tx:
        before = tx.head("programme")[0]
    stop = asyncio.Event()
    if stopped:
        stop.set()
    asyncio.run(Announcer(house, here).run(stop))
    with house.record.read() as tx:
        return [fact.kind for fact in tx.facts("programme", before)]


def readings(house: House) -> dict[str, str]:
    state = house.desk.state("programme")
    assert isinstance(state, Programme)
    return {name: one.version for name, one in state.readings.items()}


def test_each_version_is_announced_once(tmp_path: Path) -> None:
    directory = bank_in(tmp_path)
    first = opened(directory, READ)
    assert kinds(first, stopped=True) == []
    assert kinds(first) == ["playbook.announced", "message.requested"]
    assert kinds(first) == []
    assert readings(first) == {"short": "1.0.0"}
    first.record.close()
    second = opened(directory, READ.replace("version: 1.0.0", "version: 2.0.0"))
    assert kinds(second)[0] == "playbook.announced"
    assert readings(second) == {"short": "2.0.0"}
    second.record.close()
    third = opened(directory, SHORT)
    assert kinds(third) == ["reading.withdrawn"]
    assert kinds(third) == []
    third.record.close()
