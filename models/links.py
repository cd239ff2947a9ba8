"""Whom a route would page on a channel that does not reach them: pure, from directory and policy alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models.organisation import Organisation, Person
from models.policy import STEP_ROLES, Policy
from models.readers import members


@dataclass(frozen=True, kw_only=True)
class MissingLink:
    """`person` has no address on `channel`, or nobody has set it up, and these routes rely on it."""

    person: str
    channel: str
    routes: tuple[str, ...]


def missing_links(
    organisation: Organisation, policy: Policy, channels: frozenset[str]
) -> tuple[MissingLink, ...]:
    """Each person and channel once; everybody who may ever answer for a role, not only who does now."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for route, person, channel in _relied_on(organisation, policy):
        if channel not in channels or person.address(channel) is None:
            found.setdefault((person.id, channel), {})[route] = None
    return tuple(
        MissingLink(person=person, channel=channel, routes=tuple(routes))
        for (person, channel), routes in found.items()
    )


def _relied_on(organisation: Organisation, policy: Policy) -> Iterator[tuple[str, Person, str]]:
    """Route, person and channel, for every level and the last resort."""
    people = {person.id: person for person in organisation.people}
    for route in policy.routes:
        rungs = [(one.to, one.channels) for one in route.levels]
        for to, channels in [*rungs, (route.exhausted.to, ())]:
            for who in to:
                # Whom `authority` and `owner` stand for only the matter says.
                names = (who,) if who in people else members(organisation, who)
                for name in names if who not in STEP_ROLES else ():
                    for channel in channels or people[name].ways:
                        yield route.id, people[name], channel
