"""Announces new versions of playbooks by itself, once after a node's start: their files are read then.

Whoever wants to choose the hour uses `hikeshi playbook announce`; what was announced is not announced again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from console.opening import House
from models.commands import Actor
from models.readers import AnnouncePlaybook, announced
from models.state import Programme
from models.supervised import attempt_async

PROGRAMME = "programme"


class Announcer:
    """Looks which versions have not been announced, and announces them one by one."""

    def __init__(self, house: House, run_in_writer: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self.house = house
        self.run_in_writer = run_in_writer

    async def run(self, stop: asyncio.Event) -> None:
        """Announce what is new, then end. One that fails keeps no other from being announced."""
        # Reading the files takes most of a second: not in the thread that pages wait for.
        names = await asyncio.to_thread(self._asking)
        for name in await self.run_in_writer(partial(self._open, names)):
            if stop.is_set():
                return
            command = AnnouncePlaybook(actor=Actor.machine("node"), playbook=name)
            handle = partial(self.house.desk.handle, PROGRAMME, command)
            await attempt_async(f"announce {name}", partial(self.run_in_writer, handle))

    def _asking(self) -> list[str]:
        """Playbooks that name readers."""
        entries = self.house.institution.playbooks.entries
        return [name for name, entry in entries.items() if entry.playbook.read_by]

    def _open(self, names: list[str]) -> list[str]:
        """Of these, and of those announced before, the ones about which there is something to say."""
        desk = self.house.desk
        state = desk.state(PROGRAMME)
        readings = state.readings if isinstance(state, Programme) else {}
        gone = [name for name, one in readings.items() if one.roles and name not in names]
        return [*gone, *(name for name in names if not announced(readings.get(name), desk.library[name]))]
