"""A machine that does to a page whatever the world may do to it, and says what must hold after each move.

Crashes fall between any two writes; the wall clock steps; messages are delivered twice or given up; people
acknowledge, say no, delegate and work whenever they like; the node is away for a while.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import update

import models.record
from models.answers import Decline
from models.clock import ExerciseClock
from models.commands import (
    Acknowledge,
    Actor,
    Command,
    Declare,
    Delegate,
    EndIncident,
    MarkDelivery,
    NodeFact,
    SetSeverity,
)
from models.decide import next_due
from models.desk import HOUSE, Desk
from models.fact import Fact
from models.page import page_next_due
from models.record import OUTBOX, Record
from models.state import Page
from tests.models.small import AMY, BEN, CHO, DAN, FAY, NIGHT, by, open_desk, playbook, step

PEOPLE = (AMY, BEN, CHO, DAN, FAY)
POINTS = ("facts-written", "outbox-written", "before-commit", "after-commit")
MAX_STOPS = 400
ASKING = {"page.asked", "page.escalated", "page.repeated", "page.exhausted", "page.lapsed", "page.delegated"}
MOVED = {"page.hurried", "page.lapsed", "page.delegated", "page.acknowledged"}
AFTER_ACK = {"page.seen", "page.worked", "page.stopped", "page.lapsed"}
QUIET = playbook("unknown", step("look", optional=True))


class Crash(BaseException):
    """The process dies here; nothing of ours may catch it."""


@dataclass
class Crasher:
    """Stands in for `crash_point`: dies at the n-th time that a named point is reached."""

    point: str = ""
    left: int = 0

    def __call__(self, name: str) -> None:
        if name == self.point and self.left > 0:
            self.left -= 1
            if self.left == 0:
                raise Crash(name)


@dataclass
class Watched:
    """What the machine knows of one page from outside."""

    asked_real: timedelta
    offset: timedelta
    level: int = 0
    untouched: bool = True
    spread: timedelta = timedelta()
    seen: int = 0
    acked: bool = False
    ends: dict[int, timedelta] = field(default_factory=dict)


class PagerMachine(RuleBasedStateMachine):
    """One incident with its call-out, on the route of three levels."""

    def __init__(self) -> None:
        super().__init__()
        self.record = Record.in_memory()
        self.clock = ExerciseClock(NIGHT)
        self.crasher = Crasher()
        self.real = timedelta()
        self.offset = timedelta()
        self.away: list[tuple[timedelta, timedelta]] = []
        self.watched: dict[int, Watched] = {}
        self.received: Counter[str] = Counter()
        self.stream = ""
        self.latest = NIGHT
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(models.record, "crash_point", self.crasher)
        self.reopen()

    def teardown(self) -> None:
        self._patch.undo()
        self.record.close()

    # -- the world ------------------------------------------------------------------------------------------

    def reopen(self) -> None:
        """A process starts anew: nothing is left but the record."""
        self.desk: Desk = open_desk(QUIET, record=self.record, clock=self.clock)

    def survive(self, call: Any, *given: Any) -> Any:
        """Do it; if the process dies in the middle, start anew and do it again, as people and loops do."""
        try:
            return call(*given)
        except Crash:
            self.crasher.left = 0
            self.reopen()
            return call(*given)

    def handle(self, command: Command, stream: str | None = None) -> Any:
        return self.survive(self.desk_handle, stream or self.stream, command)

    def desk_handle(self, stream: str | None, command: Command) -> Any:
        return self.desk.handle(stream, command)

    def tick(self) -> None:
        self.survive(lambda: self.desk.tick(self.stream))
        self.note()

    def pass_time(self, span: timedelta) -> None:
        """Time passes; the watch looks at each instant at which something is due."""
        end = self.clock.now() + span
        for _ in range(MAX_STOPS):
            due = next_due(self.desk.state(self.stream))
            if due is None or due > end:
                self.real += end - self.clock.now()
                self.clock.set(end)
                return
            self.real += max(due - self.clock.now(), timedelta())
            self.clock.set(max(due, self.clock.now()))
            self.tick()
        raise AssertionError("a timer does not rest")

    def pages(self) -> dict[int, Page]:
        return self.desk.state(self.stream).pages

    def facts(self) -> list[Fact]:
        with self.record.read() as tx:
            return tx.facts(self.stream)

    def rows(self, **where: Any) -> list[dict[str, Any]]:
        with self.record.read() as tx:
            found = [dict(row) for row in tx.connection.execute(OUTBOX.select()).mappings()]
        return [row for row in found if all(row[name] == value for name, value in where.items())]

    # -- what may happen ------------------------------------------------------------------------------------

    @initialize()
    def declare(self) -> None:
        self.stream = self.desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
        self.note()

    @rule(minutes=st.sampled_from((1, 2, 4, 5, 10, 15, 31)))
    def time_passes(self, minutes: int) -> None:
        self.pass_time(timedelta(minutes=minutes))

    @rule(seconds=st.sampled_from((-3600, -240, -30, 30, 240, 3600)))
    def the_wall_clock_steps(self, seconds: int) -> None:
        step_by = timedelta(seconds=seconds)
        self.latest = max(self.latest, self.clock.advance(step_by))
        self.offset += step_by
        for one in self.watched.values():
            one.spread = max(one.spread, abs(self.offset - one.offset))
        self.tick()

    @rule(minutes=st.sampled_from((1, 7, 12, 45)))
    def the_node_is_away(self, minutes: int) -> None:
        since, began = self.clock.now(), self.real
        until = self.clock.advance(timedelta(minutes=minutes))
        self.real += timedelta(minutes=minutes)
        self.away.append((began, self.real))
        fact = NodeFact(actor=Actor.machine("node"), what="outage", node="pager", since=since, until=until)
        self.handle(fact, HOUSE)
        self.tick()

    @rule(person=st.sampled_from(PEOPLE), twice=st.booleans())
    def somebody_acknowledges(self, person: str, twice: bool) -> None:
        for _ in range(2 if twice else 1):
            self.handle(Acknowledge(actor=by(person), page=min(self.pages())))
        self.note()

    @rule(person=st.sampled_from(PEOPLE), to=st.sampled_from(PEOPLE), minutes=st.sampled_from((3, 25, 70)))
    def somebody_delegates(self, person: str, to: str, minutes: int) -> None:
        until = self.clock.now() + timedelta(minutes=minutes)
        self.handle(Delegate(actor=by(person), page=min(self.pages()), to=to, until=until))
        self.note()

    @rule(person=st.sampled_from(PEOPLE), times=st.sampled_from((0, 1, 2)))
    def somebody_says_no(self, person: str, times: int) -> None:
        for _ in range(times):
            self.handle(Decline(actor=by(person), page=min(self.pages()), reason="-"))
        self.note()

    @rule(severity=st.sampled_from(("low", "high")))
    def somebody_works(self, severity: str) -> None:
        self.handle(SetSeverity(actor=by(BEN), severity=severity, reason="-"))
        self.note()

    @rule(really=st.sampled_from((False, False, False, True)))
    def somebody_dismisses_it(self, really: bool) -> None:
        if really:
            self.handle(EndIncident(actor=by(AMY), how="dismissed", reason="-"))
        self.note()

    @rule(twice=st.booleans())
    def messages_are_delivered(self, twice: bool) -> None:
        for row in self.rows(state="queued")[:5]:
            for _ in range(2 if twice else 1):
                self.received[row["key"]] += 1
                self.survive(self._marked, row, "sent")
        self.note()

    @rule()
    def messages_are_given_up(self) -> None:
        for row in self.rows(state="queued", kind="page")[:3]:
            self.survive(self._marked, row, "given_up")
        self.note()

    def _marked(self, row: dict[str, Any], outcome: Any) -> None:
        command = MarkDelivery(
            actor=Actor.machine("outbox"),
            key=row["key"],
            outcome=outcome,
            page=row["page"] if row["kind"] == "page" else 0,
            level=int(row["level"]) if row["level"].isdigit() else 0,
            channel=row["channel"],
            person=row["person"],
        )
        try:
            with self.record.begin() as tx:
                tx.connection.execute(update(OUTBOX).where(OUTBOX.c.id == row["id"]).values(state=outcome))
                self.desk.handle_in(tx, self.stream, command)
        except BaseException:
            self.desk.forget()
            raise

    @rule(point=st.sampled_from(POINTS), times=st.integers(1, 3))
    def the_process_will_die(self, point: str, times: int) -> None:
        self.crasher.point, self.crasher.left = point, times

    @rule()
    def the_process_starts_anew(self) -> None:
        self.reopen()

    # -- what must hold -------------------------------------------------------------------------------------

    def note(self) -> None:
        """Look at what was written since the last look, fact by fact."""
        for fact in self.facts():
            if fact.kind == "page.asked" and fact.seq not in self.watched:
                self.watched[fact.seq] = Watched(asked_real=self.real, offset=self.offset, seen=fact.seq)
            number = fact.data.get("page", 0) if fact.kind.startswith("page.") else 0
            one = self.watched.get(number)
            if one is not None and fact.seq > one.seen:
                one.seen = fact.seq
                self._judge(one, number, fact)

    def _judge(self, one: Watched, number: int, fact: Fact) -> None:
        if one.acked:
            assert fact.kind in AFTER_ACK or fact.data.get("gave_back"), f"{fact.kind} after somebody had it"
        if fact.kind == "page.acknowledged":
            one.acked = fact.data["complete"]
        elif fact.kind == "page.lapsed" or fact.data.get("gave_back"):
            one.acked = False
        if fact.kind in MOVED:
            one.untouched = False
        if fact.kind == "page.escalated":
            assert fact.data["level"] > one.level, "a level went back"
            one.level = fact.data["level"]
            if one.untouched:
                self._in_time(one, number, fact)

    def _in_time(self, one: Watched, number: int, fact: Fact) -> None:
        """A level is paged at its own time, or when the node is back; a step of the clock adds no more."""
        within = self.pages()[number].within[: fact.data["level"]]
        ideal = one.asked_real + timedelta(seconds=sum(within))
        back = [end for start, end in self.away if start - one.spread <= ideal <= end]
        latest = max([ideal, *back])
        assert ideal - one.spread <= self.real <= latest + one.spread, (ideal, self.real, one.spread)

    @invariant()
    def no_page_ends_silently(self) -> None:
        if not self.stream:
            return
        self.latest = max(self.latest, self.clock.now())
        for page in self.pages().values():
            due = page_next_due(page)
            if page.state == "open":
                assert due is not None, f"page {page.id} waits for nobody and nothing"
                assert due <= max(self.latest, page.base) + timedelta(minutes=31)
            elif page.state == "acknowledged" and page.renew and page.worked_at is None:
                assert due is not None, "an acknowledgement without work never lapses"

    @invariant()
    def a_look_leaves_nothing_due(self) -> None:
        if self.stream:
            self.tick()
            due = next_due(self.desk.state(self.stream))
            assert due is None or due > self.clock.now(), f"still due at {due}, it is {self.clock.now()}"

    @invariant()
    def every_level_up_to_now_was_asked(self) -> None:
        if not self.stream:
            return
        for page in self.pages().values():
            missing = [n for n in range(page.level + 1) if str(n) not in page.reached]
            assert not missing, f"levels {missing} were skipped and never asked"

    @invariant()
    def whoever_said_no_to_a_level_is_not_asked_on_it_again(self) -> None:
        """Unless the last resort has nobody else."""
        if not self.stream:
            return
        said: set[tuple[int, int, str]] = set()
        for fact in self.facts():
            number = fact.data.get("page", 0)
            if fact.kind == "page.declined":
                said.add((number, fact.data["level"], fact.data["by"]))
            elif fact.kind == "page.acknowledged":
                said = {one for one in said if one[0] != number or one[2] != fact.data["by"]}
            elif fact.kind in {"page.repeated", "page.lapsed"}:
                again = {(number, fact.data["level"], one["person"]) for one in fact.data["recipients"]}
                assert not again & said, f"#{fact.seq} {fact.kind} asks {again & said}"

    @invariant()
    def whoever_is_asked_has_a_message_of_their_own(self) -> None:
        if not self.stream:
            return
        there = Counter((row["cause"], row["person"]) for row in self.rows(stream=self.stream))
        for fact in self.facts():
            if fact.kind in ASKING:
                for one in fact.data["recipients"]:
                    assert there[fact.seq, one["person"]] == 1, f"#{fact.seq} {fact.kind}: {one['person']}"

    @invariant()
    def nothing_more_goes_out_once_somebody_has_it(self) -> None:
        if not self.stream:
            return
        ended = {page.id for page in self.pages().values() if page.state != "open"}
        waiting = [row["key"] for row in self.rows(state="queued", kind="page") if row["page"] in ended]
        assert not waiting, waiting

    @invariant()
    def what_is_kept_is_what_the_facts_say(self) -> None:
        if not self.stream:
            return
        fresh = open_desk(QUIET, record=self.record, clock=self.clock)
        with suppress(Crash):
            assert fresh.state(self.stream) == self.desk.state(self.stream)
