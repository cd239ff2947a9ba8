"""Messages that wait and must not leave any more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update

from models.fact import Fact
from models.record import OUTBOX, Tx

_MATTERS = frozenset(
    {"page.stopped", "page.acknowledged", "page.declined", "incident.restricted", "reader.removed"}
)


def withdraw(tx: Tx, stream: str, facts: Sequence[Fact]) -> None:
    """A page that is answered or over needs no further message, nor does whoever has answered.

    Whoever is barred from an incident, or no longer a reader, gets nothing that was written for them before.
    """
    if not any(fact.kind in _MATTERS for fact in facts):
        return  # most commands: what follows costs a tenth of one
    ended = [
        fact.data["page"]
        for fact in facts
        if fact.kind == "page.stopped" or (fact.kind == "page.acknowledged" and fact.data["complete"])
    ]
    queued = update(OUTBOX).where(OUTBOX.c.stream == stream, OUTBOX.c.state == "queued")
    waiting = queued.where(OUTBOX.c.kind == "page")
    if ended:
        tx.connection.execute(waiting.where(OUTBOX.c.page.in_(ended)).values(state="withdrawn"))
    for said in (one.data for one in facts if one.kind in {"page.declined", "page.acknowledged"}):
        own = waiting.where(OUTBOX.c.page == said["page"], OUTBOX.c.person == said["by"])
        tx.connection.execute(own.values(state="withdrawn"))
    if barred := _barred(facts):
        tx.connection.execute(queued.where(OUTBOX.c.person.in_(barred)).values(state="withdrawn"))
    if any(fact.kind == "incident.restricted" for fact in facts):
        # What others read as well: a channel and no person.
        tx.connection.execute(queued.where(OUTBOX.c.person.is_(None)).values(state="withdrawn"))


def _barred(facts: Sequence[Fact]) -> list[str]:
    found: list[str] = []
    for fact in facts:
        if fact.kind == "incident.restricted":
            found += fact.data["barred"]
        elif fact.kind == "reader.removed" and (fact.data.get("barred") or fact.data.get("called_off")):
            found.append(fact.data["reader"])
    return found
