"""A record and its replay side by side: what came earlier or later, what would have held, been met or missed.

Pure. Steps are matched by key, pages by event, subject and level, clocks by id, gates by step. Where the two
differ, a row says why in one named reason; what has no counterpart is a row with one side empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from models.directory import Directory
from models.fact import SYSTEM, Fact
from models.replay.naming import Names
from models.replay.recorded import Recorded
from models.replay.run import Refusal, Replayed

Kind = Literal["page", "step", "decision", "gate", "clock"]
NEAR = timedelta(seconds=1)
"""Nearer than this, two instants are the same: the watch looks when it can."""
MAX_ROWS = 5_000


class Why(StrEnum):
    """Why something is another in the replay."""

    SAME = "same"
    ROUTE = "route changed"
    PLAYBOOK = "playbook version"
    POLICY = "criteria or targets changed"
    GONE = "person not in directory"
    HOLDER = "role held by another"
    REACH = "reached otherwise"
    RULES = "rule version"
    REFUSED = "refused command"
    UNASKED = "never asked"
    ANSWERED = "answered before"
    FOLLOWS = "follows from another difference"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing on both sides; an instant is None where it did not happen. `what` is matched by."""

    kind: Kind
    what: str
    point: str
    then: datetime | None = None
    now: datetime | None = None
    then_said: str = ""
    now_said: str = ""
    why: Why = Why.SAME
    detail: Mapping[str, Any] | None = None

    @property
    def by(self) -> timedelta | None:
        """How much later it comes in the replay; negative is earlier; None without a counterpart."""
        return self.now - self.then if self.now is not None and self.then is not None else None

    @property
    def differs(self) -> bool:
        """Whether the two sides are apart."""
        if self.then_said != self.now_said or (self.then is None) is not (self.now is None):
            return True
        return self.by is not None and abs(self.by) >= NEAR


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that is told of a replay."""

    stream: str
    manner: str
    rows: tuple[Row, ...]
    facts: tuple[int, int]
    refused: tuple[Refusal, ...]
    unasked: tuple[str, ...]
    absolute: Mapping[str, int]
    gone: tuple[str, ...]
    disposed: int
    adapted: tuple[str, ...] = ()

    def changed(self, kind: str | None = None) -> tuple[Row, ...]:
        """The rows that differ, of one kind or of all."""
        return tuple(one for one in self.rows if one.differs and kind in {None, one.kind})


def compare(recorded: Recorded, replayed: Replayed, directory: Directory) -> Comparison:
    """Side by side. `directory` are the people as they are now."""
    then, now = _Side(recorded.facts), _Side(replayed.facts)
    gone = tuple(
        sorted(_people(recorded) - {SYSTEM} - {one for one in _people(recorded) if directory.person(one)})
    )
    reasons = _Reasons(then, now, replayed, frozenset(gone))
    rows = [*_pages(then, now, reasons), *_steps(then, now, reasons)]
    rows += [*_decisions(then, now, reasons), *_gates(then, now, reasons), *_clocks(then, now, reasons)]
    if not any(row.differs and row.why is not Why.FOLLOWS for row in rows):
        # Nothing that was given differs: then it is the program that reads the same things otherwise.
        rows = [replace(row, why=Why.RULES) if row.differs else row for row in rows]
    absolute: dict[str, int] = {}
    for act in recorded.acts if replayed.manner == "shifted" else ():
        if act.seq in replayed.absolute:
            name = type(act.command).__name__
            absolute[name] = absolute.get(name, 0) + 1
    return Comparison(
        stream=recorded.stream,
        manner=replayed.manner,
        rows=tuple(rows[:MAX_ROWS]),
        facts=(len(recorded.facts), len(replayed.facts)),
        refused=tuple(replayed.refused),
        unasked=tuple(f"{type(act.command).__name__} #{act.seq}" for act in replayed.unasked),
        absolute=absolute,
        gone=gone,
        disposed=recorded.disposed,
        adapted=tuple(dict.fromkeys(replayed.adapted)),
    )


def _people(recorded: Recorded) -> set[str]:
    return {name for act in recorded.acts for name in (act.facts[0].actor, act.facts[0].for_) if name}


# -- one side -----------------------------------------------------------------------------------------------


class _Side:
    """One run's facts, found by what they are about."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        names = Names()
        self.pages: dict[str, dict[str, Fact]] = {}
        self.asked: dict[str, Fact] = {}
        self.steps: dict[tuple[str, str], Fact] = {}
        self.last_step: dict[str, str] = {}
        self.decisions: dict[str, Fact] = {}
        self.gates: dict[str, dict[str, Fact]] = {}
        self.clocks: dict[str, dict[str, Fact]] = {}
        self.playbooks: dict[str, str] = {}
        self.policy = ""
        ids: dict[int, str] = {}
        for fact in facts:
            name = names.name(fact)
            self._page(fact, name, ids)
            self._step(fact)
            self._clock(fact)
            if fact.kind in {"playbook.added", "playbook.moved"}:
                self.playbooks[fact.data["playbook"]] = fact.data["digest"]
            elif fact.kind == "incident.declared":
                self.policy = fact.data["policy"]

    def _page(self, fact: Fact, name: Any, ids: dict[int, str]) -> None:
        if fact.kind == "page.asked":
            subject = name[2] if isinstance(name[2], str) else f"{name[2][0]}:{_told(name[2][1])}"
            key = f"{fact.data['event']} {subject} {name[-1]}"
            ids[fact.seq] = key
            self.asked[key] = fact
            self.pages[key] = {"1": fact}
            return
        key = ids.get(fact.data.get("page", 0), "")
        points = self.pages.get(key)
        if points is None:
            return
        if fact.kind == "page.escalated":
            for skipped in fact.data.get("skipped", ()):
                points.setdefault(str(skipped["level"] + 1), fact)
            points.setdefault(str(fact.data["level"] + 1), fact)
        elif fact.kind == "page.exhausted":
            points.setdefault("last", fact)
        elif fact.kind == "page.acknowledged" and fact.data["complete"]:
            points.setdefault("ack", fact)

    def _step(self, fact: Fact) -> None:
        step = fact.data.get("step")
        if not isinstance(step, str):
            return
        point = {
            "step.ready": "ready", "step.started": "started", "step.done": "done", "step.failed": "failed",
            "step.unknown": "unknown", "step.skipped": "skipped", "step.not_applicable": "not-applicable",
            "step.overdue": "overdue",
        }.get(fact.kind)  # fmt: skip
        if point is not None:
            self.steps[step, point] = fact
            self.last_step[step] = point
        elif fact.kind == "decision.made":
            self.decisions[step] = fact
        elif fact.kind in {"gate.held", "gate.passed", "gate.overridden"}:
            self.gates.setdefault(step, {}).setdefault(fact.kind.removeprefix("gate."), fact)

    def _clock(self, fact: Fact) -> None:
        clock = fact.data.get("clock")
        if isinstance(clock, str):
            point = fact.kind.removeprefix("clock.")
            self.clocks.setdefault(clock, {})[point] = fact


