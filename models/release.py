"""Which Hikeshi this is, in the numbers by which releases are told apart."""

from __future__ import annotations

VERSION = "0.1.0"
FIRST = "0.1.0"
"""The release with which records begin: whatever it writes, every later one reads."""


def order(version: str) -> tuple[int, ...]:
    """For comparing two releases: 0.10.0 is newer than 0.9.0."""
    return tuple(int(part) for part in version.split("."))
