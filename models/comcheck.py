"""Communication checks (通信試験): a route is paged as a test, and what each person's channels did is kept.

One test at a time, everybody of the route at once, each on all of their channels at once: a channel that is
only tried when another fails is never proven. One page stands for one person and channel, so that an answer
says which channel carried it. A test page never climbs, and ends with its test.

This module knows nothing of the state of a record: `models.state` holds what is defined here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from models.commands import Command

EVENT = "comcheck"
TEMPLATE = "page.comcheck"
SUBJECT = "comcheck"
LAST = "last"
"""The name of the last resort as a level."""
EVERYTHING = "all"
ENROLLED = ""
"""In place of a route: those who take part in an exercise, each at the addresses given for them."""
WITHIN = timedelta(minutes=10)
LEAST, MOST = timedelta(minutes=1), timedelta(hours=24)
MAX_ASKS = 300
"""Pages of one test at most: more would bury the messages of an incident that begins meanwhile."""
KEPT = 20
"""Tests whose results stay in the state; the facts tell of the others."""
FAILED, SILENT, NO_CHANNEL = "delivery failed", "not answered", "no channel"
"""Why a test has not reached somebody, gravest last."""


@dataclass(frozen=True, kw_only=True)
class StartComcheck(Command):
    """Page everybody of a route as a test. `level` is `all`, a number from 1 on, or `last`.

    With `people` it is those of an exercise, and no route: an answer confirms the address that it came over.
    """

    route: str = ENROLLED
    people: tuple[str, ...] = ()
    level: str = EVERYTHING
    within: timedelta = WITHIN
    reason: str = ""


class Ask(msgspec.Struct, kw_only=True):
    """One person on one channel. `via` says how the answer came in; `failed` why it was not delivered."""

    person: str
    channel: str
    page: int
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    via: str = ""
    failed: str = ""


class Asked(msgspec.Struct, kw_only=True):
    """Somebody whom the test is about. `without` are channels they name and cannot be reached on."""

    person: str
    role: str
    deputy_for: str | None = None
    without: list[str] = []


class Comcheck(msgspec.Struct, kw_only=True):
    """One test: who was asked on what, and what became of it. `open_roles` hang on the matter, none here."""

    id: str
    route: str
    level: str
    started_at: datetime
    started_by: str
    ends_at: datetime
    ended_at: datetime | None = None
    reason: str | None = None
    people: dict[str, Asked] = {}
    asks: list[Ask] = []
    open_roles: list[str] = []

    @property
    def running(self) -> bool:
        """Whether answers still count."""
        return self.ended_at is None

    @property
    def complete(self) -> bool:
        """Whether each channel of everybody has been answered on."""
        return bool(self.asks) and all(one.answered_at is not None for one in self.asks)

    def of(self, person: str) -> list[Ask]:
        """What was asked of one person."""
        return [one for one in self.asks if one.person == person]

    def reached(self, person: str) -> bool:
        """Whether the person has answered on any channel."""
        return any(one.answered_at is not None for one in self.of(person))

    def why_not(self, person: str) -> str | None:
        """Why the person has not been reached; None if they have."""
        asks = self.of(person)
        if any(one.answered_at is not None for one in asks):
            return None
        if not asks:
            return NO_CHANNEL
        return FAILED if all(one.failed for one in asks) else SILENT


class Unreached(msgspec.Struct, kw_only=True):
    """Somebody whom the last test that was about them did not reach, on any channel."""

    comcheck: str
    since: datetime
    why: str


def subject_of(comcheck: str, person: str, channel: str) -> str:
    """What the page of one person and channel is about."""
    return f"{SUBJECT}:{comcheck}/{person}/{channel}"


def carried(via: str, channel: str) -> bool:
    """Whether an answer given by `via` shows that `channel` reaches the person.

    A signed link names the channel that brought it; the console and the file lie on the machine itself.
    """
    if via.partition(":")[0] == "cli":
        return channel in {"console", "file"}
    return channel in {via, via.partition(":")[2]}


def parts_of(name: str) -> tuple[str, str, str]:
    """Test, person and channel out of the name in a subject; empty where it has none."""
    comcheck, _, rest = name.partition("/")
    person, _, channel = rest.partition("/")
    return comcheck, person, channel


def is_asked(subject: str, person: str) -> bool:
    """Whether the page about this subject is this person's own: nobody answers a test for another."""
    kind, _, name = subject.partition(":")
    return kind == SUBJECT and parts_of(name)[1] == person
