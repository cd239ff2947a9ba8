"""What a desk is given (the institution, today's playbooks), and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from models.fact import Fact
from models.frozen import FrozenPlaybook, freeze_playbook
from models.marks import Marks
from models.organisation import Organisation
from models.playbook import Playbook
from models.policy import Policy
from models.reason import Reason

if TYPE_CHECKING:
    from models.hooks import Webhook
    from models.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class Premises:
    """What the institution's directory says, as the desk needs it. `channels` are those that are set up.

    `scenario` is what is played in a drill's directory, `marks` those of the addresses in it. `hooks` are the
    other systems that are told.
    """

    organisation: Organisation
    policy: Policy
    playbooks: Mapping[str, Playbook]
    channels: frozenset[str] = frozenset({"console", "file"})
    drill: bool = False
    scenario: Scenario | None = None
    marks: Marks | None = None
    hooks: tuple[Webhook, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a command: the facts written, or the named reason of the refusal."""

    stream: str
    facts: tuple[Fact, ...] = ()
    refused: Reason | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
    queued: int = 0
    opened: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the record has it."""
        return self.refused is None

    def kinds(self) -> tuple[str, ...]:
        """The kinds of the facts written, in order."""
        return tuple(fact.kind for fact in self.facts)


class Library(Mapping[str, FrozenPlaybook]):
    """Playbooks of today, frozen when first asked for: most commands need none."""

    def __init__(self, playbooks: Mapping[str, Playbook]) -> None:
        self._playbooks = playbooks
        self._frozen: dict[str, FrozenPlaybook] = {}

    def __getitem__(self, name: str) -> FrozenPlaybook:
        if name not in self._frozen:
            self._frozen[name] = freeze_playbook(name, self._playbooks)
        return self._frozen[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._playbooks)

    def __len__(self) -> int:
        return len(self._playbooks)

    def __contains__(self, name: object) -> bool:
        return name in self._playbooks

    def frozen(self) -> tuple[FrozenPlaybook, ...]:
        """Those that have been frozen so far."""
        return tuple(self._frozen.values())
