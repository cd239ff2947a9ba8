"""The exact bytes of a fact, and the chain over them.

A fact is stored as the bytes its hash covers (RFC 8785 JSON), so that verifying never serialises again.
Free text and personal data are not in those bytes: a salted digest of them is, so that they can be disposed
of by a recorded decision without breaking the chain.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

import orjson
import rfc8785

from models.errors import BadInput

GENESIS = bytes(32)
SAFE_INTEGER = 2**53 - 1
SALT_BYTES = 16


def canonical_bytes(value: Mapping[str, Any]) -> bytes:
    """RFC 8785 bytes of `value`. Raises BadInput on floats and on integers that JSON readers round."""
    ascii_keys = _refuse_inexact(value, "")
    if ascii_keys:
        # The same bytes, ten times as fast: RFC 8785 sorts keys by UTF-16 units, which only matters beyond
        # ASCII (a property test holds the two against each other).
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return rfc8785.dumps(dict(value))


def _refuse_inexact(value: Any, path: str) -> bool:
    """Whether all keys are ASCII. Raises BadInput on what has no exact form."""
    ascii_keys = True
    if isinstance(value, float):
        raise BadInput(f"{path or 'value'}: a float has no exact form in the record; write it as text")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > SAFE_INTEGER:
        raise BadInput(f"{path or 'value'}: {value} is beyond 2^53; write it as text")
    if isinstance(value, Mapping):
        for key, item in value.items():
            inner = _refuse_inexact(item, f"{path}.{key}" if path else str(key))
            ascii_keys = ascii_keys and inner and key.isascii()
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            ascii_keys = _refuse_inexact(item, f"{path}[{number}]") and ascii_keys
    return ascii_keys


def chain_hash(before: bytes, body: bytes) -> bytes:
    """SHA-256 over the hash before (32 bytes, zeros for the first fact of a stream) and the stored bytes."""
    return hashlib.sha256(before + body).digest()


def new_salt() -> bytes:
    """Salt for one text, so that a short text cannot be guessed from its digest."""
    return secrets.token_bytes(SALT_BYTES)


def text_digest(salt: bytes, text: str) -> str:
    """The name of a text beside the record: `t:` and SHA-256 over salt and text, in hex."""
    return "t:" + hashlib.sha256(salt + text.encode()).hexdigest()


def document_digest(body: bytes) -> str:
    """The name of a document stored by its content: `sha256:` and the digest in hex."""
    return "sha256:" + hashlib.sha256(body).hexdigest()
