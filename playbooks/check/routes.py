"""Routes: whom they name, whether those can be reached, whether every event that must page has one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from models.organisation import Channel
from models.policy import STEP_ROLES, Event, Route, RouteLevel
from playbooks.check.view import View, twice, unknown
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath

FILE = "routes.yaml"
MUST_PAGE: tuple[Event, ...] = ("declared", "decision", "step-overdue", "delivery-failed", "timers-stopped")
"""Events that nobody would notice otherwise; each needs a route that holds for every incident."""


def defects(view: View) -> Iterator[Defect]:
    """What does not fit in `routes.yaml`."""
    routes = view.contents.routes
    if routes is None:
        return
    document = view.document(FILE)
    yield from twice(document, ("routes",))
    for number, route in enumerate(routes.routes):
        yield from _applies(view, document, number, route)
        for place, level in enumerate(route.levels):
            yield from _level(view, document, ("routes", number, "levels", place), level)
        path = ("routes", number, "exhausted", "to")
        yield from _named(view, document, path, route.exhausted.to)
    yield from _events(document, routes.routes)
    yield from _permissions(view, document, routes.permissions)


def _applies(view: View, document: Document, number: int, route: Route) -> Iterator[Defect]:
    path: KeyPath = ("routes", number, "applies")
    yield from unknown(document, (*path, "attack"), route.applies.attack, view.playbooks, "playbook")
    severity = view.contents.severity
    least = route.applies.severity_at_least
    if severity is not None and least is not None and severity.rank(least) < 0:
        known = [one.id for one in severity.severities]
        yield document.defect(
            (*path, "severity_at_least"), f"{quoted(least)} is no severity", one_of(known, least)
        )


def _level(view: View, document: Document, path: KeyPath, level: RouteLevel) -> Iterator[Defect]:
    yield from _named(view, document, (*path, "to"), level.to)
    known = get_args(Channel)
    yield from unknown(document, (*path, "channels"), level.channels, known, "channel")
    if view.organisation is None:
        return
    reached = {name for who in level.to for name in view.candidates(who)}
    for person in view.organisation.people:
        for place, channel in enumerate(level.channels):
            if person.id in reached and channel in known and person.address(channel) is None:
                yield document.defect(
                    (*path, "channels", place),
                    f"{person.id} can be paged here but has no address on {channel}",
                    f"`{channel}:` of {person.id} in organisation.yaml, or another channel",
                )


def _named(view: View, document: Document, path: KeyPath, to: tuple[str, ...]) -> Iterator[Defect]:
    for place, who in enumerate(to):
        if who not in STEP_ROLES:
            yield from view.wrong_actor(document, (*path, place), who)


def _events(document: Document, routes: tuple[Route, ...]) -> Iterator[Defect]:
    fitting = {
        event: [route for route in routes if not route.applies.events or event in route.applies.events]
        for event in MUST_PAGE
    }
    none = [event for event, found in fitting.items() if not found]
    some = [event for event, found in fitting.items() if found and not any(_always(route) for route in found)]
    if none:
        wrong = f"no route for {', '.join(none)}: nobody would be paged"
        yield document.defect(("routes",), wrong, "a route that applies to each", key=True)
    if some:
        wrong = f"{', '.join(some)} would page nobody in some incidents"
        yield document.defect(("routes",), wrong, "a last route without attack, severity or phases", key=True)


def _always(route: Route) -> bool:
    return not (route.applies.attack or route.applies.severity_at_least or route.applies.phases)


def _permissions(view: View, document: Document, permissions: dict[str, tuple[str, ...]]) -> Iterator[Defect]:
    from models.permission import TABLE  # noqa: PLC0415 - brings in every command, which loading does not need

    for command, roles in permissions.items():
        path: KeyPath = ("permissions", command)
        if command not in TABLE:
            yield document.defect(
                path, f"unknown command {quoted(command)}", one_of(TABLE, command), key=True
            )
        if view.organisation is not None:
            known = {*view.roles, "*", *STEP_ROLES}
            yield from unknown(document, path, roles, known, "role")
