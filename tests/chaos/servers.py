"""Troubles of a database server that others stand by for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.play import Scene
from tests.postgres import Postgres


@dataclass(kw_only=True)
class Pair:
    """A server and another that follows it. Whoever is `first` answers at the same port, whatever happens."""

    first: Postgres
    second: Postgres
    failovers: int = 0

    @classmethod
    def made(cls, first: Postgres) -> Pair:
        """Both running; a commit is answered when both have it (`synchronous_commit` is on)."""
        return cls(first=first, second=_follower(first, "standby0"))

    def fail_over(self) -> None:
        """The first dies for ever; the second is promoted, and answers at its port."""
        dead, port = self.first, self.first.port
        dead.kill()
        self.second.promote()
        self.second.stop()
        self.second.port = port
        self.first = self.second.start()
        dead.close()
        self.failovers += 1
        self.second = _follower(self.first, f"standby{self.failovers}")

    def close(self) -> None:
        """Both are gone."""
        self.second.close()
        self.first.close()

    def failing_over(self, scene: Scene) -> Iterator[float]:
        """Again and again, with a pause in which work goes on."""
        while True:
            yield scene.dice.uniform(4.0, 9.0)
            self.fail_over()
            scene.kills += 1


def _follower(first: Postgres, name: str) -> Postgres:
    # What is set here is not copied by the one after: it would wait for a follower that it has not.
    first.set(synchronous_standby_names="")
    other = first.standby(name).start()
    first.set(synchronous_standby_names="*")
    return other
