"""The disk may only be read from one single write of a command on: nothing is half done, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event

from models.clock import ExerciseClock
from models.commands import Acknowledge, Declare, Done
from models.desk import Desk
from models.errors import RecordUnwritable
from models.record import Record
from tests.chaos.checker import check
from tests.chaos.seen import Seen, read
from tests.models.small import AMY, BEN, NIGHT, by, open_desk

MOST_WRITES = 200
WRITING = ("INSERT", "UPDATE", "DELETE", "COMMIT")


class Spoiler:
    """Makes the database read-only before one write."""

    def __init__(self, record: Record) -> None:
        self.left = 0
        event.listen(record._engine, "before_cursor_execute", self._before)
        event.listen(record._engine, "commit", self._commit)

    def _before(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip()[:6].upper() in WRITING:
            self._count(cursor)

    def _commit(self, connection: Any) -> None:
        self._count(connection.connection.cursor())

    def _count(self, cursor: Any) -> None:
        self.left -= 1
        if self.left == 0:
            cursor.execute("pragma query_only=1")


COMMANDS: list[Callable[[Desk, str], Any]] = [
    lambda desk, stream: desk.handle(None, Declare(actor=by(AMY), text="odd")),
    lambda desk, stream: desk.handle(stream, Acknowledge(actor=by(AMY))),
    lambda desk, stream: desk.handle(stream, Done(actor=by(BEN), step="look", note="x")),
]


def left(record: Record) -> tuple[list[Any], Seen]:
    seen = read(record, settled=False)
    whole = [(fact.stream, fact.seq, fact.kind) for facts in seen.facts.values() for fact in facts]
    return [*whole, len(seen.outbox)], seen


def test_whichever_write_fails_nothing_of_the_command_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "hikeshi.db"
    record = Record.at(path)
    record.migrate()
    stream = ""
    for command in COMMANDS:
        writes = 0
        for number in range(1, MOST_WRITES):
            record.close()
            record = Record.at(path)
            desk = open_desk(record=record, clock=ExerciseClock(NIGHT))
            before, _ = left(record)
            spoiler = Spoiler(record)
            spoiler.left = number
            try:
                outcome = command(desk, stream)
            except RecordUnwritable:
                record.close()
                assert left(record)[0] == before, f"write {number} failed, and something stayed"
                writes += 1
                continue
            stream = stream or outcome.stream
            break
        assert writes >= 3, "no write was found to fail"
        assert not check(left(record)[1])
    record.close()
