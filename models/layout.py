"""All steps of an incident in their order: those of its playbooks, then those added by hand.

Laying them out anew for each command would cost more than the command, so layouts are kept. They hang on the
playbooks and on the added steps alone, and incidents with the same ones share them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from models.plan import Plan, PlannedStep
from models.playbook import Step
from models.state import Incident

LAYOUTS_KEPT = 64
"""Of the incidents that are worked on now; another is laid out again when it is asked for."""


class Layout:
    """The steps by key, in their order. Read only."""

    def __init__(self, steps: dict[str, PlannedStep], added: tuple[dict[str, Any], ...] = ()) -> None:
        self.steps = steps
        self.added = added
        self._those: dict[Hashable, tuple[PlannedStep, ...]] = {}

    def those(self, name: Hashable, which: Callable[[PlannedStep], bool]) -> tuple[PlannedStep, ...]:
        """The steps for which `which` holds, kept under `name`: what it asks must never change."""
        found = self._those.get(name)
        if found is None:
            found = self._those[name] = tuple(one for one in self.steps.values() if which(one))
        return found


class Layouts:
    """The layouts of one desk."""

    def __init__(self) -> None:
        self._kept: dict[tuple[tuple[tuple[str, str], ...], tuple[str, ...]], Layout] = {}

    def of(self, state: Incident, plans: Mapping[str, Plan]) -> Layout:
        """The incident's, as it stands now; `plans` are its own."""
        by_hand = {key: known.added for key, known in state.steps.items() if known.added is not None}
        books = tuple((name, use.digest) for name, use in state.playbooks.items())
        key, added = (books, tuple(by_hand)), tuple(by_hand.values())
        found = self._kept.get(key)
        # A step may have been added in a transaction that failed, and then again as another.
        if found is None or found.added != added:
            steps: dict[str, PlannedStep] = {}
            for name in state.playbooks:
                steps.update(plans[name].steps)
            steps |= {name: by_hand_of(name, one) for name, one in by_hand.items()}
            if len(self._kept) >= LAYOUTS_KEPT:
                del self._kept[next(iter(self._kept))]
            found = self._kept[key] = Layout(steps, added)
        return found


def by_hand_of(key: str, definition: dict[str, Any]) -> PlannedStep:
    """A step that was added by hand, from its definition."""
    return _added(key, msgspec.json.encode(definition))


@lru_cache(maxsize=4_000)
def _added(key: str, definition: bytes) -> PlannedStep:
    """Kept, because reading it costs more than all else in a command."""
    return PlannedStep(
        key=key,
        step=Step.model_validate_json(definition),
        after=(),
        after_any=(),
        scope=key.rsplit("/", 1)[0],
        caller=None,
    )
