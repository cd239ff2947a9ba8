"""How the gateway and we know each other: HMAC-SHA-256 over time and body, both ways with the same secret.

A body that goes out has `to`, one that comes in has `from`: neither can be sent back as the other.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

TIMESTAMP = "x-hikeshi-timestamp"
SIGNATURE = "x-hikeshi-signature"
WINDOW = timedelta(minutes=5)
"""How old a signed request may be; within it, its id makes it count once."""
MAX_STAMP = 12


def signed_headers(secret: bytes, body: bytes, now: datetime) -> dict[str, str]:
    """The two headers for a body that is sent at `now` (aware)."""
    stamp = str(int(now.timestamp()))
    return {TIMESTAMP: stamp, SIGNATURE: f"sha256={_mac(secret, stamp, body)}"}


def unauthentic(secret: bytes, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """Why a request is not by the holder of the secret, or not of now; empty if it is."""
    stamp = headers.get(TIMESTAMP, "")
    given = headers.get(SIGNATURE, "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, f"sha256={_mac(secret, stamp, body)}".encode()):
        return "wrong signature"
    number = stamp.isascii() and stamp.isdecimal() and len(stamp) <= MAX_STAMP
    fresh = number and abs(now.timestamp() - int(stamp)) <= WINDOW.total_seconds()
    return "" if fresh else "signature out of its time"


def _mac(secret: bytes, stamp: str, body: bytes) -> str:
    return hmac.new(secret, stamp.encode("utf-8", "replace") + b"." + body, hashlib.sha256).hexdigest()
