"""Starting a communication check, and what time and answers make of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from models.clock import iso
from models.comcheck import (
    ENROLLED,
    EVENT,
    EVERYTHING,
    LAST,
    LEAST,
    MAX_ASKS,
    MOST,
    NO_CHANNEL,
    Comcheck,
    StartComcheck,
    carried,
    parts_of,
    subject_of,
)
from models.commands import Acknowledge
from models.enrolled import enrolled
from models.errors import Refused
from models.exercise import EXERCISE, ConfirmAddress, Exercise
from models.fact import Draft
from models.permission import require
from models.policy import STEP_ROLES, Route
from models.reach import recipient
from models.reason import Reason
from models.routing import level_recipients
from models.rules.common import Decided, Then, text
from models.rules.exercise_common import CONTROL, must_be, must_may
from models.state import Page, Programme
from models.world import World

Rung = tuple[tuple[str, ...], tuple[str, ...]]
"""To whom, and on which channels; none named: each person's own."""


def start(state: Programme, command: StartComcheck, world: World) -> Decided:
    """One page for each person and channel of the route, all at once."""
    if command.people:
        return _of_exercise(state, command, world)
    require(command, "comcheck", state, world)
    running = next((one for one in state.comchecks.values() if one.running), None)
    if running is not None:
        # Two at once would tell the same people twice, and nobody which test they answer.
        raise Refused(Reason.ALREADY, {"what": f"{running.id} ({running.route})"})
    _must_end(command)
    route = _route(world, command.route)
    rungs = _rungs(route, command.level)
    people = _people(state, rungs, world)
    asks = _asks(people, "level", "test the levels one by one")
    number = f"CC-{state.comchecks_numbered + 1:04d}"
    started = _started(number, route.id, command, people, world)
    if opened := [who for to, _ in rungs for who in to if who in STEP_ROLES]:
        started.data["open"] = list(dict.fromkeys(opened))
    seconds = int(command.within.total_seconds())
    pages = [_page(number, route.id, seconds, one, channel, world) for one, channel in asks]
    return [started, *pages]


def _must_end(command: StartComcheck) -> None:
    if not LEAST <= command.within <= MOST:
        wrong = f"within: expected 1m to 24h, got {int(command.within.total_seconds())} s"
        raise Refused(Reason.FIELD_WRONG, {"fields": [wrong]})


def _asks(people: list[dict[str, Any]], field: str, do: str) -> list[tuple[dict[str, Any], str]]:
    """Each person with each channel. Raises Refused if that is more than one test asks."""
    asks = [(one, channel) for one in people for channel in one["channels"]]
    if len(asks) > MAX_ASKS:
        wrong = f"{field}: {len(asks)} messages at once, at most {MAX_ASKS}; {do}"
        raise Refused(Reason.FIELD_WRONG, {"fields": [wrong]})
    return asks


# -- those of an exercise -----------------------------------------------------------------------------------


def _of_exercise(state: Programme, command: StartComcheck, world: World) -> Decided:
    """One page to each address of these people: their answer over it confirms it, and nothing else does.

    The addresses are those of the drill's own files, confirmed or not. A test before it ends with this one:
    whoever was asked twice would not know which of them counts.
    """
    exercise = world.exercise()
    if exercise is None or world.marks is None:
        raise Refused(Reason.NOT_A_DRILL, {})
    must_may(exercise, command, world, CONTROL)
    must_be(exercise, "prepared", "running")
    _must_end(command)
    strangers = [one for one in command.people if not enrolled(exercise, one)]
    if strangers:
        raise Refused(Reason.NOT_ENROLLED, {"who": ", ".join(strangers)})
    people = [_taking_part(exercise, one, world) for one in dict.fromkeys(command.people)]
    asks = _asks(people, "people", "ask some of them first")
    number = f"CC-{state.comchecks_numbered + 1:04d}"
    seconds = int(command.within.total_seconds())
    pages = [_page(number, ENROLLED, seconds, one, channel, world) for one, channel in asks]
    for page, (one, channel) in zip(pages, asks, strict=True):
        page.data["detail"] = {"mark": world.marks[one["person"]][channel]}
    before = [_ended(one) for one in state.comchecks.values() if one.running]
    started = _started(number, ENROLLED, command, people, world)
    started.data["exercise"] = exercise.drill
    return [*before, started, *pages]


def _taking_part(exercise: Exercise, person: str, world: World) -> dict[str, Any]:
    """One of them with the channels that the drill has an address for, and those that are not set up here."""
    known = exercise.participants.get(person)
    roles = known.roles if known is not None else []
    ways = list((world.marks or {}).get(person, {}))
    return {
        "person": person,
        "role": roles[0] if roles else exercise.staff.get(person, ""),
        "channels": [one for one in ways if one in world.channels],
        "without": [one for one in ways if one not in world.channels],
    }


