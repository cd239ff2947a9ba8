"""Sealing a segment to age recipients: texts hold personal data, and the second path is read by others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.errors import BadConfiguration, BadInput

Seal = Callable[[bytes], bytes]


def sealer(recipients: Sequence[str]) -> Seal | None:
    """What seals bytes to all of these; None if there are none. Raises BadConfiguration."""
    if not recipients:
        return None
    import pyrage  # noqa: PLC0415 - only where something is sealed

    try:
        keys = [pyrage.x25519.Recipient.from_str(one) for one in recipients]
    except pyrage.RecipientError as wrong:
        raise BadConfiguration(f"seal_to: not an age recipient: {wrong}") from wrong

    def seal(body: bytes) -> bytes:
        return bytes(pyrage.encrypt(body, keys))

    return seal


def opener(identities: Sequence[str]) -> Callable[[bytes], bytes]:
    """What opens sealed bytes with any of these identities (`AGE-SECRET-KEY-…`). Raises BadInput."""
    import pyrage  # noqa: PLC0415

    try:
        keys = [pyrage.x25519.Identity.from_str(one) for one in identities]
    except pyrage.IdentityError:
        # Never what it says: it may repeat the key.
        raise BadInput("the identity file holds no age identity (AGE-SECRET-KEY-1…)") from None

    def unseal(body: bytes) -> bytes:
        try:
            return bytes(pyrage.decrypt(body, keys))
        except pyrage.DecryptError:
            raise BadInput("cannot be opened with the identity given") from None

    return unseal
