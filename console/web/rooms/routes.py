"""Routes as ladders, whom a page would reach if it came now; and communication checks."""

from __future__ import annotations

from typing import Any

from console.texts import Texts
from console.views import comchecks as checks
from console.web.asking import Ask, must_look
from console.web.frame import Page, Part
from console.web.rooms.common import HOUSE, programme, times, title_of
from console.web.rooms.duty import head as may_see_duty
from models.comcheck import LAST
from models.policy import STEP_ROLES, Route
from models.reach import BROKEN, HELD, KEPT
from models.routing import paged
from models.state import House as HouseState
from models.world import World

LOOK = "look-house"
QUIET = {HELD: "held", KEPT: "kept", BROKEN: "broken"}


def _routes(ask: Ask) -> dict[str, Any]:
    world = ask.house.desk.world(HouseState(stream=HOUSE))
    return {
        "routes": [_route(one, world, ask) for one in world.policy.routes],
        "at": times(ask).at(ask.now),
    }


def _route(route: Route, world: World, ask: Ask) -> dict[str, Any]:
    span = times(ask).span
    levels = [
        {
            "number": number,
            "roles": [_role(who, ask) for who in level.to],
            "people": _people(level.to, level.channels, world, ask),
            "open": [one for one in level.to if one in STEP_ROLES],
            "within": span(level.within),
            "repeat": span(level.repeat) if level.repeat else "",
            "all": level.answer == "all",
            "channels": level.channels,
        }
        for number, level in enumerate(route.levels, start=1)
    ]
    last = route.exhausted
    return {
        "id": route.id,
        "title": route.title.lang(ask.lang),
        "applies": _applies(route, ask),
        "levels": levels,
        "last": {
            "roles": [_role(who, ask) for who in last.to],
            "people": _people(last.to, (), world, ask),
            "open": [one for one in last.to if one in STEP_ROLES],
            "every": span(last.every),
        },
        "renew": span(route.renew) if route.renew else "",
    }


def _role(who: str, ask: Ask) -> str:
    return "" if who in STEP_ROLES else title_of(who, ask)


def _people(to: tuple[str, ...], channels: tuple[str, ...], world: World, ask: Ask) -> list[dict[str, Any]]:
    """Whom a page of the gravest severity would reach now, and where."""
    found = paged(world, HouseState(stream=HOUSE), to, channels, "")
    return [
        {
            "name": title_of(one["person"], ask),
            "for": title_of(one["for"], ask) if one.get("for") else "",
            "channels": one["channels"],
            "quiet": QUIET.get(one.get("quiet", ""), ""),
        }
        for one in found
    ]


def _applies(route: Route, ask: Ask) -> list[tuple[str, str]]:
    """When the route is used, a condition a row; nothing: always."""
    when, texts = route.applies, ask.texts
    severity = next(
        (
            one
            for one in ask.house.desk.premises.policy.severity.severities
            if one.id == when.severity_at_least
        ),
        None,
    )
    rows = [
        ("events", _words("words.event", when.events, texts)),
        ("clocks", _words("words.clock.kind", when.clocks, texts)),
        ("phases", _words("words.phase", when.phases, texts)),
        ("attack", texts("words.comma").join(_playbook(one, ask) for one in when.attack)),
        ("severity", severity.title.lang(ask.lang) if severity is not None else ""),
    ]
    if "clock-warning" in when.events:
        rows.append(("warn", texts("words.comma").join(f"{share} %" for share in route.warn_at)))
    return [(name, said) for name, said in rows if said]


def _words(kind: str, many: tuple[str, ...], texts: Texts) -> str:
    return texts("words.comma").join(texts.word(kind, one) for one in many)


def _playbook(name: str, ask: Ask) -> str:
    found = ask.house.institution.playbooks.get(name)
    return found.title.lang(ask.lang) if found is not None else name


# -- communication checks -----------------------------------------------------------------------------------


def _checks_head(ask: Ask) -> dict[str, Any]:
    must_look(ask, "look-programme")
    return {}


def _latest(ask: Ask) -> dict[str, Any]:
    state = programme(ask)
    said = ask.naming(state)
    latest = checks.find(state, None)
    return {
        "latest": checks.sections(latest, said) if latest is not None else [],
        "listing": [checks.listing(state, said)] if len(state.comchecks) > 1 else [],
        "unreached": [
            (title_of(name, ask), one.comcheck, times(ask).at(one.since), one.why)
            for name, one in state.unreached.items()
            if ask.house.desk.directory.person(name) is not None
        ],
    }


def _start(ask: Ask) -> dict[str, Any]:
    routes = ask.house.desk.premises.policy.routes
    most = max(len(one.levels) for one in routes)
    return {
        "routes": [(one.id, one.title.lang(ask.lang)) for one in routes],
        "levels": [str(number) for number in range(1, most + 1)],
        "last": LAST,
        "chosen": ask.query.get("route", ""),
    }


PAGES = (
    Page(
        name="routes",
        path="/routes",
        parts=(Part(name="ladders", values=_routes),),
        head=may_see_duty,
        nav="oncall",
    ),
    Page(
        name="comchecks",
        path="/comchecks",
        parts=(Part(name="latest", values=_latest), Part(name="start", values=_start, personal=True)),
        head=_checks_head,
        nav="oncall",
    ),
)
