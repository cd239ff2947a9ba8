"""What helps to judge an alert: what is open besides, and what would become of one that has not come yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select

from console.intake import ENDED, REPEAT, STORM, WEIGHED, find_source
from console.opening import House
from models.alerts import GRAVITY, ReadAlert, read_alerts
from models.installation import Source
from models.record import ALERT, STREAM
from models.state import Alert, Incident

MAX_RELATED = 5
MAX_OPEN = 100
MAX_BEFORE = 1_000
Why = Literal["key", "service", "playbook"]


@dataclass(frozen=True, kw_only=True)
class Related:
    """An open incident that an alert may belong to, and why."""

    incident: str
    why: Why


@dataclass(frozen=True, kw_only=True)
class Known:
    """How often an alert's matter came, how many alerts of it there were before, whether it is over.

    `count` is exact; the record's facts say 2, 10, 100, ….
    """

    count: int = 1
    before: int = 0
    over: bool = False


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an alert would do. `counted` is the alert that it would be counted under, None if it is new."""

    source: Source
    alert: ReadAlert
    related: tuple[Related, ...]
    counted: str | None = None


def open_incidents(house: House) -> list[Incident]:
    """Open incidents, the latest first, at most `MAX_OPEN`."""
    with house.record.read() as tx:
        names = tx.connection.execute(
            select(STREAM.c.id)
            .where(STREAM.c.kind == "incident", STREAM.c.status == "open")
            .order_by(STREAM.c.opened_at.desc())
            .limit(MAX_OPEN)
        ).scalars()
        found = list(names)
    states = house.desk.readable(found)
    return [state for state in states if isinstance(state, Incident)]


def related(
    house: House, alert: Alert | ReadAlert, source: str, incidents: Iterable[Incident]
) -> tuple[Related, ...]:
    """Open incidents with the same matter, a service in common or the same playbook, in this order."""
    playbook = alert.proposed if isinstance(alert, Alert) else alert.playbook
    same = _incidents_of(house, source, alert.key)
    found: list[tuple[int, Related]] = []
    for one in incidents:
        reasons: dict[Why, bool] = {
            "key": one.stream in same,
            "service": bool(set(alert.services) & set(one.services)),
            "playbook": playbook in one.playbooks,
        }
        why = next((name for name, holds in reasons.items() if holds), None)
        if why is not None:
            found.append((list(reasons).index(why), Related(incident=one.stream, why=why)))
    return tuple(one for _, one in sorted(found, key=lambda pair: pair[0])[:MAX_RELATED])


def _incidents_of(house: House, source: str, key: str) -> set[str]:
    """Incidents to which alerts of this matter went."""
    matter = (ALERT.c.source == source, ALERT.c.key == key, ALERT.c.incident.is_not(None))
    with house.record.read() as tx:
        return set(tx.connection.execute(select(ALERT.c.incident).where(*matter).distinct()).scalars())


def known(house: House, alert: Alert) -> Known:
    """What else came of the same matter."""
    matter = (ALERT.c.source == alert.source, ALERT.c.key == alert.key)
    with house.record.read() as tx:
        rows = tx.connection.execute(
            select(ALERT.c.id, ALERT.c.status, ALERT.c.count)
            .where(*matter)
            .order_by(ALERT.c.id.desc())
            .limit(MAX_BEFORE)
        ).all()
    over = any(row[0] > alert.id and row[1] == ENDED for row in rows)
    count = next((row[2] for row in rows if row[0] == alert.id), alert.count)
    return Known(count=count, before=sum(row[0] < alert.id for row in rows), over=over)


def preview(house: House, source_id: str, body: bytes, hidden: frozenset[str] = frozenset()) -> list[Preview]:
    """What each alert in `body` would do now. Writes nothing. Raises NotFound for an unknown source.

    `hidden` are the incidents of which whoever asks may not know.
    """
    source, premises = find_source(house, source_id), house.desk.premises
    alerts = read_alerts(
        source,
        body,
        premises.organisation,
        premises.playbooks,
        house.desk.clock.now(),
        premises.policy.severity,
    )
    incidents = [one for one in open_incidents(house) if one.stream not in hidden]
    return [
        Preview(
            source=source,
            alert=one,
            related=related(house, one, source.id, incidents),
            counted=_counted(house, source, one, hidden),
        )
        for one in alerts
    ]


def _counted(house: House, source: Source, alert: ReadAlert, hidden: frozenset[str]) -> str | None:
    """The alert that this one would be counted under: it lies there, or its incident is open."""
    with house.record.read() as tx:
        row = tx.connection.execute(
            select(ALERT.c.id, ALERT.c.status, STREAM.c.status, ALERT.c.incident)
            .outerjoin(STREAM, STREAM.c.id == ALERT.c.incident)
            .where(ALERT.c.source == source.id, ALERT.c.key == alert.key)
            .where(ALERT.c.status.not_in((REPEAT, STORM, ENDED)))
            .order_by(ALERT.c.first_at.desc(), ALERT.c.id.desc())
            .limit(1)
        ).first()
    if row is None or alert.ended or row[3] in hidden:
        return None
    counted = row[2] == "open" or GRAVITY[alert.do] <= WEIGHED.get(row[1], -1)
    return str(row[0]) if counted else None
