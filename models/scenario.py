"""The grammar of a drill scenario: its start, its roles, its objectives, and its script of injects.

A scenario is a document first: printed, it is a facilitator's handbook for a tabletop on paper. Times of the
script (`at`) count from STARTEX as the participants live through it; a leap moves the time of the story on
while nobody plays. Where its words differ from those of HSEEP: an inject is a line of the MSEL.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from models.playbook import StepRef, Value
from models.values import MAX_DURATION, Duration, Frozen, Id, Text, parse_duration, write_duration

Form = Literal["tabletop", "functional"]
InjectKind = Literal["alert", "call", "mail", "news", "system", "contingency"]
Channel = Literal["telephone", "mail", "chat", "in-person", "screen", "paper", "broadcast"]
Condition = Literal["normal", "degraded", "stopped"]
Confidence = Literal["C1", "C2", "G"]
Instant = Literal[
    "occurred", "detected", "recognised", "identified", "determined", "classified", "compromised",
    "threshold-reached", "materiality-determined", "contained", "cause-identified", "cause-addressed",
    "restored", "payment-made",
]  # fmt: skip
"""The instants that an incident keeps apart (models.rules.incident.INSTANTS; a test compares)."""
FUNCTIONS = {
    "declared": "whether an incident has been declared",
    "carries": "whether the incident carries a playbook",
    "delivered": "whether an inject has been delivered",
    "decided": "the option chosen in a decision (playbook/step), or none",
    "done": "whether a step (playbook/step) is done",
    "skipped": "whether a step was skipped or does not apply",
    "output": "a recorded field of a step: output('playbook/step', 'field')",
    "severity": "the rank of the present severity, 0 for the lightest",
    "affected": "whether a service is recorded as affected",
    "phase_ended": "whether a phase has ended",
    "evidence": "whether something was preserved of a source",
}
"""What a condition of a scenario may ask: as in a playbook's `when`, with steps by playbook/step."""
MAX_INJECTS = 500
MAX_LISTED = 50
MIN_PLAYED, MAX_PLAYED = timedelta(minutes=15), timedelta(hours=10)


def parse_offset(value: Any) -> timedelta:
    """A time after STARTEX: a span such as `25m`, or `0m` for STARTEX itself. Raises ValueError otherwise."""
    if value in ("0", "0s", "0m", 0, timedelta(0)) and value is not False:
        return timedelta(0)
    return parse_duration(value)


Offset = Annotated[
    timedelta,
    BeforeValidator(parse_offset, json_schema_input_type=str),
    PlainSerializer(write_duration, return_type=str),
]
When = Annotated[str, Field(max_length=500)]


class Threat(Frozen):
    """What a scenario rests on, with the confidence in it (FSA-2.2.5-B5)."""

    text: Text
    source: Text | None = Field(default=None, description="where it can be read")
    confidence: Confidence = Field(
        description="C1: primary text read; C2: secondary text; G: general knowledge"
    )


class ServiceAtStart(Frozen):
    """The state of a service at STARTEX."""

    service: Id
    state: Condition
    note: Text | None = None


class BackupAtStart(Frozen):
    """A backup as it really is at STARTEX; `known`: whether the participants are told of the defect."""

    id: Id
    service: Id
    age: Duration = Field(description="how long before STARTEX it was made")
    kind: Literal["backup", "replica", "offline"] = "backup"
    tampered: bool = False
    infected: bool = False
    known: bool = False
    note: Text | None = None


class InstantAtStart(Frozen):
    """When something happened before STARTEX, and whether anybody knows."""

    instant: Instant
    before: Offset = Field(description="how long before STARTEX")
    known: bool = False
    note: Text | None = None


class Start(Frozen):
    """STARTEX: the hour of the story and the state of things."""

    day: Text = Field(description="what kind of day it is, for example a working day before a holiday")
    time: str = Field(
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="the local hour of the story at STARTEX"
    )
    severity: Id | None = Field(default=None, description="if one has been set already")
    services: tuple[ServiceAtStart, ...] = Field(default=(), max_length=MAX_LISTED)
    backups: tuple[BackupAtStart, ...] = Field(default=(), max_length=MAX_LISTED)
    instants: tuple[InstantAtStart, ...] = Field(default=(), max_length=MAX_LISTED)
    known: tuple[Text, ...] = Field(default=(), max_length=MAX_LISTED, description="what participants know")


class RoleCard(Frozen):
    """One role: its task, what it knows, and, for the facilitator alone, what it does not know."""

    role: Id
    played_by: Literal["participant", "control"] = Field(
        default="participant", description="control: the facilitator answers for it"
    )
    needed: bool = Field(default=True, description="without it the exercise cannot be held")
    task: Text
    knows: tuple[Text, ...] = Field(default=(), max_length=MAX_LISTED)
    does_not_know: tuple[Text, ...] = Field(
        default=(), max_length=MAX_LISTED, description="never on the card, only in the facilitator's overview"
    )


