"""The board: what is open now and how this node is, at a glance. It only shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from console.opening import House
from console.reading import Reader
from console.web.pages import GRAVE_FROM_NISC
from console.web.rendering import span, when, words
from models.page import page_next_due
from models.policy import PHASES
from models.record import STREAM, TEXT
from models.state import Incident, Intake
from models.world import World
from notifiers.clockwords import clock_title
from notifiers.phrases import PHRASES

MAX_INCIDENTS = 30
MAX_ALERTS = 10
_OPEN = ("open", "resolved")


def board(house: House, lang: str) -> dict[str, Any]:
    """What is open, as values of the template `board.html`; what `health` says is added by the caller."""
    names, count = _open_incidents(house)
    intake = Reader(desk=house.desk).without_hidden(house.desk.state("intake"))
    alerts = list(intake.alerts.values()) if isinstance(intake, Intake) else []
    now = house.desk.clock.now()
    organisation = house.desk.premises.organisation
    titles = _titles(house, "intake", [one.title for one in alerts[:MAX_ALERTS]])
    return {
        "organisation": organisation.name.lang(lang),
        "drill": house.desk.premises.drill,
        "now": when(now, organisation.zone, lang),
        "incidents": [_incident(house, name, lang) for name in names],
        "more": count - len(names),
        "alerts": [
            {"id": one.id, "title": titles.get(one.title, ""), "source": one.source, "count": one.count}
            for one in alerts[:MAX_ALERTS]
        ],
        "more_alerts": max(0, len(alerts) - MAX_ALERTS),
    }


def _open_incidents(house: House) -> tuple[list[str], int]:
    """The newest open incidents, and how many there are."""
    # Whoever looks at the board has not said who they are: what only some may know of is not on it.
    where = (STREAM.c.kind == "incident", STREAM.c.status.in_(_OPEN), STREAM.c.restricted.is_(False))
    with house.record.read() as tx:
        newest = select(STREAM.c.id).where(*where).order_by(STREAM.c.opened_at.desc()).limit(MAX_INCIDENTS)
        names = list(tx.connection.execute(newest).scalars())
        if len(names) < MAX_INCIDENTS:
            return names, len(names)
        count = tx.connection.execute(select(func.count()).select_from(STREAM).where(*where)).scalar_one()
    return names, count


def _titles(house: House, stream: str, digests: Iterable[str]) -> dict[str, str]:
    """These texts only: an incident may hold thousands."""
    wanted = select(TEXT.c.digest, TEXT.c.body).where(
        TEXT.c.stream == stream, TEXT.c.digest.in_(list(digests))
    )
    with house.record.read() as tx:
        return {row[0]: row[1] or "" for row in tx.connection.execute(wanted)}


def _incident(house: House, name: str, lang: str) -> dict[str, Any]:
    state = house.desk.incident(name)
    world = house.desk.world(state)
    severity = next((one for one in world.policy.severity.severities if one.id == state.severity), None)
    phases = [one for one in (*PHASES, "communication") if _is_open(state, one)]
    return {
        "id": name,
        "drill": state.drill,
        "title": _titles(house, name, [state.title]).get(state.title, ""),
        "status": words(lang)["incident-status"][state.status],
        "severity": severity.title.lang(lang) if severity else state.severity,
        "grave": severity is not None and severity.nisc >= GRAVE_FROM_NISC,
        "phases": ", ".join(PHRASES[lang][f"phase.{one}"] for one in phases),
        "decisions": list(_decisions(state, world, lang)),
        "unacked": len(state.open_pages()),
        "next": _next_limit(state, world, lang),
    }


def _is_open(state: Incident, phase: str) -> bool:
    known = state.phases.get(phase)
    return known is not None and known.status == "open"


def _decisions(state: Incident, world: World, lang: str) -> Iterator[str]:
    for key, known in state.steps.items():
        planned = world.step(state, key) if known.status in {"ready", "started"} else None
        if planned is not None and planned.step.kind == "decision":
            roles = [(name, world.directory.role(name)) for name in planned.step.deciders]
            who = ", ".join(role.title.lang(lang) if role else name for name, role in roles)
            yield f"{planned.step.title.lang(lang)} ({who})"


def _next_limit(state: Incident, world: World, lang: str) -> str:
    """What breaks next, and when; empty if nothing runs."""
    t = words(lang)["board"]
    found: list[tuple[datetime, str]] = []
    for key, known in state.steps.items():
        if known.limit_at is not None and known.status in {"ready", "started"} and not known.overdue:
            planned = world.step(state, key)
            title = planned.step.title.lang(lang) if planned else key
            found.append((known.limit_at, t["next-step"].format(what=title)))
    for page in state.open_pages():
        due = page_next_due(page)
        if due is not None:
            found.append((due, t["next-page"].format(what=words(lang)["asked"][page.event])))
    found += [
        (clock.due_at, clock_title(clock.id, state, world, lang))
        for clock in state.clocks.values()
        if clock.status == "running"
    ]
    if not found:
        return ""
    at, what = min(found)
    return f"{when(at, world.organisation.zone, lang)} ({span(at, world.now, lang)}) {what}"


def measures(health: Mapping[str, Any], lang: str) -> list[tuple[str, str]]:
    """How the node is, as rows of a name and a value in words."""
    t = words(lang)["board"]
    rows = [
        (t["lateness"], _seconds(health["lateness_seconds"], t)),
        (t["outbox"], _seconds(health["outbox_age_seconds"], t)),
        (t["unsent-page"], _seconds(health["oldest_unsent_page_seconds"], t)),
        (t["prefect"], str(health["prefect"])),
    ]
    for name in ("out_of_band", "impaired", "quarantined", "closed_sources"):
        if health.get(name):
            rows.append((t[name.replace("_", "-")], ", ".join(str(one) for one in health[name])))
    return [*rows, ("Hikeshi", str(health["version"]))]


def _seconds(value: Any, t: Mapping[str, Any]) -> str:
    if not isinstance(value, (int, float)):
        return "-" if value is None else str(t["unknown"])
    return str(t["seconds"]).format(count=f"{value:.1f}")
