"""A record as it is read for a replay: its facts, the texts beside them, and what they refer to.

Pure. A text that was disposed of becomes a placeholder, and the place where it stood is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from models.actor import Actor
from models.commands import Command
from models.fact import SYSTEM, Fact

DISPOSED = "(disposed of)"
"""Stands where a text stood that is no more."""
RULES, WATCH = "rules", "watch"
"""The `via` of what follows by rule, and of what time brings: derived anew, never commanded."""
_DIGEST = re.compile(r"t:[0-9a-f]{64}")
SETTLING = frozenset({"step.done", "step.failed", "step.unknown", "collection.ended"})
"""Facts that stand at the end of what a machine or a collection brought."""


def is_digest(value: object) -> bool:
    """Whether a value of a fact stands for a text beside it."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


@dataclass(frozen=True, kw_only=True)
class Act:
    """One command that somebody, or a machine, gave; `facts` are those that it came to by itself.

    `refs` are fields of the command that hold the number of a fact of the record: a replay's numbers differ.
    `freezes` are the playbooks that the act took up, by digest.
    """

    command: Command
    facts: tuple[Fact, ...]
    refs: Mapping[str, int] = field(default_factory=dict)
    freezes: Mapping[str, str] = field(default_factory=dict)
    disposed: tuple[str, ...] = ()

    @property
    def seq(self) -> int:
        """The number of its first fact."""
        return self.facts[0].seq

    @property
    def at(self) -> datetime:
        """When it was given."""
        return self.facts[0].recorded_at


@dataclass(frozen=True, kw_only=True)
class Look:
    """The watch looked at this instant and wrote what time had brought; `seq` is its first fact."""

    at: datetime
    seq: int


class Past:
    """The facts of one record with their texts by digest; None is a text that was disposed of."""

    def __init__(self, facts: Sequence[Fact], texts: Mapping[str, str | None]) -> None:
        self.facts = tuple(facts)
        self.texts = texts
        self.by_seq = {fact.seq: fact for fact in self.facts}
        self.scope: dict[str, tuple[str, str, str]] = {}
        self.claims: dict[str, Fact] = {}
        self.messages: set[str] = set()
        self.restricted = False

    def passed(self, fact: Fact) -> None:
        """Remember what later facts take for granted."""
        data = fact.data
        if fact.kind == "scope.added":
            self._known(data["id"], data)
        elif fact.kind == "scope.imported":
            for number, item in data["items"].items():
                self._known(number, item)
        elif fact.kind == "step.started" and "node" in data:
            self.claims[data["step"]] = fact
        elif fact.kind == "outgoing.drafted":
            self.messages.add(data["message"])
        elif fact.kind in {"incident.restricted", "incident.unrestricted"}:
            self.restricted = fact.kind == "incident.restricted"

    def _known(self, number: str, item: Mapping[str, Any]) -> None:
        name = self.texts.get(item["name"]) or DISPOSED
        self.scope[number] = (item["kind"], item.get("type", ""), name)


class Group:
    """The facts of one command, read back; `main` is the one that the command is about."""

    def __init__(self, past: Past, facts: Sequence[Fact]) -> None:
        self.past = past
        self.facts = tuple(facts)
        settling = [fact for fact in facts if fact.kind in SETTLING]
        collected = facts[0].kind in {"evidence.added", "source.unreachable"} and settling
        self.main: Fact = settling[0] if collected else facts[0]
        self.data: dict[str, Any] = self.main.data
        self.disposed: list[str] = []
        self.refs: dict[str, int] = {}
        self.freezes: dict[str, str] = {}

    @property
    def base(self) -> dict[str, Any]:
        """Who gave the command, for whom, and when it had happened if not then."""
        first, main = self.facts[0], self.main
        person = first.actor
        actor = (
            Actor.machine(first.via) if person == SYSTEM else Actor(person=person, name=person, via=first.via)
        )
        return {"actor": actor, "for_": first.for_, "at": main.at if main.at != main.recorded_at else None}

    @property
    def who(self) -> str:
        """Whose act it was."""
        return self.facts[0].for_ or self.facts[0].actor

    def text(self, name: str, data: Mapping[str, Any] | None = None, default: str = "") -> str:
        """The text of a field; a value that is no digest is the text itself."""
        value = (self.data if data is None else data).get(name)
        if value is None:
            return default
        return self.body(value)

    def body(self, value: Any) -> str:
        """What a digest stands for; a placeholder if that was disposed of, which is remembered."""
        if not is_digest(value):
            return str(value)
        found = self.past.texts.get(value)
        if found is None:
            self.disposed.append(value)
            return DISPOSED
        return found

    def told(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Typed values as somebody writes them."""
        return {name: self.written(value) for name, value in values.items()}

    def written(self, value: Any) -> str:
        """One typed value as somebody writes it."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return ", ".join(str(one) for one in value)
        return self.body(value)

    def of(self, kind: str) -> list[Fact]:
        """The facts of a kind among these."""
        return [fact for fact in self.facts if fact.kind == kind]

    def has(self, kind: str) -> bool:
        """Whether there is one of a kind."""
        return any(fact.kind == kind for fact in self.facts)


def instant(text: str | None) -> datetime | None:
    """An instant of a fact."""
    return datetime.fromisoformat(text) if text else None


def seconds(span: timedelta) -> int:
    """Whole seconds."""
    return int(span.total_seconds())
