"""What is asked of the record about reports: to authorities, within, and what vendors owe us."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from models.commands import Command


@dataclass(frozen=True, kw_only=True)
class JudgeObligation(Command):
    """Whether a report is owed, judged by a person with a reason (FSA-2.5.2.3-B3)."""

    obligation: str
    applicable: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class DraftReport(Command):
    """A draft of a report was made; nothing is sent by that."""

    obligation: str
    stage: str
    document: str


@dataclass(frozen=True, kw_only=True)
class SubmitReport(Command):
    """Somebody sent a report, or an update or correction of it; `instant` when it was received there."""

    obligation: str
    stage: str
    instant: datetime | None = None
    receipt: str = ""
    update: bool = False


@dataclass(frozen=True, kw_only=True)
class ReportSituation(Command):
    """A situation report was given; the next is due an interval later."""

    text: str


@dataclass(frozen=True, kw_only=True)
class VendorFact(Command):
    """A third party was asked for what its contract owes us, or has answered."""

    party: str
    what: Literal["notice", "logs"]
    answered: bool = False
    instant: datetime | None = None
