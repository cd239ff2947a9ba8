"""Four digits that stand for a page: short enough to type at three in the morning.

They say which of a person's pages is meant, and that whoever answers has read the message: the number of an
SMS's sender can be forged. Without the installation's key they cannot be worked out, only guessed.
"""

from __future__ import annotations

import hashlib
import hmac

DIGITS = 4


def page_code(secret: bytes, stream: str, page: int) -> str:
    """The code of a page, the same in every copy of its messages. `secret` is the key of signed links."""
    digest = hmac.digest(secret, b"hikeshi.code.v1\0" + f"{stream}/{page}".encode(), hashlib.sha256)
    return f"{int.from_bytes(digest[:8], 'big') % 10**DIGITS:0{DIGITS}d}"


def code_of_key(secret: bytes, key: str) -> str:
    """The code for a message's key `stream/page/level/attempt/address`; empty if it is none."""
    stream, _, rest = key.partition("/")
    page = rest.partition("/")[0]
    return page_code(secret, stream, int(page)) if stream and page.isascii() and page.isdecimal() else ""
