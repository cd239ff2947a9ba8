"""An exercise as it is played: its clock, who takes part, what came in, what was observed and how it ended.

One drill's record has one stream `exercise` beside those of its incidents. What is played is written there as
facts, so that a drill can be folded, scored and replayed like everything else. This module knows no rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from models.commands import Command
from models.drillfinding import DrillFinding
from models.state import StreamState

EXERCISE = "exercise"
"""The stream of a drill's own record."""
Rating = Literal["P", "S", "M", "U"]
"""HSEEP: performed without challenges, with some, with major challenges, unable to be performed."""
StaffRole = Literal["facilitator", "controller", "evaluator", "scribe", "observer"]
Status = Literal["prepared", "running", "ended", "aborted"]
SLOWEST, FASTEST = 1, 600
CONTROL_DESK = "control"
"""The subject of the message from which control leads a drill."""
MAX_ADDED = 200
MAX_OBSERVATIONS = 2_000
MAX_PARTICIPANTS = 200
SAID_KEPT = 500
"""What control said as others that stays in the state; the facts tell of the rest."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How the time of play goes: from `played_ms` at `wall` on, `speed` times as fast, if it runs at all.

    Milliseconds of play after STARTEX; pauses, holds and the story's leaps are not in them. Every due time of
    a drill comes from here.
    """

    played_ms: int = 0
    wall: datetime
    speed: int = 1
    running: bool = False

    def played(self, wall: datetime) -> timedelta:
        """How long it has been played at `wall` (aware)."""
        passed = max(wall - self.wall, timedelta(0)) if self.running else timedelta(0)
        return timedelta(milliseconds=self.played_ms) + passed * self.speed


class Line(msgspec.Struct, kw_only=True):
    """An inject's place in the script, as it was written into the record: due times need no document.

    Milliseconds of play after STARTEX, or after another inject; neither: as soon as `when` holds.
    """

    id: str
    kind: str
    at_ms: int | None = None
    after: str | None = None
    later_ms: int = 0
    when: str | None = None
    not_before_ms: int = 0
    """How much had been played when control wrote it: what is late comes at once, not in the past."""


class Said(msgspec.Struct, kw_only=True):
    """What control said as somebody else; `text` is the digest of its text."""

    party: str
    to: list[str]
    text: str
    at: datetime


class Participant(msgspec.Struct, kw_only=True):
    """Somebody who plays: enrolled, and only reached once an address of theirs has been confirmed."""

    person: str
    roles: list[str] = []
    organisation: str = ""
    enrolled_at: datetime | None = None
    confirmed: list[str] = msgspec.field(default_factory=list)
    """Channels whose address the person has confirmed."""
    absent: str | None = None
    """Why they are not there; None if they are."""


class Delivered(msgspec.Struct, kw_only=True):
    """An inject that came in, or did not."""

    id: str
    how: Literal["planned", "fired", "skipped", "not-needed"]
    at: datetime
    played_ms: int
    by: str = ""


class Observation(msgspec.Struct, kw_only=True):
    """What somebody saw; its text lies beside the fact of this `seq`."""

    id: str
    seq: int
    at: datetime
    by: str
    objective: str | None = None
    kind: Literal["observation", "strength", "improvement"] = "observation"


class Rated(msgspec.Struct, kw_only=True):
    """An objective's rating, confirmed by an evaluator on an observation."""

    objective: str
    rating: Rating
    proposed: Rating | None = None
    by: str
    observation: str
    at: datetime


