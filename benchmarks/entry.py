"""All that is measured, in the order in which it runs, with how long it usually takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.ack import ack
from benchmarks.alert import alert
from benchmarks.alert_busy import alert_busy
from benchmarks.alert_peers import alert_peers
from benchmarks.cli import cli
from benchmarks.clocks import clocks
from benchmarks.collect import collect
from benchmarks.commands import commands
from benchmarks.continuity import continuity
from benchmarks.evidence import evidence
from benchmarks.fold import fold
from benchmarks.ground import Benchmark
from benchmarks.growth import growth
from benchmarks.idle import idle
from benchmarks.isolation import isolation
from benchmarks.killing import killing
from benchmarks.lateness import lateness
from benchmarks.press import press
from benchmarks.processes import processes
from benchmarks.rehearsal import rehearsal
from benchmarks.replay import replay
from benchmarks.room import room
from benchmarks.shared import shared
from benchmarks.steps import steps
from benchmarks.steps_peers import steps_peers
from benchmarks.storm import storm
from benchmarks.timers import timers
from benchmarks.verifying import verifying


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A benchmark by name: its usual seconds, and those of the short form (None: left out of it)."""

    name: str
    run: Benchmark
    seconds: int
    quick: int | None = None


ENTRIES: Sequence[Entry] = (
    Entry(name="commands", run=commands, seconds=12, quick=8),
    Entry(name="alert", run=alert, seconds=85, quick=35),
    Entry(name="ack", run=ack, seconds=20, quick=20),
    Entry(name="fold", run=fold, seconds=3, quick=3),
    Entry(name="timers", run=timers, seconds=100, quick=50),
    Entry(name="cli", run=cli, seconds=15),
    Entry(name="alert-peers", run=alert_peers, seconds=110, quick=45),
    Entry(name="steps", run=steps, seconds=70, quick=40),
    Entry(name="steps-peers", run=steps_peers, seconds=40, quick=25),
    Entry(name="kill", run=killing, seconds=330, quick=80),
    Entry(name="lateness", run=lateness, seconds=120),
    Entry(name="growth", run=growth, seconds=420, quick=60),
    Entry(name="shared", run=shared, seconds=190, quick=110),
    Entry(name="isolation", run=isolation, seconds=20),
    Entry(name="processes", run=processes, seconds=35),
    Entry(name="clocks", run=clocks, seconds=25),
    Entry(name="idle", run=idle, seconds=25),
    Entry(name="storm", run=storm, seconds=15),
    Entry(name="alert-busy", run=alert_busy, seconds=140),
    Entry(name="press", run=press, seconds=130),
    Entry(name="room", run=room, seconds=100),
    Entry(name="verify", run=verifying, seconds=60),
    Entry(name="collect", run=collect, seconds=30),
    Entry(name="evidence", run=evidence, seconds=90),
    Entry(name="continuity", run=continuity, seconds=90),
    Entry(name="rehearsal", run=rehearsal, seconds=20),
    Entry(name="replay", run=replay, seconds=40),
)
BY_NAME = {entry.name: entry for entry in ENTRIES}
