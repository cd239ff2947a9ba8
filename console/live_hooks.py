"""The live check of the webhooks: each receiver gets one signed test event, about nothing."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from functools import partial

from console.hooks import receiver_of
from console.opening import House
from models.clock import iso
from models.errors import HikeshiError
from models.hooks import PING, PREFIX, Webhook
from notifiers.probing import Finding, finding
from notifiers.webhook import event

Ask = Callable[[], Awaitable[list[Finding]]]


def questions(house: House) -> dict[str, Ask]:
    """A question for each hook, by its name."""
    return {PREFIX + one.name: partial(_asked, house, one) for one in house.institution.settings.webhooks}


async def _asked(house: House, hook: Webhook) -> list[Finding]:
    try:
        receiver = receiver_of(house, hook)
    except HikeshiError as missing:
        return [finding(PREFIX + hook.name, "secret-missing", why=str(missing))]
    key = f"{PING}/{secrets.token_hex(8)}"
    body = event.ping(key, iso(house.wall.now()), drill=house.drill is not None)
    try:
        answer = await receiver.tell(key, body)
    finally:
        await receiver.close()
    return [finding(PREFIX + hook.name, "hook-unreachable", why=answer.error)] if answer.error else []
