"""A network between nodes that can be cut: a namespace each, joined to ours by a cable of its own.

Everything that a node is told to reach lies on its own loopback address, and a carrier takes it to our side.
A cut cable loses packets and says nothing, as a real one does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.chaos.bank import ROOT
from tests.chaos.play import Scene

CARRIER = "tests.chaos.carrier"


class LeftOut(Exception):
    """It cannot be tried here."""


@dataclass(kw_only=True)
class Island:
    """One namespace with its cable. `number` makes its names and addresses."""

    number: int
    ports: Sequence[int]
    served: int
    _carriers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the namespace; with our process in it, so that two runs do not meet."""
        return f"hikeshi-{os.getpid()}-{self.number}"

    @property
    def cable(self) -> str:
        """Our end of it; at most 15 characters."""
        return f"hk{os.getpid() % 100_000}{self.number}"

    @property
    def ours(self) -> str:
        """Our address on the cable."""
        return f"10.213.{self.number}.1"

    @property
    def theirs(self) -> str:
        """The island's."""
        return f"10.213.{self.number}.2"

    def inside(self, *argv: str) -> list[str]:
        """The words that run something there."""
        return ["ip", "netns", "exec", self.name, *argv]

    def make(self) -> None:
        """Lay it down. Raises OSError or CalledProcessError where that is not allowed."""
        far = f"{self.cable}i"
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", far)
        _run("ip", "link", "set", far, "netns", self.name)
        _run("ip", "addr", "add", f"{self.ours}/24", "dev", self.cable)
        _run("ip", "link", "set", self.cable, "up")
        _run(*self.inside("ip", "addr", "add", f"{self.theirs}/24", "dev", far))
        _run(*self.inside("ip", "link", "set", far, "up"))
        _run(*self.inside("ip", "link", "set", "lo", "up"))
        for port in self.ports:
            self._carry([], f"{self.ours}:{port}", f"127.0.0.1:{port}")
            self._carry(self.inside(), f"127.0.0.1:{port}", f"{self.ours}:{port}")
        self._carry(self.inside(), f"{self.theirs}:{self.served}", f"127.0.0.1:{self.served}")
        self._carry([], f"127.0.0.1:{self.served}", f"{self.theirs}:{self.served}")

    def _carry(self, where: list[str], here: str, there: str) -> None:
        argv = [*where, sys.executable, "-m", CARRIER, here, there]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self._carriers.append(subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL))  # noqa: S603

    def cut(self) -> None:
        """Nothing passes any more, and nobody is told."""
        _run("ip", "link", "set", self.cable, "down")

    def mend(self) -> None:
        """It passes again."""
        _run("ip", "link", "set", self.cable, "up")

    def remove(self) -> None:
        """Nothing of it stays."""
        for carrier in self._carriers:
            carrier.kill()
            carrier.wait()
        for words in (("ip", "link", "del", self.cable), ("ip", "netns", "del", self.name)):
            with suppress(subprocess.CalledProcessError):
                _run(*words)


@contextmanager
def islands(ports: Sequence[int], served: Sequence[int]) -> Iterator[list[Island]]:
    """An island for each served port; none where this account may not make any."""
    made: list[Island] = []
    try:
        for number, port in enumerate(served, 1):
            island = Island(number=number, ports=ports, served=port)
            made.append(island)
            try:
                island.make()
            except (OSError, subprocess.CalledProcessError):
                island.remove()
                made.clear()
                break
        yield made
    finally:
        for island in made:
            island.remove()


def cutting(made: list[Island]) -> Callable[[Scene], Iterator[float]]:
    """One cable at a time is cut: now and then for longer than a lease lasts."""

    def trouble(scene: Scene) -> Iterator[float]:
        scene.rest.extend(one.mend for one in made)
        while True:
            yield scene.dice.uniform(2.0, 6.0)
            island = scene.dice.choice(made)
            island.cut()
            scene.kills += 1
            yield scene.dice.choice((3.0, 8.0, 40.0))
            island.mend()

    return trouble


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603
