"""What follows from the facts and is stored beside them: streams, messages still to send, alerts, numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import orjson
from sqlalchemy import select

from models.deriving import derived
from models.fact import Fact, read_fact
from models.messages import messages
from models.record import ALERT, NODE, OUTBOX, STREAM, Tx, micros
from models.state import StreamState
from models.world import World

ASKING = (
    "page.asked", "page.escalated", "page.repeated", "page.lapsed", "page.delegated", "page.exhausted",
    "message.requested", "page.acknowledged", "page.declined",
)  # fmt: skip
"""Kinds of fact that ask for messages (`models.messages`)."""
OUTCOMES = ("message.sent", "message.given_up")
SETTLED = ("alert.declared", "alert.attached", "alert.dismissed", "alert.kept")
_INCIDENT = re.compile(r"^INC-(\d{4})-(\d+)$")
_ALERT = re.compile(r"^AL-(\d+)$")


def write_stream(tx: Tx, state: StreamState, head: bytes, opened_at: datetime) -> None:
    """The stream's row, with a snapshot: nothing is folded again at the first command."""
    tx.connection.execute(STREAM.delete().where(STREAM.c.id == state.stream))
    tx.derive(state.stream, state.seq, head, opened_at, derived(state, msgspec.json.encode(state)))


# -- messages -----------------------------------------------------------------------------------------------


def unsent(state: StreamState, facts: Sequence[Fact], world: World) -> list[dict[str, Any]]:
    """Messages that were asked for and of which nobody has written that they went, with the same keys.

    They may have gone: whoever sends them looks first where the channel can be asked, and repeats where not.
    """
    rows: dict[str, dict[str, Any]] = {}
    done: set[str] = set()
    for fact in facts:
        if fact.kind in OUTCOMES:
            done.add(fact.data["key"])
            rows |= _handed_on(fact, rows)
        elif _is_about_something(fact, state):
            rows |= {row["key"]: row for row in messages(fact, state, world)}
    return [row for row in rows.values() if row["key"] not in done and _is_wanted(row, state)]


def _is_about_something(fact: Fact, state: StreamState) -> bool:
    """The house forgets old pages."""
    page = fact.seq if fact.kind == "page.asked" else fact.data.get("page")
    return fact.kind in ASKING and (fact.kind == "message.requested" or page in state.pages)


def _is_wanted(row: Mapping[str, Any], state: StreamState) -> bool:
    """A page that is answered or over wakes nobody any more."""
    page = state.pages.get(row["page"])
    return row["kind"] != "page" or (page is not None and page.state == "open")


def _handed_on(fact: Fact, rows: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A channel was given up: the person's next one has the message."""
    further = fact.data.get("further", [])
    before = rows.get(fact.data["key"])
    if fact.kind != "message.given_up" or not further or before is None or not before["person"]:
        return {}
    key = f"{before['key'].rsplit('/', 1)[0]}/{further[0]}:{before['person']}"
    rest = orjson.dumps(further[1:]).decode()
    row = before | {"key": key, "channel": further[0], "further": rest}
    row.pop("not_before", None)
    return {key: row}


def enqueue(tx: Tx, rows: Iterable[dict[str, Any]], now: datetime) -> int:
    """Queue them; what may have left already is in doubt, as after a crash."""
    dated = [_dated(row, now) for row in rows]
    tx.enqueue(dated)
    return len(dated)


def _dated(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    due = row.pop("not_before", now)
    stamp = micros(max(due, now))
    state = {"state": "queued"} if due > now else {"state": "sending", "tries": 1}
    return row | state | {"created_at": stamp, "next_try_at": stamp}


# -- alerts and numbers -------------------------------------------------------------------------------------


def alerts(facts: Iterable[Fact]) -> list[dict[str, Any]]:
    """The rows by which the same matter is counted and opens no second incident."""
    rows: dict[str, dict[str, Any]] = {}
    for fact in facts:
        data = fact.data
        if fact.kind == "alert.received":
            rows[data["id"]] = _alert(data, micros(fact.recorded_at))
        elif fact.kind in SETTLED and data["id"] in rows:
            joined = "incident" in data
            status = "incident" if joined else fact.kind.removeprefix("alert.")
            rows[data["id"]] |= {"status": status, "incident": data.get("incident")}
        elif fact.kind == "alert.repeated" and data["id"] in rows:
            rows[data["id"]] |= {"count": data["count"], "last_at": micros(fact.recorded_at)}
    return list(rows.values())


def _alert(data: Mapping[str, Any], stamp: int) -> dict[str, Any]:
    taken = {name: data[name] for name in ("id", "source", "key", "document")}
    return taken | {"status": "table", "incident": None, "count": 1, "first_at": stamp, "last_at": stamp}


def write_alerts(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """In place of what was there."""
    tx.connection.execute(ALERT.delete())
    if rows:
        tx.connection.execute(ALERT.insert(), list(rows))


def numbers(streams: Iterable[str], alert_ids: Iterable[str]) -> dict[str, int]:
    """Counters, so that numbers go on where they were."""
    found: dict[str, int] = {}
    for name in streams:
        if match := _INCIDENT.match(name):
            counter = f"incident-{match[1]}"
            found[counter] = max(found.get(counter, 0), int(match[2]))
    for one in alert_ids:
        if match := _ALERT.match(one):
            found["alert"] = max(found.get("alert", 0), int(match[1]))
    return found


# -- parts that ran -----------------------------------------------------------------------------------------


def write_node(tx: Tx, name: str, epoch: int, beat_at: datetime, detail: str) -> None:
    """As if the other machine's part had run here and had fallen silent: the next one has a higher epoch.

    So the outage is said, and what the other machine had in hand is taken back by its crash class.
    """
    before = tx.connection.execute(select(NODE.c.epoch).where(NODE.c.id == name)).scalar()
    tx.connection.execute(NODE.delete().where(NODE.c.id == name))
    stamp = micros(beat_at)
    row = {"id": name, "epoch": max(epoch, before or 0), "started_at": stamp, "beat_at": stamp}
    tx.connection.execute(NODE.insert().values(row | {"detail": detail}))


def epochs(bodies: Iterator[bytes]) -> dict[str, int]:
    """The highest epoch with which each node has claimed steps."""
    found: dict[str, int] = {}
    for body in bodies:
        data = read_fact(body).data
        name = str(data.get("node", ""))
        if name:
            found[name] = max(found.get(name, 0), int(data.get("epoch", 0)))
    return found


def clear_outbox(tx: Tx) -> None:
    """An older copy of this record knows less of what was sent than the facts do."""
    tx.connection.execute(OUTBOX.delete())
