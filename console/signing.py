"""The key that signs checkpoints: Ed25519, private, in PEM, in a file of the data folder or a named secret.

It shows that this installation made a checkpoint, to those who cannot write here. Whoever has the host has
the key too: what shows their changes is a checkpoint that lies elsewhere.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.opening import House, secrets_of
from models.checkpoint import key_id, key_statement
from models.commands import Actor
from models.crashpoint import crash_point
from models.desk import HOUSE
from models.errors import BadConfiguration
from models.integrity import NoteKey
from models.premises import Outcome
from models.state import House as HouseState

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE = "checkpoint.key"


@dataclass(frozen=True)
class Signer:
    """A private key that signs, and never shows itself."""

    _key: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public half."""
        return self._key.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        """Its name: its fingerprint."""
        return key_id(self.public)

    def sign(self, body: bytes) -> bytes:
        """The signature over `body`, 64 bytes."""
        return self._key.sign(body)

    def __repr__(self) -> str:
        return f"Signer({self.id})"


def read_signer(pem: bytes, where: str) -> Signer:
    """The key in `pem`. Raises BadConfiguration, which never shows it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    expected = f"the key in {where} cannot be used: expected an Ed25519 private key in PEM without a password"
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise BadConfiguration(f"{expected}; `openssl genpkey -algorithm ed25519` makes one") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadConfiguration(f"{expected}; `openssl genpkey -algorithm ed25519` makes one")
    return Signer(key)


def open_signer(house: House) -> Signer:
    """The key as set up; if none is named, that of the data folder, which is made if it is not there.

    Raises BadConfiguration if it cannot be read or made.
    """
    named = house.institution.settings.integrity.key
    if named is not None:
        return read_signer(secrets_of(house.institution.directory)(named).encode(), named)
    path = house.data / KEY_FILE
    try:
        return _for_its_owner_alone(read_signer(path.read_bytes(), str(path)), path)
    except FileNotFoundError:
        return make_key_file(path)
    except OSError as wrong:
        raise BadConfiguration(
            f"{path} cannot be read: {wrong.strerror}; it is for its owner alone"
        ) from wrong


def _for_its_owner_alone(signer: Signer, path: Path) -> Signer:
    """Raises BadConfiguration if others can read the file."""
    if path.stat().st_mode & 0o077:
        raise BadConfiguration(
            f"{path} can be read by others; run `chmod 600 {path}`, then `hikeshi key rotate` if somebody "
            "may have it"
        )
    return signer


def make_key_file(path: Path) -> Signer:
    """A new key in `path`, for its owner alone; if somebody else makes one meanwhile, theirs."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    signer, pem = new_key()
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        # A link is not laid over a file that is there: of two that start at once one key stays.
        with suppress(FileExistsError):
            os.link(part, path)
    except OSError as wrong:
        raise BadConfiguration(f"{path} cannot be made: {wrong.strerror}; mend the data folder") from wrong
    finally:
        part.unlink(missing_ok=True)
    stored = path.read_bytes()
    return signer if stored == pem else read_signer(stored, str(path))


def new_key() -> tuple[Signer, bytes]:
    """A new key and its PEM."""
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return Signer(key), pem


def noted(house: House, signer: Signer) -> bool:
    """See to it that the record knows this key; whether it is another one than before, unsigned for.

    Raises BadConfiguration if nodes that share the record have keys of their own: each would take the other's
    place, and look like somebody who tampers.
    """
    state = house.desk.state(HOUSE)
    known = state.upkeep.key if isinstance(state, HouseState) else ""
    if known == signer.id:
        return False
    replaced = bool(known)
    if replaced and house.record.is_shared and house.institution.settings.integrity.key is None:
        raise BadConfiguration(
            f"{house.data / KEY_FILE} ({signer.id}) is another key than the record's ({known}); name one "
            f"key for all nodes in `[integrity] key`, or copy {KEY_FILE} here from the node that has it"
        )
    house.desk.handle(
        HOUSE,
        NoteKey(
            actor=Actor.machine("node"),
            how="replaced" if replaced else "made",
            key=signer.id,
            public=signer.public.hex(),
            stated_at=house.desk.clock.now(),
            reason="another key was found at the start" if replaced else "",
        ),
    )
    return replaced


def rotate(house: House, actor: Actor, reason: str, *, lost: bool = False) -> Outcome:
    """Another key takes the place of the one in the data folder, signed for by it unless that is `lost`.

    Recorded first, then put into place: a crash in between leaves the old key, and the next start says so.
    Raises BadConfiguration if the key is a named secret: then its keeper makes the new one.
    """
    if house.institution.settings.integrity.key is not None:
        raise BadConfiguration(
            "[integrity] key names the key; put the new one there with its keeper, and start the node again"
        )
    path = house.data / KEY_FILE
    now = house.desk.clock.now()
    signer, pem = new_key()
    old = None if lost else open_signer(house)
    if old is not None:
        noted(house, old)
    before = old.id if old else ""
    statement = key_statement(signer.public, before, now)
    command = NoteKey(
        actor=actor,
        how="rotated" if old else "replaced",
        key=signer.id,
        public=signer.public.hex(),
        stated_at=now,
        before=before,
        signature=old.sign(statement).hex() if old else "",
        reason=reason,
    )
    part = path.with_name(f"{path.name}.new")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    outcome = house.desk.handle(HOUSE, command)
    if not outcome.accepted:
        part.unlink()
        return outcome
    crash_point("key-recorded")
    part.replace(path)
    return outcome
