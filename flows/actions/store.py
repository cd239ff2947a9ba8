"""The evidence folder: objects by the SHA-256 of their bytes, written once and never again.

An object appears under its name only when it is whole and on the disk: it is written beside, synced, made
read-only, and then linked to its name, which fails if the name exists. A writer that is killed leaves only a
part without a name, which the next one removes.

With recipients the object is sealed in the age format (age-encryption.org/v1) while it is written: no byte of
it lies on this disk in clear, and any `age` opens it with the private key, without Hikeshi. Its name is the
digest of its own bytes all the same, with `.age` after it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path
from types import TracebackType

from flows.actions.flushing import Flushing
from models.errors import ActionFailed

PIECE_BYTES = 1 << 20
BESIDE_BYTES = 1 << 18
SEALED = ".age"
PART = ".part-"
SEAL_SECONDS = 60.0
"""How long the last of a sealed object may take to reach the disk, once nothing more comes."""


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
    """One object on its way into the folder. Leaving the `with` without `keep` leaves nothing behind.

    `digest` and `size` are of the bytes given; after `keep`, `stored_digest` and `stored_size` are of those
    in the folder, which differ if it was sealed, `sealed_to` says to whom, and `was_there` that this very
    object was stored before and not a second time.
    """

    def __init__(self, folder: Path, seal_to: Sequence[str] = ()) -> None:
        """`folder` is the evidence folder; it is made if it is missing. `seal_to` are age recipients.

        Raises OSError, and ActionFailed if a recipient is none.
        """
        self._folder = folder
        self._home = folder / "sha256"
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.sealed_to = tuple(seal_to)
        recipients = recipients_of(seal_to)
        sweep(folder)
        self._part, self._file = _fresh_part(self._home)
        self._summed = hashlib.sha256()
        self._seal = _Seal(self._file, recipients) if recipients else None
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hash")
        self._flushing = Flushing(self._file.fileno())
        self.size = 0
        self.stored = ""
        self.stored_digest = ""
        self.stored_size = 0
        self.was_there = False

    def write(self, piece: bytes | memoryview) -> None:
        """Add bytes. Raises OSError."""
        sink = self._seal or self._file
        if len(piece) < BESIDE_BYTES:
            sink.write(piece)
            self._summed.update(piece)
        else:
            # Hashing and writing take about as long, and each lets the other run.
            hashing = self._beside.submit(self._summed.update, piece)
            try:
                sink.write(piece)
            finally:
                hashing.result()
        self._flushing.written(len(piece))
        self.size += len(piece)

    @property
    def digest(self) -> str:
        """`sha256:` and the digest of what was written until now."""
        return f"sha256:{self._summed.hexdigest()}"

    def keep(self) -> str:
        """Put the object under its name and return its path relative to the folder.

        Raises OSError, and ActionFailed if other bytes lie under that name already.
        """
        if self._seal is not None:
            self.stored_digest, self.stored_size = self._seal.finish()
        else:
            self.stored_digest, self.stored_size = self.digest, self.size
        self._file.flush()
        self._flushing.end()
        os.fchmod(self._file.fileno(), 0o400)
        os.fsync(self._file.fileno())
        name = self._summed.hexdigest()
        shelf = self._home / name[:2]
        shelf.mkdir(exist_ok=True, mode=0o700)
        plain, sealed = shelf / name, shelf / f"{name}{SEALED}"
        final = plain if self._seal is None or plain.exists() else sealed
        try:
            # A link and not a rename: a rename would silently replace what is there.
            os.link(self._part, final)
        except FileExistsError:
            self._is_there(final, plain)
        for directory in (shelf, self._home):
            _sync(directory)
        self.stored = final.relative_to(self._folder).as_posix()
        return self.stored

    def _is_there(self, final: Path, plain: Path) -> None:
        """The object was stored before. Sealed anew it would be other bytes: what lies there counts."""
        with final.open("rb") as there:
            found, size = digest_of(there.read)
        if final == plain:
            self.sealed_to = ()
            if found != self.digest:
                raise ActionFailed(
                    f"the evidence folder holds other bytes ({found}) under {self.digest}; "
                    "leave it as it is and have it examined"
                )
        self.stored_digest, self.stored_size, self.was_there = found, size, True

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._seal is not None:
            self._seal.abandon()
        self._flushing.wait()
        self._beside.shutdown()
        # Bytes that never reach the disk are no loss here: what was to stay has been synced by `keep`.
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)


class _Seal:
    """Encrypts in a thread of its own what is written into it: age pulls, our callers push."""

    def __init__(self, file: BufferedWriter, recipients: Sequence[object]) -> None:
        self._file = file
        self._summed = hashlib.sha256()
        self._size = 0
        self._error: BaseException | None = None
        read_end, self._pipe = os.pipe()
        self._reader = os.fdopen(read_end, "rb", buffering=PIECE_BYTES)
        self._thread = threading.Thread(target=self._run, args=(recipients,), name="seal", daemon=True)
        self._open = True
        self._thread.start()

    def _run(self, recipients: Sequence[object]) -> None:
        import pyrage  # noqa: PLC0415 - only where something is sealed

        try:
            pyrage.encrypt_io(self._reader, _Sink(self._take), recipients)
        except (OSError, ValueError, pyrage.EncryptError) as wrong:
            # Told to whoever writes, in their own thread; the first reason is the one that counts.
            self._error = self._error or wrong
        finally:
            self._reader.close()

    def _take(self, piece: bytes) -> int:
        try:
            self._file.write(piece)
        except OSError as wrong:
            self._error = wrong
            raise
        self._summed.update(piece)
        self._size += len(piece)
        return len(piece)

    def write(self, piece: bytes | memoryview) -> None:
        left = memoryview(piece)
        try:
            while left:
                left = left[os.write(self._pipe, left) :]
        except BrokenPipeError:
            self.finish()

    def finish(self) -> tuple[str, int]:
        """Digest and size of the sealed bytes. Raises OSError or ActionFailed if they are not all there."""
        self.abandon()
        if isinstance(self._error, OSError):
            raise self._error
        if self._error is not None or self._thread.is_alive():
            raise ActionFailed(f"it could not be sealed: {self._error or 'the disk does not answer'}")
        return f"sha256:{self._summed.hexdigest()}", self._size

    def abandon(self) -> None:
        if self._open:
            self._open = False
            os.close(self._pipe)
        self._thread.join(SEAL_SECONDS)


class _Sink:
    """What age writes into."""

    def __init__(self, take: Callable[[bytes], int]) -> None:
        self.write = take

    def flush(self) -> None:
        """Nothing: the writer syncs when all is there."""


def recipients_of(seal_to: Sequence[str]) -> list[object]:
    """The public keys. Raises ActionFailed if one cannot be read."""
    if not seal_to:
        return []
    import pyrage  # noqa: PLC0415

    try:
        return [pyrage.x25519.Recipient.from_str(one) for one in seal_to]
    except pyrage.RecipientError as wrong:
        raise ActionFailed(
            f"[evidence] seal_to in settings.toml: {wrong}; expected public keys as age-keygen writes them"
        ) from wrong


def _fresh_part(home: Path) -> tuple[Path, BufferedWriter]:
    """A new file beside the objects, locked for as long as we live, so that nobody sweeps it away."""
    while True:
        part = home / f"{PART}{secrets.token_hex(8)}"
        file = part.open("xb")
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(part.stat(), os.fstat(file.fileno())):
                return part, file
        file.close()


def sweep(folder: Path) -> int:
    """Remove parts whose writers were killed; how many. Those that somebody still writes are locked."""
    swept = 0
    for part in (folder / "sha256").glob(f"{PART}*"):
        with suppress(OSError), part.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
            swept += 1
    return swept


def place_of(folder: Path, stored: str) -> Path:
    """Where an object lies. Raises ActionFailed if that is no name that `Writer` gives."""
    if not re.fullmatch(r"sha256/[0-9a-f]{2}/[0-9a-f]{64}(\.age)?", stored):
        raise ActionFailed(f"{stored!r} is no object of the evidence folder")
    return folder / stored


def remove(folder: Path, stored: str) -> bool:
    """Remove an object, as a recorded decision says; whether it was there. Raises OSError."""
    path = place_of(folder, stored)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    _sync(path.parent)
    return True


def _sync(directory: Path) -> None:
    """Make the names in a directory last through a loss of power."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
