"""The script on the time of the story: the one object from which every due time of a drill is computed.

The script lies in the record, as it was at the start and as control has changed it since; the scenario's
document is needed for the texts alone. An inject `after` another counts from when that is planned, as long as
that comes as planned; from when it came, if control gave it at another time or its condition brought it. One
that is left out moves nothing: what follows it still comes at its planned time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from models.exercise import Delivered, Exercise, Line

if TYPE_CHECKING:
    from models.scenario import Inject, Scenario

_MS = timedelta(milliseconds=1)


def milliseconds(span: timedelta) -> int:
    """A span in whole milliseconds, rounded up: what has been played is never taken back."""
    return -(-span // _MS)


class Script:
    """The times of an exercise; instants are aware, UTC, of the story. `given` stands for its injects."""

    def __init__(
        self,
        scenario: Scenario | None,
        exercise: Exercise,
        given: Mapping[str, Delivered] | None = None,
    ) -> None:
        self.scenario = scenario
        self.exercise = exercise
        self._given = exercise.injects if given is None else given

    # -- time of play and of the story ----------------------------------------------------------------------

    def story(self, played: timedelta) -> datetime | None:
        """The hour of the story after so much play, with the leaps until then; None before it is prepared."""
        start = self.exercise.startex
        if start is None:
            return None
        leaps = (by for at, by in self.exercise.leaps if at * _MS <= played)
        return start + played + sum(leaps) * _MS

    def played_of(self, instant: datetime) -> timedelta:
        """How much had been played at an hour of the story; within a leap: at the leap."""
        passed = instant - (self.exercise.startex or instant)
        leapt = timedelta(0)
        for at, by in sorted(self.exercise.leaps):
            if passed - leapt < at * _MS:
                break
            if passed - leapt - by * _MS < at * _MS:
                return at * _MS
            leapt += by * _MS
        return max(passed - leapt, timedelta(0))

    def now(self, wall: datetime) -> datetime | None:
        """The hour of the story at a real instant (aware); STARTEX while it has not begun."""
        timing = self.exercise.timing
        return self.story(timing.played(wall) if timing is not None else timedelta(0))

    @property
    def endex(self) -> datetime | None:
        """When the time that the scenario gives is up, in the story."""
        return self.story(self.exercise.duration_ms * _MS)

    def leaps(self) -> tuple[tuple[int, datetime], ...]:
        """Every leap, by its number from 1 on in the order of play, with the instant right after it."""
        ends = (self.story(at * _MS) for at, _ in sorted(self.exercise.leaps))
        return tuple((number, end) for number, end in enumerate(ends, start=1) if end is not None)

    # -- injects --------------------------------------------------------------------------------------------

    def planned(self, inject: Inject | str) -> timedelta | None:
        """The time of play at which an inject is due as things stand; None while nothing says when."""
        line = self.exercise.lines.get(inject if isinstance(inject, str) else inject.id)
        chain: list[Line] = []
        moved: timedelta | None = None
        while line is not None and line not in chain and moved is None:
            chain.append(line)
            moved = self._moved(line.after) if line.after is not None else None
            line = self.exercise.lines.get(line.after) if line.after is not None else None
        return self._along(chain, moved)

    @staticmethod
    def _along(chain: list[Line], since: timedelta | None) -> timedelta | None:
        """The time of the first of a chain whose last begins it, or follows what came at `since`."""
        for line in reversed(chain):
            if line.at_ms is not None:
                since = line.at_ms * _MS
            elif since is not None:
                since += line.later_ms * _MS
            else:
                return None
            since = max(since, line.not_before_ms * _MS)
        return since

    def _moved(self, name: str) -> timedelta | None:
        """When an inject came that did not come at its planned time."""
        given = self._given.get(name)
        line = self.exercise.lines.get(name)
        unplanned = line is not None and line.at_ms is None and line.after is None
        if given is None or not (given.how == "fired" or (given.how == "planned" and unplanned)):
            return None
        return given.played_ms * _MS

    def due_at(self, inject: Inject | str) -> datetime | None:
        """The hour of the story at which an inject is due; None while nothing says when."""
        played = self.planned(inject)
        return self.story(played) if played is not None else None

    def waiting(self) -> list[Line]:
        """Injects that have neither come in nor been left out, in the order in which they are due.

        At the same time the script's own order counts; those that wait for a condition alone stand last.
        """
        left = [one for name, one in self.exercise.lines.items() if name not in self._given]
        planned = {one.id: self.planned(one.id) for one in left}
        last = timedelta.max
        return sorted(left, key=lambda one: last if (at := planned[one.id]) is None else at)

    def upcoming(self) -> tuple[Line, datetime] | None:
        """The next inject that has a time, with that time."""
        left = (one for name, one in self.exercise.lines.items() if name not in self._given)
        timed = ((one, at) for one in left if (at := self.planned(one.id)) is not None)
        first = min(timed, key=lambda one: one[1], default=None)
        due = self.story(first[1]) if first is not None else None
        return (first[0], due) if first is not None and due is not None else None

    def inject(self, name: str) -> Inject | None:
        """The inject, as control has changed it; its texts are digests then. None without a scenario."""
        from models.scenario import Inject  # noqa: PLC0415 - a node that plays nothing need not read it

        changed = self.exercise.added.get(name)
        if changed is not None:
            return Inject.model_validate(changed)
        return self.scenario.inject(name) if self.scenario is not None else None
