"""Channels that are not trusted any more: what the house remembers, and which acts came over them.

An attacker who reads or writes a channel must neither hear of the response nor steer it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

NOT_FOR_PEOPLE = frozenset({"file"})
"""Channels that other tools read: nobody is woken by them, so they are no last resort."""
WEB = "web"
"""The signed page, as acts name it; what carried its link follows after a colon."""
Way = Literal["out-of-band", "in-band"]


class Distrusted(msgspec.Struct, kw_only=True):
    """A channel that is out of band since `at`, at the wish of two people. `reason` is a text's digest."""

    channel: str
    at: datetime
    proposed_by: str
    confirmed_by: str
    reason: str = ""


class Proposal(msgspec.Struct, kw_only=True):
    """What one person wants, until a second agrees. `seq` is the fact that proposed it.

    `unreachable` are the people who would be left without a channel of their own.
    """

    seq: int
    way: Way
    channels: list[str]
    by: str
    recorded_by: str
    at: datetime
    reason: str = ""
    unreachable: list[str] = []


def travelled(via: str) -> frozenset[str]:
    """The channels that an act came over: `slack` that one, `web:email` a page whose link came by mail.

    `web:email;code=sms` is that page with a code that came by SMS. What else is appended to a name
    (`cli:as=…`) names no channel.
    """
    name, _, rest = via.partition(":")
    carrier, *more = rest.split(";")
    codes = {one.removeprefix("code=") for one in more if one.startswith("code=")}
    return frozenset({name, carrier, *codes} - {""})


def distrusted_on_the_way(distrusted: Mapping[str, Distrusted], via: str) -> str:
    """The first distrusted channel that an act came over, or empty.

    A link of which nobody knows how it was sent counts as sent over the distrusted channel.
    """
    if not distrusted:
        return ""
    met = sorted(travelled(via) & set(distrusted))
    return met[0] if met else sorted(distrusted)[0] if via == WEB else ""
