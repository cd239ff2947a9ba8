"""Whom a route relies on and does not reach, by their own channels and by those of an order by severity."""

from __future__ import annotations

from models.links import MissingLink, missing_links
from models.organisation import Reach
from tests.models.small import AMY, ROUTES, organisation, policy


def test_a_channel_that_only_an_order_by_severity_names_is_relied_on_too() -> None:
    order = Reach.model_validate({"channels": [{"channel": "console"}, {"channel": "email", "after": "2m"}]})
    made = organisation()
    people = [one.model_copy(update={"reach": (order,)}) if one.id == AMY else one for one in made.people]
    changed = made.model_copy(update={"people": tuple(people)})
    everything = frozenset({"console", "file", "email"})
    routes = policy(routes=ROUTES[:1])
    assert missing_links(made, routes, everything) == ()
    assert missing_links(changed, routes, everything) == (
        MissingLink(person=AMY, channel="email", routes=("main",)),
    )
