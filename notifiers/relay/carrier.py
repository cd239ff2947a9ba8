"""Carrying one sink's facts: read, send, mark. Killed between sending and marking, it sends them again."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

from sqlalchemy import select

from models.clock import Clock
from models.crashpoint import crash_point
from models.record import FACT, Record, Tx
from models.relaying import Standing
from notifiers.relay.sink import Batch, Sink, SinkError, SinkTaken
from notifiers.relay.source import backlog, next_batch

REMEMBERED = 2_000
"""Documents that a sink is known to have had; one that was forgotten goes again, which costs only room."""


class Carrier:
    """One sink; `record` is a connection of its own to read by. Blocking, and of one thread."""

    def __init__(self, name: str, sink: Sink, record: Record, clock: Clock) -> None:
        self.name = name
        self.sink = sink
        self.standing = Standing()
        self._record = record
        self._clock = clock
        self._known: OrderedDict[str, None] = OrderedDict()
        self._checked = False
        self._seen = -1

    def something_new(self) -> bool:
        """Whether anybody has written since it last had everything. Cheap."""
        version = self._record.data_version()
        if version and version == self._seen and self.standing.behind_since is None:
            return False
        self._seen = version
        return True

    def carry(self) -> Batch:
        """Send what is next; what was sent is to be marked by `marked`. Raises SinkError, RecordError."""
        now = self._clock.now()
        with self._record.read() as tx:
            if not self._checked:
                self._must_go_on_from_here(tx)
            batch = next_batch(tx, self.name, texts=self.sink.texts, known=self._known)
            waiting = backlog(tx, self.name) if batch.more else 0
        if not batch.lines:
            self.standing = Standing()
            return batch
        self.standing = Standing(
            behind_since=self.standing.behind_since or now,
            pending=waiting or sum(line.t == "fact" for line in batch.lines),
            error=self.standing.error,
            tries=self.standing.tries,
        )
        self.sink.send(batch.lines)
        crash_point("relayed-not-marked")
        return batch

    def marked(self, batch: Batch) -> None:
        """The cursors of this batch are stored."""
        for digest in batch.documents:
            self._known[digest] = None
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        since = self.standing.behind_since if batch.more else None
        self.standing = Standing(behind_since=since, pending=self.standing.pending if batch.more else 0)

    def failed(self, error: Exception, now: datetime) -> None:
        """It took nothing."""
        with self._record.read() as tx:
            waiting = backlog(tx, self.name)
        said = str(error) if isinstance(error, SinkError) else type(error).__name__
        self.standing = Standing(
            behind_since=self.standing.behind_since or now,
            pending=waiting,
            error=said[:300],
            tries=self.standing.tries + 1,
        )

    def close(self) -> None:
        """Let sink and record go."""
        self.sink.close()
        self._record.close()

    def _must_go_on_from_here(self, tx: Tx) -> None:
        """An older copy of the database would write other facts under numbers that have left already."""
        for stream, (seq, digest) in self.sink.last().items():
            here = select(FACT.c.hash).where(FACT.c.stream == stream, FACT.c.seq == seq)
            stored = tx.connection.execute(here).scalar()
            if stored is None or bytes(stored).hex() != digest:
                raise SinkTaken(
                    f"{stream} #{seq} is not what this record holds there: an older copy of the database was "
                    "put in place, or another record was sent to this sink; see docs/continuity.md"
                )
        self._checked = True
