"""A phase that may have to be taken up again: proposed by a rule, settled by a person.

The command, and what a state keeps of a proposal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from models.commands import Command

EVENT = "reopening"
"""The event, and the kind of subject, of a phase that is proposed to be reopened."""


@dataclass(frozen=True, kw_only=True)
class DeclineReopening(Command):
    """The phase stays ended, although a rule proposed to take it up again."""

    phase: str
    reason: str


class Reopening(msgspec.Struct, kw_only=True):
    """Why a phase may have to be reopened, and since when somebody is asked; `causes` as of a gate."""

    phase: str
    causes: list[str] = []
    at: datetime
