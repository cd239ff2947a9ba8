"""The demo's incident on a desk, by the demo's own scripted people, without node, pages or Prefect.

What machines do is said at once; messages go through the real outbox into a channel that takes everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from console.demo.people import Act, People
from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, ClaimStep, Declare, FinishStep
from models.desk import Desk
from models.state import Incident
from notifiers.outbox import Outbox
from tests.scripts import Postbox

T = TypeVar("T")
NIGHT = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
"""Wednesday 2026-11-25 03:00 in Tokyo, as in the demo."""
MAX_TURNS = 2_000
_MACHINE = Actor.machine("conductor")


def play_demo(desk: Desk, clock: ExerciseClock, folder: Path, lang: str = "en") -> str:
    """The incident from the alert to its lessons; its number. `clock` is the desk's."""
    return _Play(desk, clock, folder, lang).run()


class _Play:
    def __init__(self, desk: Desk, clock: ExerciseClock, folder: Path, lang: str) -> None:
        self.desk, self.clock = desk, clock
        self.people = People(lang, NIGHT, folder / "copied-by-hand")
        channels = {name: Postbox(name, clock) for name in sorted(desk.premises.channels)}
        self.outbox = Outbox(desk, channels, _here)
        self.scoped = False

    def run(self) -> str:
        self.clock.set(NIGHT)
        declared = Declare(
            actor=Actor.machine("alert"),
            text="Ransomware on the core banking segment",
            source="alert",
            playbooks=("ransomware",),
            services=("core-banking",),
            detected=NIGHT - timedelta(seconds=80),
        )
        self.stream = self.desk.handle(None, declared).stream
        with asyncio.Runner() as runner:
            for _ in range(MAX_TURNS):
                self._quiet(runner)
                if self.state.status == "closed":
                    return self.stream
                self._turn()
        raise AssertionError(f"not closed after {MAX_TURNS} turns")

    @property
    def state(self) -> Incident:
        return self.desk.incident(self.stream)

    def _quiet(self, runner: asyncio.Runner) -> None:
        """Whatever is due is written, and what it asks for reaches people."""
        while True:
            runner.run(self.outbox.drain())
            with self.desk.record.read() as tx:
                due = tx.due_streams(self.clock.now(), 100)
            if not due:
                return
            for stream in due:
                self.desk.tick(stream)

    def _turn(self) -> None:
        state = self.state
        world = self.desk.world(state)
        ready = [
            key
            for key, planned in world.steps(state).items()
            if planned.step.kind == "action" and key in state.steps and state.steps[key].status == "ready"
        ]
        if ready:
            self.clock.advance(timedelta(seconds=20))
            self._machine(ready[0])
        elif not self.scoped and "analysis" in state.phases:
            self.scoped = True
            for act in self.people.scope(state, world):
                self._do(act)
        else:
            self._next(self.people.next_act(state, world))

    def _next(self, act: Act | None) -> None:
        with self.desk.record.read() as tx:
            stamp = tx.earliest_due()
        due = datetime.fromtimestamp(stamp / 1e6, UTC) if stamp is not None else None
        moments = [one for one in (act.at if act else None, due) if one is not None]
        assert moments, "nobody has anything to do, and nothing is due"
        moment = max(self.clock.now(), min(moments))
        self.clock.set(moment)
        if act is not None and act.at <= moment and (due is None or due > moment):
            self._do(act)

    def _do(self, act: Act) -> None:
        actor = Actor(person=act.person, name=act.person)
        command = act.command or Acknowledge(actor=actor, page=act.page)
        outcome = self.desk.handle(self.stream, command)
        assert outcome.accepted, f"{command}: {outcome.refused} {dict(outcome.detail)}"

    def _machine(self, key: str) -> None:
        claim = ClaimStep(actor=_MACHINE, step=key, node="conductor", epoch=1, lease=300)
        self.desk.handle(self.stream, claim)
        self.clock.advance(timedelta(seconds=3))
        known, planned = self.state.steps[key], self.desk.world(self.state).step(self.state, key)
        item = {"digest": "sha256:" + "a" * 64, "size": 7, "stored": "aa", "name": "log.json"}
        finish = FinishStep(
            actor=_MACHINE,
            step=key,
            node="conductor",
            epoch=1,
            attempt=known.attempt,
            outcome="done",
            evidence=(item,) if planned is not None and planned.step.preserves else (),
        )
        outcome = self.desk.handle(self.stream, finish)
        assert outcome.accepted, f"{key}: {outcome.refused}"


async def _here(call: Callable[[], T]) -> T:
    return call()
