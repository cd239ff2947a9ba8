"""The auditor: compares what was due with what happened, and what is stored with what the facts say.

It runs in the conductor's process, which is another than the pager's: a pager that is dead, or whose watch
stands still, is found by somebody else. It trusts nothing that the watch goes by: states are folded from the
facts alone. Its work is bounded: a few streams a round, and no round is longer than a second.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import select, update

from console import tracing
from console.audit_looks import looks
from console.opening import House
from console.web.front import Front
from models.audit import AT, FINDING, KINDS, PREFIX, READ, WAITING, Finding, Kind, Memory, counted
from models.casework import WATCH_VIA
from models.clock import monotonic
from models.commands import Actor, Impair
from models.deriving import derived
from models.desk import HOUSE
from models.errors import RecordConflict
from models.fold import RULES_VERSION, empty, fold
from models.page import page_next_due
from models.punctual import Came, came, dues, written_together
from models.record import AUDIT, STREAM, Tx, micros
from models.state import OVER, Incident, StreamState
from models.state import House as HouseState
from models.supervised import attempt, attempt_async, wait

ACTOR = Actor.machine("auditor")
EVERY_SECONDS = 15.0
STREAMS_A_ROUND = 20
IDLE_A_ROUND = 2
ROUND_SECONDS = 1.0
GONE_AT_ONCE = 500
LEARNT_A_ROUND = 5_000
NOT_COUNTED = 2**62
"""A cursor behind which nothing lies."""
NAMED = 3


@dataclass(kw_only=True)
class Report:
    """What one round found."""

    found: dict[Kind, Finding] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    read: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By stream: from which seq to which its facts were counted."""
    waiting: int = 0
    streams: int = 0


@dataclass(frozen=True, kw_only=True)
class Read:
    """One stream as its facts tell it, and what is wrong with what is stored of it."""

    seq: int
    came: tuple[Came, ...]
    differs: tuple[str, ...]
    silent: int


