"""Four digits that stand for a page: short enough to type at three in the morning.

They prove nothing: who answers is known by the telephone number, that it is they by the gateway's signature.
They only say which of a person's pages is meant.
"""

from __future__ import annotations

import hashlib

DIGITS = 4


def page_code(stream: str, page: int) -> str:
    """The code of a page, the same in every copy of its messages."""
    digest = hashlib.sha256(f"{stream}/{page}".encode()).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 10**DIGITS:0{DIGITS}d}"


def code_of_key(key: str) -> str:
    """The code for a message's key `stream/page/level/attempt/address`; empty if it is none."""
    stream, _, rest = key.partition("/")
    page = rest.partition("/")[0]
    return page_code(stream, int(page)) if stream and page.isascii() and page.isdecimal() else ""
