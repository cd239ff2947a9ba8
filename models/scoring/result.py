"""The result of an exercise, put together from its score and its record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from models.drillfinding import DrillFinding
from models.drillresult import (
    DrillResult,
    Finding,
    Head,
    Held,
    OrganiserKind,
    Player,
    QuestionSummary,
    ScenarioPlayed,
    SignedOff,
    StaffMember,
)
from models.errors import BadInput
from models.exercise import Exercise
from models.rules.exercise_watching import SCALE
from models.scenario import Question, Scenario
from models.scoring.played import Played
from models.scoring.score import Score
from models.values import Text


@dataclass(frozen=True, kw_only=True)
class Around:
    """What the facts of the exercise do not say by themselves.

    `said` gives the text behind a digest, empty if it was disposed of; `made_at`, `started_at` and `ended_at`
    are real instants; `vendors` says of people which third party they belong to; `heads` are the number of
    the last fact of each record and its hash.
    """

    said: Callable[[str | None], str]
    made_at: datetime
    made_by: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    organiser: str = ""
    organiser_kind: OrganiserKind = "internal"
    questions: tuple[Question, ...] = ()
    vendors: Mapping[str, str] = field(default_factory=dict)
    heads: Mapping[str, tuple[int, str]] = field(default_factory=dict)


def result_of(played: Played, score: Score, around: Around) -> DrillResult:
    """The document. Raises BadInput while the exercise is not over."""
    exercise, scenario = played.exercise, played.scenario
    if exercise.status not in {"ended", "aborted"}:
        raise BadInput("an exercise has a result once it is over: `hikeshi drill end` first")
    players = _players(exercise, around)
    return DrillResult(
        drill=exercise.drill,
        scenario=_scenario(exercise, scenario),
        form=scenario.form,
        organiser=around.organiser,
        organiser_kind=around.organiser_kind,
        status="ended" if exercise.status == "ended" else "aborted",
        why=around.said(exercise.ended_why),
        held=held(exercise, around),
        made_at=around.made_at,
        made_by=around.made_by,
        staff=tuple(StaffMember(person=one, role=role) for one, role in sorted(exercise.staff.items())),
        participants=players,
        roles=score.roles,
        vendors=tuple(sorted({one.vendor for one in players if one.vendor is not None and one.present})),
        playbooks=score.playbooks,
        routes=score.routes,
        people=score.people,
        guideline=score.guideline,
        objectives=score.objectives,
        pages=score.pages,
        gates=score.gates,
        decisions=score.decisions,
        deadlines=score.deadlines,
        findings=tuple(findings(exercise, around)),
        questionnaire=questionnaire(exercise, around.questions),
        signed_off=signed_off(exercise),
        heads=tuple(
            Head(stream=name, seq=seq, hash=hash_) for name, (seq, hash_) in sorted(around.heads.items())
        ),
    )


def _scenario(exercise: Exercise, scenario: Scenario) -> ScenarioPlayed:
    return ScenarioPlayed(
        id=exercise.scenario,
        version=exercise.version,
        digest=exercise.digest,
        title=scenario.title,
        large_scale=scenario.large_scale,
        changed=tuple(exercise.added),
    )


def held(exercise: Exercise, around: Around) -> Held:
    """When it was held, in real time and in the story."""
    timing = exercise.timing
    return Held(
        started_at=around.started_at,
        ended_at=around.ended_at,
        startex=exercise.startex if around.started_at is not None else None,
        endex=exercise.ended_at,
        played_seconds=timing.played_ms // 1000 if timing is not None else 0,
    )


def _players(exercise: Exercise, around: Around) -> tuple[Player, ...]:
    return tuple(
        Player(
            person=one.person,
            roles=tuple(one.roles),
            organisation=one.organisation,
            vendor=around.vendors.get(one.person),
            present=one.absent is None,
        )
        for one in exercise.participants.values()
    )


def findings(exercise: Exercise, around: Around) -> Iterator[Finding]:
    """The improvement plan as it stands."""
    for one in exercise.findings.values():
        if not one.dropped:
            yield _finding(one, around)


def _finding(one: DrillFinding, around: Around) -> Finding:
    title = around.said(one.title) or one.id
    return Finding(
        id=one.id,
        title=Text(ja=title, en=around.said(one.title_en) or title),
        capability=one.capability,
        objective=one.objective,
        root_cause=around.said(one.cause),
        recommendation=around.said(one.recommendation),
        owner=one.owner,
        due=one.due,
        playbook=one.playbook,
        revision=one.revision,
    )


def questionnaire(exercise: Exercise, questions: tuple[Question, ...]) -> tuple[QuestionSummary, ...]:
    """How many gave which answer; of free texts only how many there are."""
    return tuple(_question(exercise, one) for one in questions)


def _question(exercise: Exercise, question: Question) -> QuestionSummary:
    given = [one[question.id] for one in exercise.answers.values() if question.id in one]
    counts: dict[str, int] = {}
    for answer in given:
        if answer in SCALE:
            counts[answer] = counts.get(answer, 0) + 1
    return QuestionSummary(
        id=question.id,
        text=question.text,
        kind=question.kind,
        answers=dict(sorted(counts.items())),
        answered=len(given),
    )


def signed_off(exercise: Exercise) -> SignedOff | None:
    """Who of management has taken note of it, and when in the story's record."""
    if exercise.signed_off_by is None or exercise.signed_off_at is None:
        return None
    return SignedOff(by=exercise.signed_off_by, at=exercise.signed_off_at, wall=exercise.signed_off_wall)
