"""All that understudies do next, of everything they see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from console.drill.understudies.decisions import decided, messages, opinions
from console.drill.understudies.ending import ended
from console.drill.understudies.gates import opened
from console.drill.understudies.matters import matters
from console.drill.understudies.opening import carried, declared
from console.drill.understudies.pages import answers, confirmations
from console.drill.understudies.seen import Act, Seen
from console.drill.understudies.steps import done, retried
from models.state import OVER, Incident


def next_acts(exercise: Seen, streams: Iterable[Seen]) -> tuple[Act, ...]:
    """What is to be done, the earliest first. `exercise` looks at the exercise, `streams` at all else.

    Nothing before STARTEX and nothing after ENDEX. Acts keep their instants from one look to the next, so
    whoever carries the first one out, when its time has come, and looks again, plays everything.
    """
    if exercise.exercise.status != "running":
        return ()
    others = tuple(streams)
    cases = [one.state for one in others if isinstance(one.state, Incident)]
    found = list(declared(exercise, cases))
    for seen in (exercise, *others):
        found += answers(seen)
        if isinstance(seen.state, Incident):
            found += _case(seen, cases)
    return tuple(sorted(found, key=lambda one: one.order))


def _case(seen: Seen, cases: Sequence[Incident]) -> Iterator[Act]:
    yield from confirmations(seen)
    if seen.incident.status in OVER:
        return
    yield from carried(seen, cases)
    for part in (done, retried, decided, opinions, messages, opened, matters, ended):
        yield from part(seen)
