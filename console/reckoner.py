"""Reckons anew, in the background, what other rules have reckoned: the soonest first, a little at a time.

A page never waits for it: each slice is short, the writer has as long to itself again, and a stream that is
written in or falls due meanwhile is reckoned then and there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from models.clock import monotonic
from models.commands import Actor, Impair
from models.desk import HOUSE, Desk
from models.reckoning import LISTED_AT_ONCE, RULES, Reckoned
from models.reckoning_desk import list_reckoned, reckon
from models.state import House
from models.supervised import attempt_async, wait
from models.unreckoned import Cursor

SLICE = 20
SLICE_SECONDS = 0.02
IDLE_SECONDS = 2.0
HELD_SECONDS = 60.0
"""What is due sooner waits no longer for the list than this."""
SUBJECT = f"impaired:{RULES}"


class Reckoner:
    """One node's. `held` are the streams that are due sooner and not listed yet."""

    def __init__(self, desk: Desk, run: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self.desk = desk
        self.run_in_writer = run
        self.held: dict[str, Reckoned] = {}
        self.reckoned = 0
        self._later: list[Reckoned] = []
        self._before = 0
        self._cursor: Cursor | None = None
        self._held_since: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        while not stop.is_set():
            begun = monotonic()
            tried = await attempt_async("rules", partial(self.run_in_writer, self.turn))
            # As long as a slice took, whoever waits for the writer has it.
            await wait(stop, monotonic() - begun if tried.value else IDLE_SECONDS)

    def turn(self) -> bool:
        """Reckon some; whether there is more. In the writer's thread."""
        found = reckon(self.desk, self._cursor, SLICE, SLICE_SECONDS)
        if found is None:
            if self.reckoned:
                self._list()
            self._mend()
            return False
        self._cursor, self._before = found.cursor, found.before
        self.reckoned += found.streams
        for one in found.changes:
            if one.sooner:
                self.held[one.stream] = one
            else:
                self._later.append(one)
        if self.held and self._held_since is None:
            self._held_since = monotonic()
        too_long = self._held_since is not None and monotonic() - self._held_since > HELD_SECONDS
        if too_long or len(self._later) >= LISTED_AT_ONCE:
            self._list()
        return True

    def _list(self) -> None:
        """Say in the house what has changed, and let go what waited for that, both or neither."""
        list_reckoned(self.desk, self._before, self.reckoned, [*self.held.values(), *self._later])
        self.held, self._later, self._held_since = {}, [], None
        self.reckoned, self._cursor = 0, None

    def _mend(self) -> None:
        """Once somebody has taken note of what is due sooner it is no impairment any more."""
        state = self.desk.state(HOUSE)
        if not isinstance(state, House) or RULES not in state.impaired:
            return
        pages = [page for page in state.pages.values() if page.subject == SUBJECT]
        if pages and all(page.state != "open" for page in pages):
            self.desk.handle(HOUSE, Impair(actor=Actor.machine("node"), what=RULES, mended=True))
