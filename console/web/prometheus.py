"""Measures for Prometheus (text format 0.0.4). Counts only: nothing that names an incident or a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from console.opening import House
from models.record import OUTBOX, STREAM, micros

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LIVE = ("open", "resolved")
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


@dataclass(frozen=True, kw_only=True)
class Family:
    """One measure with its samples: labels and a value."""

    name: str
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]


def measures(house: House, status: Mapping[str, Any]) -> str:
    """The page that Prometheus reads. Reads the record by its index; folds nothing."""
    return "".join(line for family in _families(house, status) for line in _written(family))


def _written(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} gauge\n"
    for labels, value in family.samples:
        inner = ",".join(f'{name}="{text.translate(_ESCAPED)}"' for name, text in labels.items())
        # Fifteen digits: by `g` alone a count beyond a million would lose its last ones.
        yield f"{family.name}{{{inner}}} {value:.15g}\n" if inner else f"{family.name} {value:.15g}\n"


def _families(house: House, status: Mapping[str, Any]) -> Iterator[Family]:
    now = micros(house.desk.clock.now())
    with house.record.read() as tx:
        read = tx.connection.execute
        severities = read(
            select(STREAM.c.severity, func.count())
            .where(STREAM.c.kind == "incident", STREAM.c.status.in_(_LIVE))
            .group_by(STREAM.c.severity)
        ).all()
        clocks = read(
            select(
                func.coalesce(func.sum(STREAM.c.clocks_running), 0),
                func.coalesce(func.sum(STREAM.c.clocks_breaking), 0),
                func.coalesce(func.sum(STREAM.c.clocks_breached), 0),
            ).where(STREAM.c.kind == "incident")
        ).one()
        due = read(select(func.min(STREAM.c.next_due_at)).where(STREAM.c.retry_at.is_(None))).scalar()
        outbox = read(
            select(OUTBOX.c.kind, OUTBOX.c.state, func.count(), func.min(OUTBOX.c.created_at))
            .where(OUTBOX.c.state.in_(["queued", "sending"]), OUTBOX.c.created_at <= now)
            .group_by(OUTBOX.c.kind, OUTBOX.c.state)
        ).all()
    yield Family(
        name="hikeshi_incidents_open",
        help="Incidents that are open or resolved, by severity.",
        samples=tuple(({"severity": name or "none"}, count) for name, count in severities),
    )
    states = zip(("running", "forecast_to_break", "breached"), clocks, strict=True)
    yield Family(
        name="hikeshi_clocks",
        help="Clocks of open incidents: running, of those forecast to break, and running past their target.",
        samples=tuple(({"state": name}, int(count)) for name, count in states),
    )
    yield _gauge("hikeshi_next_due_seconds", "Seconds until something is due next; negative if late.",
                 (due - now) / 1e6 if due is not None else None)  # fmt: skip
    yield Family(
        name="hikeshi_outbox",
        help="Messages that have not left, by kind and state.",
        samples=tuple(({"kind": kind, "state": state}, count) for kind, state, count, _ in outbox),
    )
    oldest = min((since for _, _, _, since in outbox), default=None)
    yield _gauge("hikeshi_outbox_oldest_seconds", "Age of the oldest message that has not left.",
                 (now - oldest) / 1e6 if oldest is not None else 0.0)  # fmt: skip
    yield _gauge(
        "hikeshi_lateness_seconds", "The worst lateness of the last minute.", status.get("lateness_seconds")
    )
    quarantined = status.get("quarantined") or ()
    yield _gauge("hikeshi_streams_quarantined", "Records whose timers do not run.", len(quarantined))


def _gauge(name: str, text: str, value: float | None) -> Family:
    return Family(name=name, help=text, samples=(({}, value),) if value is not None else ())
