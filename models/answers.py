"""What people answer besides yes: no, approved, rejected, an opinion, "you take it"; what was said elsewhere.

The commands, and what a state keeps of them. Texts are digests (`t:…`) in a state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from models.commands import Command


@dataclass(frozen=True, kw_only=True)
class Decline(Command):
    """I cannot take this page; after an acknowledgement: I cannot after all."""

    page: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class ApproveDecision(Command):
    """The second pair of eyes agrees with what was proposed; `proposal`: what was read."""

    step: str
    reason: str = ""
    proposal: int | None = None


@dataclass(frozen=True, kw_only=True)
class RejectDecision(Command):
    """The second pair of eyes does not agree; the decision is asked for again."""

    step: str
    reason: str
    proposal: int | None = None


@dataclass(frozen=True, kw_only=True)
class AskOpinion(Command):
    """Ask somebody what they think of a step; nothing waits for it."""

    step: str
    person: str
    question: str


@dataclass(frozen=True, kw_only=True)
class GiveOpinion(Command):
    """What I think, to everybody who asked me about this step."""

    step: str
    text: str


@dataclass(frozen=True, kw_only=True)
class HandOver(Command):
    """Whoever has a step gives it to somebody else."""

    step: str
    person: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RefuseHandOver(Command):
    """I do not take what was handed to me; it goes back."""

    step: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class TimelineEntry(Command):
    """Something that was said or seen elsewhere, for the timeline at its own instant (`at`).

    `said_by` is a person's id or a name that no directory has; `source` where it can be read again.
    """

    text: str
    said_by: str = ""
    source: str = ""


# -- what is kept -------------------------------------------------------------------------------------------


class Declined(msgspec.Struct, kw_only=True):
    """Somebody who was paged said no, on that level; the number of levels stands for the last resort."""

    level: int
    at: datetime
    reason: str
    gave_back: bool = False


class ProposedDecision(msgspec.Struct, kw_only=True):
    """A decision that waits for its second person. `data` is what the fact holds; `seq` its number."""

    seq: int
    by: str
    recorded_by: str | None = None
    at: datetime
    choice: str
    reason: str
    data: dict[str, Any]
    asked: bool = False


class SentBack(msgspec.Struct, kw_only=True):
    """A proposal that the second person rejected."""

    by: str
    at: datetime
    choice: str
    reason: str


class Opinion(msgspec.Struct, kw_only=True):
    """A second opinion, asked for and perhaps given; `number` counts those of one step."""

    number: int
    person: str
    asked_by: str
    question: str
    asked_at: datetime
    text: str | None = None
    given_at: datetime | None = None


class HandedOver(msgspec.Struct, kw_only=True):
    """A step on its way from one person to another, until that person begins, or refuses."""

    by: str
    to: str
    at: datetime
    reason: str | None = None
    refused_at: datetime | None = None
    refusal: str | None = None

    @property
    def waits(self) -> bool:
        """Whether the receiver has neither taken nor refused it."""
        return self.refused_at is None
