"""What can be done from a message itself, as the record stands: pure, for every channel that has buttons.

A button is an offer, not a right: whoever presses it is asked again by the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models.comcheck import EVENT as COMCHECK
from models.plan import PlannedStep
from models.state import ENDED, OVER, Incident, Page, StepState, StreamState
from models.world import World
from notifiers.message import Act

NO_STEP = "-"
MAX_VALUE = 1_000
_PLACES = 3


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a button is about: a stream, a page (0: none), a step or another subject (empty: none)."""

    stream: str
    page: int = 0
    subject: str = ""

    @property
    def value(self) -> str:
        """As a button carries it; neither ids nor step keys hold spaces."""
        return f"{self.stream} {self.page} {self.subject or NO_STEP}"

    @property
    def step(self) -> str:
        """The step's key, or empty if it is about something else."""
        kind, _, name = self.subject.partition(":")
        return name.partition("#")[0] if kind in {"step", "approval", "opinion"} else ""


def read_target(value: str) -> Target:
    """The target of a button. Raises ValueError if it is none of ours."""
    parts = value.split(" ")
    if len(value) > MAX_VALUE or len(parts) != _PLACES or not parts[1].isdecimal() or not parts[0]:
        raise ValueError(value[:80])
    return Target(stream=parts[0], page=int(parts[1]), subject="" if parts[2] == NO_STEP else parts[2])


def page_acts(state: StreamState, page: Page, world: World) -> tuple[Act, ...]:
    """The buttons of a message about a page: to take it while it is open, and what it asks for."""
    target = Target(stream=state.stream, page=page.id, subject=page.subject)
    found: list[Act] = []
    if page.state == "open":
        found.append(Act(name="ack", value=target.value, primary=True))
        if page.event != COMCHECK:
            found.append(Act(name="decline", value=target.value))
        if page.event != COMCHECK and page.level not in page.delegated_levels:
            found.append(Act(name="delegate", value=target.value))
    return (*found, *_subject_acts(state, target, world), *_general(state, target))


def subject_acts(state: Incident, subject: str, world: World) -> tuple[Act, ...]:
    """The buttons of a message about a step, an opinion that is asked for, or the like."""
    target = Target(stream=state.stream, subject=subject)
    own = tuple(_subject_acts(state, target, world))
    return (*own, *_general(state, target)) if own else ()


def incident_acts(state: Incident) -> tuple[Act, ...]:
    """The buttons of an incident's board."""
    target = Target(stream=state.stream)
    if state.status in OVER:
        return ()
    return (
        Act(name="severity", value=target.value),
        Act(name="note", value=target.value),
        Act(name="more", value=target.value),
    )


def _general(state: StreamState, target: Target) -> Iterator[Act]:
    if isinstance(state, Incident) and state.status not in ENDED:
        yield Act(name="more", value=target.value)


def _subject_acts(state: StreamState, target: Target, world: World) -> Iterator[Act]:
    kind, _, name = target.subject.partition(":")
    if not isinstance(state, Incident) or state.status in ENDED:
        return
    if kind == "confirm" and name.isdecimal() and int(name) in state.confirmations:
        yield Act(name="confirm", value=target.value, primary=True)
    if kind in _PLAIN:
        yield Act(name=_PLAIN[kind], value=target.value, primary=True)
    known = state.steps.get(name) if kind in {"step", "approval"} else None
    if known is not None and known.status in {"ready", "started"}:
        yield from _step_acts(known, target, world.step(state, name))


_PLAIN = {"message": "message", "opinion": "give-opinion"}
"""Subjects that ask for one thing only."""


def _step_acts(known: StepState, target: Target, planned: PlannedStep | None) -> Iterator[Act]:
    """A step as it waits: to be decided, begun, taken over, done, handed on."""
    if planned is None or planned.step.kind not in {"decision", "manual", "notice"}:
        return
    if planned.step.kind == "decision":
        yield from _decision_acts(known, target)
        return
    yield Act(name="start" if known.status == "ready" else "take", value=target.value)
    if known.handed is not None and known.handed.waits:
        yield Act(name="refuse", value=target.value)
    yield Act(name="done", value=target.value, primary=known.status == "started")
    yield Act(name="hand-over", value=target.value)


def _decision_acts(known: StepState, target: Target) -> Iterator[Act]:
    if known.proposed is not None:
        # Four eyes: somebody has chosen, somebody else has to agree.
        yield Act(name="approve", value=target.value, primary=True)
        yield Act(name="reject", value=target.value)
    yield Act(name="decide", value=target.value, primary=known.proposed is None)
    yield Act(name="opinion", value=target.value)
