"""The rating that is proposed for an objective: a table of rules, each with its name and what it proposes.

HSEEP's four words: P performed without challenges, S with some, M with major ones, U unable to be performed.
The worst rating of all rules that hold is proposed, with the names of all of them. Where the record shows
nothing of people, nothing is proposed, and the reason says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.drillresult import Expectation, MeasureResult
from models.exercise import Rating
from models.fact import SYSTEM
from models.scenario import Objective
from models.scoring.expected import limit_of, started
from models.scoring.played import Played

FULFILLED = frozenset({"done", "late"})
FAR = 2
"""An act that took more than so many times its limit is late by far."""
WORSE: tuple[Rating, ...] = ("P", "S", "M", "U")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the record shows of one objective. `took` is None until all that its limit is about was done."""

    expectations: tuple[Expectation, ...]
    measures: tuple[MeasureResult, ...]
    key: frozenset[int]
    """Which of the expectations the objective's own limit is about."""
    limit: timedelta | None = None
    took: timedelta | None = None
    leapt: timedelta = timedelta(0)
    """How far the story leapt within `took`."""

    @property
    def told(self) -> tuple[Expectation, ...]:
        """Those that the record can show, and whose inject came in."""
        return tuple(one for one in self.expectations if one.outcome not in _SHOWS_NOTHING)

    @property
    def mine(self) -> tuple[Expectation, ...]:
        """Of those, what participants could have done in time."""
        return tuple(one for one in self.told if not one.scripted and one.outcome != "open")

    @property
    def measured(self) -> tuple[MeasureResult, ...]:
        """Measures with a result that people brought about."""
        return tuple(one for one in self.measures if one.outcome != "unknown" and not one.scripted)

    def any(self, outcome: str) -> bool:
        """Whether something of what participants could have done came out so."""
        return any(one.outcome == outcome for one in self.mine)


_SHOWS_NOTHING = frozenset({"not-observable", "not-delivered"})


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`rating` None: it proposes nothing. Its name is a key of the interface's texts."""

    name: str
    rating: Rating | None
    holds: Callable[[Seen], bool]


def _all_undone(seen: Seen) -> bool:
    return bool(seen.mine) and all(one.outcome == "not-done" for one in seen.mine)


def _key_undone(seen: Seen) -> bool:
    key = [one for number, one in enumerate(seen.expectations) if number in seen.key]
    return any(one.outcome == "not-done" and not one.scripted for one in key)


def _far(one: Expectation) -> bool:
    took, within = one.took_seconds or 0, one.within_seconds
    return one.outcome == "late" and not one.leapt and within is not None and took > FAR * within


def _late(seen: Seen) -> bool:
    return any(one.outcome == "late" and not one.leapt and not _far(one) for one in seen.mine)


def _over(seen: Seen, times: int) -> bool:
    """Whether the objective took more than so many times its limit, leaps not counted."""
    if seen.limit is None or seen.took is None:
        return False
    return seen.took - seen.leapt > times * seen.limit


def _by_people(seen: Seen) -> bool:
    return any(one.outcome != "not-done" and one.done_by != SYSTEM for one in seen.mine)


NONE: tuple[Rule, ...] = (
    Rule(
        name="not-observable",
        rating=None,
        holds=lambda seen: (
            all(one.outcome == "not-observable" for one in seen.expectations) and not seen.measured
        ),
    ),
    Rule(name="not-delivered", rating=None, holds=lambda seen: not seen.told and not seen.measured),
    Rule(
        name="only-scripted",
        rating=None,
        holds=lambda seen: not seen.mine and not seen.measured and any(one.scripted for one in seen.told),
    ),
    Rule(name="ended-before", rating=None, holds=lambda seen: not seen.mine and not seen.measured),
    Rule(
        name="only-machine",
        rating=None,
        holds=lambda seen: (
            bool(seen.mine)
            and not seen.measured
            and not _by_people(seen)
            and not any(one.outcome == "not-done" for one in seen.mine)
        ),
    ),
)
"""The first that holds ends it: nothing is proposed."""

