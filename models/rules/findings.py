"""Findings of exercises: closed by another exercise that shows them mended, or by management accepting the
risk that remains (FSA-2.2.5-Dc), and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from models.clock import iso
from models.commands import Command
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.programme import (
    MAX_NAMED,
    OPEN,
    PASSING,
    RATINGS,
    AcceptFinding,
    Entry,
    Finding,
    FixFinding,
    Imported,
    NewFinding,
    NewRetest,
    OpenFinding,
    RecordExercise,
    ReopenFinding,
    RetestFinding,
    subject_of,
)
from models.reason import Reason
from models.routing import ask, level_recipients
from models.rules.common import MAX_TITLE, Decided, text, word
from models.state import Programme
from models.world import World

MAX_EVALUATOR = 80


def ours(world: World) -> None:
    """Raises Refused in a drill: it has no register, and gives its result to the institution's."""
    if world.drill:
        raise Refused(Reason.IN_A_DRILL, {})


def permit(command: Command, right: str, state: Programme, world: World) -> None:
    """Raises Refused unless this is the institution's own record and the person may."""
    ours(world)
    require(command, right, state, world)


def open_finding(state: Programme, command: OpenFinding, world: World) -> Decided:
    """Something that an exercise showed to be wanting."""
    permit(command, "finding", state, world)
    entry = state.entries.get(command.exercise)
    if entry is None or entry.status != "held":
        known = [one.id for one in state.entries.values() if one.status == "held"]
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.exercise, "known": known[-MAX_NAMED:]})
    return [_opened(state, command.exercise, command.finding, 1, world)]


def from_result(state: Programme, exercise: str, command: RecordExercise, world: World) -> list[Draft]:
    """What a signed result opens, and which findings it tested again."""
    opened = [_opened(state, exercise, one, n, world) for n, one in enumerate(command.findings, start=1)]
    return opened + [_by_result(state, one, exercise, command, world) for one in command.retested]


def _by_result(
    state: Programme, one: NewRetest, exercise: str, command: RecordExercise, world: World
) -> Draft:
    """A finding that the objective of a signed result tested again."""
    permit(command, "finding-retest", state, world)
    _must_be_vouched_for(one.finding, command.imported)
    draft = _retested(state, one, exercise, command.on, world)
    _not_the_owner(state.findings[one.finding], command)
    return draft


def _must_be_vouched_for(finding: str, imported: Imported | None) -> None:
    """Raises Refused of a result for whose key nobody has vouched: anybody can sign one that passes."""
    if imported is not None and imported.trust == "named":
        expected = "expected a result whose key came another way (--key); its own word closes no finding"
        raise Refused(Reason.FIELD_WRONG, {"fields": [f"retest {finding}: {expected}"]})


def _not_the_owner(found: Finding, command: Command) -> None:
    """Raises Refused if whoever owns a finding says themselves that it was tested, or has it written down."""
    if found.owner in {command.actor.person, command.who}:
        raise Refused(Reason.SAME_PERSON, {"who": found.owner})


def _opened(state: Programme, exercise: str, one: NewFinding, nth: int, world: World) -> Draft:
    if world.directory.person(one.owner) is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": one.owner})
    _ahead(one.due, "due", world)
    data = {
        "id": f"FD-{len(state.findings) + nth:04d}",
        "exercise": exercise,
        "owner": one.owner,
        "objective": word(one.objective, "objective", 64) if one.objective else "",
        **_dates(one.due, world),
    }
    texts = {"title": text(one.title, "title", MAX_TITLE)}
    if one.cause.strip():
        texts["cause"] = text(one.cause, "cause")
    return Draft(kind="finding.opened", data=data, texts=texts)


def _dates(due: datetime, world: World) -> dict[str, Any]:
    return {"due": iso(due), "remind_at": iso(due - world.policy.limits.improvement_reminder)}


def fix(state: Programme, command: FixFinding, world: World) -> Decided:
    """The work is done; the finding waits for the exercise that shows whether it helps."""
    ours(world)
    found = _find(state, command.id, OPEN)
    if command.actor.person != found.owner:
        permit(command, "finding-fix", state, world)
    data = {"id": found.id} | _revision(command, world)
    return [Draft(kind="finding.fixed", data=data, texts={"note": text(command.note, "note")})]


def _revision(command: FixFinding, world: World) -> dict[str, str]:
    """The version that it led to, which has to be the one that counts here: else nothing has changed yet."""
    if not command.playbook and not command.version:
        return {}
    frozen = world.library.get(command.playbook)
    if frozen is None:
        known = sorted(world.library)
        raise Refused(Reason.NO_SUCH_PLAYBOOK, {"playbook": command.playbook, "known": known})
    if command.version != frozen.version:
        wrong = f"version: {command.playbook} is at {frozen.version} here, got {command.version[:40]!r}"
        raise Refused(Reason.FIELD_WRONG, {"fields": [wrong]})
    return {"playbook": command.playbook, "version": command.version}


def retest(state: Programme, command: RetestFinding, world: World) -> Decided:
    """Another exercise tested it: with P or S it is closed, with M or U there is work left."""
    permit(command, "finding-retest", state, world)
    entry = state.entries.get(command.exercise)
    if entry is None or entry.status != "held":
        known = [one.id for one in state.entries.values() if one.status == "held"]
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.exercise, "known": known[-MAX_NAMED:]})
    rating, evaluator = _rated(command, entry)
    new = NewRetest(finding=command.id, rating=rating, evaluator=evaluator, observation=command.observation)
    draft = _retested(state, new, entry.id, entry.held_on, world)
    _not_the_owner(state.findings[command.id], command)
    return [draft]


