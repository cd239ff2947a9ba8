"""Who acts by themselves in a drill's node: those whom no person plays, and machine steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from console.drill.machines import Machines
from console.drill.pilot import Pilot
from console.drill.understudies.driver import Understudies
from console.opening import House


def pilot_of(
    house: House, run: Callable[[Callable[[], Any]], Awaitable[Any]], wake: Callable[[], None]
) -> Pilot:
    """What moves the time of this drill, with everybody who acts by themselves."""
    pilot = Pilot(house, run, wake)
    scenario = house.desk.premises.scenario
    assert house.drill is not None and scenario is not None  # noqa: S101 - a drill has both
    pilot.acting.append(Machines(house.desk, scenario, house.evidence, house.drill.seed))
    pilot.acting.append(Understudies(house.desk, scenario, house.institution.settings.lang))
    return pilot
