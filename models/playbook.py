"""The grammar of a playbook: what to do for one attack type, as steps grouped by phase (FSA-2.5.1-B1).

A step that names nothing in `after` waits until the phases before its own have ended; one that names steps
waits only for those; `after: []` is ready at once. Steps that do not wait for each other run in parallel.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.factors import FACTOR_TYPES
from models.policy import PhaseName
from models.values import Duration, Frozen, Id, ObligationId, Text

Kind = Literal["manual", "action", "decision", "notice", "call"]
OnCrash = Literal["idempotent", "probe", "ask"]
FieldType = Literal["text", "instant", "number", "yes-no", "duration", "list"]
StepRef = Annotated[str, Field(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)*$", max_length=200)]
StageRef = Annotated[
    str, Field(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*/[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=110)
]
SUBMITTED = "report-submitted"
Value = str | int | bool
FACTORS = tuple(FACTOR_TYPES)
"""What has to be weighed before a service is stopped or a line cut (FSA-2.5.2.4-B1)."""
MAX_STEPS = 200
MAX_ROUNDS = 20


class RecordField(Frozen):
    """Something that has to be written down when the step is done."""

    id: Id
    title: Text
    type: FieldType = "text"
    required: bool = True
    instant: str | None = Field(
        default=None,
        description="for type instant: what happened then; report-submitted: `reports` were sent",
    )


class Repeat(Frozen):
    """A bounded loop: when the step (or the called playbook) is done and `until` is false, do it again."""

    until: str = Field(max_length=500)
    at_most: int = Field(ge=2, le=MAX_ROUNDS)


class Probe(Frozen):
    """How to look whether an action has already taken effect, before it is run again."""

    use: Literal["http.request", "command.run"]
    target: Id
    params: dict[str, Value] = Field(default_factory=dict)
    done_if: str = Field(max_length=500, description="expression over `output(...)`-like names of the probe")


ActionName = Literal[
    "http.request",
    "command.run",
    "file.collect",
    "ssh.collect",
    "logs.collect",
    "slack.collect",
    "mail.collect",
]


class Option(Frozen):
    """One choice of a decision, with its price."""

    id: Id
    title: Text
    price: Text | None = None
    judges: dict[ObligationId, bool] = Field(
        default_factory=dict, description="obligation -> whether this choice says that it applies"
    )


class Quorum(Frozen):
    """Several people decide together: each role is one seat, and enough seats have to choose the same."""

    of: tuple[Id, ...] = Field(min_length=2, max_length=10, description="roles, each of them one seat")
    need: int = Field(ge=2, le=10, description="how many seats have to choose the same option")

    @model_validator(mode="after")
    def _can_be_reached(self) -> Quorum:
        if len(set(self.of)) < len(self.of):
            raise ValueError("of: a role is named twice, and counts as one seat")
        if self.need > len(self.of):
            raise ValueError(f"need: {self.need} of {len(self.of)} roles can never be reached")
        return self


class Step(Frozen):
    """One thing to do. Which fields a kind takes is checked below."""

    id: Id
    phase: PhaseName
    kind: Kind
    title: Text
    text: Text | None = Field(default=None, description="what exactly to do")
    where: Text | None = None
    stop_when: Text | None = Field(default=None, description="when it is enough, or too much")
    do_not: tuple[Text, ...] = ()
    owner: Id | None = Field(default=None, description="role that acts")
    within: Duration | None = Field(default=None, description="limit, counted from ready")
    after: tuple[StepRef, ...] | None = None
    after_any: tuple[StepRef, ...] = ()
    when: str | None = Field(default=None, max_length=500)
    repeat: Repeat | None = None
    optional: bool = Field(default=False, description="does not hold up the end of its phase")
    guideline: tuple[str, ...] = ()
    record: tuple[RecordField, ...] = ()
    sets: dict[str, str] = Field(default_factory=dict, description="variable -> field of `record` or output")
    # decision
    authority: Id | None = Field(default=None, description="role entitled to decide")
    quorum: Quorum | None = Field(default=None, description="instead of `authority`: several decide together")
    options: tuple[Option, ...] = ()
    recommend: Id | None = None
    otherwise: Text | None = Field(default=None, description="what happens if nobody decides")
    factors: tuple[Id, ...] = ()
    decides: Literal["containment-or-preservation"] | None = None
    four_eyes: Literal[True] | Id | None = Field(
        default=None,
        description="a second person approves: the role, or true for another holder of `authority`",
    )
    # gates
    stops: tuple[Id, ...] = Field(default=(), description="services this step stops or cuts off")
    decided_by: StepRef | None = Field(default=None, description="the decision that allows `stops`")
    restores: tuple[Id, ...] = Field(default=(), description="services restored from backup")
    reconnects: tuple[Id, ...] = ()
    resumes: tuple[Id, ...] = ()
    sources: tuple[Id, ...] = Field(default=(), description="evidence that must be preserved before this")
    preserves: tuple[Id, ...] = Field(default=(), description="evidence sources this step secures")
    volatility: int | None = Field(default=None, ge=1, le=7, description="RFC 3227 order")
    lost_by_waiting: Text | None = None
    # action
    use: ActionName | None = None
    target: Id | None = None
    params: dict[str, Value] = Field(default_factory=dict)
    probe: Probe | None = None
    on_crash: OnCrash | None = None
    timeout: Duration | None = None
    retries: int = Field(default=0, ge=0, le=5)
    # notice
    to: tuple[Id, ...] = Field(default=(), description="roles or third parties that are told")
    reports: tuple[StageRef, ...] = Field(
        default=(), description="reports that are submitted by this: OBLIGATION/stage"
    )
    draft: Text | None = Field(default=None, description="Jinja2 text of the message, drafted by the machine")
    # call
    call: Id | None = None
    pass_: dict[str, Value] = Field(default_factory=dict, alias="with")

    @property
    def deciders(self) -> tuple[str, ...]:
        """The roles that this decision is asked of."""
        if self.quorum is not None:
            return self.quorum.of
        return (self.authority,) if self.authority else ()

    @property
    def acts(self) -> str | None:
        """The role that is named first for this step: who decides, else who does it; None for a machine."""
        return self.deciders[0] if self.deciders else self.owner

    @property
    def weighed(self) -> tuple[str, ...]:
        """The factors that this decision asks for; those of a shutdown by themselves (FSA-2.5.2.4-B1)."""
        return tuple(dict.fromkeys((*self.factors, *(FACTORS if self.stops else ()))))

    @property
    def approver(self) -> str | None:
        """The role of the second pair of eyes; None if one pair is enough."""
        return self.authority if self.four_eyes is True else self.four_eyes

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Step:
        for problem in _kind_problems(self):
            raise ValueError(problem)
        return self


class Variable(Frozen):
    """A named value that steps set and conditions read."""

    type: Literal["text", "number", "yes-no", "list"] = "text"
    default: str | int | bool | tuple[str, ...] | None = None
    title: Text | None = None


class Playbook(Frozen):
    """What to do for one attack type."""

    playbook: Id
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: Text
    summary: Text | None = None
    reviewed: date
    review_every: Duration = Field(default="365d", validate_default=True)
    attack: tuple[str, ...] = Field(default=(), description="ATT&CK techniques")
    matches: tuple[str, ...] = Field(default=(), description="words in an alert that suggest this playbook")
    priority: int = Field(ge=1, le=9)
    covers: tuple[str, ...] = Field(default=(), description="guideline items met by the whole, not a step")
    experts: tuple[Id, ...] = Field(default=(), description="third parties that this playbook calls out")
    watch_period: Duration | None = None
    read_by: tuple[Id, ...] = Field(default=(), max_length=20, description="roles that have to read it")
    read_within: Duration = Field(
        default="30d", validate_default=True, description="counted from when a version is announced"
    )
    need_to_know: bool = Field(
        default=False, description="incidents under it are restricted to named people from the first fact on"
    )
    variables: dict[str, Variable] = Field(default_factory=dict)
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MAX_STEPS)


_ONLY: dict[Kind, tuple[str, ...]] = {
    "decision": (
        "authority",
        "quorum",
        "options",
        "recommend",
        "otherwise",
        "factors",
        "decides",
        "four_eyes",
    ),
    "action": ("use", "target", "probe", "on_crash", "timeout", "retries", "params"),
    "notice": ("to", "draft", "reports"),
    "call": ("call", "pass_"),
}
_NEEDS: dict[Kind, tuple[str, ...]] = {
    "manual": ("owner",),
    "decision": ("options", "otherwise"),
    "action": ("use", "target", "on_crash"),
    "notice": ("to", "owner"),
    "call": ("call",),
}


def _kind_problems(step: Step) -> list[str]:
    """What does not fit the kind, in words; the first is reported by pydantic."""
    problems = [f"a {step.kind} step needs `{name}`" for name in _NEEDS[step.kind] if not getattr(step, name)]
    for kind, names in _ONLY.items():
        if kind != step.kind:
            problems += [
                f"`{name.rstrip('_')}` belongs to a {kind} step, this one is {step.kind}"
                for name in names
                if getattr(step, name)
            ]
    return problems + _decision_problems(step) + _action_problems(step) + _record_problems(step)


def _decision_problems(step: Step) -> list[str]:
    problems = []
    names = {option.id for option in step.options}
    if step.recommend and step.recommend not in names:
        problems.append(f"recommend: {step.recommend!r} is none of the options {sorted(names)}")
    if step.kind == "decision" and (step.authority is None) is (step.quorum is None):
        problems.append("a decision step needs `authority`, or `quorum` in its place, and not both")
    if step.quorum is not None and step.four_eyes is not None:
        problems.append("`four_eyes` does not go with `quorum`, which is several pairs of eyes already")
    if step.kind == "decision" and len(names) < 2:  # noqa: PLR2004 - one option is no choice
        problems.append("a decision needs two options or more, each with its own id")
    if step.kind != "decision" and step.stops and not step.decided_by:
        problems.append("a step that stops a service names the decision that allows it in `decided_by`")
    return problems


def _record_problems(step: Step) -> list[str]:
    return [
        f"record: {field.id} says when something happened, so its type is instant, not {field.type}"
        for field in step.record
        if field.instant is not None and field.type != "instant"
    ]


def _action_problems(step: Step) -> list[str]:
    if step.on_crash == "probe" and step.probe is None:
        return ["on_crash: probe needs a `probe` that looks whether the action has taken effect"]
    return []
