"""The mark of an address: how the record of a drill knows an address without holding it.

A mark is made with a key that lies beside the record: the facts of a drill, which are handed on afterwards,
hold nobody's number. Another address has another mark, so whatever changes one, by command or in the file,
takes its confirmation away.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from models.organisation import Organisation, Person

SCRIPT = "script"
LENGTH = 32
Marks = Mapping[str, Mapping[str, str]]
"""Person -> channel -> the mark of the address that it has in this drill."""


def marks(organisation: Organisation, key: bytes) -> dict[str, dict[str, str]]:
    """The marks of everybody who has an address in this drill."""
    found = {person.id: _of(person, key) for person in organisation.people}
    return {person: own for person, own in found.items() if own}


def _of(person: Person, key: bytes) -> dict[str, str]:
    ways = [(channel, person.address(channel)) for channel in person.ways if channel != SCRIPT]
    return {channel: _mark(key, person.id, channel, at) for channel, at in ways if at is not None}


def _mark(key: bytes, *parts: str) -> str:
    text = "\0".join(parts).encode()
    return hmac.new(key, b"hikeshi.address.v1\0" + text, hashlib.sha256).hexdigest()[:LENGTH]
