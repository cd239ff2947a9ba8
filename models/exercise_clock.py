"""The exercise's own time: what hour of the story it is, from how long it has been played.

One node moves it (`Play`), and says in a `Mark` where it stands; all others only read that (`StoryClock`).
It never goes back: not over a restart, not when the machine's clock is set. It goes by the machine's
monotonic time, and without a node it stands still: a mark grants no more than `GRANT_US` of it.

Before STARTEX an exercise is prepared: played time is negative then, begins `LEAD` before STARTEX and goes as
fast as that of the machine, until it stands at STARTEX. Units: microseconds of play; of the machine's
monotonic time for `ticks`; instants are UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import RLock

import msgspec

from models.clock import utc
from models.exercise import FASTEST, SLOWEST, Timing
from models.scenario import Scenario

LEAD = timedelta(days=7)
"""How long before the story's STARTEX its preparation is dated at most."""
GRANT_US = 1_500_000
"""For how long a mark is good without another one: what a node that was killed still has played."""
MICROSECOND = timedelta(microseconds=1)
Ticks = Callable[[], int]
"""The machine's monotonic time in microseconds, the same for all processes since it was started."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """The hour of the story at STARTEX, and its leaps as (time of play, length), in order."""

    startex: datetime
    leaps: tuple[tuple[timedelta, timedelta], ...] = ()

    @classmethod
    def of(cls, scenario: Scenario, startex: datetime) -> Story:
        """That of a scenario, beginning at `startex` (aware)."""
        leaps = sorted((leap.at, leap.by) for leap in scenario.leaps)
        return cls(startex=utc(startex), leaps=tuple(leaps))

    def at(self, played: timedelta) -> datetime:
        """The hour of the story when so much has been played, with the leaps until then."""
        return self.startex + played + sum((by for at, by in self.leaps if at <= played), timedelta(0))

    def walked(self, played: timedelta, until: datetime | None, shown: datetime | None) -> datetime:
        """As `at`, but not beyond `until`: what is due within a leap happens at its own hour.

        It does not go back behind `shown`, where it stood before.
        """
        now = self.at(played)
        if until is None or until >= now:
            return now
        return min(max(until, shown or until), now)

    def played(self, at: datetime) -> timedelta:
        """How much has been played when it is first `at` (aware) or later in the story."""
        passed, leapt = utc(at) - self.startex, timedelta(0)
        for leap, by in self.leaps:
            if passed < leap + leapt:
                break
            if passed <= leap + leapt + by:
                return leap
            leapt += by
        return passed - leapt


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of play stood when its node last said so."""

    played_us: int
    ticks: int
    boot: str = ""
    """Which run of the machine `ticks` belong to: those of another one say nothing."""
    goes: bool = False
    speed: int = 1
    until_us: int | None = None
    """Played time that is not passed before its node has done what is due then."""
    until: datetime | None = None
    """The same as an hour of the story, which may lie within a leap."""
    story: datetime | None = None
    """The hour of the story, which within a leap cannot be told from the time of play."""
    held: str = ""
    """Why it stands although it has not been paused; empty if it does not."""

    def played(self, ticks: int, boot: str) -> int:
        """Microseconds of play at `ticks` of the machine's run `boot`."""
        if not self.goes or boot != self.boot:
            return self.played_us
        passed = min(max(ticks - self.ticks, 0), GRANT_US)
        return _not_beyond(self.played_us + passed * self.speed, self.until_us, self.played_us)


