"""The evidence folder: objects by the SHA-256 of their bytes, written once and never again.

An object appears under its name only when it is whole and on the disk: it is written beside, synced, made
read-only, and then linked to its name, which fails if the name exists. A writer that is killed leaves only a
part without a name, which the next one removes.

With recipients the object is sealed in the age format (age-encryption.org/v1) while it is written: no byte of
it lies on this disk in clear, and any `age` opens it with the private key, without Hikeshi. Its name is the
digest of its own bytes all the same, with `.age` after it.

What lies under a name is used again only if it was read just now and is what the name says. What is sealed
cannot be looked into, so it is never used again; and where other bytes lie under the name, they stay as they
are and ours get a name of their own beside them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from io import BufferedWriter
from pathlib import Path
from time import sleep
from types import TracebackType

from flows.actions.flushing import Flushing
from models.clock import SystemClock, monotonic
from models.errors import ActionFailed

PIECE_BYTES = 1 << 20
BESIDE_BYTES = 1 << 18
SEALED = ".age"
PART = ".part-"
PIN = ".pin-"
PINNED = timedelta(days=1)
"""How long an object that was used again stays where it is, until its new item is on record at the latest."""
SEAL_SECONDS = 60.0
"""How long the last of a sealed object may take to reach the disk, once nothing more comes."""
HELD_SECONDS = 5.0
"""How long a removal waits for those who keep something at that moment."""
MAX_BESIDE = 100
"""Names beside a name under which other bytes lie, before somebody has to look."""
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


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
    object was stored before and not a second time. Such an object is pinned, so that nobody who disposes of
    an older item with the same bytes removes it before the new one is on record; see `recorded`.
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
        self._pin: Path | None = None

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

        Raises OSError, and ActionFailed if it could not be sealed or no name is free.
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
        with held(self._folder):
            shelf.mkdir(exist_ok=True, mode=0o700)
            final = self._named(shelf / name)
            for directory in (shelf, self._home, self._folder):
                _sync(directory)
        self.stored = final.relative_to(self._folder).as_posix()
        return self.stored

    def recorded(self) -> None:
        """The item is on record, which keeps the object from now on. Without this a pin lasts a day."""
        if self._pin is not None:
            self._pin.unlink(missing_ok=True)

    def _named(self, plain: Path) -> Path:
        """Give it a name that is free, or use what lies there in clear and was read to be the same."""
        if self._seal is not None and self._is_there(plain):
            return plain
        for place in self._names(plain):
            try:
                # A link and not a rename: a rename would silently replace what is there.
                os.link(self._part, place)
            except FileExistsError:
                if self._seal is not None or not self._is_there(place):
                    continue
            return place
        raise ActionFailed(
            f"the evidence folder holds other bytes under every name of {self.digest}; "
            "leave it as it is and have it examined"
        )

    def _names(self, plain: Path) -> Iterator[Path]:
        if self._seal is None:
            yield plain
            yield from (plain.with_name(f"{plain.name}.{number:016x}") for number in range(1, MAX_BESIDE))
        else:
            own = self.stored_digest.removeprefix("sha256:")[:16]
            yield plain.with_name(f"{plain.name}{SEALED}")
            yield plain.with_name(f"{plain.name}.{own}{SEALED}")

    def _is_there(self, place: Path) -> bool:
        """Whether these very bytes lie there in clear; if they do, they are pinned."""
        try:
            number = os.open(place, _LOOK)
        except OSError:
            # Nothing is there, or nothing that can be read: it is no object to rely on.
            return False
        try:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                return False
            found, size = digest_of(lambda count: os.read(number, count))
            if found != self.digest:
                return False
            self._pin = _pin(self._home, number, place)
        except OSError:
            return False
        finally:
            os.close(number)
        self.sealed_to = ()
        self.stored_digest, self.stored_size, self.was_there = found, size, True
        return True

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
        self._done = False
        read_end, self._pipe = os.pipe()
        self._reader = os.fdopen(read_end, "rb", buffering=PIECE_BYTES)
        self._thread = threading.Thread(target=self._run, args=(recipients,), name="seal", daemon=True)
        self._open = True
        self._thread.start()

    def _run(self, recipients: Sequence[object]) -> None:
        import pyrage  # noqa: PLC0415 - only where something is sealed

        try:
            pyrage.encrypt_io(self._reader, _Sink(self._take), recipients)
            self._done = True
        except BaseException as wrong:  # noqa: BLE001 - age is not ours; whatever it was, it is not all there
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
        if not self._open:
            # Its end of the pipe is closed, and the number may be somebody else's file by now.
            raise ActionFailed("it could not be sealed: the sealing has ended")
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
        if not self._done or self._error is not None or self._thread.is_alive():
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
    """Remove parts whose writers were killed; how many. Those that somebody still writes are locked.

    Old pins go, too, but are not counted.
    """
    swept = 0
    for pin in (folder / "sha256").glob(f"{PIN}*"):
        if _pinned_until(pin) <= SystemClock().now():
            pin.unlink(missing_ok=True)
    for part in (folder / "sha256").glob(f"{PART}*"):
        with suppress(OSError), part.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
            swept += 1
    return swept


def _pin(home: Path, number: int, place: Path) -> Path:
    """A second name for an object that was opened, which says when it was used again."""
    pin = home / f"{PIN}{int(SystemClock().now().timestamp())}-{secrets.token_hex(8)}"
    os.link(place, pin, follow_symlinks=False)
    if os.path.samestat(pin.lstat(), os.fstat(number)):
        return pin
    pin.unlink()
    raise FileNotFoundError(place)


def _pinned_until(pin: Path) -> datetime:
    since = pin.name.removeprefix(PIN).partition("-")[0]
    return datetime.fromtimestamp(int(since) if since.isdecimal() else 0, UTC) + PINNED


def pinned(folder: Path, stored: str) -> datetime | None:
    """Until when an object stays for somebody who used it again and has not recorded that yet."""
    path = place_of(folder, stored)
    found = []
    with suppress(FileNotFoundError):
        there = path.lstat()
        for pin in (folder / "sha256").glob(f"{PIN}*"):
            with suppress(FileNotFoundError):
                if os.path.samestat(pin.lstat(), there):
                    found.append(_pinned_until(pin))
    until = max(found, default=None)
    return until if until is not None and until > SystemClock().now() else None


def place_of(folder: Path, stored: str) -> Path:
    """Where an object lies. Raises ActionFailed if that is no name that `Writer` gives."""
    if not re.fullmatch(r"sha256/[0-9a-f]{2}/[0-9a-f]{64}(\.[0-9a-f]{16})?(\.age)?", stored):
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


@contextmanager
def held(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Nothing is removed from the folder meanwhile; `alone`, nothing gets its name in it either.

    It is the folder itself that is locked, and a process that dies lets it go. Raises OSError, and
    ActionFailed if others have it for too long.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if alone:
            _take_alone(number)
        else:
            fcntl.flock(number, fcntl.LOCK_SH)
        yield
    finally:
        os.close(number)


def _take_alone(number: int) -> None:
    until = monotonic() + HELD_SECONDS
    while True:
        try:
            return fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            if monotonic() > until:
                raise ActionFailed(
                    "somebody is keeping evidence at this moment, so nothing is removed; run it again"
                ) from busy
            sleep(0.05)


def _sync(directory: Path) -> None:
    """Make the names in a directory last through a loss of power."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
