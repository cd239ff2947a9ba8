"""How one person is reached for one severity: the order of channels, what is tried later, and quiet hours.

Pure. What was resolved is written into the fact that asks: a changed file moves nothing that has begun. A
page is kept from somebody asleep only while somebody else of its level is woken: see `hushed`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.clock import iso, utc
from models.enrolled import reachable as may_reach
from models.marks import SCRIPT
from models.organisation import Person, Quiet, Reach
from models.state import Incident, StreamState
from models.world import World

HELD, KEPT, BROKEN = "held", "kept", "broken"
"""What quiet hours made of a page: kept from this person, sent only where it may be, or sent all the same."""


def reach_of(world: World, state: StreamState, person: Person) -> Reach | None:
    """The person's first rule for this severity; None if `channels` say it all.

    What is no incident (Hikeshi itself, the programme) is taken for the gravest severity.
    """
    return next((one for one in person.reach if _fits(one, world, state)), None)


def _rank(world: World, state: StreamState) -> int:
    severity = world.policy.severity
    return severity.rank(state.severity) if isinstance(state, Incident) else len(severity.severities) - 1


def _fits(reach: Reach, world: World, state: StreamState) -> bool:
    severity = world.policy.severity
    rank = _rank(world, state)
    if reach.at_least is not None and not 0 <= severity.rank(reach.at_least) <= rank:
        return False
    return not reach.severities or rank in {severity.rank(name) for name in reach.severities}


def recipient(world: World, state: StreamState, person: Person, named: tuple[str, ...]) -> dict[str, Any]:
    """Channels that reach the person, in order, with the seconds after which a later one is tried as well.

    `named` are those of the route's level, which then says it all: no delays. The first that can be used goes
    at once, whatever stands beside it. `held_until` is the end of quiet hours that are on for this matter.
    """
    reach = reach_of(world, state, person)
    own = tuple(one.channel for one in reach.channels) if reach is not None else person.channels
    wanted = [one for one in named or own if person.address(one) and allowed(world, person, one)]
    usable = [one for one in wanted if one in world.channels]
    # With nothing else left the outbox gives it up at once, and the fallback or the next level gets it.
    usable = usable or [one for one in wanted if one in world.distrusted]
    found: dict[str, Any] = {"channels": usable}
    if reach is None:
        return found
    spans = {one.channel: int(one.after.total_seconds()) for one in reach.channels if one.after is not None}
    after = {name: spans[name] for name in usable[1:] if name in spans} if not named else {}
    if after:
        found["after"] = after
    if reach.quiet is not None and not _exempt(reach.quiet, world, state):
        ends = quiet_until(reach.quiet, world.organisation.zone, world.now)
        if ends is not None:
            found["held_until"] = iso(ends)
    return found


def allowed(world: World, person: Person, channel: str) -> bool:
    """In an exercise nobody is reached but those enrolled for it, where they have confirmed it (P8)."""
    exercise = world.exercise() if world.drill else None
    if exercise is None:
        # A drill's directory in which nothing has been prepared reaches nobody.
        return world.marks is None or channel == SCRIPT
    return may_reach(exercise, person.id, channel, world.marks)


def _exempt(quiet: Quiet, world: World, state: StreamState) -> bool:
    """Grave enough to wake somebody. A severity that is not known any more exempts: rather once too often."""
    return _rank(world, state) >= world.policy.severity.rank(quiet.except_at_least)


def quiet_until(quiet: Quiet, zone: str, now: datetime) -> datetime | None:
    """When the quiet hours that are on at `now` end, in UTC; None if none are on.

    By the clock on the wall of their zone (else `zone`), also on the days on which it is set.
    """
    local = now.astimezone(ZoneInfo(quiet.zone or zone))
    clock = local.time().replace(tzinfo=None)
    if quiet.since <= quiet.until:
        on = quiet.since <= clock < quiet.until
    else:
        on = clock >= quiet.since or clock < quiet.until
    if not on:
        return None
    day = local.date() if clock < quiet.until else local.date() + timedelta(days=1)
    ends = datetime.combine(day, quiet.until, local.tzinfo)
    # In the hour that comes twice the end may be the later of the two.
    return utc(ends) if utc(ends) > now else utc(ends.replace(fold=1))


def hushed(people: list[dict[str, Any]], world: World, state: StreamState) -> list[dict[str, Any]]:
    """The same people as a page reaches them: in quiet hours only where it may, `quiet` says so.

    If that would leave nobody at the level, it goes out all the same: a page never ends silently.
    """
    kept = [_hushed(one, world, state) for one in people]
    if any(one["channels"] for one in kept):
        return kept
    return loud(people)


def loud(people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same people, woken whatever their quiet hours say; `quiet` says that some were."""
    return [_without_hold(one) | ({"quiet": BROKEN} if "held_until" in one else {}) for one in people]


def _hushed(one: dict[str, Any], world: World, state: StreamState) -> dict[str, Any]:
    person = world.directory.person(one["person"])
    if "held_until" not in one or person is None:
        return one
    reach = reach_of(world, state, person)
    allowed = {each.channel for each in reach.channels if each.quiet} if reach is not None else set()
    channels = [name for name in one["channels"] if name in allowed]
    after = {name: span for name, span in one.get("after", {}).items() if name in channels[1:]}
    found = _without_hold(one) | {"channels": channels, "quiet": KEPT if channels else HELD}
    found.pop("after", None)
    return found | ({"after": after} if after else {})


def reachable(people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of some recipients whom a channel reaches, now or when their quiet hours are over."""
    return [one for one in people if one["channels"]]


def _without_hold(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != "held_until"}