def _rated(command: RetestFinding, entry: Entry) -> tuple[str, str]:
    """Rating and evaluator: of an objective as its signed result says, or as they are given."""
    if not command.objective:
        return command.rating, command.evaluator
    _must_be_vouched_for(command.id, entry.imported)
    for one in entry.outcomes:
        if one.objective == command.objective:
            return one.rating, one.evaluator
    known = [one.objective for one in entry.outcomes]
    raise Refused(Reason.NO_SUCH_ITEM, {"item": command.objective, "known": known})


def _retested(state: Programme, one: NewRetest, exercise: str, on: str, world: World) -> Draft:
    """Raises Refused if this is no re-test: the same exercise, one from before the work, nobody's rating."""
    found = _find(state, one.finding, OPEN | {"accepted"})
    if found.exercise == exercise:
        raise Refused(Reason.SAME_EXERCISE, {"finding": found.id, "exercise": exercise})
    since = max(filter(None, (found.opened_at, found.fixed_at)))
    if on < (day := _day(since, world)):
        raise Refused(Reason.RETEST_TOO_EARLY, {"finding": found.id, "on": on, "since": day})
    if one.rating not in RATINGS or not one.evaluator.strip():
        raise Refused(Reason.NOT_EVALUATED, {"finding": found.id, "exercise": exercise})
    evaluator = word(one.evaluator, "evaluator", MAX_EVALUATOR)
    if evaluator == found.owner:
        raise Refused(Reason.SAME_PERSON, {"who": evaluator})
    data = {
        "id": found.id,
        "exercise": exercise,
        "rating": one.rating,
        "evaluator": evaluator,
        "passed": one.rating in PASSING,
    }
    texts = {"observation": text(one.observation, "observation")} if one.observation.strip() else {}
    return Draft(kind="finding.retested", data=data, texts=texts)


def _day(instant: datetime, world: World) -> str:
    """The day of an instant where the institution is."""
    return instant.astimezone(ZoneInfo(world.organisation.zone)).date().isoformat()


def accept(state: Programme, command: AcceptFinding, world: World) -> Decided:
    """Management accepts what remains: in person, with a reason, until a day, and nothing of their own."""
    permit(command, "finding-accept", state, world)
    if command.for_ is not None:
        raise Refused(Reason.IN_PERSON, {"who": command.for_, "step": command.id})
    found = _find(state, command.id, OPEN)
    if command.who == found.owner:
        raise Refused(Reason.SAME_PERSON, {"who": command.who})
    _ahead(command.review, "review", world)
    data = {"id": found.id, "review_at": iso(command.review)}
    return [Draft(kind="finding.accepted", data=data, texts={"reason": text(command.reason, "reason")})]


def reopen(state: Programme, command: ReopenFinding, world: World) -> Decided:
    """What was closed, or accepted, is wanting again."""
    permit(command, "finding", state, world)
    found = _find(state, command.id, frozenset({"closed", "accepted"}))
    _ahead(command.due, "due", world)
    data = {"id": found.id, **_dates(command.due, world)}
    return [Draft(kind="finding.reopened", data=data, texts={"reason": text(command.reason, "reason")})]


def _find(state: Programme, name: str, statuses: frozenset[str]) -> Finding:
    """The finding of this number in one of the states. Raises Refused."""
    found = state.findings.get(name)
    if found is None or found.status not in statuses:
        known = [one.id for one in state.findings.values() if one.status in statuses]
        raise Refused(Reason.NO_SUCH_ITEM, {"item": name, "known": known[-MAX_NAMED:]})
    return found


def exercises_of(one: Finding) -> set[str]:
    """The exercise that found it, and those that tested it again."""
    return {one.exercise} | {test.exercise for test in one.retests}


def _ahead(instant: datetime, field: str, world: World) -> None:
    if instant <= world.now:
        raise Refused(Reason.FIELD_WRONG, {"fields": [f"{field}: expected a date ahead"]})


# -- time ---------------------------------------------------------------------------------------------------


def findings_due(state: Programme, world: World) -> Iterator[Draft]:
    """What is overdue pages its owner's route, as an improvement does; what was accepted is looked at again.

    A finding whose work is done waits for its re-test and is nobody's to hurry: the plan says when that is.
    """
    for one in state.findings.values():
        if one.status == "accepted" and one.review_at is not None and one.review_at <= world.now:
            yield Draft(kind="finding.reopened", data={"id": one.id, "review": True})
            yield from ask(world, state, "improvement-overdue", subject_of(one.id))
        elif one.status != "open":
            continue
        elif one.due <= world.now and not one.overdue:
            yield Draft(kind="finding.overdue", data={"id": one.id})
            yield from ask(world, state, "improvement-overdue", subject_of(one.id))
        elif not one.reminded and one.remind_at <= world.now < one.due:
            yield Draft(kind="finding.reminded", data={"id": one.id})
            yield reminder(state, subject_of(one.id), one.owner, world)


def reminder(state: Programme, subject: str, owner: str, world: World) -> Draft:
    """Whoever owns an improvement or a finding hears that its day comes near."""
    people = level_recipients(world, state, (owner,), (), subject)
    data = {"template": "notice.improvement_due", "subject": subject, "recipients": people}
    return Draft(kind="message.requested", data=data)


def finding_instants(state: Programme) -> Iterator[datetime | None]:
    """When `findings_due` has something to say."""
    for one in state.findings.values():
        if one.status == "accepted":
            yield one.review_at
        elif one.status == "open" and not one.overdue:
            yield one.due if one.reminded else min(one.remind_at, one.due)
