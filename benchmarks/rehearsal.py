"""Incidents of 72 hours rehearsed in one process: runs and facts for each second of its own CPU time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from time import process_time

from benchmarks.bank import found
from benchmarks.figure import Figure
from benchmarks.ground import Ground, settle
from console.rehearsing import premises_for
from models.casework import Setting
from models.rehearsal.plan import Plan
from models.rehearsal.run import play
from playbooks.rehearsing import assumptions

RUNS = 12
AT_LEAST_PER_SECOND = 100


def rehearsal(ground: Ground) -> Iterator[Figure]:
    """The ransomware playbook at the example bank, any hour of the year; the first run is not counted."""
    bank = found(ground.place("rehearsal"))
    plan = Plan(playbook="ransomware", seed=7, assumptions=assumptions(bank.directory), year=2026)
    setting = Setting(premises_for(bank.institution(), "ransomware"))
    play(setting, plan, RUNS)
    settle()
    gc.freeze()
    start = process_time()
    played = [play(setting, plan, number) for number in range(RUNS)]
    took = process_time() - start
    gc.unfreeze()
    detail = {
        "facts": sum(one.facts for one in played) // RUNS,
        "steps": sum(one.steps for one in played) // RUNS,
        "clocks": sum(len(one.clocks) for one in played) // RUNS,
    }
    yield Figure(
        name="72-hour incidents rehearsed on one core",
        value=RUNS / took,
        unit="/s",
        n=RUNS,
        target=AT_LEAST_PER_SECOND,
        at_least=True,
        detail=detail,
    )
    facts = sum(one.facts for one in played)
    yield Figure(name="rehearsal: facts written by the rules", value=facts / took, unit="/s", n=facts)
