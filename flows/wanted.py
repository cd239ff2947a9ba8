"""Which incidents want a run of their flow, and which ones a conductor has in hand.

`wanted` is the fact that last asked for a run, `served` the one up to which a run has looked. A conductor
notes what it has in hand before it begins, so that after its death only that is taken back and no incident
is folded to find out.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import not_, select, update

from models.node import RETIRED
from models.record import LEASE, NODE, STREAM, Tx

TURN = "run "
"""How the lease of an incident's run is called, before its id; see `flows.turns`."""
RUN_IN = ("open", "resolved", "closed")
"""A closed incident is run once more for its last state; nothing is done for it."""


def wanted_runs(
    tx: Tx, limit: int, node: str, now: datetime, without: tuple[str, ...] = ()
) -> list[tuple[str, int]]:
    """Incidents that want a run, with the fact that asks for it.

    Leaves out those in `without`, and what another conductor than `node` has in hand.
    """
    elsewhere = (
        select(LEASE.c.name)
        .where(LEASE.c.name == TURN + STREAM.c.id, LEASE.c.node != node, LEASE.c.until > tx.instant(now))
        .exists()
    )
    rows = tx.connection.execute(
        select(STREAM.c.id, STREAM.c.wanted)
        .where(
            STREAM.c.kind == "incident",
            STREAM.c.wanted > STREAM.c.served,
            STREAM.c.status.in_(RUN_IN),
            STREAM.c.id.not_in(without),
            not_(elsewhere),
        )
        # Whoever has waited while more was asked for comes first, so that nobody starves.
        .order_by((STREAM.c.wanted - STREAM.c.served).desc(), STREAM.c.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in rows]


def served(tx: Tx, incident: str) -> int:
    """The fact up to which runs have looked at this incident; 0 if none has."""
    found = tx.connection.execute(select(STREAM.c.served).where(STREAM.c.id == incident)).scalar()
    return int(found or 0)


def mark_served(tx: Tx, incident: str, wanted: int) -> None:
    """All that was wanted up to fact `wanted` has been looked at; never taken back."""
    tx.connection.execute(
        update(STREAM).where(STREAM.c.id == incident, STREAM.c.served < wanted).values(served=wanted)
    )


def in_hand(tx: Tx, node: str) -> tuple[str, ...]:
    """The incidents that the node was running when it last wrote."""
    found = tx.connection.execute(select(NODE.c.detail).where(NODE.c.id == node)).scalar()
    return () if found == RETIRED else tuple((found or "").split())


def note_in_hand(tx: Tx, node: str, incidents: tuple[str, ...]) -> None:
    """Write down what the node is running from now on."""
    tx.connection.execute(update(NODE).where(NODE.c.id == node).values(detail=" ".join(incidents)))