class OutsideParty(Frozen):
    """Somebody outside, played by the facilitator."""

    id: Id
    name: Text
    party: Id | None = Field(default=None, description="the third party of organisation.yaml")
    knows: Text = Field(description="what they would say, and what they would not")
    answers_after: Duration | None = Field(default=None, description="how long they take to answer")


class Measure(Frozen):
    """What is measured for an objective (FSA-2.2.5-Da). Without `target` that of the service counts."""

    kind: Literal["rto", "rpo", "rlo"]
    service: Id
    target: Duration | None = None
    level: Id | None = Field(default=None, description="for rlo: a level of the service")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Measure:
        if self.kind == "rlo" and self.target is not None:
            raise ValueError("target: rlo is a level, so name it in `level`")
        if self.kind != "rlo" and self.level is not None:
            raise ValueError(f"level: {self.kind} is a time, so name it in `target`")
        return self


class Objective(Frozen):
    """What the exercise is to show. `told`: whether participants may read it before."""

    id: Id
    text: Text
    told: bool = True
    capability: Literal["planning", "organisation", "equipment", "training", "communication"] = "planning"
    guideline: tuple[str, ...] = ()
    within: Duration | None = Field(default=None, description="limit, counted from `since`")
    since: Id | None = Field(default=None, description="the inject that starts the limit; none: STARTEX")
    measures: tuple[Measure, ...] = ()
    look_for: tuple[Text, ...] = Field(default=(), description="what the evaluator watches")


class Expected(Frozen):
    """What participants are expected to do upon an inject."""

    text: Text
    role: Id | None = None
    step: StepRef | None = Field(default=None, description="playbook/step, steps of called playbooks too")
    option: Id | None = Field(default=None, description="of a decision: the option that is expected")
    within: Duration | None = Field(default=None, description="limit, counted from the inject")
    objective: Id | None = None

    @model_validator(mode="after")
    def _option_of_a_step(self) -> Expected:
        if self.option is not None and self.step is None:
            raise ValueError("option: belongs to a decision, so name it in `step`")
        return self


class Inject(Frozen):
    """One event of the script: a line of the MSEL.

    It is delivered `at` a time, or `later` than another (`after`), each if `when` holds then; one that has
    only `when` is delivered as soon as that holds. A contingency is fired if something is not done in time.
    """

    id: Id
    kind: InjectKind
    channel: Channel
    from_: Id = Field(alias="from", description="an outside party, a role with a card, or `control`")
    to: tuple[Id, ...] = Field(min_length=1, max_length=20, description="roles with a card")
    at: Offset | None = Field(default=None, description="after STARTEX, as it is played")
    after: Id | None = None
    later: Duration | None = Field(default=None, description="how long after `after`")
    when: When | None = None
    title: Text
    text: Text = Field(description="to be read out, or handed over, as it stands")
    objectives: tuple[Id, ...] = ()
    expect: tuple[Expected, ...] = Field(default=(), max_length=20)
    note: Text | None = Field(default=None, description="for controller and evaluator alone")

    @model_validator(mode="after")
    def _has_its_time(self) -> Inject:
        for problem in _time_problems(self):
            raise ValueError(problem)
        return self


class Leap(Frozen):
    """At this time of play the story moves on; nothing is delivered in between."""

    at: Offset
    by: Duration
    text: Text


class Outcome(Frozen):
    """How long a step takes in the exercise and what comes out; the first that holds counts."""

    step: StepRef
    when: When | None = None
    takes: Duration | None = None
    result: Literal["done", "failed", "unknown"] = "done"
    fields: dict[str, Value] = Field(default_factory=dict, description="what it records or gives")
    text: Text | None = Field(default=None, description="what participants are told when it is over")


class Ending(Frozen):
    """When the exercise may end before its time is up."""

    when: When
    text: Text


class Question(Frozen):
    """A question to each participant afterwards."""

    id: Id
    text: Text
    kind: Literal["scale", "yes-no", "text"] = Field(default="scale", description="scale: 1 to 5")


