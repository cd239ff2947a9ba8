"""A sharing package was made, and given to somebody (FSA-2.5.2.3-B5). No rule sends anything."""

from __future__ import annotations

import re
from typing import Any

from models.audience import ALL_LABELS, LABELS
from models.clock import iso
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.reason import Reason
from models.rules.common import MAX_TITLE, Decided, must_not_have_ended, past, text
from models.sharing import PARTS, PrepareSharing, RecordShared
from models.state import Incident
from models.world import World

MAX_SHARINGS = 200
MAX_FILES = 20
MAX_ALLOWED = 100
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def prepare(state: Incident, command: PrepareSharing, world: World) -> Decided:
    """What was put together, under which label, and what its maker let pass the check for names."""
    require(command, "share", state, world)
    must_not_have_ended(state)
    if len(state.sharings) >= MAX_SHARINGS:
        raise Refused(Reason.TOO_LONG, {"field": "sharings", "limit": MAX_SHARINGS, "length": MAX_SHARINGS})
    if command.leaks:
        raise Refused(Reason.NAMES_VICTIM, {"fields": list(command.leaks)})
    wrong = [f"tlp: expected one of {', '.join(ALL_LABELS)}"] if command.tlp not in ALL_LABELS else []
    wrong += [f"part: expected one of {', '.join(PARTS)}"] if command.part not in PARTS else []
    wrong += [
        f"{name}: expected sha256: and 64 hexadecimal digits"
        for name, digest in {"digest": command.digest, **command.files}.items()
        if not _DIGEST.fullmatch(digest)
    ]
    if not 1 <= len(command.files) <= MAX_FILES or len(command.allowed) > MAX_ALLOWED:
        wrong.append(f"files: expected 1 to {MAX_FILES}, and at most {MAX_ALLOWED} names allowed")
    if wrong:
        raise Refused(Reason.FIELD_WRONG, {"fields": wrong})
    data: dict[str, Any] = {
        "id": f"SHR-{len(state.sharings) + 1:03d}",
        "part": command.part,
        "tlp": command.tlp,
        "digest": command.digest,
        "files": dict(command.files),
        "indicators": command.indicators,
    }
    texts = {f"allowed.{number}": one for number, one in enumerate(command.allowed, start=1)}
    return [Draft(kind="sharing.prepared", data=data, texts=texts, at=command.at)]


def record_shared(state: Incident, command: RecordShared, world: World) -> Decided:
    """It was given to somebody outside. What was not approved before says so, for the review."""
    require(command, "share-sent", state, world)
    must_not_have_ended(state)
    sharing = state.sharings.get(command.sharing)
    if sharing is None:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.sharing, "known": sorted(state.sharings)})
    labels = LABELS["other"]
    if sharing.tlp not in labels:
        detail = {"tlp": sharing.tlp, "audience": "other", "known": list(labels)}
        raise Refused(Reason.LABEL_TOO_NARROW, detail)
    instant = past(command.instant or command.at or world.now, "instant", world)
    data: dict[str, Any] = {"id": sharing.id, "instant": iso(instant)}
    texts = {"via": text(command.via, "via", MAX_TITLE)}
    if world.directory.third_party(command.to) is not None:
        data["to"] = command.to
    else:
        texts["to"] = text(command.to, "to", MAX_TITLE)
    if command.message:
        data["message"] = _approved(state, command.message)
    else:
        data["unapproved"] = True
    return [Draft(kind="sharing.shared", data=data, texts=texts)]


def _approved(state: Incident, name: str) -> str:
    """The letter that went with it, approved by the chain of its audience. Raises Refused."""
    message = state.outgoing.get(name)
    if message is None:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": name, "known": sorted(state.outgoing)})
    if message.status not in {"approved", "sent"}:
        lacking = [one.lang for one in message.versions.values() if one.status != "approved"]
        raise Refused(
            Reason.NOT_APPROVED, {"message": name, "versions": lacking, "needs": list(message.waiting())}
        )
    return name
