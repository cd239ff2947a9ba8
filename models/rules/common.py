"""What the rules of commands share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from models.commands import Command
from models.errors import Refused
from models.fact import Draft
from models.plan import PlannedStep
from models.reach import reachable
from models.reason import Reason
from models.state import ENDED, Incident, StepState
from models.world import World

MAX_TITLE = 300
MAX_TEXT = 8_000
LEEWAY = timedelta(minutes=2)
"""How far ahead of this node's clock a reported instant may lie: clocks differ."""

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = timedelta(days=3_650)
LONG_BEFORE = timedelta(days=365)
"""How long before its declaration an incident may have been reported, where nobody knows when it began."""


@dataclass(frozen=True, kw_only=True)
class Then:
    """A command that belongs to another stream, in the same transaction. `stream` None opens an incident."""

    stream: str | None
    command: Command


Decided = Sequence[Draft | Then]


def text(value: str, field: str, limit: int = MAX_TEXT) -> str:
    """`value` stripped. Raises Refused if it is empty or too long."""
    clean = value.encode("utf-8", "replace").decode("utf-8").strip()
    if not clean:
        reason = Reason.REASON_MISSING if field == "reason" else Reason.EMPTY
        raise Refused(reason, {"field": field})
    if len(clean) > limit:
        raise Refused(Reason.TOO_LONG, {"field": field, "limit": limit, "length": len(clean)})
    return clean


def word(value: str, field: str, limit: int) -> str:
    """A kind or an id, which stands in the fact itself: one printable line. Raises Refused."""
    clean = text(value, field, limit)
    if not clean.isprintable():
        what = f"{field}: expected one line of printable characters; put words about it into the description"
        raise Refused(Reason.FIELD_WRONG, {"fields": [what]})
    return clean


def past(instant: datetime, field: str, world: World) -> datetime:
    """`instant`, which must not lie ahead. Raises Refused."""
    if instant > world.now + LEEWAY:
        raise Refused(Reason.IN_FUTURE, {"field": field, "instant": instant.isoformat()})
    return instant


def within_reach(instant: datetime, now: datetime) -> bool:
    """Whether a time is one that somebody may mean: calendars and deadlines cannot count from any other."""
    return EARLIEST <= instant <= now + LATEST


def earliest_report(state: Incident) -> datetime:
    """Before this nothing can have been reported of the incident: a slip in the year would move deadlines."""
    assert state.declared_at is not None  # noqa: S101 - `decide` lets nothing happen to what was not declared
    known = [state.instants[name] for name in ("occurred", "detected") if name in state.instants]
    return min(known, default=state.declared_at - LONG_BEFORE)


def must_be_open(state: Incident, *also: str) -> None:
    """Raises Refused unless the incident is open, or in one of the states named."""
    if state.status not in {"open", *also}:
        raise Refused(Reason.NOT_OPEN, {"incident": state.stream, "status": state.status})


def must_not_have_ended(state: Incident) -> None:
    """Raises Refused if the incident was dismissed, cancelled or merged."""
    if state.status in ENDED:
        raise Refused(Reason.NOT_OPEN, {"incident": state.stream, "status": state.status})


def find_step(state: Incident, world: World, key: str) -> tuple[PlannedStep, StepState]:
    """The step with this key, or with this last part if only one has it. Raises Refused."""
    steps = world.steps(state)
    if key not in steps:
        ends = [one for one in steps if one.endswith(f"/{key}")]
        if len(ends) != 1:
            near = ends or sorted(steps)
            raise Refused(Reason.NO_SUCH_STEP, {"step": key, "steps": near[:12]})
        key = ends[0]
    return steps[key], state.steps.get(key) or StepState(key=key)


def must_reach(people: list[dict[str, Any]], person: str, field: str) -> None:
    """Raises Refused if no channel reaches the person, or whoever stands in for them.

    What is handed to somebody who never hears of it would lie there as if it were theirs.
    """
    if not reachable(people):
        wrong = f"{field}: no channel reaches {person}; choose somebody who can be reached"
        raise Refused(Reason.FIELD_WRONG, {"fields": [wrong]})


def find_service(world: World, service: str) -> str:
    """The service's id. Raises Refused if the register has none such."""
    if world.directory.service(service) is None:
        known = sorted(one.id for one in world.organisation.services)
        raise Refused(Reason.NO_SUCH_SERVICE, {"service": service, "known": known})
    return service
