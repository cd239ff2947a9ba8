"""What the tests of the rules share: that what was done in one of them can be run again from its record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from models.desk import Desk
from models.record import STREAM
from tests.replays import must_run_again


@pytest.fixture
def runs_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """At the end of the test every incident of its desks is run again: the same facts have to come of it."""
    desks: list[Desk] = []
    made = Desk.__init__

    def remember(self: Desk, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        desks.append(self)

    monkeypatch.setattr(Desk, "__init__", remember)
    yield
    monkeypatch.undo()
    for desk in {id(one.record): one for one in desks}.values():
        with desk.record.read() as tx:
            streams = tx.connection.execute(select(STREAM.c.id)).scalars().all()
        for stream in streams:
            if stream.startswith("INC-"):
                must_run_again(desk, stream)