def confirming(state: Programme, page: Page, command: Acknowledge, world: World) -> Iterator[Then]:
    """An answer over the very channel that asked confirms the address that was asked, if it is still that."""
    _, person, channel = parts_of(page.subject.partition(":")[2])
    mark = page.detail.get("mark")
    if not mark or (world.marks or {}).get(person, {}).get(channel) != mark:
        return
    if carried(command.actor.via, channel) and command.who == person and command.for_ is None:
        yield Then(
            stream=EXERCISE,
            command=ConfirmAddress(actor=command.actor, person=person, channel=channel, mark=mark),
        )


def _route(world: World, name: str) -> Route:
    found = next((one for one in world.policy.routes if one.id == name), None)
    if found is None:
        known = sorted(one.id for one in world.policy.routes)
        raise Refused(Reason.NO_SUCH_ROUTE, {"route": name, "known": known})
    return found


def _rungs(route: Route, level: str) -> list[Rung]:
    """The levels to test; the last resort is one of them. Raises Refused if the route has no such level."""
    rungs: dict[str, Rung] = {str(n): (one.to, one.channels) for n, one in enumerate(route.levels, start=1)}
    rungs[LAST] = (route.exhausted.to, ())
    if level == EVERYTHING:
        return list(rungs.values())
    if level not in rungs:
        wrong = f"level: expected one of {', '.join(rungs)}, got {level}"
        raise Refused(Reason.FIELD_WRONG, {"fields": [wrong]})
    return [rungs[level]]


def _people(state: Programme, rungs: list[Rung], world: World) -> list[dict[str, Any]]:
    """Everybody whom these levels mean now, each once, with the channels that reach them and the others.

    Of somebody with an order by severity all of them: a test is about no severity, and proves each channel.
    """
    found: dict[str, dict[str, Any]] = {}
    for to, channels in rungs:
        for one in level_recipients(world, state, to, channels, ""):
            who = {name: one[name] for name in ("person", "role", "for") if name in one}
            known = found.setdefault(one["person"], who | {"channels": [], "without": []})
            person = world.directory.person(one["person"])
            wanted = channels or (person.ways if person is not None else ())
            usable = recipient(world, state, person, wanted)["channels"] if person is not None else ()
            for channel in wanted:
                which = "channels" if channel in usable else "without"
                if channel not in known[which]:
                    known[which].append(channel)
    return list(found.values())


def _started(
    number: str, route: str, command: StartComcheck, people: list[dict[str, Any]], world: World
) -> Draft:
    data: dict[str, Any] = {
        "id": number,
        "route": route,
        "level": command.level,
        "ends_at": iso(world.now + command.within),
        "recipients": [one if one["without"] else _without_empty(one) for one in people],
        "directory": world.directory.version,
    }
    texts = {"reason": text(command.reason, "reason")} if command.reason.strip() else {}
    return Draft(kind="comcheck.started", data=data, texts=texts)


def _without_empty(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != "without"}


def _page(number: str, route: str, seconds: int, one: dict[str, Any], channel: str, world: World) -> Draft:
    """A page of one level that nobody else may answer; it ends with the test (`models.page`)."""
    recipient = {name: one[name] for name in ("person", "role", "for") if name in one}
    return Draft(
        kind="page.asked",
        data={
            "event": EVENT,
            "subject": subject_of(number, one["person"], channel),
            "route": route,
            "within": [seconds],
            "repeat": [0],
            "all": [False],
            "every": seconds,
            "renew": 0,
            "recipients": [recipient | {"channels": [channel]}],
            "directory": world.directory.version,
            "detail": {},
        },
    )


# -- the end ------------------------------------------------------------------------------------------------


def comchecks_due(state: Programme, world: World) -> Iterator[Draft]:
    """Tests whose time is over."""
    for one in state.comchecks.values():
        if one.running and one.ends_at <= world.now:
            yield _ended(one)


def comcheck_instants(state: Programme) -> Iterator[datetime]:
    """When `comchecks_due` has something to say."""
    return (one.ends_at for one in state.comchecks.values() if one.running)


def comchecks_complete(state: Programme) -> list[Draft]:
    """Tests on which everybody has answered on every channel: there is nothing left to wait for."""
    return [_ended(one) for one in state.comchecks.values() if one.running and one.complete]


def _ended(one: Comcheck) -> Draft:
    """The result names who did not answer, who has no channel, which delivery failed."""
    why = {person: one.why_not(person) for person in one.people}
    data = {
        "id": one.id,
        "reached": [person for person, reason in why.items() if reason is None],
        "silent": [person for person, reason in why.items() if reason not in {None, NO_CHANNEL}],
        "nowhere": [person for person, reason in why.items() if reason == NO_CHANNEL],
        "failed": [{"person": ask.person, "channel": ask.channel} for ask in one.asks if ask.failed],
    }
    return Draft(kind="comcheck.ended", data=data)
