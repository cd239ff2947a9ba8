"""What is due now and has not happened, as far as indexes tell: each look is one question to the record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select

from console.opening import House
from models.audit import Finding, Kind
from models.fold import empty, fold
from models.node import RETIRED
from models.record import CHECKPOINT, HOOK, NODE, OUTBOX, RELAY, STREAM, Tx, micros
from notifiers.pacing import Pace
from notifiers.relay.source import SINK, backlog

LATE = timedelta(seconds=15)
"""The watch catches up after a start; a stream that is due for longer is not looked after."""
SILENT = timedelta(seconds=30)
SLACK = timedelta(seconds=90)
"""What a message has beyond the time in which it leaves or is given up."""
HOOK_LATE = timedelta(minutes=5)
CHECKPOINT_LATE = timedelta(hours=26)
ANSWERED = timedelta(seconds=60)
STREAMS = 20
UNSENT = ("queued", "sending")
_PACE = Pace()


def looks(tx: Tx, house: House) -> dict[Kind, Finding]:
    """Everything that is wrong by now."""
    now = micros(house.desk.clock.now())
    found = [
        *_watch(tx, now), *_outbox(tx, now), *_webhooks(tx, now), *_relay(tx, house, now),
        *_checkpoints(tx, now), *_answered(tx, now), *_pager(tx, house),
    ]  # fmt: skip
    return {one.kind: one for one in found}


def _before(now: int, span: timedelta) -> int:
    return now - int(span.total_seconds() * 1_000_000)


def _watch(tx: Tx, now: int) -> Iterator[Finding]:
    late = _before(now, LATE)
    count, earliest = tx.connection.execute(
        select(func.count(), func.min(STREAM.c.next_due_at)).where(
            STREAM.c.next_due_at < late, func.coalesce(STREAM.c.retry_at, 0) < late
        )
    ).one()
    if count:
        detail = f"{count} records are past due, by up to {(now - earliest) / 1e6:.0f} s"
        yield Finding(kind="watch", detail=detail)


def _outbox(tx: Tx, now: int) -> Iterator[Finding]:
    for kind, seconds in (("page", _PACE.give_up_page), ("notice", _PACE.give_up_notice)):
        limit = _before(now, timedelta(seconds=seconds) + SLACK)
        old = (OUTBOX.c.state.in_(UNSENT), OUTBOX.c.kind == kind, OUTBOX.c.created_at < limit)
        count, oldest = tx.connection.execute(
            select(func.count(), func.min(OUTBOX.c.created_at)).where(*old)
        ).one()
        if count:
            age = (now - oldest) / 1e6
            detail = f"{count} messages ({kind}) neither left nor were given up, for up to {age:.0f} s"
            yield Finding(kind="outbox", detail=detail)
            return


def _webhooks(tx: Tx, now: int) -> Iterator[Finding]:
    first = select(func.min(HOOK.c.id)).where(HOOK.c.state == "queued").group_by(HOOK.c.hook)
    late = HOOK.c.next_try_at < _before(now, HOOK_LATE)
    names = list(tx.connection.execute(select(HOOK.c.hook).where(HOOK.c.id.in_(first), late)).scalars())
    if names:
        yield Finding(kind="webhook", detail=f"nothing is tried for {', '.join(sorted(names)[:STREAMS])}")


def _relay(tx: Tx, house: House, now: int) -> Iterator[Finding]:
    stuck = []
    for sink in house.institution.settings.relay:
        own = (RELAY.c.sink == sink.name, RELAY.c.stream == SINK)
        row = tx.connection.execute(select(RELAY.c.at, RELAY.c.error).where(*own)).first()
        limit = _before(now, 2 * sink.late_after + sink.every + SLACK)
        # What fails says so itself; here is what does not even try.
        if row is not None and not row[1] and row[0] < limit and backlog(tx, sink.name):
            stuck.append(sink.name)
    if stuck:
        yield Finding(kind="relay", detail=f"facts wait and nothing is sent to {', '.join(stuck)}")


def _checkpoints(tx: Tx, now: int) -> Iterator[Finding]:
    last = tx.connection.execute(
        select(CHECKPOINT.c.at).order_by(CHECKPOINT.c.number.desc()).limit(1)
    ).scalar()
    if last is not None and last < _before(now, CHECKPOINT_LATE):
        yield Finding(kind="checkpoints", detail=f"the last checkpoint is {(now - last) / 3.6e9:.0f} h old")


def _answered(tx: Tx, now: int) -> Iterator[Finding]:
    """Pages that are over and whose messages are still about to leave."""
    old = OUTBOX.c.created_at < _before(now, ANSWERED)
    rows = tx.connection.execute(
        select(OUTBOX.c.stream, OUTBOX.c.page)
        .where(OUTBOX.c.state.in_(UNSENT), OUTBOX.c.kind == "page", old)
        .distinct()
        .order_by(OUTBOX.c.stream)
        .limit(STREAMS)
    ).all()
    wrong = 0
    for stream in sorted({row[0] for row in rows}):
        state = fold(empty(stream), tx.facts(stream))
        pages = [state.pages.get(page) for name, page in rows if name == stream]
        wrong += sum(page is not None and page.state == "stopped" for page in pages)
    if wrong:
        yield Finding(
            kind="answered", detail=f"{wrong} pages are over and their messages still wait to leave"
        )


def _pager(tx: Tx, house: House) -> Iterator[Finding]:
    """Whether a pager is alive, of those that did not stop in good order."""
    named = NODE.c.id.startswith("pager", autoescape=True)
    last = tx.connection.execute(
        select(func.max(NODE.c.beat_at)).where(named, NODE.c.detail != RETIRED)
    ).scalar()
    now = tx.instant(house.wall.now())
    if last is not None and last < _before(now, SILENT):
        yield Finding(kind="pager", detail="no sign of life from a pager; nobody is paged")
