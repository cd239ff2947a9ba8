"""Telephone numbers as people write them, and as gateways want them (E.164: `+818055550101`)."""

from __future__ import annotations

import re
import unicodedata

COUNTRY = "81"
"""What a national number, one that begins with 0, belongs to: Japan."""
_PUNCTUATION = re.compile(r"[\s().\-–‐−/]+")
_E164 = re.compile(r"\+[1-9]\d{6,14}")


def e164(written: str | None) -> str | None:
    """`080-5555-0101` or `+81 80 5555 0101` as `+818055550101`; None if it is no whole number.

    Full-width digits are read too. Two zeroes or 010 before a country's number are not guessed at: write `+`.
    """
    if not written:
        return None
    plain = _PUNCTUATION.sub("", unicodedata.normalize("NFKC", written))
    if plain.startswith("0") and not plain.startswith(("00", "010")):
        plain = f"+{COUNTRY}{plain[1:]}"
    return plain if plain.isascii() and _E164.fullmatch(plain) else None
