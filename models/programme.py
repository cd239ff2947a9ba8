"""The exercise programme (演習台帳): what is planned and was held, here or elsewhere, and what it found.

An exercise has one number from its planning to its being held. A finding is closed by another exercise that
shows that it is mended, or by management accepting the risk that remains (FSA-2.2.5-Dc), and by nothing else.

This module knows nothing of the state of a record: `models.state` holds what is defined here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from models.commands import Command

SUBJECT = "finding"
Type = Literal["tabletop", "functional", "full-scale", "sector", "red-team", "comcheck", "restore-test"]
Organiser = Literal["internal", "vendor", "sector", "authority"]
"""Who holds it: FSA-2.2.5-Dd asks for a combination."""
Rating = Literal["P", "S", "M", "U"]
"""As in `models.exercise`: performed without challenges, with some, with major ones, or not at all."""
TYPES: tuple[Type, ...] = get_args(Type)
ORGANISERS: tuple[Organiser, ...] = get_args(Organiser)
RATINGS: tuple[Rating, ...] = get_args(Rating)
PASSING = frozenset({"P", "S"})
"""Ratings that say that an objective was met without harm to others (HSEEP)."""
MANAGEMENT = ("president", "cio", "ciso")
"""Whose taking part FSA-2.2.5-B2 asks for, besides the heads of business."""
OPEN = frozenset({"open", "fixed"})
"""States of a finding that somebody still has to do something about."""
MAX_NAMED = 50
MAX_ITEMS = 300
"""Items of a catalogue that one exercise may have exercised: a long incident touches most of them."""
MAX_PARTICIPANTS = 1_000
"""Roles with whoever took them: somebody may have several."""
MAX_FINDINGS = 100
MAX_MEASURES = 100
MAX_ENTRIES = 5_000


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who took part, or ought to have: a role, with the person or the outside party if named."""

    role: str
    person: str | None = None
    party: str | None = None
    absent: bool = False


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A recovery target and what was measured (FSA-2.2.5-Da). Spans in seconds, levels as they are called."""

    kind: Literal["rto", "rpo", "rlo"]
    service: str
    target: str = ""
    actual: str = ""
    met: bool | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """An objective's rating, confirmed by an evaluator."""

    objective: str
    rating: Rating
    evaluator: str = ""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The signed result that an entry was made of: stored under `digest`, signed by `key`."""

    digest: str
    drill: str
    key: str
    trust: Literal["given", "named"]
    """Whether the key came another way than the result, or stands in the result itself and was confirmed."""


class Entry(msgspec.Struct, kw_only=True):
    """One exercise of the register. Title, organiser and note are digests of texts beside the facts."""

    id: str
    status: Literal["planned", "held", "cancelled"]
    title: str
    type: Type
    by: Organiser = "internal"
    organiser: str = ""
    when: str = ""
    """Month or day for which it was planned; empty if it was not planned here."""
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    """The end of the time for which it was planned, not part of it."""
    scenario: str = ""
    version: str = ""
    playbooks: list[str] = []
    routes: list[str] = []
    guideline: list[str] = []
    retests: list[str] = []
    """Findings that it is to test again."""
    held_on: str = ""
    held_at: datetime | None = None
    participants: list[Took] = []
    measured: list[Measured] = []
    outcomes: list[Outcome] = []
    imported: Imported | None = None
    recorded_by: str = ""
    signed_off: dict[str, datetime] = {}
    """Of management, who knows the results, and since when (FSA-2.2.5-B2)."""
    note: str = ""
    reason: str = ""
    """Why it was cancelled, or struck out."""

    def late(self, now: datetime) -> bool:
        """Whether it was planned for a time that is over, and neither held nor cancelled."""
        return self.status == "planned" and self.ends_at is not None and self.ends_at <= now

    @property
    def managers(self) -> list[str]:
        """The roles of management that took part."""
        there = {one.role for one in self.participants if not one.absent}
        return [role for role in MANAGEMENT if role in there]

    @property
    def parties(self) -> list[str]:
        """The outside parties that took part."""
        return list(dict.fromkeys(one.party for one in self.participants if one.party and not one.absent))


class Retest(msgspec.Struct, frozen=True, kw_only=True):
    """Another exercise that tested a finding again."""

    exercise: str
    rating: Rating
    evaluator: str
    at: datetime


class Finding(msgspec.Struct, kw_only=True):
    """Something that an exercise showed to be wanting, with an owner and a date."""

    id: str
    exercise: str
    title: str
    owner: str
    due: datetime
    remind_at: datetime
    opened_at: datetime
    objective: str = ""
    cause: str = ""
    status: Literal["open", "fixed", "closed", "accepted"] = "open"
    reminded: bool = False
    overdue: bool = False
    fixed_at: datetime | None = None
    playbook: str = ""
    version: str = ""
    """The revision of a playbook that it led to (FSA-2.2.5-B4)."""
    note: str = ""
    retests: list[Retest] = []
    accepted_by: str = ""
    review_at: datetime | None = None
    reason: str = ""
    """Why the risk was accepted, or why it was opened again."""


def subject_of(finding: str) -> str:
    """What a page or notice about a finding is about."""
    return f"{SUBJECT}:{finding}"


def period(when: str, zone: str) -> tuple[datetime, datetime]:
    """The begin and the end of a month (`2027-02`) or a day (`2027-02-17`) where the institution is, aware.

    The end is not part of it. Raises ValueError.
    """
    month = len(when) == len("2027-02")
    first = date.fromisoformat(f"{when}-01" if month else when)
    if month:
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    else:
        after = first + timedelta(days=1)
    place = ZoneInfo(zone)
    return datetime.combine(first, time(), place), datetime.combine(after, time(), place)


@dataclass(frozen=True, kw_only=True)
class PlanExercise(Command):
    """An exercise is to be held in a month or on a day; `retests` are findings that it tests again."""

    title: str
    when: str
    type: str
    by: str = "internal"
    organiser: str = ""
    scenario: str = ""
    playbooks: tuple[str, ...] = ()
    retests: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NewFinding:
    """A finding as somebody writes it down. `due` is aware."""

    title: str
    owner: str
    due: datetime
    objective: str = ""
    cause: str = ""


@dataclass(frozen=True, kw_only=True)
class NewRetest:
    """A finding that was tested again, with the evaluator's rating."""

    finding: str
    rating: str
    evaluator: str
    observation: str = ""


