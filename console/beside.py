"""What a node does beside paging: the second path, the webhooks, and looking after what is preserved."""

from __future__ import annotations

import asyncio

from console.hooks import Hooks
from console.opening import House
from console.relay import Relays
from console.rounds import Rounds
from console.web.running import Run


class Beside:
    """All of it; none of these delays a page."""

    def __init__(self, house: House, run: Run) -> None:
        self.relays = Relays(house, run)
        self.hooks = Hooks(house, run)
        self._rounds = Rounds(house, run)

    def tasks(self, stop: asyncio.Event) -> list[asyncio.Task[None]]:
        """Begun; each goes on until `stop`."""
        return [asyncio.create_task(one.run(stop)) for one in (self.relays, self.hooks, self._rounds)]

    def problems(self) -> dict[str, str]:
        """What is not in order, for health."""
        return self.relays.problems() | self.hooks.problems()