GRADED: tuple[Rule, ...] = (
    Rule(name="nothing-done", rating="U", holds=_all_undone),
    Rule(name="key-step-not-done", rating="U", holds=_key_undone),
    Rule(
        name="step-not-done",
        rating="M",
        holds=lambda seen: seen.any("not-done") and not _all_undone(seen) and not _key_undone(seen),
    ),
    Rule(name="decided-otherwise", rating="M", holds=lambda seen: seen.any("other")),
    Rule(name="late-by-far", rating="M", holds=lambda seen: any(map(_far, seen.mine))),
    Rule(name="limit-missed-by-far", rating="M", holds=lambda seen: _over(seen, FAR)),
    Rule(
        name="target-missed",
        rating="M",
        holds=lambda seen: any(one.outcome == "missed" for one in seen.measured),
    ),
    Rule(name="late", rating="S", holds=_late),
    Rule(name="late-by-leap", rating="S", holds=lambda seen: any(one.leapt for one in seen.mine)),
    Rule(name="limit-missed", rating="S", holds=lambda seen: _over(seen, 1) and not _over(seen, FAR)),
)
"""All that hold count, and the worst of them is proposed; if none does, P."""

NOTES: tuple[Rule, ...] = (
    Rule(
        name="partly-scripted",
        rating=None,
        holds=lambda seen: (
            any(one.scripted for one in seen.told) or any(one.scripted for one in seen.measures)
        ),
    ),
    Rule(
        name="partly-not-observable",
        rating=None,
        holds=lambda seen: any(one.outcome == "not-observable" for one in seen.expectations),
    ),
    Rule(name="partly-open", rating=None, holds=lambda seen: any(one.outcome == "open" for one in seen.told)),
    Rule(
        name="measure-unknown",
        rating=None,
        holds=lambda seen: any(one.outcome == "unknown" for one in seen.measures),
    ),
)
"""What an evaluator has to know beside a proposal; none of them changes it."""
ALL_IN_TIME = "all-in-time"


def propose(seen: Seen) -> tuple[Rating | None, tuple[str, ...]]:
    """The rating, or None, with the names of the rules that led to it."""
    why_none = next((rule.name for rule in NONE if rule.holds(seen)), None)
    if why_none is not None:
        return None, (why_none,)
    hold = [rule for rule in GRADED if rule.holds(seen)]
    notes = tuple(rule.name for rule in NOTES if rule.holds(seen))
    if not hold:
        return "P", (ALL_IN_TIME, *notes)
    worst = max((rule.rating for rule in hold if rule.rating is not None), key=WORSE.index)
    return worst, (*(rule.name for rule in hold), *notes)


def seen_of(
    played: Played,
    objective: Objective,
    expectations: tuple[Expectation, ...],
    measures: tuple[MeasureResult, ...],
) -> Seen:
    """What the rules look at."""
    since, until = started(played, objective), limit_of(played, objective)
    if since is None or until is None:
        return Seen(expectations=expectations, measures=measures, key=frozenset())
    key = _key(expectations, objective, since, until)
    last = _last([one for number, one in enumerate(expectations) if number in key])
    return Seen(
        expectations=expectations,
        measures=measures,
        key=key,
        limit=objective.within,
        took=max(last - since, timedelta(0)) if last is not None else None,
        leapt=played.leapt(since, last) if last is not None and last > since else timedelta(0),
    )


def _key(
    expectations: tuple[Expectation, ...], objective: Objective, since: datetime, until: datetime
) -> frozenset[int]:
    """What the objective's limit is about: what is asked for while it runs, and has no longer limit itself.

    If nothing is asked for meanwhile, whatever has no longer limit, whenever it was asked for.
    """
    short = {
        number: one.asked_at
        for number, one in enumerate(expectations)
        if one.asked_at is not None and one.outcome not in _SHOWS_NOTHING and _short(one, objective)
    }
    meanwhile = frozenset(number for number, at in short.items() if since <= at <= until)
    return meanwhile or frozenset(short)


def _short(one: Expectation, objective: Objective) -> bool:
    within = None if one.within_seconds is None else timedelta(seconds=one.within_seconds)
    return within is not None and objective.within is not None and within <= objective.within


def _last(key: list[Expectation]) -> datetime | None:
    """When the last of them was done by participants; None if one was not, or there is none."""
    mine = [one for one in key if not one.scripted]
    times = [one.done_at for one in mine if one.outcome in FULFILLED]
    known = [one for one in times if one is not None]
    return max(known) if known and len(known) == len(mine) else None
