"""Which rules of `models.advance` a fact can move: most facts move few of them.

The table says nothing about a kind that it does not name: after such a fact every rule is looked at. What a
row leaves out has to hold for every state: a rule that comes to read more needs its row here looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from models.errors import BadExpression
from models.expression import calls_in
from models.gate import GATES
from models.plan import PlannedStep
from models.state import Incident

ALWAYS = frozenset({"called-out", "confirmations", "spent"})
"""Rules that cost next to nothing and are looked at after every fact."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moved:
    """`rules` by name; of the steps those alone that `gates` can hold or whose condition asks `asking`."""

    pages: bool = False
    rules: frozenset[str] = frozenset()
    gates: frozenset[str] = frozenset()
    asking: frozenset[str] = frozenset()

    def __or__(self, other: Moved) -> Moved:
        return Moved(
            pages=self.pages or other.pages,
            rules=self.rules | other.rules,
            gates=self.gates | other.gates,
            asking=self.asking | other.asking,
        )

    @property
    def some(self) -> bool:
        """Whether some steps can have changed."""
        return bool(self.gates or self.asking)

    def concerns(self, planned: PlannedStep) -> bool:
        """Whether something can have changed for this step. It never changes for a definition."""
        known: bool | None = planned.kept.get(self)
        if known is None:
            held = any(GATES[gate].concerns(planned.step) for gate in self.gates)
            known = planned.kept[self] = held or bool(self.asking and self.asking & _asked(planned))
        return known


def _asked(planned: PlannedStep) -> frozenset[str]:
    """The functions that the step's conditions ask; all of them if that cannot be told."""
    step = planned.step
    conditions = [step.when or "", step.repeat.until if step.repeat is not None else ""]
    try:
        return frozenset(name for one in conditions if one for name, _ in calls_in(one))
    except BadExpression:
        return frozenset({"evidence"})


_NOTHING, _PAGES = Moved(), Moved(pages=True)
_SCOPE = Moved(gates=frozenset({"scope-fixed"}))
MOVES: Mapping[str, Moved] = {
    "note.added": _NOTHING,
    "text.disposed": _NOTHING,
    "message.requested": _NOTHING,
    "message.sent": _NOTHING,
    "message.failed": _NOTHING,
    "message.given_up": _PAGES,
    "page.asked": _PAGES,
    "page.unanswerable": _NOTHING,
    "page.seen": _NOTHING,
    "page.acknowledged": _PAGES,
    "page.declined": _PAGES,
    "page.delegated": _PAGES,
    "page.hurried": _PAGES,
    "page.stopped": _NOTHING,
    "page.worked": _NOTHING,
    "confirm.asked": _PAGES,
    "confirmed": _PAGES,
    "evidence.added": Moved(
        pages=True,
        rules=frozenset({"clocks"}),
        gates=frozenset({"preserved-before-analysed"}),
        asking=frozenset({"evidence"}),
    ),
    "scope.added": _SCOPE,
    "scope.seen": _SCOPE,
    "scope.fixed": _SCOPE,
    "recovery_point.set": Moved(rules=frozenset({"matter"}), gates=frozenset({"backup-checked"})),
}
_VACANT = "nobody-holds:"


def moved_by(fresh: Collection[str], state: Incident) -> Moved | None:
    """What facts of these kinds can have moved; None if it can be anything."""
    if not MOVES.keys() >= set(fresh) or _waits_for_people(state):
        return None
    return _together(frozenset(fresh))


@lru_cache(maxsize=1_024)
def _together(fresh: frozenset[str]) -> Moved:
    """The same object for the same kinds: what it concerns is kept under it."""
    found = _NOTHING
    for kind in fresh:
        found |= MOVES[kind]
    return found


def _waits_for_people(state: Incident) -> bool:
    """Whether a step is held for want of somebody in a role: a change of duty opens it, and is no fact."""
    return any(cause.startswith(_VACANT) for why in state.gates_held.values() for cause in why)
