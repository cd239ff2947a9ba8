"""After a change of the rules: what is due sooner than it was, listed before it fires.

Every stream's due time was reckoned by some rules. Where those are not ours it is reckoned anew. What is due
later, or not any more, is put right at once; what is due sooner waits until the house has listed it. What was
due by the old rules as well never waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.clock import from_micros, iso
from models.commands import Command, Impair
from models.fact import Draft
from models.rules.common import Decided
from models.rules.others import impair
from models.state import House
from models.world import World

RULES = "rules"
"""What is impaired until somebody has taken note of what is due sooner."""
NEVER = "never"
LISTED_AT_ONCE = 500
"""Streams in one fact."""
NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Reckoned:
    """A stream's due time by the rules before and by ours, and the kinds of fact that would follow then."""

    stream: str
    was: datetime | None
    now: datetime | None
    brings: tuple[str, ...] = ()

    @property
    def sooner(self) -> bool:
        """Whether something fires that would not have fired yet."""
        return self.now is not None and (self.was is None or self.now < self.was)

    @property
    def changed(self) -> bool:
        """Whether it is due at another time at all."""
        return self.now != self.was

    def told(self) -> list[str]:
        """As it stands in the list: when it is due, when it was, and what that brings."""
        return [_said(self.now), _said(self.was), *self.brings]


@dataclass(frozen=True, kw_only=True)
class NoteRules(Command):
    """The house lists what other rules have changed, before it fires. `streams` were reckoned anew."""

    before: int
    rules: int
    streams: int
    changes: tuple[Reckoned, ...] = ()


def note_rules(state: House, command: NoteRules, world: World) -> Decided:
    """What is due sooner pages somebody, as a part that does not work would."""
    sooner = [one for one in command.changes if one.sooner]
    later = [one for one in command.changes if one.changed and not one.sooner]
    data = {
        "before": command.before,
        "rules": command.rules,
        "streams": command.streams,
        "sooner": {one.stream: one.told() for one in sooner},
        "later": {one.stream: one.told() for one in later},
    }
    noted = Draft(kind="rules.changed", data=data)
    if not sooner:
        return [noted]
    named = ", ".join(f"{one.stream} {_said(one.now)}" for one in sooner[:NAMED])
    detail = f"newly due under rules {command.rules}: {named}" + (", …" if len(sooner) > NAMED else "")
    return [noted, *impair(state, Impair(actor=command.actor, what=RULES, detail=detail), world)]


def instant_of(stamp: int | None) -> datetime | None:
    """A due time as it is stored."""
    return from_micros(stamp) if stamp is not None else None


def parts(changes: Sequence[Reckoned]) -> list[tuple[Reckoned, ...]]:
    """As many facts as the list needs; one if there is nothing in it."""
    cut = [tuple(changes[at : at + LISTED_AT_ONCE]) for at in range(0, len(changes), LISTED_AT_ONCE)]
    return cut or [()]


def _said(instant: datetime | None) -> str:
    return iso(instant) if instant is not None else NEVER
