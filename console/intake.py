"""Taking an alert in: stored, numbered, counted if its matter is known, declared if a rule says so.

One transaction holds the raw bytes, the alert's row, the facts of the intake and those of an incident that it
opens: an answer to the sender means that all of it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, desc, select, update

from console.opening import House
from models.alerts import GRAVITY, ReadAlert, read_alert
from models.canonical import document_digest
from models.commands import Actor, CountAlert, ReceiveAlert
from models.errors import NotFound, RecordConflict, Refused
from models.fact import Fact, read_fact
from models.frozen import Document
from models.installation import Source
from models.premises import Outcome
from models.record import ALERT, FACT, STREAM, Tx, micros
from models.state import Intake

INTAKE = "intake"
VIA = "alert"
ACCEPTED = 202
TRIES = 5
MAX_MERGES = 10
REPEAT = "repeat"
FIRST_REPEAT = 2
SETTLED = ("alert.declared", "alert.attached", "alert.dismissed", "alert.kept")
_LAST = (
    select(ALERT)
    .where(ALERT.c.source == bindparam("of"), ALERT.c.key == bindparam("matter"), ALERT.c.status != REPEAT)
    .order_by(desc(ALERT.c.first_at), desc(ALERT.c.id))
    .limit(1)
)
_WEIGHED = {"kept": GRAVITY["keep"], "table": GRAVITY["propose"]}


@dataclass(frozen=True, kw_only=True)
class Received:
    """What became of an alert. `incident` is the one it opened or belongs to, None if none.

    `duplicate` says that its matter was known and this one was counted, under the first one's number; the
    bytes of a counted alert are kept only if nobody could read them.
    """

    outcome: Outcome
    alert: str
    incident: str | None = None
    duplicate: bool = False
    status: int = ACCEPTED


@dataclass(frozen=True, kw_only=True)
class _Arrival:
    """An alert on its way in."""

    house: House
    source: Source
    alert: ReadAlert
    body: bytes


def find_source(house: House, source_id: str) -> Source:
    """The source of this name. Raises NotFound with those there are."""
    sources = house.institution.intake.sources
    found = next((one for one in sources if one.id == source_id), None)
    if found is None:
        known = ", ".join(one.id for one in sources) or "none"
        raise NotFound(f"no alert source {source_id!r} in intake.yaml; known: {known}")
    return found


def receive(house: House, source_id: str, body: bytes) -> Received:
    """Take in one alert as its source sent it. Call it in the thread that writes.

    Raises NotFound for an unknown source, RecordError if the record cannot be written: nothing is stored then
    and the sender has to send again.
    """
    source = find_source(house, source_id)
    desk = house.desk
    alert = read_alert(source, body, desk.premises.organisation, desk.premises.playbooks, desk.clock.now())
    arrival = _Arrival(house=house, source=source, alert=alert, body=body)
    try:
        return _stored(arrival)
    except Refused as no:
        # A rule named something that is gone. The alert is not lost for that: a person looks at it.
        return _stored(replace(arrival, alert=_undecided(alert, no)))


def _undecided(alert: ReadAlert, no: Refused) -> ReadAlert:
    problem = f"not declared, {no.reason.value}: {dict(no.detail)}"[:300]
    return replace(alert, do="propose", playbook=None, severity=None, services=(), problem=problem)


def _stored(arrival: _Arrival) -> Received:
    """In one transaction, tried again if another process wrote first. Raises Refused, RecordError."""
    for attempt in range(TRIES):
        try:
            received = _once(arrival)
            break
        except RecordConflict:
            if attempt == TRIES - 1:
                raise
    if received.outcome.facts:
        arrival.house.desk.settled(received.outcome)
    return received


def _once(arrival: _Arrival) -> Received:
    house = arrival.house
    table = house.desk.state(INTAKE)
    assert isinstance(table, Intake)  # noqa: S101 - the stream's name says so
    try:
        with house.record.begin() as tx:
            return _take(arrival, tx, table)
    except BaseException:
        # The desk's cached states may hold facts that were not stored.
        house.desk.forget()
        raise


def _take(arrival: _Arrival, tx: Tx, table: Intake) -> Received:
    if tx.head(INTAKE)[0] != table.seq:
        raise RecordConflict(f"{INTAKE}: another process wrote first; load it again")
    known = _known(tx, table, arrival.source.id, arrival.alert.key)
    if known is not None and _is_counted(known, arrival.alert):
        return _count(arrival, tx, known)
    return _open(arrival, tx)


# -- the matter is new --------------------------------------------------------------------------------------


def _open(arrival: _Arrival, tx: Tx) -> Received:
    alert, row = arrival.alert, _row(arrival, tx)
    seen = alert.occurred
    command = ReceiveAlert(
        actor=Actor.machine(VIA),
        # The sensor saw it then; a clock a little ahead of ours must not put a fact into the future.
        at=seen if seen is not None and seen <= arrival.house.desk.clock.now() else None,
        id=row["id"],
        source=row["source"],
        key=alert.key,
        title=alert.title,
        level=alert.level,
        document=row["document"],
        readable=alert.readable,
        problem=alert.problem,
        do=alert.do,
        playbook=alert.playbook,
        severity=alert.severity,
        services=alert.services,
        occurred=alert.occurred,
    )
    outcome = arrival.house.desk.handle_in(tx, INTAKE, command)
    for fact in outcome.facts:
        if fact.stream == INTAKE and fact.kind in SETTLED:
            row |= _settled_by(fact)
    tx.connection.execute(ALERT.insert(), row)
    return Received(outcome=outcome, alert=row["id"], incident=row["incident"])


def _row(arrival: _Arrival, tx: Tx) -> dict[str, Any]:
    """A row for the alert, its bytes stored as they came: they are evidence, readable or not."""
    kept = arrival.body[: arrival.source.max_bytes]
    document = Document(digest=document_digest(kept), body=kept)
    tx.keep(document, "application/json" if arrival.alert.readable else "application/octet-stream")
    now = micros(arrival.house.desk.clock.now())
    return {
        "id": f"AL-{tx.number('alert'):06d}",
        "source": arrival.source.id,
        "key": arrival.alert.key,
        "status": "table",
        "incident": None,
        "count": 1,
        "first_at": now,
        "last_at": now,
        "document": document.digest,
    }


def _settled_by(fact: Fact) -> dict[str, Any]:
    """What a row says after the fact that settled its alert."""
    if fact.kind in {"alert.declared", "alert.attached"}:
        return {"status": "incident", "incident": fact.data["incident"]}
    return {"status": fact.kind.removeprefix("alert."), "incident": None}


# -- the matter is known ------------------------------------------------------------------------------------


def _is_counted(known: Mapping[str, Any], alert: ReadAlert) -> bool:
    """Whether it is more of the same: its incident is open, or it lies there and has not become graver.

    A matter that was proposed, or only kept, and that a rule now would declare, is a new alert: counting it
    would hide that it grew.
    """
    if known["status"] == "incident":
        return bool(known["open"])
    return GRAVITY[alert.do] <= _WEIGHED.get(known["status"], -1)


def _count(arrival: _Arrival, tx: Tx, known: Mapping[str, Any]) -> Received:
    """Facts only at 2, 10, 100, …: a storm must not fill the record."""
    house, count = arrival.house, known["count"] + 1
    now = micros(house.desk.clock.now())
    tx.connection.execute(update(ALERT).where(ALERT.c.id == known["id"]).values(count=count, last_at=now))
    if not arrival.alert.readable:
        # Unreadable alerts are counted under what is wrong with them, yet each may be another matter.
        tx.connection.execute(ALERT.insert(), _row(arrival, tx) | {"status": REPEAT})
    outcome = Outcome(stream=INTAKE)
    if count == FIRST_REPEAT or count == 10 ** (len(str(count)) - 1):
        command = CountAlert(actor=Actor.machine(VIA), id=known["id"], count=count)
        outcome = house.desk.handle_in(tx, INTAKE, command)
    return Received(outcome=outcome, alert=known["id"], incident=known["incident"], duplicate=True)


def _known(tx: Tx, table: Intake, source: str, key: str) -> dict[str, Any] | None:
    """The last alert of this matter, with what has become of it since; None if there is none."""
    found = tx.connection.execute(_LAST, {"of": source, "matter": key}).mappings().first()
    if found is None:
        return None
    row = dict(found)
    if row["status"] == "table" and row["id"] not in table.alerts:
        # A person has dealt with it through another door; the row follows.
        row |= _settlement(tx, row["id"])
    if row["status"] == "incident":
        row |= _incident_of(tx, row["incident"])
    kept = {name: row[name] for name in ("status", "incident") if row[name] != found[name]}
    if kept:
        tx.connection.execute(update(ALERT).where(ALERT.c.id == row["id"]).values(kept))
    return row


def _settlement(tx: Tx, number: str) -> dict[str, Any]:
    """What the record says became of an alert that is no longer on the table."""
    bodies = tx.connection.execute(
        select(FACT.c.body)
        .where(FACT.c.stream == INTAKE, FACT.c.kind.in_(SETTLED))
        .order_by(desc(FACT.c.seq))
        .execution_options(yield_per=500)
    )
    for (body,) in bodies:
        fact = read_fact(body)
        if fact.data["id"] == number:
            bodies.close()
            return _settled_by(fact)
    return {"status": "gone", "incident": None}


def _incident_of(tx: Tx, incident: str) -> dict[str, Any]:
    """The incident that an alert belongs to now, through merges, and whether it is open.

    One that is resolved is not: the same alert during its watch period has to be looked at anew.
    """
    for _ in range(MAX_MERGES):
        status = tx.connection.execute(select(STREAM.c.status).where(STREAM.c.id == incident)).scalar()
        if status != "merged":
            return {"incident": incident, "open": status == "open"}
        merged = select(FACT.c.body).where(FACT.c.stream == incident, FACT.c.kind == "incident.merged")
        body = tx.connection.execute(merged.order_by(desc(FACT.c.seq)).limit(1)).scalar_one()
        incident = str(read_fact(body).data["into"])
    return {"incident": incident, "open": False}
