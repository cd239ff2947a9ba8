"""Delivering the outbox once, without a node: `hikeshi declare … --page-now`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from console.opening import House, secrets_of
from models.supervised import attempt_async
from notifiers import build
from notifiers.outbox import Delivered, Outbox
from notifiers.trust import guarded

T = TypeVar("T")


async def deliver_once(house: House) -> Delivered:
    """Send what can be sent now and count it. Raises BadConfiguration if a channel's secret is missing."""
    from console.web.links import signing_key  # noqa: PLC0415 - most calls deliver nothing

    settings, secrets = house.institution.settings, secrets_of(house.institution.directory)
    notifiers = build(settings, secrets, house.data, partial(signing_key, house))

    async def here(call: Callable[[], T]) -> T:
        return call()

    channels = guarded(notifiers, partial(here, house.desk.distrusted))
    outbox = Outbox(house.desk, channels, here, fallback=settings.fallback)
    try:
        return await outbox.drain()
    finally:
        for notifier in notifiers.values():
            await attempt_async("close", notifier.close)
