"""Whose turn an incident is: one conductor at a time runs it, by a lease on the database's clock.

The lease is the fence too. What a run claims and reports is stored only while its life was the last to have
the turn: one that was frozen, or cut off, and comes back after others took over is refused.

Which way it fails: runs that overlap all the same do no step twice, because steps are claimed by a fact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from flows.wanted import TURN
from models import lease, node
from models.clock import from_micros
from models.commands import Actor, Impair, Reclaim
from models.desk import Desk
from models.errors import HikeshiError
from models.lease import Life
from models.node import Part, parts
from models.record import Tx

ACTOR = Actor.machine("conductor")
KIND = "conductor"
SILENT = timedelta(seconds=lease.LEASE_SECONDS)
"""Without a sign of life for so long, a conductor is taken for dead."""
FORGOTTEN = timedelta(days=1)
"""A machine that was silent for so long is not one of ours any more."""


class NotOurTurn(HikeshiError):
    """Another conductor has this incident in hand; it is left to that one."""


@dataclass(frozen=True, kw_only=True)
class Before:
    """Who had the turn before, and whether they ended it themselves."""

    life: Life
    let_go: bool


def turn_of(incident: str) -> str:
    """The lease's name."""
    return TURN + incident


def take(desk: Desk, incident: str, life: Life, now: datetime, also: Callable[[Tx], None]) -> Before | None:
    """Take the turn. What another had in hand is taken back with it: its steps' classes say what follows.

    `also` is written in the same transaction. Returns who had it before if that was another node. Raises
    NotOurTurn.
    """
    name = turn_of(incident)
    with desk.record.read() as tx:
        known = lease.had_last(tx, name)

    def guard(tx: Tx) -> None:
        if lease.had_last(tx, name) != known or not hold(tx, incident, life, now):
            raise NotOurTurn(f"{incident} is in hand elsewhere")
        also(tx)

    if known is None or known[0].node == life.node:
        with desk.record.begin() as tx:
            guard(tx)
        return None
    before = Before(life=known[0], let_go=known[1])
    back = Reclaim(actor=ACTOR, node=before.life.node, epoch=before.life.epoch + 1)
    desk.handle(incident, back, guard=guard)
    return before


def hold(tx: Tx, incident: str, life: Life, now: datetime) -> bool:
    """Take the turn without a look at who had it; whether it is ours now."""
    return lease.take(tx, turn_of(incident), life, now, SILENT.total_seconds())


def renew(tx: Tx, turns: dict[str, Life], now: datetime) -> list[str]:
    """Go on with these turns; those that were lost to somebody else."""
    seconds = SILENT.total_seconds()
    return [one for one, life in turns.items() if not lease.renew(tx, turn_of(one), life, now, seconds)]


def end(tx: Tx, incident: str, life: Life) -> None:
    """The turn is over, and free for the others."""
    lease.let_go(tx, turn_of(incident), life)


def fence(incident: str, life: Life) -> Callable[[Tx], None]:
    """A guard for what a run writes: Superseded if its turn has been taken over."""
    return lambda tx: lease.must_be_last(tx, turn_of(incident), life)


# -- the other machines -------------------------------------------------------------------------------------


def silent(tx: Tx, but: str, now: datetime) -> list[Part]:
    """Conductors of other machines that have given no sign of life for too long, and have not stopped."""
    least = from_micros(tx.instant(now)) - SILENT
    return [p for p in parts(tx, KIND) if p.name != but and not p.retired and p.beat_at < least]


def no_trouble(tx: Tx, names: list[str], now: datetime) -> list[str]:
    """Those of these conductors that live again or stopped, or that nobody expects back any more."""
    at = from_micros(tx.instant(now))
    absent = {part.name for part in parts(tx, KIND) if SILENT < at - part.beat_at <= FORGOTTEN}
    return [name for name in names if name not in absent]


def left_behind(desk: Desk, part: Part) -> list[str]:
    """What this conductor noted as in hand and nobody has taken from it yet."""
    with desk.record.read() as tx:
        known = {one: lease.had_last(tx, turn_of(one)) for one in part.detail.split()}
    return [one for one, last in known.items() if last is not None and last[0].node == part.name]


def give_up(desk: Desk, part: Part) -> None:
    """Its life is over for all of us; if it wakes, it starts anew."""
    with desk.record.begin() as tx:
        node.give_up(tx, part.name)


def impair(desk: Desk, stream: str, what: str, detail: str = "", *, mended: bool = False) -> None:
    """Say of a part that it does not work, or does again, only if the record says otherwise."""
    known = getattr(desk.state(stream), "impaired", {})
    if (what in known) is mended:
        desk.handle(stream, Impair(actor=ACTOR, what=what, detail=detail, mended=mended))


def taken_over(desk: Desk, stream: str, before: str, by: str) -> None:
    """Say in this stream that another machine has taken over, once."""
    detail = f"no sign of life from {before} for {SILENT.seconds} s; {by} has taken over"
    impair(desk, stream, before, detail)


def well_again(desk: Desk, stream: str, names: list[str]) -> None:
    """Say that these conductors are no trouble any more, where it was said that they are."""
    for name in names:
        impair(desk, stream, name, mended=True)


def troubles(desk: Desk, stream: str) -> list[str]:
    """The conductors that this stream says are gone."""
    known = getattr(desk.state(stream), "impaired", {})
    return [name for name in known if name.startswith(f"{KIND}@")]
