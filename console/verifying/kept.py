"""What is compared: checkpoints, what an inspector brings, and the source that is verified."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.verifying.database import Query
from console.verifying.found import sha256_of


@dataclass(kw_only=True)
class Checkpoint:
    """A checkpoint as stored, or as kept elsewhere with all heads `beside` its body."""

    number: int
    body: bytes
    key: str
    signature: bytes
    content: dict[str, Any]
    held: bool = False
    beside: dict[str, Any] | None = None

    @property
    def heads(self) -> dict[str, Any]:
        """The heads that it lists: all of them if it can."""
        heads: dict[str, Any] = self.beside if self.beside is not None else self.content["heads"]
        return heads

    @property
    def full(self) -> bool:
        """Whether these are all heads there were."""
        return self.beside is not None or bool(self.content["full"])


def read_checkpoint(
    number: Any, body: bytes, key: Any, signature: bytes, beside: Any = None
) -> Checkpoint | None:
    """The checkpoint with this body; None if it is none, or not the one it is said to be."""
    try:
        content = json.loads(body)
        heads = {**content["heads"], **(beside or {})}
        well = all(
            isinstance(one, list) and [type(part) for part in one] == [int, str] for one in heads.values()
        )
        said = (content["type"], content["v"], content["number"], content["key"])
        well = well and isinstance(number, int) and said == ("checkpoint", 1, number, key)
        parts = (content["previous"], content["root"], content["streams"], content["full"], content["trail"])
    except (ValueError, KeyError, TypeError):
        return None
    if not well or not isinstance(parts[4], dict):
        return None
    return Checkpoint(number=number, body=body, key=key, signature=signature, content=content, beside=beside)


def root_of(heads: Mapping[str, Any]) -> str:
    """What a checkpoint's `root` is: SHA-256 over the sorted lines `stream seq hash`."""
    return sha256_of(b"".join(sorted(f"{name} {one[0]} {one[1]}\n".encode() for name, one in heads.items())))


@dataclass(kw_only=True)
class Kept:
    """What the inspector brings: checkpoints and keys from elsewhere, and how much is asked for."""

    checkpoints: list[Checkpoint] = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)
    material: list[dict[str, Any]] = field(default_factory=list)
    tsa: str | None = None
    every: bool = False


@dataclass(kw_only=True)
class Manifest:
    """An archive's manifest as its key signed it."""

    body: bytes
    key: str
    signature: bytes


@dataclass(kw_only=True)
class Source:
    """What is verified. `scope` are the records that are meant to be in it, `path` a database for workers."""

    query: Query
    path: str | None = None
    scope: set[str] | None = None
    whole: bool = True
    keys: list[dict[str, Any]] = field(default_factory=list)
    manifest: Manifest | None = None
    bare: set[str] = field(default_factory=set)
    """Records whose texts the manifest says were left out."""
    close: Callable[[], None] = lambda: None
