"""How people are reached by severity: unknown names, channels that cannot be, delays that come too late."""

from __future__ import annotations

from collections.abc import Iterator

from models.organisation import Person, Reach
from models.policy import RouteLevel
from models.values import write_duration
from playbooks.check.view import View
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath

FILE = "organisation.yaml"


def defects(view: View) -> Iterator[Defect]:
    """What does not fit in `reach`, person by person."""
    organisation = view.organisation
    for number, person in enumerate(organisation.people if organisation else ()):
        for place, reach in enumerate(person.reach):
            path: KeyPath = ("people", number, "reach", place)
            yield from _severities(view, view.document(FILE), path, reach)
            yield from _channels(view, view.document(FILE), path, person, reach)
            yield from _delays(view, view.document(FILE), path, person, reach)


def _severities(view: View, document: Document, path: KeyPath, reach: Reach) -> Iterator[Defect]:
    severity = view.contents.severity
    if severity is None:
        return
    known = [one.id for one in severity.severities]
    named: list[tuple[KeyPath, str]] = [
        ((*path, "severities", place), name) for place, name in enumerate(reach.severities)
    ]
    if reach.at_least is not None:
        named.append(((*path, "at_least"), reach.at_least))
    if reach.quiet is not None:
        named.append(((*path, "quiet", "except_at_least"), reach.quiet.except_at_least))
    for where, name in named:
        if name not in known:
            yield document.defect(where, f"{quoted(name)} is no severity", one_of(known, name))


def _channels(
    view: View, document: Document, path: KeyPath, person: Person, reach: Reach
) -> Iterator[Defect]:
    for place, one in enumerate(reach.channels):
        where: KeyPath = (*path, "channels", place, "channel")
        if person.address(one.channel) is None:
            yield document.defect(
                where,
                f"{person.id} has the channel {one.channel} but no address on it",
                f"`{one.channel}:` of this person, or another channel",
            )
        elif one.channel not in view.channels:
            yield document.defect(
                where,
                f"the channel {one.channel} is used, but settings.toml does not set it up",
                f"[{one.channel}] in settings.toml, or another channel",
            )


def _delays(view: View, document: Document, path: KeyPath, person: Person, reach: Reach) -> Iterator[Defect]:
    """A channel that comes only when the next level has been paged already: rarely what was meant."""
    shortest = min((level.within for level in _levels(view, person)), default=None)
    for place, one in enumerate(reach.channels):
        if shortest is not None and one.after is not None and one.after >= shortest:
            yield document.defect(
                (*path, "channels", place, "after"),
                f"the next level is paged after {write_duration(shortest)}, before this channel is tried",
                "a shorter time",
                severity="warning",
            )


def _levels(view: View, person: Person) -> Iterator[RouteLevel]:
    """The levels that reach this person by their own channels."""
    for route in view.contents.routes.routes if view.contents.routes else ():
        for level in route.levels:
            if not level.channels and any(person.id in view.candidates(who) for who in level.to):
                yield level
