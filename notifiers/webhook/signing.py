"""The three headers of Standard Webhooks: who it is from, which event, and when it left.

The secret is `whsec_` and the key in base64; what is signed is `id.timestamp.body`, so that neither the event
nor its time can be changed, and an old one is known by its time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from models.errors import BadConfiguration

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


def key_of(secret: str) -> bytes:
    """The key in a secret. Raises BadConfiguration without showing it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise BadConfiguration(
            f"a webhook's secret is {PREFIX} and {LEAST_BYTES} to {MOST_BYTES} random bytes in base64; "
            'make one with: python3 -c "import base64, secrets; '
            "print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""
        )
    return key


def signed_headers(keys: Sequence[bytes], event: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers of an event that leaves at `now` (aware); one signature for each key."""
    stamp = str(int(now.timestamp()))
    signed = b".".join((event.encode(), stamp.encode(), body))
    made = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
    return {ID: event, TIMESTAMP: stamp, SIGNATURE: " ".join(f"v1,{one}" for one in made)}
