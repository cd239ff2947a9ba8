"""The figures of a node: what the record says by its indexes, the node says, and this process counted."""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import func, select

from console.counting import Counts
from console.opening import House
from models import migrations
from models.audit import AT, FINDING, LATE, LATE_SECONDS, SUM, WAITING
from models.hooks import PREFIX as HOOKED
from models.node import RETIRED
from models.record import AUDIT, CHECKPOINT, HOOK, NODE, OUTBOX, STREAM, Tx, micros
from models.relaying import PREFIX as RELAYED

Sample = tuple[str, dict[str, str], float]
Found = dict[str, list[Sample]]
FAMILIES: tuple[tuple[str, Literal["gauge", "counter", "histogram"], str], ...] = (
    ("build_info", "gauge", "Always 1; the version of Hikeshi and of Python."),
    ("schema_version", "gauge", "The record's schema."),
    ("record_reachable", "gauge", "1 if the record answered this scrape, else 0."),
    ("incidents_open", "gauge", "Incidents that are open or resolved, by severity."),
    ("clocks", "gauge", "Clocks of incidents: running, of those forecast to break, and breached."),
    ("next_due_seconds", "gauge", "Seconds until something is due next; negative if late."),
    ("timers", "gauge", "Records for which an instant is set: waiting, and late by more than a second."),
    ("lateness_seconds", "gauge", "The worst lateness of the last minute."),
    ("due_late_seconds", "histogram", "How late what was due was recorded, by kind; the auditor counts it."),
    ("streams_quarantined", "gauge", "Records whose timers do not run."),
    ("outbox", "gauge", "Messages that have not left, by kind and state."),
    ("outbox_channel", "gauge", "Messages that have not left, by channel."),
    ("outbox_oldest_seconds", "gauge", "Age of the oldest message that has not left."),
    ("outbox_channel_oldest_seconds", "gauge", "Age of the oldest message that has not left, by channel."),
    ("page_oldest_seconds", "gauge", "Age of the oldest page that has not left; 0 if all have."),
    ("deliveries_total", "counter", "Messages that this process sent, failed at or gave up, by channel."),
    ("commands_total", "counter", "What this process stored, by who asked: people, machines, time."),
    ("commands_refused_total", "counter", "Commands that this process refused, by reason."),
    ("facts_total", "counter", "Facts that this process stored, by record."),
    ("record_write_seconds", "histogram", "From the beginning of a transaction until it is stored durably."),
    ("impaired", "gauge", "1 for each part that does not work."),
    ("healthy", "gauge", "1 if nobody needs to look, else 0."),
    ("node_age_seconds", "gauge", "Seconds since the last sign of life, by part; of several the youngest."),
    ("nodes_silent", "gauge", "Parts that have gone without being stopped, by part."),
    ("prefect_up", "gauge", "1 if Prefect answered the conductor last, else 0."),
    ("checkpoint_age_seconds", "gauge", "Age of the last checkpoint."),
    ("relay_waiting", "gauge", "Facts that a sink of the second path has not had, by sink."),
    ("hook_waiting", "gauge", "What other systems have not been told, by webhook."),
    ("listeners", "gauge", "Pages that people have open."),
    ("audit_age_seconds", "gauge", "Seconds since the auditor last went round."),
    ("audit_waiting", "gauge", "Records with facts that the auditor has not read yet."),
    ("audit_findings", "gauge", "1 for each thing that the auditor finds wrong now, by kind."),
    ("process_cpu_seconds_total", "counter", "Processor time of the pager's process."),
    ("process_resident_bytes", "gauge", "Memory of the pager's process."),
)  # fmt: skip
LIVE = ("open", "resolved")
UNSENT = ("queued", "sending")
PARTS = ("pager", "conductor", "worker")
SILENT_SECONDS = 30
LATE_FROM = 5.0
FORGOTTEN_SECONDS = 86_400
"""A part without a sign of life for so long was taken away, and alarms nobody any more."""
IMPAIRED = frozenset(
    {"record", "watch", "outbox", "conductor", "prefect", "flows", "playbooks", "configuration", "channel",
     "slack", "mailbox", "clock", "checkpoints", "anchors", "checkpoint-key", "delivery", "audit", "pager",
     RELAYED.strip(), HOOKED.strip()}
)  # fmt: skip
OTHER = "other"