def prepared(ticks: int, boot: str) -> Mark:
    """Where an exercise begins that has just been prepared."""
    return Mark(played_us=-(LEAD // MICROSECOND), ticks=ticks, boot=boot)


def _not_beyond(played_us: int, until_us: int | None, at_least: int) -> int:
    return played_us if until_us is None else min(played_us, max(until_us, at_least))


class StoryClock:
    """The hour of the story for whoever only reads it. It never goes back, nor below what is on record."""

    def __init__(self, story: Story, read: Callable[[], Mark], ticks: Ticks, boot: str) -> None:
        self.story = story
        self._read = read
        self._ticks = ticks
        self._boot = boot
        self._shown: datetime | None = None

    def not_before(self, at: datetime) -> None:
        """Nothing is dated before `at` (aware) any more: so much is on record."""
        self._shown = max(utc(at), self._shown or utc(at))

    def played(self) -> timedelta:
        """How long has been played."""
        return self._read().played(self._ticks(), self._boot) * MICROSECOND

    def mark(self) -> Mark:
        """What its node last said."""
        return self._read()

    def now(self) -> datetime:
        mark = self._read()
        played = mark.played(self._ticks(), self._boot) * MICROSECOND
        stands = mark.story if mark.held else None
        now = stands or self.story.walked(played, mark.until, mark.story)
        self.not_before(now)
        return self._shown or now


class Play:
    """The time of play, as its node moves it: goes, stands, is held, catches up. Any thread may ask it."""

    def __init__(self, story: Story, mark: Mark, ticks: Ticks, boot: str) -> None:
        """It goes on from where readers of `mark` see it."""
        self.story = story
        self._ticks = ticks
        self._boot = boot
        self._played_us = mark.played(ticks(), boot)
        self._since = ticks()
        self.goes = False
        self.speed = SLOWEST
        self.held = ""
        self._until: datetime | None = None
        self._shown = mark.story
        self._until_us: int | None = None
        self._target_us = self._played_us
        self._started = False
        self._lock = RLock()

    # -- what its node tells it -----------------------------------------------------------------------------

    def prepare(self) -> None:
        """Nobody plays yet: as fast as the machine's own time, and not beyond STARTEX."""
        with self._lock:
            self._settle()
            self.goes, self.speed, self._started = True, SLOWEST, False

    def follow(self, timing: Timing) -> None:
        """What was last set, from STARTEX on. A step is caught up with in the order of what is due."""
        with self._lock:
            self._settle()
            self._started = True
            self.goes, self.speed = timing.running, min(max(timing.speed, SLOWEST), FASTEST)
            self._target_us = max(self._target_us, timing.played_ms * 1_000)
            self._settle()

    def end(self) -> None:
        """ENDEX: it stands from now on."""
        with self._lock:
            self._settle()
            self.goes, self._target_us = False, self._played_us

    def hold(self, why: str) -> None:
        """It stands while something is under way, told in `why`; empty: it goes on."""
        with self._lock:
            self.now()
            self.held = why
            self._settle()

    def until(self, due: datetime | None) -> None:
        """It does not pass what is `due` (aware) next in the story; None if nothing is."""
        with self._lock:
            self._settle()
            self._until, self._until_us = due, None
            if due is not None:
                self._until_us = self.story.played(due) // MICROSECOND
            self._settle()

    def not_before(self, at: datetime) -> None:
        """So much is on record: it does not go back behind `at` (aware)."""
        with self._lock:
            self._settle()
            self._shown = max(at, self._shown or at)
            self._played_us = max(self._played_us, self.story.played(at) // MICROSECOND)
            self._target_us = max(self._target_us, self._played_us)

    # -- where it stands ------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The hour of the story. A leap is walked from one thing that is due in it to the next."""
        with self._lock:
            if self.held and self._shown is not None:
                return self._shown
            now = self.story.walked(self.played(), self._until, self._shown)
            self._shown = max(now, self._shown or now)
            return self._shown

    def played(self) -> timedelta:
        """How long has been played."""
        with self._lock:
            self._settle()
            return self._played_us * MICROSECOND

    @property
    def catching_up(self) -> bool:
        """Whether a step has not come to its end."""
        return self._target_us > self._played_us

    def waits_seconds(self) -> float | None:
        """Seconds of the machine's time until what it does not pass; None if it stands or nothing is due."""
        with self._lock:
            self._settle()
            limit = self._limit()
            if limit is None or self.held or not (self.goes or self.catching_up):
                return None
            return 0.0 if self.catching_up else max(limit - self._played_us, 0) / self.speed / 1e6

    def mark(self) -> Mark:
        """What readers are told."""
        with self._lock:
            story = self.now()
            return Mark(
                played_us=self._played_us,
                ticks=self._since,
                boot=self._boot,
                goes=self.goes and not self.held,
                speed=self.speed,
                until_us=self._limit(),
                until=self._until,
                story=story,
                held=self.held,
            )

    def _limit(self) -> int | None:
        """Where it stops by itself: at what is due, and before STARTEX at STARTEX."""
        if self._started:
            return self._until_us
        return 0 if self._until_us is None else min(self._until_us, 0)

    def _settle(self) -> None:
        """Bring it up to now."""
        now = self._ticks()
        passed, self._since = max(now - self._since, 0), now
        if self.held:
            return
        onward = self._played_us + (passed * self.speed if self.goes else 0)
        self._played_us = _not_beyond(max(onward, self._target_us), self._limit(), self._played_us)
