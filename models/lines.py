"""The lines in which a record travels: segments of the second path, export archives. One JSON object a line.

A fact's stored bytes go along verbatim as text, so that whoever reads the line verifies what was stored.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from models.errors import BadInput

SEGMENT = "facts-{number:08d}.jsonl"
SEALED = ".age"
START = b'{"t":'
"""How each line begins; a syslog server writes its own words before it."""
LONGEST = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line, and what a sink wants to know of it without reading it."""

    t: str
    raw: bytes
    stream: str = ""
    seq: int = 0
    kind: str = ""
    hash: str = ""
    at: str = ""


def fact_line(stream: str, seq: int, kind: str, digest: bytes, body: bytes) -> Line:
    """A fact with its stored bytes."""
    text = body.decode()
    content = {"t": "fact", "stream": stream, "seq": seq, "kind": kind, "hash": digest.hex(), "body": text}
    at = str(orjson.loads(body).get("recorded_at", ""))
    return Line(t="fact", raw=_raw(content), stream=stream, seq=seq, kind=kind, hash=digest.hex(), at=at)


def text_line(stream: str, seq: int, digest: str, salt: bytes, body: str | None) -> Line:
    """A text beside a fact; None for one that was disposed of."""
    content = {"t": "text", "stream": stream, "seq": seq, "digest": digest, "salt": salt.hex(), "body": body}
    return Line(t="text", raw=_raw(content), stream=stream, seq=seq)


def document_line(digest: str, media: str, body: bytes) -> Line:
    """A document that is kept by its content."""
    content = {"t": "document", "digest": digest, "media": media, "body": b64encode(body).decode()}
    return Line(t="document", raw=_raw(content))


def checkpoint_line(number: int, body: str, key: str, signature: str) -> Line:
    """A signed checkpoint."""
    content = {"t": "checkpoint", "number": number, "body": body, "key": key, "signature": signature}
    return Line(t="checkpoint", raw=_raw(content), seq=number)


def key_line(key: str, public: str, more: Mapping[str, Any]) -> Line:
    """A public key by which checkpoints are verified."""
    return Line(t="key", raw=_raw({"t": "key", "id": key, "public": public, **more}))


def anchor_line(content: Mapping[str, Any]) -> Line:
    """Where a checkpoint was anchored; `token` is base64."""
    return Line(t="anchor", raw=_raw({"t": "anchor", **content}))


def _raw(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content) + b"\n"


def read_line(raw: bytes) -> dict[str, Any]:
    """What a line says. Raises BadInput with what is wrong with it."""
    start = raw.find(START)
    if start < 0:
        raise BadInput('expected a JSON object that begins with {"t":')
    try:
        found = orjson.loads(raw[start:])
    except orjson.JSONDecodeError as wrong:
        raise BadInput(f"is not JSON: {wrong}") from wrong
    if not isinstance(found, dict) or not isinstance(found.get("t"), str):
        raise BadInput("expected an object with the field `t`")
    return found
