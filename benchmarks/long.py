"""An incident of 10,000 facts: what a team writes in a bad week, with pages that are still open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.bank import ANALYST, CISO, SCRIBE, Bank, accepted, declare, found
from benchmarks.ground import Ground
from benchmarks.work import TEXT
from models.clock import ExerciseClock, SystemClock
from models.commands import AddEvidence, Command, Note, ScopeFact, ServiceFact, SetInstant, SetRecoveryPoint
from models.desk import Desk
from models.errors import HikeshiError

FACTS = 10_000
OPEN_PAGES = 150
_RESERVED = 5 * OPEN_PAGES
"""Facts that the open pages may take."""
_PER_TRANSACTION = 500


def long_incident(ground: Ground) -> tuple[Bank, str]:
    """The bank and the incident's number; made once in a run."""
    if "long" not in ground.kept:
        bank = found(ground.place("long"))
        desk = bank.desk(ExerciseClock(SystemClock().now()))
        stream = _written(desk)
        desk.record.close()
        ground.kept["long"] = bank, stream
    kept: tuple[Bank, str] = ground.kept["long"]
    return kept


def _written(desk: Desk) -> str:
    """By commands, in few transactions: the facts are the real ones, the disk waits less."""
    stream = declare(desk, "ransomware")
    commands = _week(desk.clock.now())
    while (room := FACTS - _RESERVED - desk.state(stream).seq) > 0:
        _together(desk, stream, commands, min(room, _PER_TRANSACTION))
    _together(desk, stream, _for_the_ciso(), OPEN_PAGES)
    _together(desk, stream, commands, FACTS - desk.state(stream).seq)
    if (facts := desk.state(stream).seq) != FACTS:
        raise HikeshiError(f"{facts} facts instead of {FACTS}; a command of the week writes more than one")
    return stream


def _together(desk: Desk, stream: str, commands: Iterator[Command], count: int) -> None:
    with desk.record.begin() as tx:
        for _ in range(count):
            accepted(desk.handle_in(tx, stream, next(commands)))


def _for_the_ciso() -> Iterator[Command]:
    """What the scribe writes for the CISO; each asks the CISO to confirm, by a page of its own."""
    while True:
        yield Note(actor=SCRIBE, for_=CISO.person, text=TEXT)


def _week(now: datetime) -> Iterator[Command]:
    """Of ten facts five are notes, two scope items, and one each of evidence, instants and the rest."""
    number = 0
    while True:
        number += 1
        yield _one(number, now.astimezone(UTC) - timedelta(minutes=1))


def _one(number: int, before: datetime) -> Command:
    place = number % 10
    if place in {1, 6}:
        return ScopeFact(actor=ANALYST, what="add", kind="host", name=f"pc-{number}", text=TEXT)
    if place == 3:
        digest = f"sha256:{number:064x}"
        return AddEvidence(actor=ANALYST, source=f"pc-{number}", description=TEXT, digest=digest, size=4096)
    if place == 5:
        return SetInstant(actor=ANALYST, name="detected", instant=before, source=TEXT)
    if place == 8:
        return _other(number, before)
    return Note(actor=ANALYST, text=f"{TEXT} {number}")


def _other(number: int, before: datetime) -> Command:
    if number % 100 == 8:
        return ServiceFact(actor=ANALYST, service="email", what="impacted", instant=before)
    return SetRecoveryPoint(
        actor=ANALYST, id=f"backup-{number % 200}", service="core-banking", instant=before
    )
