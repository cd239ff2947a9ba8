"""What time and the players' acts bring in: injects, leaps, outcomes, and that it could end.

Each event is written at its own hour of the story, however late somebody looks, and the next one is judged
after it: so the order, the count and the times are those of the script at any speed. An inject with a time
and a condition is looked at once, at its time. What has a condition alone comes as soon as that holds: time
and every commit on an incident of the drill look (`models.desk`). Nothing ends by itself; but when the time
is up the story stands until control ends it or lets it go on: no drill that was left alone runs for hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from models.clock import iso
from models.exercise import Delivered, Exercise, Line
from models.exercise_conditions import holds, names_of
from models.exercise_script import Script, milliseconds
from models.fact import Draft
from models.reason import Reason
from models.rules.exercise_common import control_of, notice, to_people
from models.rules.exercise_injects import delivery
from models.world import World

TIME_UP = "ending:time"


class _Turn:
    """One look at the exercise: what it has given so far counts for what follows."""

    def __init__(self, state: Exercise, world: World) -> None:
        self.state, self.world = state, world
        self.given: dict[str, Delivered] = dict(state.injects)
        self.told = set(state.told)
        self.script = Script(world.scenario, state, self.given)
        self.names = names_of(world.cases(), self.given)

    def due(self) -> Iterator[Draft]:
        """Everything that is due by now, in its order."""
        while (event := self._next()) is not None and event[0] <= self.world.now:
            at, name = event
            yield from self._dated(self._take(name, at), at)
            yield from self.follows(at)

    def follows(self, at: datetime) -> Iterator[Draft]:
        """What has a condition alone, as far as that holds; one may bring in another."""
        while (line := self._brought()) is not None:
            yield from self._dated(self._deliver(line.id, at), at)

    def _brought(self) -> Line | None:
        alone = (
            one
            for name, one in self.state.lines.items()
            if name not in self.given and one.at_ms is None and one.after is None
        )
        return next((one for one in alone if holds(one.when or "", self.names)), None)

    def _next(self) -> tuple[datetime, str] | None:
        """The next thing with a time: at the same hour leaps come first, and the end of the time last."""
        found = [(at, f"leap:{n}") for n, at in self.script.leaps() if f"leap:{n}" not in self.told]
        if (inject := self.script.upcoming()) is not None:
            found.append((inject[1], f"inject:{inject[0].id}"))
        end = self.script.endex
        if end is not None and TIME_UP not in self.told:
            found.append((end, TIME_UP))
        return min(found, key=lambda one: one[0], default=None)

    def _take(self, event: str, at: datetime) -> list[Draft]:
        kind, _, name = event.partition(":")
        if kind == "inject":
            line = self.state.lines[name]
            return self._deliver(name, at) if self._wanted(line) else [self._not_needed(name, at)]
        self.told.add(event)
        if kind == "leap":
            people = to_people(self.state, self.state.participants, self.world)
            return [told("leap.told", event), notice("notice.leap", event, people)]
        return [*ending(self.state, event, self.world), *standing(self.state)]

    def _wanted(self, line: Line) -> bool:
        return line.when is None or holds(line.when, self.names)

    def _deliver(self, name: str, at: datetime) -> list[Draft]:
        played = self._give(name, "planned", at)
        return delivery(self.state, name, "planned", played, self.world)

    def _not_needed(self, name: str, at: datetime) -> Draft:
        played = self._give(name, "not-needed", at)
        data = {"inject": name, "how": "not-needed", "played_ms": played}
        return Draft(kind="inject.skipped", data=data | {"reason": Reason.CONDITION_FALSE.value})

    def _give(self, name: str, how: Any, at: datetime) -> int:
        played = milliseconds(self.script.played_of(at))
        self.given[name] = Delivered(id=name, how=how, at=at, played_ms=played)
        return played

    @staticmethod
    def _dated(drafts: list[Draft], at: datetime) -> Iterator[Draft]:
        return (Draft(kind=one.kind, data=one.data, texts=one.texts, at=at) for one in drafts)


def told(kind: str, name: str, **data: Any) -> Draft:
    """That something has been told, which is never told again."""
    return Draft(kind=kind, data={"told": name} | data)


def ending(state: Exercise, name: str, world: World) -> list[Draft]:
    """Whoever runs it learns that it could end now; the decision is theirs."""
    people = to_people(state, control_of(state), world)
    return [told("ending.reached", name), notice("notice.ending_reached", name, people)]


def standing(state: Exercise) -> list[Draft]:
    """It pauses at the end of the time that the scenario gives; `resume` is how control lets it go on.

    A rule knows no wall: the fact says at what instant so much can have been played at the earliest.
    """
    timing = state.timing
    if timing is None or not timing.running:
        return []
    played = max(state.duration_ms, timing.played_ms)
    wall = timing.wall + timedelta(milliseconds=(played - timing.played_ms) // timing.speed)
    data = {"played_ms": played, "wall": iso(wall), "speed": timing.speed, "running": False}
    return [Draft(kind="timing.set", data=data | {"what": "time-up"})]


def exercise_due(state: Exercise, world: World) -> list[Draft]:
    """What the time of the story has come to; nothing before STARTEX and nothing after the end."""
    if state.status != "running":
        return []
    turn = _Turn(state, world)
    return [*turn.due(), *_following(turn)]


def exercise_follows(state: Exercise, world: World) -> list[Draft]:
    """What follows from what the players did and from what came in: injects, outcomes, endings."""
    if state.status != "running":
        return []
    return list(_following(_Turn(state, world)))


def _following(turn: _Turn) -> Iterator[Draft]:
    yield from turn.follows(turn.world.now)
    yield from _outcomes(turn.state, turn.world, turn.names)
    yield from _endings(turn.state, turn.world, turn.names)


def exercise_instants(state: Exercise) -> Iterator[datetime]:
    """When `exercise_due` has something to say."""
    if state.status != "running":
        return
    script = Script(None, state)
    if (inject := script.upcoming()) is not None:
        yield inject[1]
    yield from (at for number, at in script.leaps() if f"leap:{number}" not in state.told)
    if script.endex is not None and TIME_UP not in state.told:
        yield script.endex


def _endings(state: Exercise, world: World, names: Mapping[str, Callable[..., Any]]) -> Iterator[Draft]:
    for number, when in enumerate(state.endings, start=1):
        if f"ending:{number}" not in state.told and holds(when, names):
            yield from ending(state, f"ending:{number}", world)


def _outcomes(state: Exercise, world: World, names: Mapping[str, Callable[..., Any]]) -> Iterator[Draft]:
    """What came of a step, once it is over: the first that fits how it ended and whose condition holds."""
    statuses = {
        key: known.status
        for case in world.cases().values()
        for key, known in case.steps.items()
        if known.status in {"done", "failed", "unknown"} and f"outcome:{key}" not in state.told
    }
    for number, one in enumerate(world.scenario.outcomes if world.scenario is not None else (), start=1):
        if statuses.get(one.step) != one.result or (one.when is not None and not holds(one.when, names)):
            continue
        del statuses[one.step]
        name = f"outcome:{one.step}"
        yield told("outcome.told", name, number=number, step=one.step)
        if one.text is not None:
            yield notice("notice.outcome", f"outcome:{number}", to_people(state, state.participants, world))
