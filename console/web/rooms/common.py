"""What several pages ask in the same way: the day, the programme, and whether somebody may look."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from console.views.times import Times
from console.web.asking import Ask
from models.access import may_look
from models.state import House as HouseState
from models.state import Programme

HOUSE = "house"
PROGRAMME = "programme"


def zone(ask: Ask) -> ZoneInfo:
    """The institution's zone."""
    return ZoneInfo(ask.house.desk.premises.organisation.zone)


def today(ask: Ask) -> date:
    """The day there."""
    return ask.now.astimezone(zone(ask)).date()


def times(ask: Ask) -> Times:
    """Writes instants and spans in the institution's zone, in the visitor's language."""
    return Times(texts=ask.texts, zone=zone(ask))


def programme(ask: Ask) -> Programme:
    """Improvements, readings, checks and exercises, as the visitor may know them."""
    state = ask.reader.without_hidden(ask.house.desk.state(PROGRAMME))
    assert isinstance(state, Programme)  # noqa: S101 - what the stream of this name folds to
    return state


def sees_programme(ask: Ask) -> bool:
    """Whether they may know what was read and exercised: where the bank is weak is no third party's."""
    world = ask.house.desk.world(HouseState(stream=HOUSE))
    return not ask.is_vendor and may_look("look-programme", ask.visitor.viewer, world).whole


def title_of(name: str, ask: Ask) -> str:
    """A role's title, a person's or a third party's name, else the id."""
    directory, lang = ask.house.desk.directory, ask.lang
    found: Any = directory.role(name)
    if found is not None:
        return str(found.title.lang(lang))
    found = directory.person(name) or directory.third_party(name)
    return str(found.name.lang(lang)) if found is not None else name
