"""Decisions that several people make together: votes, whose seats they fill, and when enough of them agree.

Each role that a quorum names is one seat. A person fills one seat with one vote, however many of the roles
they hold; a deputy fills the seat of whom they stand in for. Time adds no vote: nothing here knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from models.commands import Command


@dataclass(frozen=True, kw_only=True)
class WithdrawVote(Command):
    """I take my own vote back."""

    step: str
    reason: str


class Seat(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A seat that somebody may fill: the role, and whom they stand in for."""

    role: str
    deputy_for: str | None = None


class Vote(msgspec.Struct, kw_only=True):
    """What somebody voted; `seats` are those they may fill, `reason` and texts in `factors` are digests."""

    person: str
    choice: str
    reason: str
    at: datetime
    seq: int
    seats: list[Seat] = []
    factors: dict[str, Any] = {}
    against: str | None = None


def seated(votes: Iterable[Vote]) -> dict[str, Vote]:
    """The most seats that these people can fill at once, each person one and each seat once: seat -> vote."""
    filled: dict[str, Vote] = {}

    def place(vote: Vote, tried: set[str]) -> bool:
        for seat in vote.seats:
            if seat.role in tried:
                continue
            tried.add(seat.role)
            if seat.role not in filled or place(filled[seat.role], tried):
                filled[seat.role] = vote
                return True
        return False

    for vote in votes:
        place(vote, set())
    return filled


def carried(votes: Mapping[str, Vote], need: int) -> str | None:
    """The option that enough have chosen; None while there is none."""
    for choice in dict.fromkeys(vote.choice for vote in votes.values()):
        if len(seated(vote for vote in votes.values() if vote.choice == choice)) >= need:
            return choice
    return None


def empty_seats(votes: Mapping[str, Vote], of: Iterable[str]) -> list[str]:
    """The roles from which no vote stands."""
    filled = seated(votes.values())
    return [role for role in of if role not in filled]
