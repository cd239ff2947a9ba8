"""One incident's channel as it has to be now: what is known of it, its name, what fits into it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from console.views.naming import Naming
from models.fact import Fact
from models.mirror import Mirror
from models.rooms import MAX_ROOMS, Room
from models.state import Incident

VIA = "slack"
MAX_BOARD = 13_000
MAX_NAME = 80
_NOT_IN_NAMES = re.compile(r"[^\w-]+")


@dataclass(kw_only=True)
class Shown:
    """One incident as its channel has to show it now. `more` says that not all of its facts are here."""

    stream: str
    naming: Naming
    state: Incident
    known: dict[str, Mirror]
    facts: tuple[Fact, ...]
    more: bool = False
    channel: str = ""
    moved: bool = False

    @property
    def room(self) -> Room | None:
        """The channel that the record knows, if it knows one."""
        return self.state.rooms.get(VIA)

    def mirror(self, part: str) -> Mirror:
        """What is remembered of a part."""
        name = f"{prefix(self.stream)}{part}"
        return self.known.get(name) or Mirror(id=name, stream=self.stream)


def prefix(stream: str) -> str:
    """How the names of all that is remembered of a channel begin."""
    return f"room:{stream}:"


def channel_name(template: str, state: Incident, *, drill: bool) -> str:
    """The channel's name from its template; nothing of the incident's title goes into it."""
    parts = state.stream.split("-")
    filled = template.format(
        incident=state.stream.lower(),
        year=parts[1] if len(parts) > 1 else "",
        number=parts[-1],
        # The names of private channels are seen by some who are not in them.
        playbook="unknown" if state.restriction.on else next(iter(state.playbooks), "unknown"),
        severity="" if state.restriction.on else state.severity,
    )
    name = _NOT_IN_NAMES.sub("-", filled.lower()).strip("-")
    return (f"drill-{name}" if drill else name)[:MAX_NAME]


def candidates(name: str) -> Iterator[str]:
    """The name, and what is tried where somebody else has it: anybody may have made a channel beforehand."""
    yield name
    for number in range(2, MAX_ROOMS + 1):
        yield f"{name[: MAX_NAME - 2]}-{number}"


def fitting(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many sections as Slack takes in one message; head, time and buttons always."""
    room = MAX_BOARD
    kept = []
    for number, block in enumerate(blocks):
        size = len((block.get("text") or {}).get("text") or "")
        if block["type"] == "section" and number and size > room:
            continue
        room -= size
        kept.append(block)
    return kept
