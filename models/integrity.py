"""What the house remembers of its keys, its anchors and its clock, and the rules that write it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from models.clock import iso
from models.commands import Command
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.reason import Reason
from models.routing import ask
from models.rules.common import Decided, text
from models.state import House
from models.upkeep import TimeNoted
from models.world import World

PERMISSION = "key"
CLOCK = "clock"
CHECKPOINT_KEY = "checkpoint-key"
"""What is impaired while nobody has looked into a key that nothing signed for."""
QUIET = frozenset({"anchor.placed", "time.compared"})
"""Facts about keeping the record: by themselves they are no reason for another checkpoint."""


@dataclass(frozen=True, kw_only=True)
class NoteKey(Command):
    """A key for checkpoints is in use from now on.

    `rotated`: the key before signed for it. `replaced`: nobody did, it is lost or the file is another one.
    """

    how: Literal["made", "rotated", "replaced"]
    key: str
    public: str
    stated_at: datetime
    before: str = ""
    signature: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class AcceptKey(Command):
    """The key that nothing signed for is the right one."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class NoteAnchor(Command):
    """A checkpoint lies elsewhere. `token` is the digest of an authority's time-stamp."""

    checkpoint: int
    kind: str
    place: str
    token: str = ""


@dataclass(frozen=True, kw_only=True)
class NoteClock(Command):
    """How far the clock is off. `offset` and `error` may be unknown; `source` says who was asked."""

    source: str
    synchronised: bool
    offset: timedelta | None = None
    error: timedelta | None = None


def note_key(state: House, command: NoteKey, world: World) -> Decided:
    """A key is made, rotated by a person entitled to it, or replaced, of which somebody hears at once."""
    require(command, PERMISSION, state, world)
    known = state.upkeep.key
    if command.key == known:
        raise Refused(Reason.ALREADY, {"what": f"key {known}"})
    data: dict[str, Any] = {"key": command.key, "public": command.public, "at": iso(command.stated_at)}
    if command.how == "made":
        return [Draft(kind="key.made", data=data)]
    data["before"] = command.before or known
    if command.how == "rotated":
        data["signature"] = command.signature
    noted = Draft(kind=f"key.{command.how}", data=data, texts={"reason": text(command.reason, "reason")})
    if command.how == "rotated":
        return [noted]
    impaired = {"what": CHECKPOINT_KEY, "detail": f"key {command.key} took the place of {data['before']}"}
    paged = ask(world, state, "impaired", f"impaired:{CHECKPOINT_KEY}", {"what": CHECKPOINT_KEY})
    return [noted, Draft(kind="machine.impaired", data=impaired), *paged]


def accept_key(state: House, command: AcceptKey, world: World) -> Decided:
    """Somebody entitled has looked into it: the key of now is the right one."""
    require(command, PERMISSION, state, world)
    if CHECKPOINT_KEY not in state.impaired:
        raise Refused(Reason.ALREADY, {"what": f"key {state.upkeep.key}"})
    reason = text(command.reason, "reason")
    return [Draft(kind="key.accepted", data={"key": state.upkeep.key}, texts={"reason": reason})]


def note_anchor(state: House, command: NoteAnchor, world: World) -> Decided:
    """Where a checkpoint lies elsewhere: so that the proof's disappearance is noticed too."""
    data: dict[str, Any] = {"checkpoint": command.checkpoint, "kind": command.kind, "place": command.place}
    if command.token:
        data["token"] = command.token
    return [Draft(kind="anchor.placed", data=data)]


def note_clock(state: House, command: NoteClock, world: World) -> Decided:
    """The clock was compared: what times in the record and of evidence are worth."""
    data: dict[str, Any] = {"source": command.source[:200], "synchronised": command.synchronised}
    if command.offset is not None:
        data["offset_us"] = str(_micros(command.offset))
    if command.error is not None:
        data["error_us"] = str(_micros(command.error))
    return [Draft(kind="time.compared", data=data)]


def _micros(span: timedelta) -> int:
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def worth_noting(last: TimeNoted | None, command: NoteClock, now: datetime, limit: timedelta) -> bool:
    """Once an hour, and at once when it passes the limit, comes back, or another source answers."""
    if last is None or abs(now - last.at) >= timedelta(hours=1) or last.source != command.source:
        return True
    if last.synchronised is not command.synchronised:
        return True
    return too_far(last.offset, limit) is not too_far(command.offset, limit)


def too_far(offset: timedelta | None, limit: timedelta) -> bool:
    """Whether a known offset is beyond the limit."""
    return offset is not None and abs(offset) > limit
