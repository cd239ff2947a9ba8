"""Rehearsals run: over one process or several, with the same result; what changes and assumptions make of it.

Everything is read before the first run; while runs are played nothing is read or written.
"""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from models.casework import Setting
from models.playbook import Playbook
from models.premises import Premises
from models.rehearsal.changes import Variation, candidates, variations
from models.rehearsal.plan import Plan, Played
from models.rehearsal.run import play
from models.rehearsal.study import Effect, Study, effect, study
from playbooks.institution import Institution

CHUNK = 4
MAX_COMPARED = 200
"""Runs that each change is tried with: the same luck on both sides needs fewer of them."""
SENSITIVE = 3
Told = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What came out. `compared` runs were played for each change and each assumption."""

    plan: Plan
    found: Study
    compared: int
    changes: tuple[Effect, ...]
    sensitive: tuple[tuple[Effect, Effect], ...]


def premises_for(institution: Institution, playbook: str) -> Premises:
    """What the desk needs, with the playbook and those it calls alone: reading all takes seconds."""
    books: dict[str, Playbook] = {}
    wanted = [playbook]
    while wanted:
        name = wanted.pop()
        if name not in books:
            books[name] = institution.playbooks[name]
            wanted += [step.call for step in books[name].steps if step.call]
    return Premises(
        organisation=institution.organisation,
        policy=institution.policy,
        playbooks=books,
        channels=institution.settings.channels(),
    )


def rehearse(
    premises: Premises,
    plan: Plan,
    runs: int,
    processes: int = 1,
    *,
    compare: bool = True,
    tell: Told | None = None,
) -> Rehearsed:
    """So many runs of the plan, and each candidate change and assumption with the same luck."""
    with players(processes) as many:
        played = many(premises, plan, range(runs), tell)
        found = study(played)
        compared = min(runs, MAX_COMPARED) if compare else 0
        base = played[:compared]
        changes = [
            _effect(one, base, many)
            for one in (candidates(Setting(premises), plan, found) if compare else ())
        ]
        pairs = variations(Setting(premises), plan) if compare else ()
        swings = [(_effect(less, base, many), _effect(more, base, many)) for less, more in pairs]
    return Rehearsed(
        plan=plan,
        found=found,
        compared=compared,
        changes=tuple(sorted(changes, key=lambda one: (-one.gain, -(one.sooner or 0), one.name))),
        sensitive=tuple(sorted(swings, key=_swing))[:SENSITIVE],
    )


def _effect(one: Variation, base: Sequence[Played], many: Many) -> Effect:
    after = many(one.premises, one.plan, [played.run for played in base], None)
    return effect(one.name, one.kind, one.about, base, after)


def _swing(pair: tuple[Effect, Effect]) -> tuple[float, int, str]:
    less, more = pair
    contained = abs((less.contained or 0) - (more.contained or 0))
    return (-abs(less.score - more.score), -contained, less.name)


# -- processes ----------------------------------------------------------------------------------------------

Many = Callable[[Premises, Plan, Sequence[int], Told | None], list[Played]]


@contextmanager
def players(processes: int) -> Iterator[Many]:
    """Plays runs, in order, over so many processes; the result does not depend on how many."""
    if processes <= 1:
        yield _here
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield partial(_elsewhere, pool)


def _here(premises: Premises, plan: Plan, runs: Sequence[int], tell: Told | None) -> list[Played]:
    setting = Setting(premises)
    setting.library[plan.playbook]
    gc.collect()
    gc.freeze()  # what is shared by all runs is never garbage, and is a third of the time to look through
    found = []
    for number in runs:
        found.append(play(setting, plan, number))
        if tell is not None:
            tell(len(found), len(runs))
    return found


def _elsewhere(
    pool: ProcessPoolExecutor, premises: Premises, plan: Plan, runs: Sequence[int], tell: Told | None
) -> list[Played]:
    chunks = [list(runs[place : place + CHUNK]) for place in range(0, len(runs), CHUNK)]
    found: list[Played] = []
    given = pickle.dumps(premises)
    for played in pool.map(_chunk, [given] * len(chunks), [plan] * len(chunks), chunks):
        found += played
        if tell is not None:
            tell(len(found), len(runs))
    return found


_kept: dict[bytes, Setting] = {}


def _chunk(premises: bytes, plan: Plan, runs: Sequence[int]) -> list[Played]:
    if premises not in _kept:
        _kept.clear()
        _kept[premises] = Setting(pickle.loads(premises))  # noqa: S301 - our own, from the process that began us
    return [play(_kept[premises], plan, number) for number in runs]