class Auditor:
    """Goes round one record. Everything but `run` happens in one thread, on a connection of its own."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._memory = Memory()
        self._cursors: dict[str, int] | None = None
        self._last: dict[str, int] = {}
        self._due_before: set[str] = set()
        self._after = ""
        self._sick: set[str] = set()

    # -- one round ------------------------------------------------------------------------------------------

    def round(self, most: int = STREAMS_A_ROUND, seconds: float = ROUND_SECONDS) -> Report:
        """Look at everything once, at no more than `most` streams. Writes nothing. Raises RecordError."""
        report = Report()
        until = monotonic() + seconds
        with self.house.record.read() as tx:
            report.found = looks(tx, self.house)
            behind = self._behind(tx)
            idle = self._idle(tx, min(most, IDLE_A_ROUND))
        differs: dict[str, tuple[str, ...]] = {}
        silent: list[str] = []
        wanted = set(behind)
        for stream in dict.fromkeys([*behind[:most], *idle]):
            if monotonic() > until:
                break
            # What is only compared, because nothing of it is due, is not counted and needs no cursor.
            counting = stream in wanted
            cursor = self._cursor(stream) if counting else NOT_COUNTED
            read = attempt(f"audit {stream}", partial(self._read, stream, cursor)).value
            if read is None:
                # It cannot be folded, which its quarantine says; it must not keep us from the others.
                self._sick.add(stream)
                continue
            report.streams += 1
            report.counts.update(counted(read.came))
            if counting and read.seq > cursor:
                report.read[stream] = (cursor, read.seq)
            if read.differs:
                differs[stream] = read.differs
            silent += [stream] if read.silent else []
        report.waiting = max(0, len(behind) - len(report.read))
        self._judge_streams(report, differs, silent)
        return report

    def _read(self, stream: str, cursor: int) -> Read:
        with self.house.record.read() as tx:
            return _read(tx, stream, cursor)

    def _judge_streams(self, report: Report, differs: dict[str, tuple[str, ...]], silent: list[str]) -> None:
        with self.house.record.read() as tx:
            hidden = frozenset(tx.restricted())
        if differs:
            columns = ", ".join(sorted({one for each in differs.values() for one in each}))
            detail = f"what is stored of {_named(differs, hidden)} differs from its facts: {columns}"
            report.found["derived"] = Finding(kind="derived", detail=detail)
        if silent:
            detail = f"an open page of {_named(silent, hidden)} asks nobody any more"
            report.found["silent"] = Finding(kind="silent", detail=detail)

    def _cursor(self, stream: str) -> int:
        return (self._cursors or {}).get(stream, 0)

    def _behind(self, tx: Tx) -> list[str]:
        """Streams with facts not read yet, of those that have or had something due; new ones first."""
        seqs = select(STREAM.c.id, STREAM.c.seq)
        due = {row[0]: row[1] for row in tx.connection.execute(seqs.where(STREAM.c.next_due_at.is_not(None)))}
        gone = sorted(self._due_before - due.keys())[:GONE_AT_ONCE]
        self._due_before = set(due)
        if gone:
            due |= {row[0]: row[1] for row in tx.connection.execute(seqs.where(STREAM.c.id.in_(gone)))}
        self._learn(tx, due)
        well = due.keys() & (self._cursors or {}).keys() - self._sick
        behind = [stream for stream in well if due[stream] > self._cursor(stream)]
        self._due_before |= set(behind).intersection(gone)
        return sorted(behind, key=lambda stream: (self._cursor(stream) > 0, self._cursor(stream), stream))

    def _learn(self, tx: Tx, due: dict[str, int]) -> None:
        """How far those were read that this process has not met yet, some thousand a round."""
        known = self._cursors = self._cursors or {}
        fresh = sorted(due.keys() - known.keys())[:LEARNT_A_ROUND]
        for begin in range(0, len(fresh), GONE_AT_ONCE):
            some = fresh[begin : begin + GONE_AT_ONCE]
            names = [f"{READ}{stream}" for stream in some]
            rows = tx.connection.execute(select(AUDIT).where(AUDIT.c.name.in_(names)))
            known |= dict.fromkeys(some, 0) | {name.removeprefix(READ): value for name, value in rows}

    def _idle(self, tx: Tx, count: int) -> list[str]:
        """The next few in their order, whatever goes on in them, and from the beginning again."""
        following = select(STREAM.c.id).where(STREAM.c.id > self._after).order_by(STREAM.c.id).limit(count)
        found = list(tx.connection.execute(following).scalars())
        self._after = found[-1] if len(found) == count else ""
        return [stream for stream in found if stream not in self._sick]

    # -- writing down ---------------------------------------------------------------------------------------

    def keep(self, report: Report) -> None:
        """Write down what was counted, and say what is wrong and what is well again. Raises RecordError."""
        values = {AT: micros(self.house.wall.now()), WAITING: report.waiting}
        values |= {f"{FINDING}{kind}": int(kind in report.found) for kind in KINDS}
        try:
            with self.house.record.begin() as tx:
                self._count(tx, report)
                for name, value in values.items():
                    if self._last.get(name) != value:
                        _put(tx, name, value, value)
        except RecordConflict:
            # Another auditor has counted meanwhile: what it has read is read anew.
            self._cursors = None
            return
        self._last |= values
        self._cursors = (self._cursors or {}) | {stream: seq for stream, (_, seq) in report.read.items()}
        self._say(report)

    def _count(self, tx: Tx, report: Report) -> None:
        """All of it, or nothing: what a cursor has passed is never counted again. Raises RecordConflict."""
        for stream, (before, after) in report.read.items():
            if not self._moved(tx, stream, before, after):
                raise RecordConflict(f"{stream} was counted by another auditor; read it again")
        for name, more in report.counts.items():
            _put(tx, name, AUDIT.c.value + more, more)

    def _moved(self, tx: Tx, stream: str, before: int, after: int) -> bool:
        """Whether the cursor still stood where we began; it stands at `after` then."""
        name = f"{READ}{stream}"
        here = (AUDIT.c.name == name, AUDIT.c.value == before)
        if tx.connection.execute(update(AUDIT).where(*here).values(value=after)).rowcount:
            return True
        if before:
            return False
        tx.connection.execute(AUDIT.insert().values(name=name, value=after))
        return True

    def _say(self, report: Report) -> None:
        state = self.house.desk.state(HOUSE)
        impaired = state.impaired if isinstance(state, HouseState) else {}
        known = frozenset(one.removeprefix(PREFIX) for one in impaired if one.startswith(PREFIX))
        for said in self._memory.judge(report.found, known):
            what = f"{PREFIX}{said.kind}"
            command = Impair(actor=ACTOR, what=what, detail=said.detail, mended=said.mended)
            self.house.desk.handle(HOUSE, command)


def _put(tx: Tx, name: str, value: object, first: int) -> None:
    done = tx.connection.execute(update(AUDIT).where(AUDIT.c.name == name).values(value=value))
    if not done.rowcount:
        tx.connection.execute(AUDIT.insert().values(name=name, value=first))


def _named(streams: Sequence[str] | dict[str, tuple[str, ...]], hidden: frozenset[str]) -> str:
    shown = sorted(one for one in streams if one not in hidden)[:NAMED]
    others = len(streams) - len(shown)
    return " and ".join([*([", ".join(shown)] if shown else []), *([f"{others} more"] if others else [])])


# -- one stream ---------------------------------------------------------------------------------------------


def _read(tx: Tx, stream: str, cursor: int) -> Read:
    """Fold a stream from its facts alone: what came late after `cursor`, and whether what is stored fits."""
    row = tx.connection.execute(select(STREAM).where(STREAM.c.id == stream)).mappings().one()
    facts, state = tx.facts(stream), empty(stream)
    arrived: list[Came] = []
    kept: Any = None
    for batch in written_together(facts):
        watched = batch[0].via == WATCH_VIA and batch[-1].seq > cursor
        before = [*dues(state)] if watched else []
        until = max(0, row["snapshot_seq"] - state.seq)
        fold(state, batch[:until])
        if until and state.seq == row["snapshot_seq"]:
            kept = msgspec.json.decode(msgspec.json.encode(state))
        fold(state, batch[until:])
        if watched:
            arrived += came(before, [*dues(state)], batch[0].recorded_at)
    differs = [] if row["rules"] not in {0, RULES_VERSION} else [*_differs(state, row)]
    if kept is not None and row["snapshot"] and row["rules"] == RULES_VERSION:
        differs += ["snapshot"] if msgspec.json.decode(bytes(row["snapshot"])) != kept else []
    return Read(seq=state.seq, came=tuple(arrived), differs=tuple(differs), silent=_silent(state))


def _differs(state: StreamState, row: object) -> list[str]:
    """The stored columns that are not what the facts give."""
    wanted = derived(state, None)
    due = micros(wanted.next_due_at) if wanted.next_due_at else None
    values = {
        "seq": state.seq,
        "status": wanted.status,
        "severity": wanted.severity,
        "next_due_at": due,
        "wanted": wanted.wanted,
        "clocks_running": wanted.clocks[0],
        "clocks_breaking": wanted.clocks[1],
        "clocks_breached": wanted.clocks[2],
        "restricted": wanted.restricted,
    }
    return [name for name, value in values.items() if row[name] != value]  # type: ignore[index]


def _silent(state: StreamState) -> int:
    """Open pages that nothing will ever follow, of what is not over."""
    if isinstance(state, Incident) and state.status in OVER:
        return 0
    return sum(one.state == "open" and page_next_due(one) is None for one in state.pages.values())


# -- in a process -------------------------------------------------------------------------------------------


async def audit(house: House, stop: asyncio.Event) -> None:
    """Go round until `stop`, in a thread of its own. A drill, whose time stands and leaps, has none.

    What this process stores by itself is traced as well, where that is set up.
    """
    tracing.begin("conductor", house)
    if house.drill is not None:
        await stop.wait()
        return
    front = Front(house, lambda outcome: None, "auditor")
    auditor = Auditor(front.house)
    try:
        while not await wait(stop, EVERY_SECONDS):
            await attempt_async("audit", partial(front.run, lambda: auditor.keep(auditor.round())))
    finally:
        front.close()