def _told(name: Any) -> str:
    return str(name[0]) if isinstance(name, tuple) and name else str(name)


# -- why ----------------------------------------------------------------------------------------------------


class _Reasons:
    """Names the first cause of a difference; what merely follows from one says so."""

    def __init__(self, then: _Side, now: _Side, replayed: Replayed, gone: frozenset[str]) -> None:
        self.then, self.now, self.gone = then, now, gone
        self.refused: dict[tuple[str, str], Refusal] = {}
        for one in replayed.refused:
            self.refused.setdefault(_target(one.act.command, one.act.facts), one)
        self.unasked = {_target(act.command, act.facts) for act in replayed.unasked}

    def act(self, kind: str, key: str) -> tuple[Why, Mapping[str, Any] | None]:
        """Why an act about something did not come, or came at another time."""
        found = self.refused.get((kind, key))
        if found is not None:
            why = Why.GONE if found.act.command.who in self.gone else Why.REFUSED
            return why, {"reason": found.reason, "who": found.act.command.who}
        return (Why.UNASKED if (kind, key) in self.unasked else Why.FOLLOWS), None

    def page(self, key: str, point: str) -> tuple[Why, Mapping[str, Any] | None]:
        """Why a page reached a level at another time, or other people."""
        then, now = self.then.asked.get(key), self.now.asked.get(key)
        if then is None or now is None:
            return Why.FOLLOWS, None
        ladder = ("route", "within", "repeat", "every", "all")
        if any(then.data[name] != now.data[name] for name in ladder):
            return Why.ROUTE, {name: [then.data[name], now.data[name]] for name in ("route", "within")}
        return self._level(key, point)

    def _level(self, key: str, point: str) -> tuple[Why, Mapping[str, Any] | None]:
        then, now = self.then.pages[key].get(point), self.now.pages[key].get(point)
        if now is None or then is None:
            answered = self.now.pages[key] if now is None else self.then.pages[key]
            return (Why.ANSWERED if "ack" in answered and point != "ack" else Why.FOLLOWS), None
        return _recipients(then, now, self.gone)

    def step(self, key: str, point: str) -> tuple[Why, Mapping[str, Any] | None]:
        """Why a step is elsewhere."""
        why, detail = self.act("step", key)
        if why is not Why.FOLLOWS:
            return why, detail
        playbook = key.split("/", 1)[0]
        editions = self.then.playbooks.get(playbook), self.now.playbooks.get(playbook)
        if editions[0] != editions[1] and point in {"ready", "status"}:
            return Why.PLAYBOOK, None
        return Why.FOLLOWS, None

    def clock(self, key: str) -> tuple[Why, Mapping[str, Any] | None]:
        """Why a clock runs otherwise."""
        then, now = (side.clocks.get(key, {}).get("set") for side in (self.then, self.now))
        if then is not None and now is not None and then.data.get("basis") != now.data.get("basis"):
            return Why.POLICY, None
        if self.then.policy != self.now.policy and (then is None or now is None):
            return Why.POLICY, None
        return Why.FOLLOWS, None


