"""Services with their targets and what they hang on; third parties, and what runs through each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlalchemy import select

from console.views.estate_layout import Wanted, lay_out_estate
from console.views.estate_svg import VENDOR, Look, svg
from console.web.asking import Ask, must_look
from console.web.frame import Page, Part
from console.web.rooms.common import times, title_of
from models.errors import NotFound
from models.fold.matter import at_target
from models.organisation import Service, ThirdParty
from models.record import STREAM
from models.state import Incident, ServiceState

LOOK = "look-house"
OPEN = ("open", "resolved")
LATEST = 200
"""Incidents that are looked through for a page, the newest first."""
SERVICE = "service"


def _head(ask: Ask) -> dict[str, Any]:
    must_look(ask, LOOK)
    return {}


def _services(ask: Ask) -> tuple[Service, ...]:
    return ask.house.desk.premises.organisation.services


def _parties(ask: Ask) -> tuple[ThirdParty, ...]:
    return ask.house.desk.premises.organisation.third_parties


# -- what runs through what ---------------------------------------------------------------------------------


def through(services: Iterable[Service], vendor: str) -> tuple[list[Service], list[Service]]:
    """The services that a third party serves itself, and those that need these, at any distance."""
    many = tuple(services)
    direct = [one for one in many if vendor in one.vendors]
    return direct, needing(many, [one.id for one in direct])


def needing(services: Iterable[Service], names: Iterable[str]) -> list[Service]:
    """The services that need any of `names`, at any distance, without these."""
    many, first = tuple(services), set(names)
    found = set(first)
    for _ in many:
        more = {one.id for one in many if one.id not in found and found & set(one.needs)}
        if not more:
            break
        found |= more
    return [one for one in many if one.id in found - first]


# -- in which incident --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A service that an open incident has taken."""

    incident: str
    level: str
    since: str
    down: bool


def incidents(ask: Ask, *, still: bool) -> list[Incident]:
    """The latest that the visitor may read; with `still` those that are not closed."""
    where = [STREAM.c.kind == "incident"]
    if still:
        where.append(STREAM.c.status.in_(OPEN))
    wanted = select(STREAM.c.id).where(*where).order_by(STREAM.c.opened_at.desc()).limit(LATEST)
    with ask.house.record.read() as tx:
        names = [row[0] for row in tx.connection.execute(wanted)]
    return ask.reader.whole(ask.house.desk.readable(names))


def hits(ask: Ask) -> Mapping[str, list[Hit]]:
    """Service -> what open incidents have made of it."""
    found: dict[str, list[Hit]] = {}
    for state in incidents(ask, still=True):
        said = ask.naming(state)
        for name, one in state.services.items():
            if one.since or one.down_since:
                found.setdefault(name, []).append(_hit(state, name, one, said.level, ask))
    return found


def _hit(state: Incident, name: str, one: ServiceState, level: Callable[[str, str], str], ask: Ask) -> Hit:
    down = one.down_since is not None and not at_target(one)
    since = one.down_since or one.since
    return Hit(
        incident=state.stream,
        level=level(name, one.level) if one.level else "",
        since=times(ask).at(since) if since else "",
        down=down,
    )


# -- all of them --------------------------------------------------------------------------------------------


def _list(ask: Ask) -> dict[str, Any]:
    known = hits(ask)
    rows = sorted(_services(ask), key=lambda one: one.recovery_order)
    return {"services": [_row(one, known.get(one.id, []), ask) for one in rows]}


def _row(one: Service, known: list[Hit], ask: Ask) -> dict[str, Any]:
    span = times(ask).span
    return {
        "id": one.id,
        "name": one.name.lang(ask.lang),
        "owner": title_of(one.owner, ask),
        "tier": one.tier,
        "important": one.important,
        "order": one.recovery_order,
        "rto": span(one.rto),
        "rto_from": one.rto_from,
        "rpo": span(one.rpo),
        "mtpd": span(one.mtpd),
        "rlo": one.rlo.lang(ask.lang),
        "hits": known,
    }


