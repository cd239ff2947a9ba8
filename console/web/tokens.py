"""Tokens of programs: who comes in by one, and with which roles. In the thread that has the desk."""

from __future__ import annotations

import hmac

from console.opening import House
from console.visitor import Visitor
from console.web.sessions import digest
from models.access import Viewer, inspector_by
from models.entering import ALL_ROLES, Token
from models.state import House as HouseState

MAX_TOKEN = 200


def visitor_of(house: House, token: str, lang: str) -> Visitor | None:
    """Whose token it is; None for one that is unknown, over, revoked, or of somebody who has left.

    An inspector's token is theirs here too: they look and do nothing else.
    """
    if not token or len(token) > MAX_TOKEN:
        return None
    state = house.desk.state("house")
    assert isinstance(state, HouseState)  # noqa: S101 - of this stream it always is
    now, given = house.desk.clock.now(), digest(token)
    found = _of_person(state, given)
    if found is not None:
        known = house.desk.directory.person(found.person)
        return _visitor(found, lang) if now < found.until and known is not None else None
    inspector = inspector_by(state, digest=given)
    if inspector is None or inspector.until <= now:
        return None
    return Visitor(viewer=Viewer(inspector=inspector), door="api", key=inspector.id, lang=lang, looks=True)


def _of_person(state: HouseState, given: str) -> Token | None:
    """The token of this digest. All are compared, each in the same time."""
    found = None
    for one in state.tokens.values():
        if hmac.compare_digest(one.digest, given):
            found = one
    return found


def _visitor(token: Token, lang: str) -> Visitor:
    roles = None if ALL_ROLES in token.roles else frozenset(token.roles)
    return Visitor(
        viewer=Viewer(person=token.person, roles=roles),
        door="api",
        key=token.id,
        lang=lang,
        roles=roles,
        looks=token.looks,
    )
