"""How the demo passes the gates of the guideline: seen ahead, held or not, passed or overridden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from rich.table import Table

from console.views.causes import cause, gate
from console.views.naming import Naming
from models.ahead import gates_ahead
from models.gate import CLOSING, GATES
from models.state import OVER, Incident
from models.world import World

SOURCES = {name: rule.guideline for name, rule in GATES.items()} | {CLOSING: "FSA-2.5.2.6-B6"}
BEGUN = frozenset({"ready", "started", "done", "failed", "unknown"})
MAX_CAUSES = 2


@dataclass(kw_only=True)
class Passage:
    """One gate before one step. `causes` is all that was ever missing; `held`: somebody waited behind it."""

    gate: str
    step: str
    causes: dict[str, None] = field(default_factory=dict)
    held: bool = False
    passed_at: datetime | None = None
    overridden: bool = False


class Passages:
    """Watches the gates from one instant to the next."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], Passage] = {}

    def look(self, state: Incident, world: World) -> None:
        """Note which gates are closed now, and which of those seen before have been passed."""
        ahead = {(one.gate, one.step): one for one in gates_ahead(state, world)}
        for key, one in ahead.items():
            known = self.seen.setdefault(key, Passage(gate=one.gate, step=one.step))
            known.causes.update(dict.fromkeys(one.causes))
            known.held = known.held or one.holds
        for key, known in self.seen.items():
            if known.passed_at is None and key not in ahead and _is_behind(known, state):
                known.passed_at = world.now
                covered = state.override_causes.get(f"{known.gate}@{known.step}", [])
                known.overridden = f"{known.gate}@{known.step}" in state.overrides
                if known.overridden and covered:
                    # What came in time was not passed over: only what the authority passed is told.
                    known.causes = dict.fromkeys(covered)

    def passed(self) -> Iterator[tuple[str, list[Passage]]]:
        """Every gate with the steps that have passed it, in the guideline's order."""
        for name in SOURCES:
            yield name, [one for one in self.seen.values() if one.gate == name and one.passed_at is not None]


def _is_behind(one: Passage, state: Incident) -> bool:
    if one.gate == CLOSING:
        return state.status in OVER
    known = state.steps.get(one.step)
    return known is not None and known.status in BEGUN


def table(passages: Passages, naming: Naming) -> Table:
    """One row for each gate: before what, what was missing, when and how it was passed."""
    say = naming.texts
    made = Table(title=say("demo.gates_passed"), title_justify="left", title_style="bold", expand=True)
    for name, ratio in (("gate", 4), ("before", 4), ("missing", 6), ("passed", 4)):
        made.add_column(say(f"demo.column.{name}"), ratio=ratio, overflow="fold")
    for name, many in passages.passed():
        title = f"{gate(naming, name)}\n{SOURCES[name]}"
        if not many:
            made.add_row(title, "–", "–", say("demo.not_met"), style="dim")
            continue
        # The one that was overridden tells more than those where what was missing came.
        first = min(many, key=lambda one: (not one.overridden, not one.held, one.passed_at or naming.now))
        made.add_row(title, _before(first, many, naming), _missing(first, naming), *_how(first, naming))
    return made


def _before(first: Passage, many: list[Passage], naming: Naming) -> str:
    what = naming.state.stream if first.gate == CLOSING else naming.step(first.step).partition(" [")[0]
    more = naming.texts("demo.and_more", n=len(many) - 1) if len(many) > 1 else ""
    return f"{what}{more}"


def _missing(one: Passage, naming: Naming) -> str:
    said = [cause(naming, text).partition(" (hikeshi")[0].partition("（hikeshi")[0] for text in one.causes]
    more = naming.texts("demo.and_more", n=len(said) - MAX_CAUSES) if len(said) > MAX_CAUSES else ""
    return "\n".join(said[:MAX_CAUSES]) + more


def _how(one: Passage, naming: Naming) -> tuple[str]:
    key = "demo.overridden" if one.overridden else "demo.held_passed" if one.held else "demo.passed"
    return (naming.texts(key, at=naming.times.at(one.passed_at)),)
