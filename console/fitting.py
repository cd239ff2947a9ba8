"""Assumptions out of the institution's own record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from models.calendars import calendar
from models.desk import Desk
from models.record import STREAM, Record
from models.rehearsal.fitting import LEAST, Fitted, Samples, fit, take
from models.state import Incident
from playbooks.institution import Institution
from playbooks.rehearsing import assumptions

__all__ = ["LEAST", "fitted", "lines"]
MAX_INCIDENTS = 2_000


def fitted(record: Record, desk: Desk, institution: Institution) -> Fitted:
    """The times of all incidents that were not drills."""
    organisation = institution.organisation
    hours, zone = assumptions(institution.directory).hours, ZoneInfo(organisation.zone)
    own = calendar("own", organisation.calendar, organisation.zone)
    rotas = [role.id for role in organisation.roles if role.rota]

    def band(person: str, at: datetime) -> str:
        if any(person in desk.directory.rostered(role, at).people for role in rotas):
            return "duty"
        local = at.astimezone(zone)
        return hours.band(local.time(), working_day=own.is_working(local.date()))

    samples = Samples()
    names = _incidents(record)
    for name in names:
        state = desk.state(name)
        if not isinstance(state, Incident):
            continue
        steps = desk.world(state).steps(state)

        def limit(key: str, steps=steps) -> float | None:  # type: ignore[no-untyped-def]
            within = steps[key].step.within if key in steps else None
            return within.total_seconds() if within is not None else None

        with record.read() as tx:
            take(samples, tx.facts(name), band, limit)
    return fit(samples, len(names))


def _incidents(record: Record) -> list[str]:
    wanted = select(STREAM.c.id).where(STREAM.c.kind == "incident", STREAM.c.drill.is_(False))
    with record.read() as tx:
        return list(tx.connection.execute(wanted.order_by(STREAM.c.id).limit(MAX_INCIDENTS)).scalars())


def lines(found: Fitted) -> Iterator[str]:
    """As `rehearsal.yaml` holds it."""
    group = ""
    for path, fields in found.parts.items():
        head, _, name = path.partition(".")
        if head != group:
            group = head
            yield f"{head}:"
        inner = ", ".join(f"{key}: {value}" for key, value in fields.items() if key != "source")
        yield f'  {name}: {{{inner}, source: "{fields["source"]}"}}'
