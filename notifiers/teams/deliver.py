"""Handing a card to apprise, in a thread: its plugins block.

apprise says only whether it worked. What did not is unclear, therefore: sent again, and marked as a repeat.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

from notifiers.message import Delivery, Failed, Message, Sent
from notifiers.teams import render

_LOG = logging.getLogger(__name__)


class TeamsNotifier:
    """`urls` are apprise URLs by the name that people's `teams` gives; they are secrets and never shown.

    `timeout_seconds` bounds connecting and each read. A URL that apprise cannot use fails its own messages
    for good and keeps no other channel from starting.
    """

    name = "teams"
    can_read_back = False

    def __init__(self, urls: Mapping[str, str], *, timeout_seconds: float = 10.0) -> None:
        asset = AppriseAsset(app_id="Hikeshi", http_redirects=False, secure_logging=True)
        self._plugins: dict[str, Any] = {}
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
        card = render.render(message)
        kind = NotifyType.WARNING if message.kind == "page" else NotifyType.INFO
        send = partial(
            plugin.notify,
            title=card.title,
            body=card.body,
            notify_type=kind,
            body_format=NotifyFormat.MARKDOWN,
        )
        if await asyncio.to_thread(send):
            return Sent(receipt="accepted", rendering_failed=card.rendering_failed)
        return Failed(error="apprise could not hand it over; its log says why", retry="unclear")

    async def arrived(self, message: Message) -> Sent | None:
        """A webhook cannot be asked; always None."""
        return None

    async def close(self) -> None:
        """No connection outlives its message."""


def _plugin(url: str, asset: AppriseAsset) -> Any:
    """What sends to an apprise URL, or None. The first loads all plugins, for seconds: no page waits yet."""
    with warnings.catch_warnings():
        # One of them uses a module that Python is about to drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        return Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
