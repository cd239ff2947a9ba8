"""Everything that scoring finds, together: each objective with its rating, and what was exercised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models.drillresult import (
    DeadlineResult,
    DecisionTaken,
    GateResult,
    ItemExercised,
    ObjectiveResult,
    PagesSummary,
    PlaybookExercised,
    RolePlayed,
    RouteUsed,
)
from models.enrolled import SCRIPTED_VIA
from models.exercise import Exercise
from models.fact import SYSTEM, Fact
from models.scenario import Objective
from models.scoring.acts import acts_of
from models.scoring.calls import summary
from models.scoring.expected import Acts, expectations
from models.scoring.measured import measures
from models.scoring.played import Case, Played, who
from models.scoring.rating import FULFILLED, propose, seen_of
from models.scoring.settled import deadlines, decisions, gates


@dataclass(frozen=True, kw_only=True)
class Score:
    """What an exercise showed."""

    objectives: tuple[ObjectiveResult, ...]
    pages: PagesSummary
    routes: tuple[RouteUsed, ...]
    gates: tuple[GateResult, ...]
    decisions: tuple[DecisionTaken, ...]
    deadlines: tuple[DeadlineResult, ...]
    playbooks: tuple[PlaybookExercised, ...]
    people: tuple[str, ...]
    roles: tuple[RolePlayed, ...]
    guideline: tuple[ItemExercised, ...]

    def objective(self, name: str) -> ObjectiveResult | None:
        """The objective of this id."""
        return next((one for one in self.objectives if one.id == name), None)


def score(played: Played) -> Score:
    """Score what was played, as far as it has come."""
    acts = acts_of(played)
    pages, routes = summary(played)
    objectives = tuple(_objective(played, acts, one) for one in played.scenario.objectives)
    return Score(
        objectives=objectives,
        pages=pages,
        routes=routes,
        gates=gates(played),
        decisions=decisions(played),
        deadlines=deadlines(played),
        playbooks=_playbooks(played, acts),
        people=_people(played),
        roles=tuple(_roles(played)),
        guideline=_guideline(played, acts, objectives),
    )


def _objective(played: Played, acts: Acts, objective: Objective) -> ObjectiveResult:
    expected = expectations(played, acts, objective)
    measured = measures(played, objective)
    seen = seen_of(played, objective, expected, measured)
    proposed, reasons = propose(seen)
    rated = played.exercise.ratings.get(objective.id)
    return ObjectiveResult(
        id=objective.id,
        text=objective.text,
        capability=objective.capability,
        guideline=objective.guideline,
        limit_seconds=int(objective.within.total_seconds()) if objective.within is not None else None,
        since=objective.since,
        took_seconds=int(seen.took.total_seconds()) if seen.took is not None else None,
        expectations=expected,
        measures=measured,
        proposed=proposed,
        reasons=reasons,
        rating=rated.rating if rated is not None else None,
        rated_by=rated.by if rated is not None else None,
        observations=_observations(played.exercise, objective.id),
    )


def _observations(exercise: Exercise, objective: str) -> tuple[str, ...]:
    """What was observed about it, that on which it was rated first."""
    rated = exercise.ratings.get(objective)
    about = [one.id for one in exercise.observations.values() if one.objective == objective]
    return tuple(dict.fromkeys([rated.observation, *about] if rated is not None else about))


# -- what was exercised -------------------------------------------------------------------------------------


def _playbooks(played: Played, acts: Acts) -> tuple[PlaybookExercised, ...]:
    """Those of which participants did something: what the script alone has done exercises nobody."""
    done = {
        (act.incident, act.step.partition("/")[0]) for each in acts.values() for act in each if act.by_people
    }
    found = {
        (use.name, use.digest): PlaybookExercised(id=use.name, version=use.version, digest=use.digest)
        for case in played.cases
        for use in case.state.playbooks.values()
        if (case.state.stream, use.name) in done
    }
    return tuple(found[key] for key in sorted(found))


def _facts(played: Played) -> Iterator[Fact]:
    for case in played.cases:
        yield from case.facts
    yield from played.others


def _people(played: Played) -> tuple[str, ...]:
    """Participants who did something themselves: being enrolled is not being exercised."""
    acted = {who(fact) for fact in _facts(played) if not played.scripted(who(fact), fact.via)}
    return tuple(sorted(acted - {SYSTEM}))


def _roles(played: Played) -> Iterator[RolePlayed]:
    """The scenario's roles, then those that somebody was enrolled for besides."""
    cards = {one.role: one for one in played.scenario.roles}
    by_script = any(fact.via.partition(":")[0] == SCRIPTED_VIA for fact in _facts(played))
    for role in dict.fromkeys([*cards, *sorted(played.played_roles)]):
        by = tuple(
            one.person
            for one in played.exercise.participants.values()
            if role in one.roles and one.absent is None
        )
        card = cards.get(role)
        unplayed = "control" if card is not None and card.played_by == "control" else "scripted"
        if not by_script and unplayed == "scripted":
            unplayed = "nobody"
        yield RolePlayed.model_validate(
            {
                "role": role,
                "needed": card.needed if card is not None else False,
                "how": "played" if by else unplayed,
                "by": by,
            }
        )


def _guideline(
    played: Played, acts: Acts, objectives: tuple[ObjectiveResult, ...]
) -> tuple[ItemExercised, ...]:
    """Items that people exercised, each with what did: nothing that the script alone has done."""
    found: dict[str, dict[str, None]] = {}
    for item, by in _exercised(played, acts, objectives):
        found.setdefault(item, {})[by] = None
    return tuple(ItemExercised(item=item, by=tuple(by)) for item, by in sorted(found.items()))


def _exercised(
    played: Played, acts: Acts, objectives: tuple[ObjectiveResult, ...]
) -> Iterator[tuple[str, str]]:
    if played.exercise.status == "ended" and _people(played):
        yield from ((item, "scenario") for item in played.scenario.guideline)
    for one in objectives:
        if any(each.outcome in FULFILLED and each.done_by != SYSTEM for each in one.expectations):
            yield from ((item, f"objective:{one.id}") for item in one.guideline)
    done = {(act.incident, act.step) for each in acts.values() for act in each if act.by_people}
    for case in played.cases:
        for step in sorted(step for incident, step in done if incident == case.state.stream):
            yield from ((item, f"step:{step}") for item in _items(played, case, step))


def _items(played: Played, case: Case, step: str) -> tuple[str, ...]:
    use = case.state.playbooks.get(step.partition("/")[0])
    plan = played.plans.get(use.digest) if use is not None else None
    planned = plan.steps.get(step) if plan is not None else None
    return tuple(planned.step.guideline) if planned is not None else ()