def of_record(house: House) -> Found:
    """What the record says. Raises RecordError."""
    now, wall = micros(house.desk.clock.now()), micros(house.wall.now())
    with house.record.read() as tx:
        return {
            **_incidents(tx, now),
            **_outbox(tx, now, house.institution.settings.channels()),
            **_nodes(tx, tx.instant(house.wall.now())),
            **_beside(tx, house, now),
            **_audit(tx, wall),
            "schema_version": [_one(int(migrations.version(tx.connection) or 0))],
        }


def _one(value: float, **labels: str) -> Sample:
    return "", labels, value


def _incidents(tx: Tx, now: int) -> Found:
    of_incident, c = STREAM.c.kind == "incident", STREAM.c
    severities = tx.connection.execute(
        select(c.severity, func.count()).where(of_incident, c.status.in_(LIVE)).group_by(c.severity)
    ).all()
    sums = [
        func.coalesce(func.sum(one), 0) for one in (c.clocks_running, c.clocks_breaking, c.clocks_breached)
    ]
    clocks = tx.connection.execute(select(*sums).where(of_incident, c.clocks_running > 0)).one()
    healthy = c.retry_at.is_(None)
    due = tx.connection.execute(select(func.min(c.next_due_at)).where(healthy)).scalar()
    timers = tx.connection.execute(select(func.count()).where(c.next_due_at.is_not(None))).scalar_one()
    late = tx.connection.execute(
        select(func.count()).where(c.next_due_at < now - 1_000_000, healthy)
    ).scalar_one()
    names = ("running", "forecast_to_break", "breached")
    return {
        "incidents_open": [_one(count, severity=name or "none") for name, count in severities],
        "clocks": [_one(int(count), state=name) for name, count in zip(names, clocks, strict=True)],
        "next_due_seconds": [_one((due - now) / 1e6)] if due is not None else [],
        "timers": [_one(timers - late, state="waiting"), _one(late, state="late")],
    }


def _outbox(tx: Tx, now: int, channels: frozenset[str]) -> Found:
    c = OUTBOX.c
    rows = tx.connection.execute(
        select(c.channel, c.kind, c.state, func.count(), func.min(c.created_at))
        .where(c.state.in_(UNSENT), c.created_at <= now)
        .group_by(c.channel, c.kind, c.state)
    ).all()
    kinds: Counter[tuple[str, str]] = Counter()
    waiting: Counter[str] = Counter(dict.fromkeys(channels, 0))
    oldest = dict.fromkeys(channels, now)
    for channel, kind, state, count, since in rows:
        named = channel if channel in channels else OTHER
        kinds[kind, state] += count
        waiting[named] += count
        oldest[named] = min(since, oldest.get(named, now))
    pages = [since for _, kind, _, _, since in rows if kind == "page"]
    return {
        "outbox": [_one(count, kind=kind, state=state) for (kind, state), count in kinds.items()],
        "outbox_channel": [_one(count, channel=name) for name, count in waiting.items()],
        "outbox_channel_oldest_seconds": [
            _one((now - since) / 1e6, channel=name) for name, since in oldest.items()
        ],
        "outbox_oldest_seconds": [_one((now - min(oldest.values(), default=now)) / 1e6)],
        "page_oldest_seconds": [_one((now - min(pages, default=now)) / 1e6)],
    }


def part_of(node: str) -> str:
    """Which part a node is; its name may say where it runs besides."""
    return next((part for part in PARTS if node.startswith(part)), OTHER)


def _nodes(tx: Tx, now: int) -> Found:
    rows = tx.connection.execute(select(NODE.c.id, NODE.c.beat_at).where(NODE.c.detail != RETIRED))
    ages: dict[str, list[float]] = {}
    for name, beat in rows:
        ages.setdefault(part_of(name), []).append(max(0.0, (now - beat) / 1e6))
    lost = {
        part: [age for age in each if SILENT_SECONDS < age < FORGOTTEN_SECONDS] for part, each in ages.items()
    }
    return {
        "node_age_seconds": [_one(min(each), part=part) for part, each in ages.items()],
        "nodes_silent": [_one(len(each), part=part) for part, each in lost.items()],
    }


def _beside(tx: Tx, house: House, now: int) -> Found:
    last = tx.connection.execute(
        select(CHECKPOINT.c.at).order_by(CHECKPOINT.c.number.desc()).limit(1)
    ).scalar()
    waiting = {
        one.name: tx.connection.execute(
            select(func.count()).where(HOOK.c.hook == one.name, HOOK.c.state == "queued")
        ).scalar_one()
        for one in house.institution.settings.webhooks
    }
    return {
        "checkpoint_age_seconds": [_one(max(0.0, (now - last) / 1e6))] if last is not None else [],
        "hook_waiting": [_one(count, hook=name) for name, count in waiting.items()],
    }