def _graph(ask: Ask) -> dict[str, Any]:
    services, known = _services(ask), hits(ask)
    used = {vendor for one in services for vendor in one.vendors}
    parties = [one for one in _parties(ask) if one.id in used]
    wanted = [
        *(_wanted_service(one, known, ask) for one in services),
        *(Wanted(id=f"v/{one.id}", title=one.name.lang(ask.lang), last=True) for one in parties),
    ]
    needs = [
        *((one.id, need) for one in services for need in one.needs),
        *((one.id, f"v/{vendor}") for one in services for vendor in one.vendors),
    ]
    estate = lay_out_estate(wanted, needs)
    if estate is None:
        return {"svg": "", "count": len(wanted)}
    say = ask.texts
    looks = {one.id: _look_of_service(one, known, ask) for one in services}
    looks |= {f"v/{one.id}": _look_of_party(one, ask) for one in parties}
    drawn = svg(
        estate,
        looks,
        say("estate.title"),
        say("estate.desc", services=len(services), parties=len(parties)),
        (say("estate.first"), say("estate.last")),
    )
    return {"svg": Markup(drawn), "count": len(wanted)}  # noqa: S704 - written from a tree: all in it is text


def _wanted_service(one: Service, known: Mapping[str, list[Hit]], ask: Ask) -> Wanted:
    down = any(hit.down for hit in known.get(one.id, ()))
    key = "estate.down" if down else "estate.affected" if known.get(one.id) else "estate.meta"
    return Wanted(
        id=one.id, title=one.name.lang(ask.lang), meta=ask.texts(key, span=times(ask).span(one.rto))
    )


def _look_of_service(one: Service, known: Mapping[str, list[Hit]], ask: Ask) -> Look:
    down = bool(known.get(one.id))
    said = ask.texts("estate.service", name=one.name.lang(ask.lang), span=times(ask).span(one.rto))
    return Look(kind=SERVICE, down=down, href=f"/services/{one.id}", said=said)


def _look_of_party(one: ThirdParty, ask: Ask) -> Look:
    said = ask.texts("estate.party", name=one.name.lang(ask.lang), provides=one.provides.lang(ask.lang))
    return Look(kind=VENDOR, down=False, href=f"/vendors/{one.id}", said=said)


def _third_parties(ask: Ask) -> dict[str, Any]:
    services = _services(ask)
    rows = []
    for one in _parties(ask):
        direct, others = through(services, one.id)
        rows.append(
            {
                "id": one.id,
                "name": one.name.lang(ask.lang),
                "kind": one.kind,
                "provides": one.provides.lang(ask.lang),
                "criticality": one.criticality,
                "hours": one.hours,
                "direct": len(direct),
                "others": len(others),
            }
        )
    return {"rows": rows}


# -- one service --------------------------------------------------------------------------------------------


def _service(ask: Ask) -> Service:
    found = ask.house.desk.directory.service(ask.subject)
    if found is None:
        raise NotFound(f"there is no service {ask.subject}")
    return found


def _service_head(ask: Ask) -> dict[str, Any]:
    must_look(ask, LOOK)
    return {"heading": _service(ask).name.lang(ask.lang)}


def _targets(ask: Ask) -> dict[str, Any]:
    one = _service(ask)
    names = {level.id: level.title.lang(ask.lang) for level in one.levels}
    directory = ask.house.desk.directory
    return {
        "one": _row(one, hits(ask).get(one.id, []), ask),
        "levels": list(names.values()),
        "rlo_level": names[one.rlo_level],
        "holders": [each.person.name.lang(ask.lang) for each in directory.holders(one.owner, ask.now)],
        "hosts": one.hosts,
        "points": [
            (point.id, point.kind, times(ask).at(point.at), point.tested.isoformat() if point.tested else "")
            for point in one.recovery_points
        ],
    }


