"""Nothing goes to a channel that is out of band, and it is not asked either.

A message for such a channel fails for good, at once: the outbox gives it up by a fact, and the person's next
channel, the fallback or the next level gets it. So no page ends silently for want of trust.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from notifiers.message import Delivery, Failed, Message, Notifier, Sent

OUT_OF_BAND = "the channel is out of band"
Distrusted = Callable[[], Awaitable[frozenset[str]]]
"""Asks the record, in its own thread, which channels are out of band now."""


class Trusted:
    """A channel that asks, before each message, whether it is trusted."""

    def __init__(self, notifier: Notifier, distrusted: Distrusted) -> None:
        self._notifier = notifier
        self._distrusted = distrusted
        self.name = notifier.name
        self.can_read_back = notifier.can_read_back

    async def deliver(self, message: Message) -> Delivery:
        if self.name in await self._distrusted():
            return Failed(error=OUT_OF_BAND, retry="never")
        return await self._notifier.deliver(message)

    async def arrived(self, message: Message) -> Sent | None:
        """What a distrusted channel says of itself is no proof."""
        if self.name in await self._distrusted():
            return None
        return await self._notifier.arrived(message)

    async def close(self) -> None:
        await self._notifier.close()


def guarded(notifiers: Mapping[str, Notifier], distrusted: Distrusted) -> dict[str, Notifier]:
    """The same channels, each with its guard before it."""
    return {name: Trusted(notifier, distrusted) for name, notifier in notifiers.items()}
