"""Delivering the outbox once, without a node: `hikeshi declare … --page-now`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from console.opening import House, secrets_of
from models.supervised import attempt_async
from notifiers import build
from notifiers.hold import Hold
from notifiers.message import Delivery, Message, Notifier, Sent
from notifiers.outbox import Delivered, Outbox
from notifiers.trust import guarded

T = TypeVar("T")


class Discreet:
    """The console in front of somebody who is no more than one reader: what is not theirs to read is written
    to the file of messages instead, where it lies for whoever runs the installation.
    """

    name = "console"
    can_read_back = False

    def __init__(self, console: Notifier, file: Notifier, shown: Callable[[Message], bool]) -> None:
        self._console, self._file, self._shown = console, file, shown

    async def deliver(self, message: Message) -> Delivery:
        """On the screen if all that it delivers may be read there."""
        all_of_it = message.bundle or (message,)
        there = all(self._shown(one) for one in all_of_it)
        return await (self._console if there else self._file).deliver(message)

    async def arrived(self, message: Message) -> Sent | None:
        """A screen cannot be asked; always None."""
        return await self._console.arrived(message)

    async def close(self) -> None:
        """Nothing of its own is held open."""
        await self._console.close()


async def deliver_once(house: House, shown: Callable[[Message], bool]) -> Delivered:
    """Send what can be sent now and count it; on the screen only what may be `shown` there.

    Raises BadConfiguration if a channel's secret is missing.
    """
    from console.web.links import signing_key  # noqa: PLC0415 - most calls deliver nothing

    settings, secrets = house.institution.settings, secrets_of(house.institution.directory)
    notifiers = build(
        settings, secrets, house.data, partial(signing_key, house), drill=house.drill is not None
    )

    notifiers["console"] = Discreet(notifiers["console"], notifiers["file"], shown)

    async def here(call: Callable[[], T]) -> T:
        return call()

    channels = guarded(notifiers, partial(here, house.desk.distrusted))
    outbox = Outbox(house.desk, channels, here, fallback=settings.fallback)
    outbox.hold = Hold.beside(house.record.url, house.data)
    try:
        return await outbox.drain()
    finally:
        for notifier in notifiers.values():
            await attempt_async("close", notifier.close)
