"""The time as a page ticks it: the house's, and how fast it goes. In a drill that is the story's."""

from __future__ import annotations

from console.opening import House
from models.clock import ExerciseClock, iso
from models.exercise_clock import Play, StoryClock


def pace(house: House) -> int:
    """How many seconds pass in one of the machine's; 0 for a time that stands."""
    clock = house.desk.clock
    if isinstance(clock, StoryClock):
        mark = clock.mark()
        return mark.speed if mark.goes and not mark.held else 0
    if isinstance(clock, Play):
        return clock.speed if clock.goes and not clock.held else 0
    return 0 if isinstance(clock, ExerciseClock) else 1


def now_of(house: House) -> str:
    """The instant and its pace, as the script of the pages reads it."""
    return f"{iso(house.desk.clock.now())} {pace(house)}"
