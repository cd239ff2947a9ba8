"""Services: their targets, what they need, the order in which they come back."""

from __future__ import annotations

from collections.abc import Iterator

from models.organisation import Service
from models.values import write_duration
from playbooks.check.view import View, unknown
from playbooks.defect import Defect
from playbooks.document import Document

FILE = "organisation.yaml"


def defects(view: View) -> Iterator[Defect]:
    """What does not fit among the services."""
    if view.organisation is None:
        return
    document = view.document(FILE)
    services = {service.id: service for service in view.organisation.services}
    for number, service in enumerate(view.organisation.services):
        yield from view.wrong_actor(document, ("services", number, "owner"), service.owner)
        yield from unknown(document, ("services", number, "needs"), service.needs, services, "service")
        yield from unknown(
            document, ("services", number, "vendors"), service.vendors, view.parties, "third party"
        )
        yield from _targets(document, number, service)
        yield from _order(document, number, service, services)


def _targets(document: Document, number: int, service: Service) -> Iterator[Defect]:
    if service.rto > service.mtpd:
        yield document.defect(
            ("services", number, "rto"),
            f"{write_duration(service.rto)} is longer than the longest bearable disruption",
            f"at most the mtpd of {write_duration(service.mtpd)}",
        )


def _order(
    document: Document, number: int, service: Service, services: dict[str, Service]
) -> Iterator[Defect]:
    circle = circle_from(service.id, services)
    if circle and service.id == min(circle):
        way = " > ".join((*circle, circle[0]))
        yield document.defect(
            ("services", number, "needs"), f"goes in a circle: {way}", "a service to start with"
        )
    for place, name in enumerate(service.needs):
        needed = services.get(name)
        if needed is not None and needed.recovery_order > service.recovery_order:
            yield document.defect(
                ("services", number, "needs", place),
                f"needs {name}, which comes back later ({needed.recovery_order} > {service.recovery_order})",
                "a `recovery_order` that follows `needs`",
            )


def circle_from(start: str, services: dict[str, Service]) -> tuple[str, ...]:
    """The services on a way from `start` back to itself; empty if there is none."""
    trails: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    while trails:
        trail = trails.pop()
        for name in services[trail[-1]].needs:
            if name == start:
                return trail
            if name in services and name not in seen:
                seen.add(name)
                trails.append((*trail, name))
    return ()
