"""What has changed in the record, for those who keep something up to date with it.

Our own two desks say it when they have stored something. What another process wrote is found by looking at
the facts that were added since the last look, or on PostgreSQL at the streams that its writers name: what
that costs goes with what is new, not with what is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import select, text

from models import database
from models.premises import Outcome
from models.record import STREAM, Record, Tx

REMEMBERED = 1_000
Listener = Callable[[frozenset[str]], None]
_ADDED = text("select stream, max(seq) from fact where rowid > :mark group by stream")
_LAST = text("select coalesce(max(rowid), 0) from fact")


class Changes:
    """Which streams have grown. `stored` may be called in any thread, all else in the event loop's."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: list[tuple[Listener, Callable[[], None], Callable[[], None]]] = []
        self._seqs: dict[str, int] = {}
        self._heard: set[str] | None = set()

    def listen(self, listener: Listener, look: Callable[[], None], close: Callable[[], None]) -> None:
        """`listener` is given the streams that have grown, `look` asked to find out which, `close` to end."""
        self._listeners.append((listener, look, close))

    def begin(self) -> None:
        """From now on, in the event loop that runs."""
        self._loop = asyncio.get_running_loop()

    def stored(self, outcome: Outcome) -> None:
        """A desk of ours has stored something."""
        seqs: dict[str, int] = {}
        for fact in outcome.facts:
            seqs[fact.stream] = max(fact.seq, seqs.get(fact.stream, 0))
        if seqs and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.grown, seqs)

    def look(self, heard: frozenset[str] | None = None) -> None:
        """Somebody else has written: in these streams, or in whichever."""
        if heard is None or self._heard is None or len(self._heard) > REMEMBERED:
            self._heard = None
        else:
            self._heard |= heard
        for _, look, _ in self._listeners:
            look()

    def heard(self) -> frozenset[str] | None:
        """The streams of which `look` was told since this was last asked; None for whichever."""
        found, self._heard = self._heard, set()
        return None if found is None else frozenset(found)

    def grown(self, seqs: Mapping[str, int]) -> None:
        """These streams are as long as this now. What is known already is not said again."""
        fresh = frozenset(name for name, seq in seqs.items() if seq > self._seqs.get(name, 0))
        self._seqs.update({name: seqs[name] for name in fresh})
        if fresh:
            self.say(fresh)

    def say(self, streams: Iterable[str]) -> None:
        """Tell whoever listens."""
        grown = frozenset(streams)
        for listener, _, _ in self._listeners:
            listener(grown)

    def close(self) -> None:
        """Nothing is kept up to date any more."""
        for _, _, close in self._listeners:
            close()


class Growth:
    """Finds which streams have grown since the last look. In the thread that has the record."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._mark = -1
        self._by_rows = record.url.startswith("sqlite")

    def since(self, heard: frozenset[str] | None = None) -> dict[str, int]:
        """The streams with facts that were added since the last look, and how long they are.

        `heard` are those that may have grown, where that is known; else it may be any.
        """
        if not self._by_rows and heard is not None and not heard:
            return {}
        with self._record.read() as tx:
            if not self._by_rows:
                which = select(STREAM.c.id, STREAM.c.seq)
                which = which if heard is None else which.where(STREAM.c.id.in_(heard))
                return {row[0]: row[1] for row in tx.connection.execute(which)}
            last = tx.connection.execute(_LAST).scalar_one()
            if self._mark < 0:
                self._mark = last
                return {}
            rows = tx.connection.execute(_ADDED, {"mark": self._mark})
            self._mark = last
            return {row[0]: row[1] for row in rows}


def position(tx: Tx, streams: Iterable[str]) -> int:
    """A number that grows with each fact of these streams: of one stream its sequence.

    Of several, and of `*` for all incidents, it is how much has been written in all: it may grow without
    them, which costs a drawing that finds nothing new.
    """
    names = sorted(streams)
    if len(names) == 1 and names[0] != "*":
        return tx.head(names[0])[0]
    if tx.connection.dialect.name == "sqlite":
        return int(tx.connection.execute(_LAST).scalar_one())
    return int(tx.connection.execute(database.POSITION).scalar_one())
