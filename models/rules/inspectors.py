"""Letting somebody from outside read for a time, and nothing else."""

from __future__ import annotations

import re

from models.clock import iso
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.reason import Reason
from models.restriction import INSPECTOR_MOST, INSPECTORS_KEPT, NAMES_MOST, GrantInspector, RevokeInspector
from models.rules.common import Decided, text
from models.state import House
from models.world import World

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def grant(state: House, command: GrantInspector, world: World) -> Decided:
    """Somebody may read until a time, thirty days at most; of restricted incidents only those named."""
    require(command, "inspector", state, world)
    reason = text(command.reason, "reason")
    if wrong := _wrong(state, command, world):
        raise Refused(Reason.FIELD_WRONG, {"fields": wrong})
    known = state.inspectors.get(command.name)
    if known is not None and known.until > world.now:
        raise Refused(Reason.ALREADY, {"what": command.name})
    data = {
        "id": command.name,
        "until": iso(command.until),
        "incidents": list(dict.fromkeys(command.incidents)),
        "by": command.who,
    }
    ways = {"account": command.account, "digest": command.digest}
    data |= {name: value for name, value in ways.items() if value}
    return [Draft(kind="inspector.granted", data=data, texts={"reason": reason})]


def _wrong(state: House, command: GrantInspector, world: World) -> list[str]:
    """All that is wrong with it, each with what is expected."""
    found = []
    if not _NAME.fullmatch(command.name):
        found.append(f"name: expected small letters, digits and hyphens, got {command.name[:40]!r}")
    if not world.now < command.until <= world.now + INSPECTOR_MOST:
        most = INSPECTOR_MOST.days
        found.append(f"--until: expected a time within {most} days, got {command.until.isoformat()}")
    if bool(command.account) is bool(command.digest):
        found.append("expected an account of this machine or a token, one of both")
    if command.account and world.directory.by_account(command.account) is not None:
        found.append(f"--account: {command.account[:40]!r} is somebody's of the directory")
    if command.digest and not _DIGEST.fullmatch(command.digest):
        found.append("digest: expected 64 hexadecimal digits")
    if len(command.incidents) > NAMES_MOST:
        found.append(f"--incident: at most {NAMES_MOST}, got {len(command.incidents)}")
    running = [one for one in state.inspectors.values() if one.until > world.now]
    if len(running) >= INSPECTORS_KEPT:
        found.append(f"{INSPECTORS_KEPT} inspectors have access already; revoke one")
    return found


def revoke(state: House, command: RevokeInspector, world: World) -> Decided:
    """It ends at once."""
    require(command, "inspector", state, world)
    known = state.inspectors.get(command.name)
    if known is None or known.until <= world.now:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.name, "known": sorted(state.inspectors)})
    reason = {"reason": text(command.reason, "reason")}
    return [Draft(kind="inspector.revoked", data={"id": command.name}, texts=reason)]