def _recipients(then: Fact, now: Fact, gone: frozenset[str]) -> tuple[Why, Mapping[str, Any] | None]:
    """What is another about whom a level reached."""
    before, after = (_reached(one) for one in (then, now))
    if before == after:
        return Why.FOLLOWS, None
    detail = {"then": sorted(before), "now": sorted(after)}
    if set(before) == set(after):
        return Why.REACH, detail
    missing = set(before) - set(after)
    return (Why.GONE if missing and missing <= gone else Why.HOLDER), detail


def _reached(fact: Fact) -> dict[str, tuple[str, ...]]:
    return {one["person"]: tuple(one.get("channels", ())) for one in fact.data.get("recipients", ())}


def _target(command: Any, facts: Sequence[Fact]) -> tuple[str, str]:
    """What an act was about, as rows name it."""
    step = getattr(command, "step", None) or next((f.data["step"] for f in facts if "step" in f.data), None)
    return ("step", step) if isinstance(step, str) else (type(command).__name__, "")


# -- rows ---------------------------------------------------------------------------------------------------


def _keys(*sides: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(key for side in sides for key in side))


def _with(row: Row, found: tuple[Why, Mapping[str, Any] | None]) -> Row:
    return replace(row, why=found[0], detail=found[1]) if row.differs else row


def _pages(then: _Side, now: _Side, reasons: _Reasons) -> Iterator[Row]:
    for key in _keys(then.pages, now.pages):
        before, after = then.pages.get(key, {}), now.pages.get(key, {})
        for point in sorted(_keys(before, after), key=_level_order):
            one, other = before.get(point), after.get(point)
            row = Row(
                kind="page",
                what=key,
                point=point,
                then=one.at if one else None,
                now=other.at if other else None,
                then_said=_people_of(one),
                now_said=_people_of(other),
            )
            yield _with(row, reasons.page(key, point))


