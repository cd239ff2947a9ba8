"""What the pages of drills and of the exercise programme ask first: whether this is a drill, and for whom."""

from __future__ import annotations

from typing import Any, Literal

from console.views.drill import Told
from console.web.asking import Ask, must_look
from models.access import may_look
from models.exercise import EXERCISE, Exercise
from models.fact import Fact
from models.state import House as HouseState
from models.state import Programme

Standing = Literal["no-drill", "refused", "player", "staff"]
"""How somebody stands to the exercise of this node."""
PROGRAMME = "programme"


def may(ask: Ask, right: str) -> bool:
    """Whether they may look in this way at all."""
    world = ask.house.desk.world(HouseState(stream="house"))
    return may_look(right, ask.visitor.viewer, world).whole


def exercise(ask: Ask) -> Exercise | None:
    """The exercise of this node; None where none is."""
    state = ask.house.desk.state(EXERCISE) if ask.house.drill is not None else None
    return state if isinstance(state, Exercise) and state.seq else None


def standing(ask: Ask) -> Standing:
    """How they stand to it. Rights come from the exercise's own staff, not from the directory."""
    state = exercise(ask)
    if state is None:
        return "no-drill"
    if (ask.visitor.person or "") in state.staff:
        return "staff"
    return "player" if may(ask, "look-drill") else "refused"


def told(ask: Ask) -> Told | None:
    """What is shown of the exercise to them; None where there is nothing to show."""
    state, how = exercise(ask), standing(ask)
    if state is None or how == "refused":
        return None
    premises = ask.house.desk.premises
    return Told(
        exercise=state,
        scenario=premises.scenario,
        naming=ask.naming(state),
        now=ask.now,
        staff=how == "staff",
        marks=premises.marks or {},
    )


def facts(ask: Ask) -> list[Fact]:
    """The facts of the exercise."""
    with ask.house.record.read() as tx:
        return tx.facts(EXERCISE)


def looked_at(ask: Ask) -> Standing:
    """How they stand to the exercise that they ask for. Raises Refused to whoever may not look at any."""
    if exercise(ask) is not None:
        must_look(ask, "look-drill", third_parties=True)
    return standing(ask)


def programme(ask: Ask) -> Programme:
    """The programme, as they may know it. Raises Refused: what exercises found is where we are weak."""
    must_look(ask, "look-programme")
    state = ask.reader.without_hidden(ask.house.desk.state(PROGRAMME))
    assert isinstance(state, Programme)  # noqa: S101 - what the stream of this name folds to
    return state


def people(ask: Ask) -> list[tuple[str, str]]:
    """Everybody of the house, to choose from: id and name, by name."""
    organisation = ask.house.institution.organisation
    own = [one for one in organisation.people if one.third_party is None]
    return sorted(((one.id, one.name.lang(ask.lang)) for one in own), key=lambda one: one[1])


def clock(sheet: Told) -> dict[str, Any]:
    """The time of the story, for a page on which it goes on."""
    state, times = sheet.exercise, sheet.naming.times
    timing = state.timing
    goes = timing is not None and timing.running and state.status == "running"
    endex = sheet.script.endex
    return {
        "at": sheet.now,
        "shown": times.at(sheet.now, seconds=True),
        "played": times.span(sheet.script.played_of(sheet.now)),
        "goes": goes,
        "speed": timing.speed if timing is not None else 1,
        "left": times.left(endex, sheet.now) if endex is not None and state.status == "running" else "",
    }
