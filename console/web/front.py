"""The house as the web has it: a connection and a desk of its own, in a thread of its own.

Whoever reads a large incident on a page must not keep the one thread waiting that takes alerts and
acknowledgements. Both desks write the same record; the database's lock decides who comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import TypeVar

from console.opening import House
from console.web.changes import Changes
from console.web.running import Station
from models.desk import Desk
from models.premises import Outcome

T = TypeVar("T")
IN_MEMORY = "sqlite://"


class Front:
    """A house of the same institution beside the node's, and the thread that has it."""

    def __init__(self, house: House, stored: Callable[[Outcome], None], name: str = "front") -> None:
        """`stored` is told of what was written here, so that pages leave at once."""
        self._stored = stored
        record = house.record.another()
        desk = Desk(record, house.desk.premises, house.desk.clock)
        desk.after_commit.append(stored)
        self.house = replace(house, desk=desk)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._others: list[Front] = []

    def station(self, changes: Changes) -> Station:
        """This house as the web's parts are given it, with another beside it for what takes long."""
        aside = Front(self.house, self._stored, "aside")
        self._others.append(aside)
        long = Station(house=aside.house, run=aside.run, changes=changes)
        return Station(house=self.house, run=self.run, changes=changes, aside=long)

    async def run(self, work: Callable[[], T], /) -> T:
        """Run `work` in the thread that has this house."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, copy_context().run, work)

    def close(self) -> None:
        """Let the threads and their databases go."""
        for one in self._others:
            one.close()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self.house.record.close()
