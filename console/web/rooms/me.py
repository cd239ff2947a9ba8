"""One's own: who one is here, which browsers are logged in, which programs act in one's name."""

from __future__ import annotations

from typing import Any

from console.views.entering import instant
from console.web.asking import Ask
from console.web.frame import Page, Part
from console.web.rendering import when
from console.web.sessions import Sessions
from models.entering import KEY_SIZE
from models.state import House


def _who(ask: Ask) -> dict[str, Any]:
    desk = ask.house.desk
    state = desk.state("house")
    world = desk.world(state).within(ask.visitor.person, ask.visitor.roles)
    held = sorted(world.roles_of(None, ask.visitor.person or ""))
    titles = (desk.directory.role(one) for one in held)
    return {"roles": [one.title.lang(ask.lang) for one in titles if one is not None]}


def _sessions(ask: Ask) -> dict[str, Any]:
    zone = ask.house.desk.premises.organisation.zone

    def at(stamp: int) -> str:
        return when(instant(stamp), zone, ask.lang)

    mine = Sessions(ask.house).running(ask.visitor.person) if ask.visitor.person else []
    rows = [
        {
            "key": one.digest[:KEY_SIZE],
            "here": one.digest.startswith(ask.visitor.key),
            "way": one.way.partition(":")[0],
            "by": one.way.partition(":")[2],
            "since": at(one.made_at),
            "seen": at(one.seen_at),
            "until": at(one.ends_at),
        }
        for one in mine
    ]
    return {"sessions": rows}


def _tokens(ask: Ask) -> dict[str, Any]:
    state, now = ask.house.desk.state("house"), ask.now
    zone = ask.house.desk.premises.organisation.zone
    known = state.tokens.values() if isinstance(state, House) else ()
    mine = [one for one in known if one.person == ask.visitor.person and one.until > now]
    rows = [
        {
            "name": one.id,
            "roles": ", ".join(one.roles),
            "looks": one.looks,
            "until": when(one.until, zone, ask.lang),
        }
        for one in mine
    ]
    return {"tokens": rows}


PAGES = (
    Page(
        name="me",
        path="/me",
        parts=(
            Part(name="who", values=_who, personal=True),
            Part(name="sessions", values=_sessions, personal=True),
            Part(name="tokens", values=_tokens, personal=True),
        ),
    ),
)