class Scenario(Frozen):
    """A drill's script, with what FSA-2.2.5 asks of it."""

    scenario: Id
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: Text
    cover: Text | None = Field(
        default=None, description="the title for participants, if `title` gives the surprise away"
    )
    summary: Text = Field(description="for the facilitator")
    form: Form = "tabletop"
    blind: bool = Field(default=False, description="participants do not learn the kind of incident before")
    large_scale: bool = Field(default=False, description="large, long, or reaching others (FSA-2.2.5-Db)")
    reviewed: date
    review_every: Duration = Field(default="365d", validate_default=True)
    attack: tuple[str, ...] = Field(default=(), description="ATT&CK techniques")
    playbooks: tuple[Id, ...] = Field(min_length=1, max_length=10, description="that it exercises")
    guideline: tuple[str, ...] = Field(default=(), description="items that the exercise as a whole serves")
    plausibility: Text = Field(description="why it may really happen (FSA-2.2.5-B3)")
    customer_impact: Text = Field(description="what it does to customers (FSA-2.2.5-B3)")
    threats: tuple[Threat, ...] = Field(min_length=1, description="what it rests on (FSA-2.2.5-B5)")
    duration: Duration = Field(description="from STARTEX to ENDEX, as it is played")
    start: Start
    briefing: Text = Field(description="read out to participants before STARTEX")
    truth: Text = Field(description="what has really happened, for the facilitator")
    roles: tuple[RoleCard, ...] = Field(min_length=1, max_length=MAX_LISTED)
    outside: tuple[OutsideParty, ...] = Field(default=(), max_length=MAX_LISTED)
    rules: tuple[Text, ...] = Field(default=(), description="ground rules besides the standing ones")
    objectives: tuple[Objective, ...] = Field(min_length=1, max_length=MAX_LISTED)
    injects: tuple[Inject, ...] = Field(min_length=1, max_length=MAX_INJECTS)
    leaps: tuple[Leap, ...] = Field(default=(), max_length=20)
    outcomes: tuple[Outcome, ...] = Field(default=(), max_length=MAX_INJECTS)
    endings: tuple[Ending, ...] = Field(default=(), max_length=20)
    hot_wash: tuple[Text, ...] = Field(default=(), description="questions besides the standing ones")
    questions: tuple[Question, ...] = Field(default=(), description="besides the standing questionnaire")

    @model_validator(mode="after")
    def _can_be_played(self) -> Scenario:
        if not MIN_PLAYED <= self.duration <= MAX_PLAYED:
            raise ValueError(
                f"duration: {write_duration(self.duration)} is not between "
                f"{write_duration(MIN_PLAYED)} and {write_duration(MAX_PLAYED)}"
            )
        return self

    @property
    def called(self) -> Text:
        """The title that participants may read."""
        return self.cover or self.title

    def story(self, at: timedelta) -> timedelta:
        """How long after STARTEX it is in the story when `at` has been played: with the leaps until then."""
        return at + sum((leap.by for leap in self.leaps if leap.at <= at), timedelta(0))

    def inject(self, name: str) -> Inject | None:
        """The inject of this id."""
        return next((one for one in self.injects if one.id == name), None)

    def planned_at(self, inject: Inject) -> timedelta | None:
        """When an inject is planned; None if what participants do decides that, or its chain is a circle."""
        total, seen = timedelta(0), set[str]()
        one: Inject | None = inject
        while one is not None and one.id not in seen:
            seen.add(one.id)
            if one.at is not None:
                return total + one.at
            total += one.later or timedelta(0)
            one = self.inject(one.after) if one.after is not None else None
        return None

    def in_order(self) -> tuple[Inject, ...]:
        """The script as it is planned; injects without a planned time stand at its end."""

        def planned(inject: Inject) -> timedelta:
            at = self.planned_at(inject)
            return MAX_DURATION if at is None else at

        return tuple(sorted(self.injects, key=planned))

    def expected(self, objective: str) -> Iterator[tuple[Inject, Expected]]:
        """What is expected for an objective, with the inject that asks for it."""
        for inject in self.in_order():
            for one in inject.expect:
                if objective in ((one.objective,) if one.objective else inject.objectives):
                    yield inject, one

    def tests(self, objective: str) -> bool:
        """Whether an inject of the script is there for the objective."""
        return any(
            objective in inject.objectives or any(one.objective == objective for one in inject.expect)
            for inject in self.injects
        )


class ExerciseKit(Frozen):
    """What every exercise has: ground rules, questions for the hot wash and to each participant."""

    rules: tuple[Text, ...] = Field(min_length=1)
    hot_wash: tuple[Text, ...] = Field(min_length=1)
    questions: tuple[Question, ...] = Field(min_length=1)


def _time_problems(inject: Inject) -> list[str]:
    """What does not fit in when it is delivered, in words; the first is reported by pydantic."""
    problems = []
    if inject.at is not None and inject.after is not None:
        problems.append("after: an inject has `at` or `after`, not both")
    if inject.at is None and inject.after is None and inject.when is None:
        problems.append("an inject needs one of `at`, `after` and `when`")
    if (inject.after is None) != (inject.later is None):
        problems.append("`after` names the inject before it and `later` how long after: both or neither")
    if inject.kind == "contingency" and (inject.when is None or (inject.at is None and inject.after is None)):
        problems.append(
            "a contingency needs a time (`at`, or `after` with `later`) and in `when` what has not happened"
        )
    return problems
