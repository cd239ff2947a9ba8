"""Pages that reach nobody: a route without anybody to reach makes no message, so no message can be late.

Found by patrol: a slice of the open streams at a time, and of each only the facts since the last look, so
that the cost grows neither with what is open nor with how long a record is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select

from models.clock import iso
from models.comcheck import EVENT as COMCHECK
from models.desk import Desk
from models.fact import Fact, read_fact
from models.record import FACT, OUTBOX, STREAM
from models.routing import choose_route
from models.state import Incident, StreamState
from models.supervised import attempt

UNREACHED = timedelta(seconds=60)
STREAMS_LISTED = 200
STREAMS_READ = 20
PAGES_CHECKED = 100
CONSOLE = "console"


@dataclass(frozen=True, kw_only=True)
class _Asked:
    stream: str
    page: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class _Unanswerable:
    stream: str
    event: str
    subject: str


class Reach:
    """Who has been asked for and not been reached. Works in the writer's thread."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._seen: dict[str, int] = {}
        self._after = ""
        # Dicts for their order: the oldest is looked at first.
        self._asked: dict[_Asked, None] = {}
        self._stuck: dict[_Asked, None] = {}
        self._unanswerable: dict[_Unanswerable, None] = {}

    def problems(self) -> dict[str, str]:
        """What the last looks found, by `page STREAM/PAGE` or `route STREAM/EVENT`."""
        found = {
            f"page {one.stream}/{one.page}": f"asked at {iso(one.at)}, has reached nobody"
            for one in self._stuck
        }
        return found | {
            f"route {one.stream}/{one.event}": f"{one.subject}: nobody is paged; add a route to routes.yaml"
            for one in self._unanswerable
        }

    def look(self) -> None:
        """Read what is new in some streams, and look again at what was found. Raises RecordError."""
        for stream, seq in self._changed():
            for fact in self._pages_since(stream):
                self._note(fact)
            self._seen[stream] = seq
        now = self.desk.clock.now()
        old = [one for one in list(self._asked)[:PAGES_CHECKED] if now - one.at > UNREACHED]
        for one in old:
            del self._asked[one]
        again = list(self._stuck)[:PAGES_CHECKED]
        for one in again:
            del self._stuck[one]
        self._stuck |= {one: None for one in (*again, *old) if self._reaches_nobody(one)}
        self._unanswerable = {one: None for one in self._unanswerable if self._has_no_route(one)}

    def _changed(self) -> list[tuple[str, int]]:
        """The next open streams with facts that have not been read here, and their last seq."""
        with self.desk.record.read() as tx:
            rows = tx.connection.execute(
                select(STREAM.c.id, STREAM.c.seq)
                .where(
                    STREAM.c.kind == "incident",
                    STREAM.c.id > self._after,
                    STREAM.c.status.in_(["open", "resolved"]),
                )
                .order_by(STREAM.c.id)
                .limit(STREAMS_LISTED)
            ).all()
        changed = [(row[0], row[1]) for row in rows if self._seen.get(row[0]) != row[1]]
        if len(changed) > STREAMS_READ:
            changed = changed[:STREAMS_READ]
            self._after = changed[-1][0]
        else:
            self._after = rows[-1][0] if len(rows) == STREAMS_LISTED else ""
        return changed

    def _pages_since(self, stream: str) -> list[Fact]:
        with self.desk.record.read() as tx:
            rows = tx.connection.execute(
                select(FACT.c.body)
                .where(
                    FACT.c.stream == stream,
                    FACT.c.seq > self._seen.get(stream, 0),
                    FACT.c.kind.in_(["page.asked", "page.unanswerable"]),
                )
                .order_by(FACT.c.seq)
            )
            return [read_fact(row[0]) for row in rows]

    def _note(self, fact: Fact) -> None:
        if fact.data["event"] == COMCHECK:
            return  # a test says in its own result whom it did not reach
        if fact.kind == "page.asked":
            self._asked[_Asked(stream=fact.stream, page=fact.seq, at=fact.recorded_at)] = None
        else:
            event, subject = fact.data["event"], fact.data["subject"]
            self._unanswerable[_Unanswerable(stream=fact.stream, event=event, subject=subject)] = None

    def _reaches_nobody(self, one: _Asked) -> bool:
        if self._was_sent(one):
            return False
        state = attempt(one.stream, partial(self.desk.state, one.stream)).value
        page = state.pages.get(one.page) if state is not None else None
        # A stream that cannot be read has told nobody either.
        return state is None or (page is not None and page.state == "open")

    def _was_sent(self, one: _Asked) -> bool:
        """Whether a channel of their own has taken it for somebody: a console as fallback may stand alone."""
        with self.desk.record.read() as tx:
            sent = tx.connection.execute(
                select(OUTBOX.c.person, OUTBOX.c.channel).where(
                    OUTBOX.c.stream == one.stream,
                    OUTBOX.c.page == one.page,
                    OUTBOX.c.kind == "page",
                    OUTBOX.c.state == "sent",
                )
            ).all()
        return any(channel != CONSOLE or self._watches_console(person) for person, channel in sent)

    def _watches_console(self, person: str | None) -> bool:
        known = self.desk.directory.person(person) if person else None
        return known is not None and CONSOLE in known.ways

    def _has_no_route(self, one: _Unanswerable) -> bool:
        state = attempt(one.stream, partial(self.desk.state, one.stream)).value
        if state is None:
            return True
        if isinstance(state, Incident) and state.status not in {"open", "resolved"}:
            return False
        world, phase = self.desk.world(state), self._phase(state, one.subject)
        return choose_route(world, one.event, state, phase) is None

    def _phase(self, state: StreamState, subject: str) -> str | None:
        if not isinstance(state, Incident) or not subject.startswith("step:"):
            return None
        planned = self.desk.world(state).step(state, subject.removeprefix("step:"))
        return planned.step.phase if planned is not None else None