def _level_order(point: str) -> tuple[int, str]:
    return (int(point), "") if point.isdigit() else (1_000 if point == "last" else 2_000, point)


def _people_of(fact: Fact | None) -> str:
    if fact is None:
        return ""
    if fact.kind == "page.acknowledged":
        return str(fact.data["by"])
    return " ".join(one["person"] for one in fact.data.get("recipients", ()))


def _steps(then: _Side, now: _Side, reasons: _Reasons) -> Iterator[Row]:
    for step in _keys(then.last_step, now.last_step):
        for point in ("ready", "started", "done", "overdue"):
            one, other = then.steps.get((step, point)), now.steps.get((step, point))
            if one is not None or other is not None:
                row = Row(
                    kind="step",
                    what=step,
                    point=point,
                    then=one.at if one else None,
                    now=other.at if other else None,
                )
                yield _with(row, reasons.step(step, point))
        status = Row(
            kind="step",
            what=step,
            point="status",
            then_said=then.last_step.get(step, ""),
            now_said=now.last_step.get(step, ""),
        )
        yield _with(status, reasons.step(step, "status"))


def _decisions(then: _Side, now: _Side, reasons: _Reasons) -> Iterator[Row]:
    for step in _keys(then.decisions, now.decisions):
        one, other = then.decisions.get(step), now.decisions.get(step)
        row = Row(
            kind="decision",
            what=step,
            point="made",
            then=one.at if one else None,
            now=other.at if other else None,
            then_said=one.data["choice"] if one else "",
            now_said=other.data["choice"] if other else "",
        )
        yield _with(row, reasons.step(step, "made"))


def _gates(then: _Side, now: _Side, reasons: _Reasons) -> Iterator[Row]:
    for step in _keys(then.gates, now.gates):
        for point in ("held", "passed", "overridden"):
            one, other = then.gates.get(step, {}).get(point), now.gates.get(step, {}).get(point)
            if one is None and other is None:
                continue
            row = Row(
                kind="gate",
                what=step,
                point=point,
                then=one.at if one else None,
                now=other.at if other else None,
                then_said=_why(one),
                now_said=_why(other),
            )
            yield _with(row, reasons.step(step, "ready"))


def _why(fact: Fact | None) -> str:
    """What a gate held for; of one that is passed or overridden nothing is to be compared."""
    return " ".join(fact.data.get("why", ())) if fact is not None and fact.kind == "gate.held" else ""


_ENDS = ("met", "missed", "ended")


def _clocks(then: _Side, now: _Side, reasons: _Reasons) -> Iterator[Row]:
    for clock in _keys(then.clocks, now.clocks):
        before, after = then.clocks.get(clock, {}), now.clocks.get(clock, {})
        due = Row(
            kind="clock",
            what=clock,
            point="due",
            then=_instant(before, "due_at"),
            now=_instant(after, "due_at"),
        )
        yield _with(due, reasons.clock(clock))
        one, other = _end_of(before), _end_of(after)
        end = Row(
            kind="clock",
            what=clock,
            point="end",
            then=one[1],
            now=other[1],
            then_said=one[0],
            now_said=other[0],
        )
        yield _with(end, reasons.clock(clock))


def _instant(facts: Mapping[str, Fact], name: str) -> datetime | None:
    return datetime.fromisoformat(facts["set"].data[name]) if "set" in facts else None


def _end_of(facts: Mapping[str, Fact]) -> tuple[str, datetime | None]:
    """How a clock ended, and when it stopped; broken while it still ran is said too."""
    ends = sorted((facts[name] for name in _ENDS if name in facts), key=lambda fact: fact.seq)
    if not ends:
        return ("broken" if "breached" in facts else "running" if facts else ""), None
    stopped = ends[-1].data.get("stopped_at")
    return ends[-1].kind.removeprefix("clock."), datetime.fromisoformat(stopped) if stopped else ends[-1].at
