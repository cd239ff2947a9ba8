"""Whether stored evidence is still what it was: its bytes against the digest in the record.

What is sealed is compared as it lies there, which needs no key; with an identity its own bytes are compared,
too. Nothing is written: whoever calls records what was found.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flows.actions.store import place_of
from models.custody import Found
from models.errors import ActionFailed
from models.evidence import Evidence

PIECE_BYTES = 1 << 18
SLICE_BYTES = 1 << 24
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
Told = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Object:
    """An item and where its bytes lie."""

    item: Evidence
    path: Path

    @property
    def expected(self) -> str:
        """The digest that the bytes there must have."""
        return self.item.stored_digest or self.item.digest or ""


def object_of(item: Evidence, folder: Path, place: str | None) -> Object | None:
    """Where an item's bytes lie: in the evidence `folder`, or at its `place` if it is only referenced.

    None if there are none to compare, or if they are elsewhere than in a file of this machine.
    """
    if item.digest is None or item.disposal is not None:
        return None
    if item.stored:
        return Object(item=item, path=place_of(folder, item.stored))
    if item.referenced and place and Path(place).is_absolute():
        return Object(item=item, path=Path(place))
    return None


def slices(one: Object, *, keep_cache: bool = True) -> Generator[int, None, Found]:
    """Read it through; gives the bytes read after each slice, and in the end returns what was found."""
    try:
        # An object of ours is never a link: that would be a way to bytes that anybody may change.
        number = os.open(one.path, _FLAGS | (os.O_NOFOLLOW if one.item.stored else 0))
    except FileNotFoundError:
        return Found(id=one.item.id, result="missing")
    except OSError:
        return Found(id=one.item.id, result="unreadable")
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return Found(id=one.item.id, result="missing")
        summed = yield from _read_through(number, keep_cache=keep_cache)
    except OSError:
        return Found(id=one.item.id, result="unreadable")
    finally:
        os.close(number)
    digest = f"sha256:{summed}"
    if digest == one.expected:
        return Found(id=one.item.id, result="same")
    return Found(id=one.item.id, result="different", digest=digest)


def _read_through(number: int, *, keep_cache: bool) -> Generator[int, None, str]:
    summed = hashlib.sha256()
    buffer = bytearray(PIECE_BYTES)
    view = memoryview(buffer)
    size = told = 0
    while count := os.readv(number, [buffer]):
        summed.update(view[:count])
        size += count
        if size - told >= SLICE_BYTES:
            if not keep_cache:
                _forget(number, told, size - told)
            told = size
            yield size
    return summed.hexdigest()


def _forget(number: int, offset: int, size: int) -> None:
    """What a round has read pushes nothing out of memory that others need."""
    with suppress(AttributeError, OSError):
        os.posix_fadvise(number, offset, size, os.POSIX_FADV_DONTNEED)


def compare(one: Object, told: Told = lambda size: None) -> Found:
    """Compare now. `told` hears how many bytes have been read."""
    going = slices(one)
    while True:
        try:
            told(next(going))
        except StopIteration as ended:
            found: Found = ended.value
            return found


def compare_inside(one: Object, found: Found, identity: str) -> Found:
    """Compare also what is inside of a sealed object that lies there as it was stored.

    `identity` is an age secret key. Raises ActionFailed if it does not open the object.
    """
    if not one.item.sealed_to or found.result != "same":
        return found
    digest = _opened(one, identity)
    if digest == one.item.digest:
        return found
    return Found(id=one.item.id, result="different", digest=digest)


class _Sum:
    """Takes what age opens, and keeps only its digest."""

    def __init__(self) -> None:
        self.summed = hashlib.sha256()

    def write(self, piece: bytes) -> int:
        self.summed.update(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing is kept."""


def _opened(one: Object, identity: str) -> str:
    import pyrage  # noqa: PLC0415 - only where something is sealed

    taken = _Sum()
    try:
        key = pyrage.x25519.Identity.from_str(identity)
        with os.fdopen(os.open(one.path, _FLAGS | os.O_NOFOLLOW), "rb") as sealed:
            pyrage.decrypt_io(sealed, taken, [key])
    except (pyrage.IdentityError, pyrage.DecryptError, ValueError, OSError) as wrong:
        raise ActionFailed(
            f"{one.item.id} cannot be opened with this identity: {wrong}; it is sealed to "
            f"{', '.join(one.item.sealed_to)}"
        ) from wrong
    return f"sha256:{taken.summed.hexdigest()}"


def identity_in(text: str) -> str:
    """The secret key in an identity file as age-keygen writes it. Raises ActionFailed if there is none."""
    for line in text.splitlines():
        if line.startswith("AGE-SECRET-KEY-"):
            return line.strip()
    raise ActionFailed("no identity in this file; expected a line AGE-SECRET-KEY-… as age-keygen writes it")
