"""Who kills during the demo, by what the record says, and starts again what died, as `hikeshi up` would."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import RecordError
from models.record import Record
from tests.chaos.town import _parents, _words
from tests.postgres import Postgres

LOOK_SECONDS = 0.02
AGAIN_SECONDS = 0.3
DOWN_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Blow:
    """What is killed, and after which fact of the incident: its kind, and the how-manyth of it."""

    victim: str
    kind: str
    nth: int = 1


BLOWS = (
    Blow(victim="pager", kind="incident.declared"),
    Blow(victim="database", kind="page.acknowledged"),
    Blow(victim="worker", kind="step.started", nth=1),
    Blow(victim="conductor", kind="step.started", nth=3),
    Blow(victim="database", kind="step.started", nth=4),
    Blow(victim="pager", kind="decision.made"),
    Blow(victim="prefect", kind="step.started", nth=5),
    Blow(victim="worker", kind="step.started", nth=6),
    Blow(victim="pager", kind="page.escalated", nth=2),
    Blow(victim="database", kind="service.resumed"),
)


@dataclass
class Parts:
    """The processes by name, and how each is started."""

    start: Mapping[str, Callable[[], subprocess.Popen[bytes]]]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def begin(self) -> None:
        """Start all."""
        for name, start in self.start.items():
            self.running[name] = start()

    def end(self) -> None:
        """Stop all, in order if they can."""
        for process in self.running.values():
            with suppress(ProcessLookupError):
                process.terminate()
        for process in self.running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def revive(self) -> None:
        """Start again what has died."""
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                time.sleep(AGAIN_SECONDS)
                self.running[name] = self.start[name]()

    def workers(self) -> list[int]:
        """The children in which the conductor's flows run."""
        conductor = self.running["conductor"].pid
        return [pid for pid, parent in _parents() if parent == conductor and "flows.runner" in _words(pid)]


class Reaper:
    """A thread that looks at the record and kills by plan. `done` tells what it did."""

    def __init__(self, record: Record, parts: Parts, database: Postgres, blows: Sequence[Blow]) -> None:
        self._record = record
        self._parts = parts
        self._database = database
        self._left = list(blows)
        self._counts: dict[str, int] = {}
        self._seen = 0
        self._stop = threading.Event()
        self.incident = ""
        self.prefect_pid: Callable[[], int | None] = lambda: None
        self.done: list[str] = []
        self._thread = threading.Thread(target=self._run, name="reaper")
        self._thread.start()

    def close(self) -> None:
        """No more killing."""
        self._stop.set()
        self._thread.join()
        self._record.close()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._parts.revive()
            for kind in self._new():
                self._counts[kind] = self._counts.get(kind, 0) + 1
                for blow in [one for one in self._left if one.kind == kind]:
                    if self._counts[kind] >= blow.nth and self._strike(blow.victim):
                        self._left.remove(blow)
                        self.done.append(f"{blow.victim} ({kind})")

    def _new(self) -> list[str]:
        if not self.incident:
            return []
        try:
            with self._record.read() as tx:
                facts = tx.facts(self.incident, self._seen)
        except RecordError:
            return []
        self._seen = facts[-1].seq if facts else self._seen
        return [fact.kind for fact in facts]

    def _strike(self, victim: str) -> bool:
        """SIGKILL; whether there was somebody to kill."""
        if victim == "database":
            self._database.kill()
            time.sleep(DOWN_SECONDS)
            self._database.start()
            return True
        if victim == "prefect":
            pids = [pid] if (pid := self.prefect_pid()) else []
        elif victim == "worker":
            pids = self._parts.workers()
        else:
            pids = [self._parts.running[victim].pid]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)


def log_of(folder: Path, name: str) -> Path:
    """Where a part writes what it has to say."""
    return folder / f"{name}.log"
