"""What a desk does about streams that other rules have reckoned; see models/reckoning.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from models.clock import micros, monotonic
from models.commands import Actor
from models.decide import due
from models.deriving import derived
from models.fold import RULES_VERSION, empty, fold
from models.reckoning import NoteRules, Reckoned, instant_of, parts
from models.record import Tx
from models.state import StreamState
from models.supervised import attempt
from models.unreckoned import Cursor, leave, other_rules, reckoned_by, some

if TYPE_CHECKING:
    from models.desk import Desk

HOUSE = "house"
SNAPSHOT_FROM = 50
ACTOR = Actor.machine("rules")


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What was reckoned at once: how far that came, which rules were before, and what has changed."""

    cursor: Cursor
    before: int
    streams: int
    changes: tuple[Reckoned, ...]


def reckon(desk: Desk, after: Cursor | None, limit: int, seconds: float) -> Slice | None:
    """Reckon some streams anew; None if none is left after that place."""
    until = monotonic() + seconds
    changes: list[Reckoned] = []
    with desk.record.read() as tx:
        # There hardly ever is any, and whoever looks for it keeps nobody from writing.
        if other_rules(tx, RULES_VERSION) is None:
            return None
    with desk.writing() as tx:
        desk._hear(tx)
        before = other_rules(tx, RULES_VERSION)
        found = some(tx, before, after, limit) if before is not None else []
        if before is None or not found:
            return None
        free = frozenset(tx.free([stream for _, stream in found]))
        done = 0
        for due_at, stream in found:
            done += 1
            if stream in free:
                tried = attempt(f"reckon {stream}", partial(one, desk, tx, stream, before, due_at))
                if tried.value is None:
                    # It is looked at when it is due, fails there, and somebody is told (design, 15).
                    leave(tx, stream, RULES_VERSION, due_at, before)
                elif tried.value.changed:
                    changes.append(tried.value)
            if monotonic() > until:
                break
    return Slice(cursor=found[done - 1], before=before, streams=done, changes=tuple(changes))


def one(desk: Desk, tx: Tx, stream: str, before: int, due_at: int | None) -> Reckoned:
    """Reckon one stream from its facts. Put down at once, unless it is due sooner: that is listed first."""
    state = fold(empty(stream), tx.facts(stream))
    seq, head = tx.head(stream)
    snapshot = msgspec.json.encode(state) if seq >= SNAPSHOT_FROM else None
    made = derived(state, snapshot)
    found = Reckoned(stream=stream, was=instant_of(due_at), now=made.next_due_at)
    if not found.sooner:
        tx.derive(stream, seq, head, desk.clock.now(), made)
        return found
    tx.derive(stream, seq, head, desk.clock.now(), replace(made, next_due_at=found.was))
    leave(tx, stream, before, due_at, RULES_VERSION)
    return replace(found, brings=_brings(desk, tx, state, made.next_due_at))


def _brings(desk: Desk, tx: Tx, state: StreamState, at: datetime | None) -> tuple[str, ...]:
    """The kinds of fact that follow when it is due."""
    now = desk.clock.now()
    world = desk._world(tx, state, now if at is None else max(now, at))
    return tuple(dict.fromkeys(draft.kind for draft in due(state, world)))


def list_reckoned(desk: Desk, before: int, streams: int, changes: Sequence[Reckoned]) -> None:
    """The house says what has changed, and what is due sooner is due from then on: both or neither."""
    for part in parts(changes):
        with desk.writing() as tx:
            desk._hear(tx)
            told = tuple(each for each in part if not each.sooner or _let_go(tx, each, before))
            note = NoteRules(actor=ACTOR, before=before, rules=RULES_VERSION, streams=streams, changes=told)
            outcome = desk.handle_in(tx, HOUSE, note)
        desk.settled(outcome)


def _let_go(tx: Tx, each: Reckoned, before: int) -> bool:
    """False if it was written in meanwhile, and listed then."""
    due_at = micros(each.now) if each.now is not None else None
    return leave(tx, each.stream, RULES_VERSION, due_at, before)


def at_once(desk: Desk, tx: Tx, stream: str) -> NoteRules | None:
    """Before something is decided in a stream: it goes by our rules from here on, and what that changes."""
    known = reckoned_by(tx, stream)
    if known is None or known[0] == RULES_VERSION:
        return None
    before, due_at = known
    found = one(desk, tx, stream, before, due_at)
    if not found.sooner:
        return None
    _let_go(tx, found, before)
    return NoteRules(actor=ACTOR, before=before, rules=RULES_VERSION, streams=1, changes=(found,))
