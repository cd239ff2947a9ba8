"""What is asked often reads no row of the stored past: by the planner's own words, not by a watch."""

from __future__ import annotations

import pytest
from sqlalchemy import Select, select
from sqlalchemy.dialects import sqlite

from models.record import _RESTRICTED, OUTBOX, STREAM, Record

OPEN = ("open", "resolved")
SICK = (STREAM.c.next_due_at.is_not(None), STREAM.c.retry_at.is_not(None))
WANTED = (STREAM.c.kind == "incident", STREAM.c.wanted > STREAM.c.served)
ASKED: dict[str, tuple[Select[tuple[str]], str]] = {
    "who may know": (_RESTRICTED, "stream_restricted"),
    "what is sick": (select(STREAM.c.id).where(*SICK), "stream_sick"),
    "what the conductor has to run": (select(STREAM.c.id).where(*WANTED).limit(1), "stream_wanted"),
    "what is due": (
        select(STREAM.c.id).where(STREAM.c.next_due_at <= 1).order_by(STREAM.c.next_due_at),
        "stream_due",
    ),
    "the board": (
        select(STREAM.c.id).where(STREAM.c.kind == "incident", STREAM.c.status.in_(OPEN)),
        "stream_live",
    ),
    "messages to bring up to date": (
        select(OUTBOX.c.key).where(
            OUTBOX.c.channel == "slack", OUTBOX.c.state == "sent", OUTBOX.c.sent_at > 1
        ),
        "outbox_sent",
    ),
}


@pytest.mark.parametrize("what", ASKED)
def test_it_is_found_by_an_index_of_what_is_open(what: str) -> None:
    statement, index = ASKED[what]
    said = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    record = Record.in_memory()
    with record.read() as tx:
        plan = tx.connection.exec_driver_sql(f"explain query plan {said}").all()
    record.close()
    assert index in " ".join(str(row[3]) for row in plan)
