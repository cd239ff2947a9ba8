"""What was expected upon each inject, and what was done: matched by step, timed from the inject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from models.drillresult import Expectation, Outcome
from models.scenario import Expected, Inject, Objective
from models.scoring.acts import Act
from models.scoring.played import Played

Acts = Mapping[str, Sequence[Act]]


def expectations(played: Played, acts: Acts, objective: Objective) -> tuple[Expectation, ...]:
    """Everything that is expected for an objective, in the order of the script."""
    pairs = played.scenario.expected(objective.id)
    return tuple(_judge(played, acts, objective, inject, one) for inject, one in pairs)


def _judge(played: Played, acts: Acts, objective: Objective, inject: Inject, one: Expected) -> Expectation:
    came = played.came(inject.id)
    asked = came.at if came is not None else None
    within = due_by(played, objective, inject, one)
    known: dict[str, object] = {
        "inject": inject.id,
        "text": one.text,
        "role": one.role,
        "step": one.step,
        "option": one.option,
        "within_seconds": _seconds(within - asked) if within is not None and asked is not None else None,
        "asked_at": asked,
    }
    if asked is None:
        return Expectation.model_validate(known | {"outcome": "not-delivered"})
    if one.step is None:
        return Expectation.model_validate(known | {"outcome": "not-observable"})
    act = _best(acts.get(one.step, ()), one.option, asked, within)
    if act is None:
        return Expectation.model_validate(known | _undone(played, one, within))
    return Expectation.model_validate(known | _done(played, act, one, asked, within))


def due_by(played: Played, objective: Objective, inject: Inject, one: Expected) -> datetime | None:
    """Until when: its own limit from the inject, else that of the objective; None if there is none.

    The objective's limit says nothing about what was asked for only after it had passed.
    """
    came = played.came(inject.id)
    if came is None:
        return None
    if one.within is not None:
        return came.at + one.within
    limit = limit_of(played, objective)
    return limit if limit is not None and came.at <= limit else None


def limit_of(played: Played, objective: Objective) -> datetime | None:
    """When the objective's limit ends; None if it has none, or what starts it never came in."""
    since = started(played, objective)
    return since + objective.within if since is not None and objective.within is not None else None


def started(played: Played, objective: Objective) -> datetime | None:
    """When the objective's limit begins: with an inject, or with STARTEX."""
    if objective.since is None:
        return played.exercise.startex
    came = played.came(objective.since)
    return came.at if came is not None else None


def _best(acts: Sequence[Act], option: str | None, asked: datetime, due: datetime | None) -> Act | None:
    """The act that counts: a participant's before a scripted one, a fitting one before another, one after
    it was asked for before one of an earlier round, one in time before a late one; then the first."""

    def rank(act: Act) -> tuple[bool, bool, bool, bool, datetime]:
        fits = option is None or act.choice == option
        return act.scripted, not fits, act.at < asked, due is not None and act.at > due, act.at

    return min(acts, key=rank, default=None)


def _undone(played: Played, one: Expected, due: datetime | None) -> dict[str, object]:
    """Not due yet when it ended, or not done; nobody's failure if nobody played the role."""
    aborted = played.exercise.status == "aborted"
    still_open = (due is None and aborted) or (due is not None and due > played.ends)
    outcome: Outcome = "open" if still_open else "not-done"
    return {"outcome": outcome, "scripted": not played.plays(one.role)}


def _done(
    played: Played, act: Act, one: Expected, asked: datetime, due: datetime | None
) -> dict[str, object]:
    outcome: Outcome = "done"
    if act.scripted:
        outcome = "scripted"
    elif one.option is not None and act.choice != one.option:
        outcome = "other"
    elif due is not None and act.at > due:
        outcome = "late"
    return {
        "outcome": outcome,
        "done_at": act.at,
        "done_by": act.by,
        "scripted": act.scripted,
        "choice": act.choice,
        "took_seconds": _seconds(act.at - asked),
        "leapt": outcome == "late" and due is not None and act.at - played.leapt(asked, act.at) <= due,
    }


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)
