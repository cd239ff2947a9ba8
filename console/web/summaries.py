"""Each open incident in a few lines, kept as long as its record does not grow: no board folds all of them.

A summary holds instants and no spans: how long is left is said when it is drawn. What hangs on the hour
without any fact, such as who is on duty, is looked up again after `RENEW_SECONDS`, not for all at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from weakref import WeakKeyDictionary
from zlib import crc32

from sqlalchemy import select

from console.views.clocks import Clock, clocks, moving
from console.views.incident import open_decisions
from console.views.naming import Naming
from console.views.waiting import ORDER, about, told
from console.web.asking import Ask
from console.web.changes import position
from console.web.pages import GRAVE_FROM_NISC
from console.web.rendering import words
from models import awaited as awaiting
from models.clocks.others import commander
from models.desk import Desk
from models.errors import RecordTooNew
from models.policy import PHASES
from models.record import STREAM
from models.state import Incident

OPEN = ("open", "resolved")
RENEW_SECONDS = 900
LOOK_AGAIN_SECONDS = 60
ANY = "*"
MAX_CLOCKS = 12
MAX_DECISIONS = 4
MAX_WAITS = 200
Kind = Literal["ack", "confirm"] | awaiting.Kind


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Something that breaks at `at`; `looming` if it is forecast to."""

    at: datetime
    what: str
    who: str
    looming: bool = False


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Something that waits for any of `people`. `number` is the page's, or the fact's to confirm; `asked` is
    what a page asks, `text` what is proposed and `by` by whom, or why something is stuck.
    """

    kind: Kind
    incident: str
    title: str
    what: str
    people: frozenset[str]
    at: datetime | None = None
    number: int = 0
    asked: str = ""
    text: str = ""
    by: str = ""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """An open incident in a few lines, in one language."""

    id: str
    title: str
    severity: str
    rank: int
    grave: bool
    status: str
    watched: bool
    drill: bool
    phases: tuple[str, ...]
    commander: str
    limits: tuple[Limit, ...]
    decisions: tuple[tuple[str, str], ...]
    undecided: int
    unacked: int
    waits: tuple[Wait, ...]
    restricted: bool
    barred: frozenset[str]

    def next(self) -> Limit | None:
        """What breaks next, as on the incident's own page: what is past its limit comes first."""
        return next(iter(self.limits), None)

    def broken(self, now: datetime) -> int:
        """How much is past its time."""
        return sum(one.at <= now for one in self.limits)


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All open incidents, the newest first, and what waits for whom, by person."""

    rows: tuple[Summary, ...]
    waits: Mapping[str, Sequence[Wait]]


class Summaries:
    """Those of one desk. In the thread that has it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept: dict[tuple[str, str], tuple[int, int, Summary]] = {}
        self._last: dict[str, tuple[tuple[int, int], Overview]] = {}

    def overview(self, ask: Ask) -> Overview:
        """Of all open incidents, whoever may read them; the same for all who ask between two facts."""
        seconds = int(ask.now.timestamp())
        with self._desk.record.read() as tx:
            mark = (position(tx, (ANY,)), seconds // LOOK_AGAIN_SECONDS)
        known = self._last.get(ask.lang)
        if known is None or known[0] != mark:
            known = self._last[ask.lang] = (mark, self._made(ask, seconds))
        return known[1]

    def _made(self, ask: Ask, seconds: int) -> Overview:
        where = (STREAM.c.kind == "incident", STREAM.c.status.in_(OPEN))
        with self._desk.record.read() as tx:
            wanted = select(STREAM.c.id, STREAM.c.seq).where(*where).order_by(STREAM.c.opened_at.desc())
            heads = [(row[0], row[1]) for row in tx.connection.execute(wanted)]
        found = (self._one(name, seq, seconds, ask) for name, seq in heads)
        rows = tuple(one for one in found if one is not None)
        if len(self._kept) > 4 * len(rows) + 100:
            open_ones = {name for name, _ in heads}
            self._kept = {key: one for key, one in self._kept.items() if key[0] in open_ones}
        waits: dict[str, list[Wait]] = {}
        for wait in (wait for one in rows for wait in one.waits):
            for person in wait.people:
                waits.setdefault(person, []).append(wait)
        return Overview(rows=rows, waits=waits)

    def _one(self, name: str, seq: int, seconds: int, ask: Ask) -> Summary | None:
        """None if a newer Hikeshi wrote to it: that one hides no other."""
        # Each at a second of its own, so that a full board is not made anew at once.
        turn = (seconds + crc32(name.encode())) // RENEW_SECONDS
        kept = self._kept.get((name, ask.lang))
        if kept is not None and kept[:2] == (seq, turn):
            return kept[2]
        try:
            state = self._desk.incident(name)
        except RecordTooNew:
            return None
        made = summary(ask.naming(state))
        self._kept[name, ask.lang] = (seq, turn, made)
        return made


_OF: WeakKeyDictionary[Desk, Summaries] = WeakKeyDictionary()


def _overview(ask: Ask) -> Overview:
    desk = ask.house.desk
    if desk not in _OF:
        _OF[desk] = Summaries(desk)
    return _OF[desk].overview(ask)


def summaries(ask: Ask) -> list[Summary]:
    """Of the open incidents of which they may read everything."""
    return [one for one in _overview(ask).rows if _may_read(one, ask)]


def _may_read(one: Summary, ask: Ask) -> bool:
    """The state is asked only where it can matter: not of a thousand that everybody may read."""
    if not (one.restricted or one.barred or ask.is_vendor or ask.visitor.viewer.inspector is not None):
        return True
    return ask.reader.reading(ask.house.desk.incident(one.id)).whole


def waiting(ask: Ask, at_most: int) -> tuple[list[Wait], int]:
    """What waits for this very person, in any incident that they may know of, the most urgent first; and how
    much more there is.
    """
    desk, found = ask.house.desk, sorted(_overview(ask).waits.get(ask.visitor.person or "", ()), key=_urgency)
    known = [wait for wait in found[: 2 * at_most] if ask.reader.reading(desk.incident(wait.incident)).some]
    shown = known[:at_most]
    return shown, len(found) - len(shown) if len(known) > at_most or len(found) > 2 * at_most else 0


def _urgency(one: Wait) -> tuple[int, bool, float]:
    return (
        ORDER.index("page" if one.kind == "ack" else one.kind),
        one.at is None,
        one.at.timestamp() if one.at else 0.0,
    )


# -- one incident -------------------------------------------------------------------------------------------


def summary(naming: Naming) -> Summary:
    """An incident in a few lines."""
    state = naming.state
    assert isinstance(state, Incident)  # noqa: S101 - asked for incidents only
    severity = next(
        (one for one in naming.world.policy.severity.severities if one.id == state.severity), None
    )
    undecided = open_decisions(state, naming)
    limits = moving(clocks(naming))
    return Summary(
        id=state.stream,
        title=naming.text(state.title, 160),
        severity=naming.severity(state.severity),
        rank=state.severity_rank,
        grave=severity is not None and severity.nisc >= GRAVE_FROM_NISC,
        status=naming.texts.word("words.status", state.status),
        watched=state.status == "resolved",
        drill=state.drill,
        phases=tuple(naming.phase(name) for name in (*PHASES, "communication") if _is_open(state, name)),
        commander=naming.holders(commander(state)),
        limits=tuple(_limit(one) for one in limits[:MAX_CLOCKS]),
        decisions=tuple(
            (naming.title(planned), naming.deciders(planned.step)) for _, planned in undecided[:MAX_DECISIONS]
        ),
        undecided=len(undecided),
        unacked=len(state.open_pages()),
        waits=tuple(_waits(state, naming))[:MAX_WAITS],
        restricted=state.restriction.on,
        barred=frozenset(state.restriction.barred),
    )


def _is_open(state: Incident, phase: str) -> bool:
    known = state.phases.get(phase)
    return known is not None and known.status == "open"


def _limit(one: Clock) -> Limit:
    assert one.at is not None  # noqa: S101 - asked for by whoever calls
    return Limit(at=one.at, what=one.what, who=one.who, looming=one.status == "forecast-to-break")


def _waits(state: Incident, naming: Naming) -> Iterator[Wait]:
    title = naming.text(state.title, 160)
    for page in state.open_pages():
        called = {one.person for people in page.reached.values() for one in people if one.person}
        yield Wait(
            kind="ack",
            incident=state.stream,
            title=title,
            what=about(page, naming),
            asked=words(naming.lang)["asked"].get(page.event, ""),
            people=frozenset(called - page.acks.keys() - page.declined.keys()),
            at=page.asked_at,
            number=page.id,
        )
    for confirmation in state.confirmations.values():
        yield Wait(
            kind="confirm",
            incident=state.stream,
            title=title,
            what=naming.subject(f"confirm:{confirmation.seq}"),
            people=frozenset({confirmation.person}),
            number=confirmation.seq,
        )
    for one in awaiting.awaited(state, naming.world):
        said = told(one, state, naming)
        yield Wait(
            kind=one.kind,
            incident=state.stream,
            title=title,
            what=said.what,
            people=one.people(state, naming.world),
            at=one.at,
            text=said.text,
            by=said.by,
        )
