"""What is known of the harm: one fact for each kind, with source, confidence and time.

Impact feeds severity, clocks and obligations (FSA-2.5.2.1-B3, FSA-2.5.2.3-B3). `unknown` is an answer, and is
shown as such: nothing is inferred from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from models.commands import Command
from models.expression import UNKNOWN
from models.state import Impact

NOT_KNOWN = "unknown"
MAX_DIGITS = 15
NUMBERS = ("people", "customers", "customers-share", "transactions", "transactions-share", "amount")
"""Whole numbers: persons whose data it is, customers hindered, per cent of them, transactions, yen."""
WORDS: Mapping[str, tuple[str, ...]] = {
    "purpose": ("improper", "not-improper"),
    "media": ("none", "social", "local", "national"),
    "encrypted": ("yes", "no"),
    "personal-data": ("leaked", "possible", "none"),
}
SETS: Mapping[str, tuple[str, ...]] = {
    "data": ("sensitive", "financial", "my-number", "credentials", "ordinary"),
}
TEXTS = ("assets",)
KINDS = (*NUMBERS, *WORDS, *SETS, *TEXTS)
SHARES = ("customers-share", "transactions-share")
MAX_SHARE = 100


@dataclass(frozen=True, kw_only=True)
class RecordImpact(Command):
    """Something is known of the harm: a number, words, or `unknown` (see models.impact)."""

    kind: str
    value: str
    source: str
    confidence: Literal["confirmed", "likely", "suspected"] = "likely"


@dataclass(frozen=True, kw_only=True)
class ForecastService(Command):
    """When a service is expected back; the person who says it is the forecast's author."""

    service: str
    eta: datetime


def read_impact(kind: str, value: str) -> str | list[str]:
    """`value` as it is stored: digits, a word, or words in the order of the table. Raises ValueError."""
    plain = value.strip().lower()
    if plain in {NOT_KNOWN, "不明"}:
        return NOT_KNOWN
    if kind in NUMBERS:
        return _number(kind, plain)
    if kind in WORDS:
        if plain not in WORDS[kind]:
            raise ValueError(f"one of {', '.join(WORDS[kind])}, or unknown")
        return plain
    known = SETS[kind]
    named = {one.strip() for one in re.split(r"[,、\s]+", plain) if one.strip()}
    if not named or named - set(known):
        raise ValueError(f"some of {', '.join(known)} with commas between, or unknown")
    return [one for one in known if one in named]


def _number(kind: str, plain: str) -> str:
    digits = plain.replace(",", "").replace("_", "")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > MAX_DIGITS:
        raise ValueError("a whole number that is not negative, or unknown")
    if kind in SHARES and int(digits) > MAX_SHARE:
        raise ValueError("a share of at most 100 per cent, or unknown")
    return str(int(digits))


def known_impact(impacts: Mapping[str, Impact], kind: str) -> Any:
    """What a condition sees: a number, a word, a tuple of words, or UNKNOWN."""
    found = impacts.get(kind)
    return UNKNOWN if found is None else read_back(kind, found.value)


def read_back(kind: str, value: str | Sequence[str]) -> Any:
    """A stored value as a condition sees it."""
    if value == NOT_KNOWN:
        return UNKNOWN
    if not isinstance(value, str):
        return tuple(value)
    return int(value) if kind in NUMBERS else value
