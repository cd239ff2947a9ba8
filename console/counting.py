"""What this process has counted since it began: commands, deliveries, how long writing took."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from threading import Lock

from console.opening import House
from models.casework import WATCH_VIA
from models.desk import Desk
from models.premises import Outcome

WRITE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
DELIVERED = {"message.sent": "sent", "message.failed": "failed", "message.given_up": "given-up"}
OTHER = "other"


class Durations:
    """How often something took how long, as Prometheus has it: each bucket counts what is within it."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self._within = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def took(self, seconds: float) -> None:
        """Once more."""
        self._within[bisect_left(self.bounds, seconds)] += 1
        self._sum += seconds

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Buckets, sum and count."""
        so_far = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self._within, strict=True):
            so_far += count
            yield "_bucket", {"le": bound.removesuffix(".0")}, so_far
        yield "_sum", {}, self._sum
        yield "_count", {}, so_far


class Counts:
    """Of one process. Told from several threads, read from any."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.commands: Counter[str] = Counter()
        """Commands that were stored, by who gave them: people, machines, or time itself."""
        self.facts: Counter[str] = Counter()
        self.deliveries: Counter[tuple[str, str]] = Counter()
        self.writes = Durations(WRITE_SECONDS)
        self._desks: list[Desk] = []
        self._channels: frozenset[str] = frozenset()

    def listen(self, *houses: House) -> None:
        """Count what these houses write, each on its own desk."""
        for house in houses:
            if house.desk in self._desks:
                continue
            self._desks.append(house.desk)
            self._channels |= house.institution.settings.channels()
            house.desk.after_commit.append(self.stored)
            house.record.took = self.wrote

    def stored(self, outcome: Outcome) -> None:
        """Something was decided and stored."""
        if not outcome.facts:
            return
        first = outcome.facts[0]
        by = "time" if first.via == WATCH_VIA else "people" if first.actor != "hikeshi" else "machines"
        with self._lock:
            self.commands[by] += 1
            for fact in outcome.facts:
                self.facts["incident" if fact.stream.startswith("INC-") else fact.stream] += 1
                if fact.kind in DELIVERED:
                    channel = fact.data.get("channel", "")
                    named = channel if channel in self._channels else OTHER
                    self.deliveries[named, DELIVERED[fact.kind]] += 1

    def wrote(self, seconds: float) -> None:
        """A transaction was stored."""
        with self._lock:
            self.writes.took(seconds)

    def refused(self) -> Counter[str]:
        """Commands that were refused, by reason."""
        found: Counter[str] = Counter()
        for desk in self._desks:
            found.update(dict(desk.refused))
        return found