@dataclass(frozen=True, kw_only=True)
class RecordExercise(Command):
    """An exercise was held, here or elsewhere. With `plan` it was planned: what is left out is as planned.

    `imported`, `outcomes`, `measured`, `findings` and `retested` come of a drill's signed result.
    """

    title: str = ""
    on: str = ""
    plan: str | None = None
    type: str = ""
    by: str = ""
    organiser: str = ""
    scenario: str = ""
    version: str = ""
    playbooks: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    guideline: tuple[str, ...] = ()
    participants: tuple[Took, ...] = ()
    note: str = ""
    imported: Imported | None = None
    measured: tuple[Measured, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    findings: tuple[NewFinding, ...] = ()
    retested: tuple[NewRetest, ...] = ()
    signed_off: tuple[str, ...] = ()
    """Management that signed the report of the drill itself."""
    signed_off_at: datetime | None = None
    """When they did (aware), in real time; None: when it was recorded here."""


@dataclass(frozen=True, kw_only=True)
class CancelExercise(Command):
    """A planned exercise is not held, or one was recorded by mistake."""

    id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class SignOffExercise(Command):
    """Somebody of management knows the results, in person (FSA-2.2.5-B2)."""

    id: str


@dataclass(frozen=True, kw_only=True)
class OpenFinding(Command):
    """An exercise that was held showed something to be wanting."""

    exercise: str
    finding: NewFinding


@dataclass(frozen=True, kw_only=True)
class FixFinding(Command):
    """The work is done; whether it helps, a re-test shows. `playbook` and `version`: what was revised."""

    id: str
    note: str
    playbook: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class RetestFinding(Command):
    """Another exercise tested it. The rating is an evaluator's, or that of an objective of its result."""

    id: str
    exercise: str
    rating: str = ""
    evaluator: str = ""
    objective: str = ""
    observation: str = ""


@dataclass(frozen=True, kw_only=True)
class AcceptFinding(Command):
    """Management accepts the risk that remains, until a day on which it is looked at again."""

    id: str
    reason: str
    review: datetime


@dataclass(frozen=True, kw_only=True)
class ReopenFinding(Command):
    """A finding that was closed, or whose risk was accepted, is one again."""

    id: str
    reason: str
    due: datetime
