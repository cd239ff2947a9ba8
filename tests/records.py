"""The record that a scene is played on: in memory, or on PostgreSQL with `HIKESHI_TEST_DATABASE=postgresql`.

`make test-full` plays a part of the scenes a second time on PostgreSQL; nothing in them may depend on which.
"""

from __future__ import annotations

import atexit
import os
from functools import cache

from models.record import Record
from tests.postgres import Postgres

VARIABLE = "HIKESHI_TEST_DATABASE"
TEMPLATE = "laid_down"
_made: list[Record] = []


def fresh() -> Record:
    """An empty record with its schema."""
    if os.environ.get(VARIABLE) != "postgresql":
        return Record.in_memory()
    record = Record(_server().copy(TEMPLATE))
    _made.append(record)
    return record


def let_go() -> None:
    """Close the connections of those that were made; whoever goes on with one opens another."""
    for record in _made:
        record.close()
    _made.clear()


@cache
def _server() -> Postgres:
    """One for this process, with a database in it that all others are copied from."""
    server = Postgres().start()
    atexit.register(server.close)
    with server.connect("postgres") as connection:
        connection.execute(f"create database {TEMPLATE}")  # type: ignore[call-overload,unused-ignore]
    first = Record(server.url(TEMPLATE))
    first.migrate()
    first.close()
    return server
