"""Reading what a drill's record holds about its exercise: everything that report and result are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from console.opening import House
from models.actor import Actor
from models.clock import SystemClock
from models.errors import NotFound
from models.exercise import EXERCISE, Exercise
from models.fact import Fact
from models.plan import Plan
from models.record import STREAM, Record, Tx
from models.scenario import Inject, Scenario
from models.scoring.findings import Proposal, proposals
from models.scoring.played import Case, Played, as_played
from models.scoring.result import Around
from models.scoring.score import Score, score
from models.state import Incident
from playbooks.scenarios import whole

INTAKE = "intake"


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """The exercise as it can be told: played, scored, and with the texts beside its facts by digest."""

    played: Played
    score: Score
    around: Around
    facts: Sequence[Fact]
    beside: Mapping[str, str | None]
    plans: Mapping[str, Plan]
    """The playbooks of its incidents by name."""
    proposals: tuple[Proposal, ...]

    @property
    def exercise(self) -> Exercise:
        """Its state."""
        return self.played.exercise

    @property
    def scenario(self) -> Scenario:
        """What was played, with what every exercise has and what control put."""
        return self.played.scenario

    @property
    def final(self) -> bool:
        """Whether it is over and an evaluator has confirmed every rating."""
        return self.exercise.status == "ended" and all(
            one.rating is not None for one in self.score.objectives
        )

    def said(self, digest: str | None) -> str:
        """A text beside a fact; empty if there is none or it was disposed of."""
        return (self.beside.get(digest) or "") if digest else ""


def aftermath(house: House, actor: Actor) -> Aftermath:
    """All of it, as it stands now. Raises NotFound where no exercise has been prepared."""
    desk = house.desk
    exercise, scenario = desk.state(EXERCISE), desk.premises.scenario
    if not isinstance(exercise, Exercise) or not exercise.seq or scenario is None:
        raise NotFound("there is no exercise here; `hikeshi drill prepare` makes a drill's directory")
    with house.record.read() as tx:
        facts, beside = tx.facts(EXERCISE), tx.texts(EXERCISE)
        others = tx.facts(INTAKE)
        heads = _heads(tx)
    put = tuple(Inject.model_validate(_told(one, beside)) for one in exercise.added.values())
    cases = _cases(house)
    plans = {name: plan for case in cases for name, plan in desk.world(case.state).plans.items()}
    digests = {use.digest: name for case in cases for name, use in case.state.playbooks.items()}
    played = Played(
        scenario=as_played(whole(scenario), put),
        exercise=exercise,
        cases=cases,
        ends=exercise.ended_at or desk.clock.now(),
        plans={digest: plans[name] for digest, name in digests.items() if name in plans},
        others=others,
    )
    played = replace(played, stepped=_stepped(played, facts))
    found = score(played)
    made = Aftermath(
        played=played,
        score=found,
        around=Around(said=lambda digest: "", made_at=SystemClock().now(), made_by=actor.person or "-"),
        facts=facts,
        beside=beside,
        plans=plans,
        proposals=proposals(found, exercise, played.scenario),
    )
    return replace(made, around=_around(house, made, heads))


def _around(house: House, made: Aftermath, heads: dict[str, tuple[int, str]]) -> Around:
    people = house.institution.organisation.people
    return replace(
        made.around,
        said=made.said,
        started_at=_wall(made.facts, "exercise.started"),
        ended_at=_wall(made.facts, "exercise.ended", "exercise.aborted"),
        questions=made.scenario.questions,
        organiser=house.drill.organiser if house.drill is not None else "",
        organiser_kind=house.drill.by if house.drill is not None else "internal",
        vendors={one.id: one.third_party for one in people if one.third_party is not None},
        heads=heads,
    )


def _wall(facts: Sequence[Fact], *kinds: str) -> datetime | None:
    """The real instant of the last fact of these kinds: its own time is that of the story."""
    walls = [one.data["wall"] for one in facts if one.kind in kinds]
    return datetime.fromisoformat(walls[-1]) if walls else None


def _stepped(played: Played, facts: Sequence[Fact]) -> tuple[tuple[timedelta, timedelta], ...]:
    """From where to where in play control stepped on."""
    steps = (one for one in facts if one.kind == "timing.set" and one.data["what"] == "step")
    return tuple(
        (played.script.played_of(one.at), timedelta(milliseconds=one.data["played_ms"])) for one in steps
    )


def _cases(house: House) -> tuple[Case, ...]:
    """Every incident of the exercise, in the order of their numbers."""
    found = []
    for name in _incidents(house.record):
        state = house.desk.state(name)
        if isinstance(state, Incident) and state.seq:
            with house.record.read() as tx:
                found.append(Case(state=state, facts=tx.facts(name)))
    return tuple(found)


def _incidents(record: Record) -> list[str]:
    with record.read() as tx:
        rows = tx.connection.execute(select(STREAM.c.id).where(STREAM.c.kind == "incident"))
        return sorted(row[0] for row in rows)


def _heads(tx: Tx) -> dict[str, tuple[int, str]]:
    """The number and the hash of the last fact of each record."""
    names = [row[0] for row in tx.connection.execute(select(STREAM.c.id))]
    heads = {name: tx.head(name) for name in names}
    return {name: (seq, digest.hex()) for name, (seq, digest) in heads.items() if seq}


def _told(document: Any, beside: Mapping[str, str | None]) -> Any:
    """An inject that control wrote, with its texts in place of their digests."""
    if isinstance(document, str):
        return (beside.get(document) or "-") if document.startswith("t:") else document
    if isinstance(document, Mapping):
        return {name: _told(value, beside) for name, value in document.items()}
    if isinstance(document, (list, tuple)):
        return [_told(value, beside) for value in document]
    return document