class Exercise(StreamState, kw_only=True):
    """The fold of the stream `exercise`."""

    drill: str = ""
    scenario: str = ""
    version: str = ""
    digest: str = ""
    """The scenario's document, as it was frozen."""
    status: Status = "prepared"
    seed: int = 0
    startex: datetime | None = None
    """The hour of the story at STARTEX."""
    timing: Timing | None = None
    lines: dict[str, Line] = msgspec.field(default_factory=dict)
    """The script, in its order, with what control has added or changed."""
    leaps: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """At how many milliseconds of play the story moves on by how many."""
    duration_ms: int = 0
    endings: list[str] = msgspec.field(default_factory=list)
    """The conditions of the scenario's endings."""
    staff: dict[str, str] = msgspec.field(default_factory=dict)
    """Person -> StaffRole; whoever prepared the drill is its facilitator."""
    staff_confirmed: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """Channels whose address somebody of the staff has confirmed, who does not play."""
    marks: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    """Person -> channel -> the mark of the address that was confirmed."""
    said: dict[int, Said] = msgspec.field(default_factory=dict)
    """What control has said as others, by its fact."""
    participants: dict[str, Participant] = msgspec.field(default_factory=dict)
    injects: dict[str, Delivered] = msgspec.field(default_factory=dict)
    added: dict[str, dict[str, object]] = msgspec.field(default_factory=dict)
    """Injects that are not, or no longer, as in the scenario: the whole inject, as `Inject` reads it."""
    told: dict[str, str] = msgspec.field(default_factory=dict)
    """When what was told, by its name: `leap:1`, `outcome:playbook/step`, `ending:1`, `ending:time`."""
    observations: dict[str, Observation] = msgspec.field(default_factory=dict)
    ratings: dict[str, Rated] = msgspec.field(default_factory=dict)
    answers: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    """Person -> question -> answer (scale and yes-no); free text lies beside the facts."""
    hot_wash: list[int] = msgspec.field(default_factory=list)
    """The facts with what was said there."""
    findings: dict[str, DrillFinding] = msgspec.field(default_factory=dict)
    """The improvement plan, as it is drafted in the drill."""
    ended_at: datetime | None = None
    ended_why: str = ""
    signed_off_by: str | None = None
    signed_off_at: datetime | None = None
    signed_off_wall: datetime | None = None
    """The real instant of it."""


@dataclass(frozen=True, kw_only=True)
class PrepareDrill(Command):
    """The first fact of a drill: scenario, its digest, who runs it, the seed of the scripted responders."""

    drill: str
    scenario: str
    version: str
    digest: str
    startex: datetime
    seed: int


@dataclass(frozen=True, kw_only=True)
class Staff(Command):
    """Make somebody controller, evaluator, scribe, observer or a facilitator; None: no longer."""

    person: str
    role: StaffRole | None


@dataclass(frozen=True, kw_only=True)
class Enrol(Command):
    """Somebody plays these roles. Their addresses are asked to be confirmed by a page to each of them."""

    person: str
    roles: tuple[str, ...]
    organisation: str = ""


@dataclass(frozen=True, kw_only=True)
class ConfirmAddress(Command):
    """The person has answered on this channel: from now on the drill reaches them there."""

    person: str
    channel: str
    mark: str = ""
    """Which address it was (`models.marks`)."""


@dataclass(frozen=True, kw_only=True)
class MarkAbsent(Command):
    """Somebody enrolled is not there; `why` None: they have come after all."""

    person: str
    why: str | None


@dataclass(frozen=True, kw_only=True)
class StartExercise(Command):
    """STARTEX. `wall` is the real instant, given by whoever reads the machine's clock."""

    wall: datetime
    speed: int = 1


@dataclass(frozen=True, kw_only=True)
class SetTiming(Command):
    """Pause, resume, another speed, or a step by `step` of play, never back; with the wall's time."""

    wall: datetime
    what: Literal["pause", "resume", "speed", "step"]
    speed: int | None = None
    step: timedelta | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class FireInject(Command):
    """The controller gives an inject now, whatever its time and condition."""

    inject: str


@dataclass(frozen=True, kw_only=True)
class SkipInject(Command):
    """The controller leaves an inject out."""

    inject: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PutInject(Command):
    """Add an inject, or change one that has not come in: the whole inject, as a scenario writes it."""

    inject: dict[str, object]
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SpeakFor(Command):
    """The controller says something as an outside party, an unplayed role or control, to some roles."""

    party: str
    to: tuple[str, ...]
    text: str


@dataclass(frozen=True, kw_only=True)
class Observe(Command):
    """Write down what was seen."""

    text: str
    objective: str | None = None
    kind: Literal["observation", "strength", "improvement"] = "observation"


@dataclass(frozen=True, kw_only=True)
class Rate(Command):
    """Confirm or change an objective's rating, on an observation."""

    objective: str
    rating: Rating
    observation: str
    proposed: Rating | None = None


@dataclass(frozen=True, kw_only=True)
class HotWash(Command):
    """What was said right after ENDEX, by whom it was said."""

    text: str
    question: str = ""


@dataclass(frozen=True, kw_only=True)
class AnswerQuestions(Command):
    """A participant's answers to the questionnaire: question -> answer."""

    answers: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class EndExercise(Command):
    """ENDEX."""

    wall: datetime
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class AbortExercise(Command):
    """実インシデント発生、演習中止: anybody may, everybody is told, and it is never resumed."""

    wall: datetime
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SignOff(Command):
    """Management has seen the report (FSA-2.2.5-B2). `wall` is the real instant: the story's tells nobody."""

    text: str = ""
    wall: datetime | None = None
