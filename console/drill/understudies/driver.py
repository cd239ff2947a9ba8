"""Understudies at work: they look at the record, and act through the desk when their time has come.

Used by the drill's node from the thread of the record, and by everything that plays a drill in one process.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from console.drill.understudies.noticed import Noticed
from console.drill.understudies.plan import next_acts
from console.drill.understudies.seen import Act, Seen
from console.drill.understudies.times import Times, shipped_times
from console.drill.understudies.words import Words
from models.desk import HOUSE, INTAKE, Desk
from models.exercise import EXERCISE, Exercise
from models.exercise_conditions import holds, names_of
from models.premises import Outcome
from models.scenario import Scenario
from models.state import StreamState

MAX_TRIES = 3
"""How often an act that was refused is tried again, each time only after something has changed."""
OTHERS = (HOUSE, INTAKE, "programme")


class Understudies:
    """Everybody whom nobody plays. Not for several threads at once."""

    def __init__(self, desk: Desk, scenario: Scenario, lang: str, times: Times | None = None) -> None:
        self.desk = desk
        self.scenario = scenario
        self.words = Words("en" if lang == "en" else "ja")
        self.times = times or shipped_times()
        self._noticed: dict[str, Noticed] = {}
        self._refused: dict[str, tuple[int, int]] = {}
        self._looked: tuple[object, ...] = ()
        self._planned: tuple[Act, ...] = ()

    def acts(self) -> tuple[Act, ...]:
        """What is to be done, the earliest first, without what was refused and looks the same still."""
        exercise = self.desk.state(EXERCISE)
        if not isinstance(exercise, Exercise) or exercise.status != "running":
            return ()
        with self.desk.record.read() as tx:
            names = (*tx.incidents(), *OTHERS)
        streams = [self.desk.state(name) for name in names]
        # Until a fact is added or a shift ends nothing else comes out, and a node looks many times a second.
        on_duty = self.desk.directory.unchanged_since(self.desk.clock.now())
        looked = (on_duty, exercise.seq, *((one.stream, one.seq) for one in streams))
        if looked != self._looked:
            self._planned = next_acts(self._look(exercise, exercise), self._looks(streams, exercise))
            self._looked = looked
        return tuple(one for one in self._planned if self._worth_trying(one))

    def _looks(self, streams: Iterable[StreamState], exercise: Exercise) -> list[Seen]:
        return [self._look(one, exercise) for one in streams]

    def next_at(self) -> datetime | None:
        """When somebody acts next; None if nobody has anything to do."""
        return next((one.at for one in self.acts()), None)

    def act(self) -> tuple[Act, Outcome] | None:
        """Carry out the first act whose time has come, and say what became of it; None if there is none."""
        first = next(iter(self.acts()), None)
        if first is None or first.at > self.desk.clock.now():
            return None
        outcome = self.desk.handle(first.stream, first.command)
        if not outcome.accepted:
            tried = self._refused.get(first.about, (0, 0))[0]
            self._refused[first.about] = (tried + 1, self._seq(first))
        return first, outcome

    def _look(self, state: StreamState, exercise: Exercise) -> Seen:
        noticed = self._noticed.setdefault(state.stream, Noticed())
        with self.desk.record.read() as tx:
            noticed.take(tx.facts(state.stream, noticed.seq))
        world = self.desk.world(state)

        def condition(source: str) -> bool:
            return holds(source, names_of(world.cases(), exercise.injects))

        return Seen(
            state=state,
            world=world,
            scenario=self.scenario,
            exercise=exercise,
            noticed=noticed,
            holds=condition,
            words=self.words,
            times=self.times,
        )

    def _worth_trying(self, act: Act) -> bool:
        tried, seq = self._refused.get(act.about, (0, 0))
        return not tried or (tried < MAX_TRIES and seq != self._seq(act))

    def _seq(self, act: Act) -> int:
        return self.desk.state(act.stream or EXERCISE).seq