def _ties(ask: Ask) -> dict[str, Any]:
    one, services = _service(ask), _services(ask)
    known = hits(ask)
    direct = [other for other in services if one.id in other.needs]
    return {
        "needs": [_named(name, known, ask) for name in one.needs],
        "needed_by": [_named(other.id, known, ask) for other in direct],
        "further": [
            _named(other.id, known, ask) for other in needing(services, [one.id]) if other not in direct
        ],
        "vendors": [_party(name, ask) for name in one.vendors],
    }


def _named(name: str, known: Mapping[str, list[Hit]], ask: Ask) -> dict[str, Any]:
    found = ask.house.desk.directory.service(name)
    return {
        "id": name,
        "name": found.name.lang(ask.lang) if found is not None else name,
        "there": found is not None,
        "hit": bool(known.get(name)),
    }


def _party(name: str, ask: Ask) -> dict[str, Any]:
    found = ask.house.desk.directory.third_party(name)
    if found is None:
        return {"id": name, "name": name, "there": False, "phone": "", "email": "", "hours": ""}
    return {
        "id": name,
        "name": found.name.lang(ask.lang),
        "there": True,
        "phone": found.phone or "",
        "email": found.email or "",
        "hours": found.hours,
    }


# -- one third party ----------------------------------------------------------------------------------------


def _vendor(ask: Ask) -> ThirdParty:
    found = ask.house.desk.directory.third_party(ask.subject)
    if found is None:
        raise NotFound(f"there is no third party {ask.subject}")
    return found


def _vendor_head(ask: Ask) -> dict[str, Any]:
    must_look(ask, LOOK)
    return {"heading": _vendor(ask).name.lang(ask.lang)}


def _contacts(ask: Ask) -> dict[str, Any]:
    one, span = _vendor(ask), times(ask).span
    agreed = one.contract
    return {
        "one": one,
        "contract": agreed,
        "call_out": span(agreed.call_out) if agreed else "",
        "word": span(agreed.notification_within) if agreed and agreed.notification_within else "",
        "logs": span(agreed.logs_within) if agreed and agreed.logs_within else "",
        "people": [
            person.name.lang(ask.lang)
            for person in ask.house.desk.premises.organisation.people
            if person.third_party == one.id
        ],
        "playbook": "third-party-compromise" in ask.house.institution.playbooks,
    }


def _through(ask: Ask) -> dict[str, Any]:
    known = hits(ask)
    direct, others = through(_services(ask), ask.subject)
    return {
        "direct": [_row(one, known.get(one.id, []), ask) for one in direct],
        "others": [_row(one, known.get(one.id, []), ask) for one in others],
    }


def _past(ask: Ask) -> dict[str, Any]:
    """Incidents in which something was asked of it, or that took a service which it serves."""
    direct, _ = through(_services(ask), ask.subject)
    served = {one.id for one in direct}
    rows = []
    for state in incidents(ask, still=False):
        asked = [one for one in state.vendors.values() if one.party == ask.subject]
        taken = [name for name in state.services if name in served and state.services[name].since]
        if asked or taken:
            said = ask.naming(state)
            rows.append(
                {
                    "id": state.stream,
                    "title": said.text(state.title, 120),
                    "status": ask.texts.word("words.status", state.status),
                    "asked": len(asked),
                    "late": sum(one.answered_at is None for one in asked),
                    "services": [said.service(name) for name in taken],
                }
            )
    return {"rows": rows, "latest": LATEST}


PAGES = (
    Page(
        name="services",
        path="/services",
        parts=(
            Part(name="list", values=_list),
            Part(name="graph", values=_graph),
            Part(name="parties", values=_third_parties),
        ),
        head=_head,
    ),
    Page(
        name="service",
        path="/services/{subject}",
        parts=(Part(name="targets", values=_targets), Part(name="ties", values=_ties)),
        head=_service_head,
        nav="services",
    ),
    Page(
        name="vendor",
        path="/vendors/{subject}",
        parts=(
            Part(name="contacts", values=_contacts),
            Part(name="through", values=_through),
            Part(name="past", values=_past),
        ),
        head=_vendor_head,
        nav="services",
    ),
)
