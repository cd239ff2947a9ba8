"""Folding: a state is what its facts say, in their order, and nothing else.

A fact of an unknown kind is refused: an older program must not act on half of what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from models import rooms, sources
from models.errors import RecordTooNew
from models.exercise import EXERCISE, Exercise
from models.fact import Fact
from models.fold import (
    access,
    clocks,
    comcheck,
    communication,
    drillfinding,
    entering,
    evidence,
    exercise,
    incident,
    integrity,
    matter,
    others,
    pages,
    programme,
    readers,
    reopening,
    scope,
    sharing,
    shifts,
    steps,
    trust,
)
from models.kinds import READABLE
from models.release import VERSION
from models.state import Confirmation, House, Incident, Intake, Programme, StreamState

RULES_VERSION = 7
"""Raised whenever the fold or a due time changes; snapshots of another version are not used."""

_PAGES: dict[str, Callable[[Any, Fact], None]] = pages.FOLDS
_FOLDS: dict[type[StreamState], dict[str, Callable[[Any, Fact], None]]] = {
    Incident: _PAGES
    | incident.FOLDS
    | steps.FOLDS
    | matter.FOLDS
    | evidence.FOLDS
    | clocks.FOLDS
    | rooms.FOLDS
    | communication.FOLDS
    | shifts.FOLDS
    | reopening.FOLDS
    | scope.FOLDS
    | sharing.FOLDS
    | sources.FOLDS
    | access.FOLDS,
    Intake: _PAGES | others.INTAKE,
    House: _PAGES | others.HOUSE | trust.FOLDS | integrity.FOLDS | access.HOUSE | entering.FOLDS,
    Programme: _PAGES | others.PROGRAMME | readers.FOLDS | comcheck.FOLDS | programme.FOLDS,
    Exercise: _PAGES | exercise.FOLDS | drillfinding.FOLDS,
}
_KINDS: dict[str, type[StreamState]] = {
    "intake": Intake,
    "house": House,
    "programme": Programme,
    EXERCISE: Exercise,
}


def empty(stream: str) -> StreamState:
    """The state of a stream before its first fact."""
    return _KINDS.get(stream, Incident)(stream=stream)


def kinds_of(state_type: type[StreamState]) -> frozenset[str]:
    """The kinds of fact that a state of this type folds."""
    return frozenset(_FOLDS[state_type])


def fold(state: StreamState, facts: Iterable[Fact]) -> StreamState:
    """Apply `facts` to `state`, in place. Raises RecordTooNew on a kind this version does not know."""
    table = _FOLDS[type(state)]
    for fact in facts:
        rule = table.get(fact.kind)
        if rule is None or (fact.kind, fact.v) not in READABLE:
            said = unreadable(fact)
            if not isinstance(state, House):
                raise RecordTooNew(f"{said}; use a newer one")
            # The house's matters are about Hikeshi itself: a newer one must not keep us from paging.
            state.impaired["newer"] = said
            state.seq, state.at = fact.seq, fact.recorded_at
            continue
        rule(state, fact)
        if fact.for_ is not None and isinstance(state, Incident) and not _is_asked(state, fact.seq):
            # Stands at once; the person it was written for is asked to confirm (design, 14).
            state.unasked.append(Confirmation(seq=fact.seq, person=fact.for_, by=fact.actor, what=fact.kind))
        state.seq = fact.seq
        state.at = fact.recorded_at
    return state


def unreadable(fact: Fact) -> str:
    """Which fact it is that this release cannot read."""
    kind = fact.kind if fact.v == 1 else f"{fact.kind} v{fact.v}"
    return f"{fact.stream} #{fact.seq} is of kind {kind}, which this version ({VERSION}) cannot read"


def _is_asked(state: Incident, seq: int) -> bool:
    """Whether the fact has itself named who confirms it: whoever received evidence, not who gave it."""
    return any(one.seq == seq for one in state.unasked)
