"""Handing a card to apprise, in a thread of its own: its plugins block.

apprise says only whether it worked. What did not is unclear, therefore: sent again, and marked as a repeat.

Nothing ends a thread that waits for an answer: the time-outs are those of single reads, and an answer that
drips passes each. The threads are ours, therefore, and few. Those of the loop's own pool look up every name,
so that hanging there would stop all channels.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

from notifiers.message import Delivery, Failed, Message, Sent
from notifiers.teams import render

MAX_THREADS = 4
"""Destinations that may be spoken to at once, those that hang included."""
STEPS = 2
"""A message takes connecting and an answer: as many times `timeout_seconds` in all."""
_LOG = logging.getLogger(__name__)


class TeamsNotifier:
    """`urls` are apprise URLs by the name that people's `teams` gives; they are secrets and never shown.

    `timeout_seconds` bounds connecting and each read, twice that the whole. What hangs for longer is left
    behind in its thread, and until that ends its destination gets nothing: "later". A URL that apprise cannot
    use fails its own messages for good and keeps no other channel from starting.
    """

    name = "teams"
    can_read_back = False

    def __init__(self, urls: Mapping[str, str], *, timeout_seconds: float = 10.0) -> None:
        asset = AppriseAsset(app_id="Hikeshi", http_redirects=False, secure_logging=True)
        self._plugins: dict[str, Any] = {}
        self._total = STEPS * timeout_seconds
        self._busy: set[str] = set()
        self._closed = False
        for name, url in urls.items():
            plugin = _plugin(url, asset)
            if plugin is None:
                _LOG.warning("the destination %s in [teams.urls] is no URL that apprise can use", name)
                continue
            plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout_seconds
            self._plugins[name] = plugin

    def __repr__(self) -> str:
        return f"TeamsNotifier({sorted(self._plugins)})"

    async def deliver(self, message: Message) -> Delivery:
        plugin = self._plugins.get(message.address)
        if plugin is None:
            wrong = "no usable URL of this name in [teams.urls]; see settings.toml and its secret"
            return Failed(error=wrong, retry="never")
        refused = self._refusal(message.address)
        if refused:
            return Failed(error=refused, retry="later")
        card = render.render(message)
        kind = NotifyType.WARNING if message.kind == "page" else NotifyType.INFO
        send = partial(
            plugin.notify,
            title=card.title,
            body=card.body,
            notify_type=kind,
            body_format=NotifyFormat.MARKDOWN,
        )
        try:
            async with asyncio.timeout(self._total):
                taken = await self._apart(message.address, send)
        except TimeoutError:
            return Failed(error=f"no answer in {self._total:g} s", retry="unclear")
        if taken:
            return Sent(receipt="accepted", rendering_failed=card.rendering_failed)
        return Failed(error="apprise could not hand it over; its log says why", retry="unclear")

    async def arrived(self, message: Message) -> Sent | None:
        """A webhook cannot be asked; always None."""
        return None

    async def close(self) -> None:
        """Nothing is begun any more. What still hangs is not waited for, and ends with the process."""
        self._closed = True

    def _refusal(self, address: str) -> str:
        """Why nothing can be begun for a destination now; empty if it can."""
        if self._closed:
            return "the channel is closed"
        if address in self._busy:
            return "the message before has not come back from there"
        return "too many destinations hang" if len(self._busy) >= MAX_THREADS else ""

    async def _apart(self, address: str, send: Callable[[], Any]) -> bool:
        """Run `send` in a thread. The destination is busy until that ends, whoever waits for it or not.

        It is no thread of a pool: Python waits at its end for each of those, however long one hangs.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def ended(taken: bool) -> None:
            self._busy.discard(address)
            if not done.done():
                done.set_result(taken)

        def work() -> None:
            taken = False
            try:
                taken = bool(send())
            finally:
                # A loop that has ended waits for nothing.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(ended, taken)

        self._busy.add(address)
        threading.Thread(target=work, name=f"teams-{address}", daemon=True).start()
        return await done


def _plugin(url: str, asset: AppriseAsset) -> Any:
    """What sends to an apprise URL, or None. The first loads all plugins, for seconds: no page waits yet."""
    with warnings.catch_warnings():
        # One of them uses a module that Python is about to drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        return Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
