"""The end of an incident: resolved, an improvement, closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from console.drill.understudies.seen import Act, Seen, actor, first
from models.commands import AddImprovement, Close, Command, Resolve
from models.policy import PHASES

LEADS = ("csirt-lead", "commander", "ciso")
IMPROVE_WITHIN = timedelta(days=60)


def ended(seen: Seen) -> Iterator[Act]:
    """The next thing that whoever leads does to end the incident."""
    person = first(seen.understudies(*LEADS))
    step = _next(seen, person) if person is not None else None
    if person is None or step is None:
        return
    about, since, command = step
    yield seen.act(since + seen.after(seen.times.end, person, about), command, about)


def _next(seen: Seen, person: str) -> tuple[str, datetime, Command] | None:
    state, who = seen.incident, actor(person)
    ended_at = {name: phase.ended_at for name, phase in state.phases.items() if phase.status == "ended"}
    last = max((at for at in ended_at.values() if at is not None), default=seen.world.now)
    if state.status == "open" and set(PHASES[:-1]) <= set(ended_at):
        cause, route = seen.words("cause"), seen.words("entry_route")
        return "resolve", last, Resolve(actor=who, cause=cause, entry_route=route)
    if state.status != "resolved" or state.resolved_at is None:
        return None
    if not state.improvements:
        return "improve", state.resolved_at, _improvement(seen, person)
    if set(PHASES) <= set(ended_at):
        since = max(last, state.watch_until or last)
        return "close", since, Close(actor=who, assessment=seen.words("assessment"))
    return None


def _improvement(seen: Seen, person: str) -> AddImprovement:
    owner = next((one.person.id for one in seen.world.holders(seen.incident, "it-ops")), person)
    due = seen.world.now + IMPROVE_WITHIN
    return AddImprovement(actor=actor(person), title=seen.words("improvement"), owner=owner, due=due)
