"""A small record that has something to send, and what a sink has kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.clock import ExerciseClock
from models.commands import Declare, Note
from models.desk import Desk
from models.lines import read_line
from models.record import Record
from notifiers.relay.carrier import Carrier
from notifiers.relay.sink import Sink
from notifiers.relay.source import mark
from tests.models.small import AMY, NIGHT, by, open_desk


def desk_at(path: Path) -> Desk:
    """A desk on a file, with one incident declared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    record = Record.at(path)
    record.migrate()
    desk = open_desk(record=record, clock=ExerciseClock(NIGHT))
    assert desk.handle(None, Declare(actor=by(AMY), text="Files encrypted")).accepted
    return desk


def note(desk: Desk, text: str) -> None:
    assert desk.handle("INC-2026-0001", Note(actor=by(AMY), text=text)).accepted


def carrier(desk: Desk, sink: Sink, name: str = "vault") -> Carrier:
    return Carrier(name, sink, desk.record.another(), desk.clock)


def carry(desk: Desk, one: Carrier) -> int:
    """Send and mark everything that waits; how many lines went."""
    sent = 0
    while True:
        batch = one.carry()
        if batch.lines:
            with desk.record.begin() as tx:
                mark(tx, one.name, batch.cursors, desk.clock.now())
        one.marked(batch)
        sent += len(batch.lines)
        if not batch.more:
            return sent


def lines(body: bytes) -> list[dict[str, Any]]:
    return [read_line(raw) for raw in body.split(b"\n") if raw]


def stored(desk: Desk) -> list[tuple[str, int, str]]:
    """All facts of the record."""
    with desk.record.read() as tx:
        rows = tx.connection.exec_driver_sql("select stream, seq, body from fact order by stream, seq")
        return [(row[0], row[1], bytes(row[2]).decode()) for row in rows]


def facts(found: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return sorted((one["stream"], one["seq"], one["body"]) for one in found if one["t"] == "fact")
