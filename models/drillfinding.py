"""What an exercise showed to be wanting, as long as it is in the drill: its draft of an improvement plan.

It leaves the drill in the signed result; in production it is closed by a re-test or by accepting the risk
(FSA-2.2.5-Dc). This module knows nothing of the state of a record: `models.exercise` holds what is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import msgspec

from models.commands import Command

Capability = Literal["planning", "organisation", "equipment", "training", "communication"]
"""What the corrective action is about (HSEEP), as an objective of a scenario names it."""
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)
MAX_FINDINGS = 100


class DrillFinding(msgspec.Struct, kw_only=True):
    """One line of the improvement plan. Titles, cause and recommendation are digests of texts."""

    id: str
    title: str
    title_en: str = ""
    """Empty: the title serves for both languages."""
    capability: str = "planning"
    objective: str | None = None
    cause: str = ""
    recommendation: str = ""
    owner: str | None = None
    due: datetime | None = None
    playbook: str | None = None
    revision: str | None = None
    source: str = ""
    """What it was made of: `objective:x`, `route:y`, `observation:z`; empty if somebody wrote it anew."""
    by: str = ""
    at: datetime
    dropped: bool = False


@dataclass(frozen=True, kw_only=True)
class AddFinding(Command):
    """Somebody of the staff writes down what is to be done better. `due` is a day of the real calendar."""

    title: str
    title_en: str = ""
    capability: str = "planning"
    objective: str | None = None
    cause: str = ""
    recommendation: str = ""
    owner: str | None = None
    due: datetime | None = None
    playbook: str | None = None
    revision: str | None = None
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class EditFinding(Command):
    """Change some of it; what is None stays."""

    finding: str
    title: str | None = None
    title_en: str | None = None
    capability: str | None = None
    objective: str | None = None
    cause: str | None = None
    recommendation: str | None = None
    owner: str | None = None
    due: datetime | None = None
    playbook: str | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class DropFinding(Command):
    """It was none after all."""

    finding: str
    reason: str