def _audit(tx: Tx, now: int) -> Found:
    """What the auditor wrote down, in whichever process it runs."""
    wanted = (
        AUDIT.c.name.like(f"{LATE}%") | AUDIT.c.name.like(f"{FINDING}%") | AUDIT.c.name.in_([AT, WAITING])
    )
    rows = {name: value for name, value in tx.connection.execute(select(AUDIT).where(wanted))}
    kinds = sorted({name.split("/")[1] for name in rows if name.startswith(LATE)})
    return {
        "due_late_seconds": [one for kind in kinds for one in _histogram(rows, kind)],
        "audit_age_seconds": [_one(max(0.0, (now - rows[AT]) / 1e6))] if AT in rows else [],
        "audit_waiting": [_one(rows[WAITING])] if WAITING in rows else [],
        "audit_findings": [
            _one(value, kind=name.removeprefix(FINDING)) for name, value in sorted(rows.items())
            if name.startswith(FINDING)
        ],
    }  # fmt: skip


def lateness(tx: Tx) -> dict[str, dict[str, int]]:
    """By kind how many due things the auditor has seen recorded, and how many more than five seconds late."""
    rows = tx.connection.execute(select(AUDIT).where(AUDIT.c.name.startswith(LATE, autoescape=True)))
    found: dict[str, dict[str, int]] = {}
    for name, value in rows:
        _, kind, bound = name.split("/")
        if bound != SUM:
            known = found.setdefault(kind, {"count": 0, "late": 0})
            known["count"] += value
            known["late"] += value if bound == "+Inf" or float(bound) > LATE_FROM else 0
    return dict(sorted(found.items()))


def _histogram(rows: Mapping[str, int], kind: str) -> Iterator[Sample]:
    so_far = 0
    for bound in (*map(str, LATE_SECONDS), "+Inf"):
        so_far += rows.get(f"{LATE}{kind}/{bound}", 0)
        yield "_bucket", {"kind": kind, "le": bound.removesuffix(".0")}, so_far
    yield "_sum", {"kind": kind}, rows.get(f"{LATE}{kind}/{SUM}", 0) / 1e6
    yield "_count", {"kind": kind}, so_far


def of_status(status: Mapping[str, Any]) -> Found:
    """What the node says of itself."""
    parts: Counter[str] = Counter()
    said = status.get("impaired") or ()
    for name in said:
        part = str(name).partition(" ")[0]
        parts[part if part in IMPAIRED else OTHER] = 1
    found: Found = {
        "impaired": [_one(parts[name], what=name) for name in sorted({*IMPAIRED, OTHER})],
        "healthy": [_one(status.get("status") == "ok")],
        "streams_quarantined": [_one(len(status.get("quarantined") or ()))],
        "relay_waiting": [_one(n, sink=name) for name, n in (status.get("relay_waiting") or {}).items()],
    }
    if status.get("lateness_seconds") is not None:
        found["lateness_seconds"] = [_one(status["lateness_seconds"])]
    if status.get("prefect") in {"ok", "down"}:
        found["prefect_up"] = [_one(status["prefect"] == "ok")]
    if "streams" in status:
        found["listeners"] = [_one(status["streams"])]
    return found


def of_process(counts: Counts) -> Found:
    """What this process is, and has counted since it began."""
    cpu = os.times()
    found: Found = {
        "build_info": [_one(1, version=_version(), python=platform.python_version())],
        "deliveries_total": [
            _one(count, channel=channel, outcome=outcome)
            for (channel, outcome), count in sorted(counts.deliveries.copy().items())
        ],
        "commands_total": [
            _one(counts.commands[by], by=by) for by in ("people", "machines", "time")
        ],
        "commands_refused_total": [_one(n, reason=reason) for reason, n in sorted(counts.refused().items())],
        "facts_total": [_one(count, record=name) for name, count in sorted(counts.facts.copy().items())],
        "record_write_seconds": [*counts.writes.samples()],
        "process_cpu_seconds_total": [_one(cpu.user + cpu.system)],
    }  # fmt: skip
    if (memory := _resident_bytes()) is not None:
        found["process_resident_bytes"] = [_one(memory)]
    return found


def _version() -> str:
    try:
        return metadata.version("hikeshi")
    except metadata.PackageNotFoundError:
        return "unknown"


def _resident_bytes() -> int | None:
    """Where the system tells (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
