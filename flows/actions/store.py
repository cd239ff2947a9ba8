"""The evidence folder: objects by the SHA-256 of their bytes, written once and never again.

An object appears under its name only when it is whole and on the disk: it is written beside, synced, made
read-only, and then linked to its name, which fails if the name exists.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from models.errors import ActionFailed

PIECE_BYTES = 1 << 20


def digest_of(read: Callable[[int], bytes], at_most: int | None = None) -> tuple[str, int]:
    """The digest (`sha256:…`) and the number of the bytes that `read` gives until it gives none."""
    summed = hashlib.sha256()
    size = 0
    while at_most is None or size < at_most:
        piece = read(PIECE_BYTES if at_most is None else min(PIECE_BYTES, at_most - size))
        if not piece:
            break
        summed.update(piece)
        size += len(piece)
    return f"sha256:{summed.hexdigest()}", size


class Writer:
    """One object on its way into the folder. Leaving the `with` without `keep` leaves nothing behind."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the evidence folder; it is made if it is missing. Raises OSError."""
        self._folder = folder
        home = folder / "sha256"
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._part = home / f".part-{secrets.token_hex(8)}"
        self._file = self._part.open("xb")
        self._summed = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Add bytes. Raises OSError."""
        self._file.write(piece)
        self._summed.update(piece)
        self.size += len(piece)

    @property
    def digest(self) -> str:
        """`sha256:` and the digest of what was written until now."""
        return f"sha256:{self._summed.hexdigest()}"

    def keep(self) -> str:
        """Put the object under its name and return its path relative to the folder.

        Raises OSError, and ActionFailed if other bytes lie under that name already.
        """
        self._file.flush()
        os.fchmod(self._file.fileno(), 0o400)
        os.fsync(self._file.fileno())
        name = self._summed.hexdigest()
        relative = Path("sha256", name[:2], name)
        final = self._folder / relative
        final.parent.mkdir(exist_ok=True, mode=0o700)
        try:
            # A link and not a rename: a rename would silently replace what is there.
            os.link(self._part, final)
        except FileExistsError:
            self._same_as(final)
        for directory in (final.parent, final.parent.parent):
            _sync(directory)
        return relative.as_posix()

    def _same_as(self, final: Path) -> None:
        with final.open("rb") as there:
            found, _ = digest_of(there.read)
        if found != self.digest:
            raise ActionFailed(
                f"the evidence folder holds other bytes ({found}) under {self.digest}; "
                "leave it as it is and have it examined"
            )

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Make the names in a directory last through a loss of power."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
