"""The heartbeat: an outside watcher is told that all is well, and only then. Silence is the alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from console.web.running import Run
from models.installation import Settings
from models.supervised import forever, wait

PING_SECONDS = 5.0


class Heartbeat:
    """Calls the watcher's address for as long as the node's `status` is sound."""

    def __init__(self, settings: Settings, run: Run, status: Callable[[], Mapping[str, Any]]) -> None:
        self._settings, self._run, self._status = settings, run, status
        self.error = ""
        """What the watcher answered, if it took nothing."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; without an address there is nothing to do."""
        if self._settings.heartbeat_url is None:
            await stop.wait()
            return

        async def turn() -> None:
            await self._turn(str(self._settings.heartbeat_url))
            await wait(stop, self._settings.heartbeat_every.total_seconds())

        await forever("heartbeat", stop, turn)

    async def _turn(self, url: str) -> None:
        if (await self._run(self._status))["status"] == "ok":
            await self._ping(url)

    async def _ping(self, url: str) -> None:
        import aiohttp  # noqa: PLC0415 - only where a heartbeat is set up

        timeout = aiohttp.ClientTimeout(total=PING_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            self.error = "" if answer.ok else f"heartbeat: {answer.status}"
