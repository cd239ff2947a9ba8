"""Tokens, login links and sessions: who may let whom in, and what is noted of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from models.clock import iso
from models.commands import Command
from models.entering import (
    ALL_ROLES,
    BY_TOKEN,
    LINK_MOST,
    TOKEN_MOST,
    TOKENS_EACH,
    TOKENS_KEPT,
    EndSession,
    IssueToken,
    NoteLogin,
    NoteLogout,
    OfferLogin,
    RevokeToken,
)
from models.errors import Refused
from models.fact import SYSTEM, Draft
from models.permission import require
from models.reason import Reason
from models.restriction import NAMES_MOST
from models.rules.common import Decided, text
from models.state import House
from models.world import World

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def issue(state: House, command: IssueToken, world: World) -> Decided:
    """A token of one's own is everybody's to make; one of another person's lets its holder act as them."""
    _require(command, command.person, "token", state, world)
    _must_not_grow(command, command.roles)
    _must_exist(command.person, world)
    if wrong := _wrong(state, command, world):
        raise Refused(Reason.FIELD_WRONG, {"fields": wrong})
    known = state.tokens.get(command.name)
    if known is not None and known.until > world.now:
        raise Refused(Reason.ALREADY, {"what": command.name})
    data: dict[str, Any] = {
        "id": command.name,
        "person": command.person,
        "until": iso(command.until),
        "roles": list(dict.fromkeys(command.roles)),
        "looks": command.looks,
        "digest": command.digest,
        "by": command.who,
    }
    reason = {"reason": text(command.reason, "reason")} if command.reason.strip() else {}
    return [Draft(kind="token.issued", data=data, texts=reason)]


def _require(command: Command, whose: str | None, name: str, state: House, world: World) -> None:
    """What is one's own is everybody's to let in and shut out; another's is a right.

    Of whoever acts themselves: who writes for somebody else must not come in as them. Raises Refused.
    """
    alone = replace(command, for_=None)
    require(alone, f"{name}-own" if whose is not None and whose == alone.who else name, state, world)


def _must_not_grow(command: Command, wanted: tuple[str, ...]) -> None:
    """Raises Refused for a token, and for whoever has fewer roles here than they would get by it.

    Else a token that was found would outlive its end, and a narrow one would make itself a broad one.
    """
    own = command.actor.roles
    if command.actor.via.startswith(BY_TOKEN) or (own is not None and not set(wanted) <= own):
        raise Refused(Reason.NOT_BY_TOKEN, {"who": command.who})


def _must_exist(person: str, world: World) -> None:
    if world.directory.person(person) is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": person})


def _wrong(state: House, command: IssueToken, world: World) -> list[str]:
    """All that is wrong with it, each with what is expected."""
    found = []
    if not _NAME.fullmatch(command.name):
        found.append(f"--name: expected small letters, digits and hyphens, got {command.name[:40]!r}")
    if not world.now < command.until <= world.now + TOKEN_MOST:
        most = TOKEN_MOST.days
        found.append(f"--until: expected a time within {most} days, got {command.until.isoformat()}")
    if not _DIGEST.fullmatch(command.digest):
        found.append("digest: expected 64 hexadecimal digits")
    found += [
        f"--role: {one[:40]!r} is no role of the directory, nor `*`"
        for one in command.roles[:NAMES_MOST]
        if one != ALL_ROLES and world.directory.role(one) is None
    ]
    if len(command.roles) > NAMES_MOST:
        found.append(f"--role: at most {NAMES_MOST}, got {len(command.roles)}")
    return found + _too_many(state, command.person, world)


def _too_many(state: House, person: str, world: World) -> list[str]:
    """Bounds on what is in use: for each person, and for all together."""
    used = [one.person for one in state.tokens.values() if one.until > world.now]
    if len(used) >= TOKENS_KEPT:
        return [f"{TOKENS_KEPT} tokens are in use already; revoke one"]
    if used.count(person) >= TOKENS_EACH:
        return [f"{TOKENS_EACH} tokens of this person are in use already; revoke one"]
    return []


def revoke(state: House, command: RevokeToken, world: World) -> Decided:
    """It opens nothing any more, at once. Its own person may always."""
    known = state.tokens.get(command.name)
    _require(command, known.person if known is not None else None, "token", state, world)
    if known is None or known.until <= world.now:
        running = sorted(one.id for one in state.tokens.values() if one.until > world.now)
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.name, "known": running})
    reason = {"reason": text(command.reason, "reason")}
    return [Draft(kind="token.revoked", data={"id": command.name, "person": known.person}, texts=reason)]


def offer(state: House, command: OfferLogin, world: World) -> Decided:
    """A link that logs somebody in: whoever makes it for another could use it, so the fact names both."""
    _require(command, command.person, "login", state, world)
    _must_not_grow(command, (ALL_ROLES,))
    _must_exist(command.person, world)
    if not world.now < command.until <= world.now + LINK_MOST:
        most = int(LINK_MOST.total_seconds() // 60)
        raise Refused(Reason.FIELD_WRONG, {"fields": [f"--minutes: expected 1 to {most}"]})
    data = {"person": command.person, "until": iso(command.until), "by": command.who}
    return [Draft(kind="login.offered", data=data)]


def note_login(state: House, command: NoteLogin, world: World) -> Decided:
    """Who came in, by which way, and until when at most."""
    data = {"key": command.key, "way": command.way, "until": iso(command.until)}
    if command.inspector:
        return [Draft(kind="session.opened", data=data | {"inspector": command.inspector})]
    _must_exist(command.who, world)
    return [Draft(kind="session.opened", data=data | {"person": command.who})]


def note_logout(state: House, command: NoteLogout, world: World) -> Decided:
    """They left by themselves."""
    return [Draft(kind="session.ended", data={"key": command.key, "how": "logout"})]


def end_session(state: House, command: EndSession, world: World) -> Decided:
    """One's own always; another's is a right."""
    if command.actor.person != SYSTEM:
        _require(command, command.person, "session", state, world)
    data = {"key": command.key, "person": command.person, "how": "ended", "by": command.who}
    reason = {"reason": text(command.reason, "reason")} if command.reason.strip() else {}
    return [Draft(kind="session.ended", data=data, texts=reason)]
