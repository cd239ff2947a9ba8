"""Taking a channel out of band and back, with four eyes: one person proposes, another confirms.

The rules only; `models.distrust` holds what is remembered. What follows from it stands where it acts: in the
desk (acts that came over such a channel), in the routing (whom a page reaches) and in `notifiers.trust`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from models.commands import Acknowledge, Actor, Command
from models.distrust import NOT_FOR_PEOPLE, Proposal, Way, distrusted_on_the_way
from models.errors import Refused
from models.fact import SYSTEM, Draft
from models.permission import TABLE, require
from models.reason import Reason
from models.routing import level_recipients
from models.rules.common import Decided, Then, text
from models.state import House
from models.world import World

PERMISSION = "out-of-band"
SUBJECT = "trust:proposed"
HOLDS_FOR = timedelta(hours=24)
"""An older proposal is out of date: whoever confirms it would agree to the situation of another day."""


@dataclass(frozen=True, kw_only=True)
class ProposeTrust(Command):
    """Take channels out of band, or back. Nothing changes until somebody else confirms.

    One proposal is open at a time. Only its author may put a new one in its place, under a new number.
    """

    way: Way
    channels: tuple[str, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class ConfirmTrust(Command):
    """The second person agrees. `proposal` is the fact that proposed it: whoever agrees has read that one."""

    proposal: int


@dataclass(frozen=True, kw_only=True)
class OpenLink(Command):
    """Somebody opens a signed page; recorded only where it is refused."""


@dataclass(frozen=True, kw_only=True)
class TakeReply(Command):
    """A person has answered a page by telephone. `id` is the gateway's own; `stream` is empty for no page."""

    id: str
    stream: str = ""
    page: int | None = None


def refuse_distrusted(state: House, command: Command) -> None:
    """Raises Refused if the act came over a channel that is out of band. Our own machinery may write."""
    if command.actor.person == SYSTEM:
        return
    channel = distrusted_on_the_way(state.distrusted, command.actor.via)
    if channel:
        raise Refused(Reason.CHANNEL_DISTRUSTED, {"who": command.who, "channel": channel})


def propose(state: House, command: ProposeTrust, world: World) -> Decided:
    """One person wants channels out of band, or back; whoever would be cut off is named in the fact."""
    require(command, PERMISSION, state, world)
    _must_be_alone(state.proposal, command, world)
    reason = text(command.reason, "reason")
    known = world.channels | world.distrusted
    channels = tuple(dict.fromkeys(command.channels))
    unknown = [one for one in channels if one not in known]
    if unknown or not channels:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": ", ".join(unknown), "known": sorted(known)})
    out = command.way == "out-of-band"
    already = [one for one in channels if (one in state.distrusted) is out]
    if already:
        raise Refused(Reason.ALREADY, {"what": f"{', '.join(already)}: {command.way}"})
    if out:
        _must_leave_one(known, {*state.distrusted, *channels})
    data = {
        "way": command.way,
        "channels": list(channels),
        "by": command.who,
        "people": _unreachable(world, {*state.distrusted, *channels}) if out else [],
    }
    proposed = Draft(kind="trust.proposed", data=data, texts={"reason": reason})
    people = _second_people(state, command, channels, world)
    told = {"template": "notice.trust_proposed", "subject": SUBJECT, "recipients": people}
    return [proposed, *([Draft(kind="message.requested", data=told)] if people else [])]


def _second_people(
    state: House, command: ProposeTrust, channels: tuple[str, ...], world: World
) -> list[dict[str, Any]]:
    """Who could agree, on what they trust: whoever reads the channel in question must not hear of this.

    It waits for nobody's morning: until a second person agrees nothing has changed.
    """
    roles = world.policy.permissions.get(PERMISSION, TABLE[PERMISSION])
    without = replace(world, channels=world.channels - set(channels), distrusted=frozenset())
    found = level_recipients(without, state, roles, (), SUBJECT)
    first = {command.who, command.actor.person}
    return [
        {name: value for name, value in one.items() if name != "held_until"}
        for one in found
        if one["person"] not in first and one["channels"]
    ]


def _must_be_alone(wanted: Proposal | None, command: ProposeTrust, world: World) -> None:
    """Raises Refused while somebody else's proposal is open: it would go without a word."""
    if wanted is not None and not _lapsed(wanted, world) and command.who != wanted.by:
        raise Refused(Reason.PROPOSAL_OPEN, {"who": wanted.by, "proposal": wanted.seq})


def _lapsed(wanted: Proposal, world: World) -> bool:
    return world.now - wanted.at > HOLDS_FOR


def _must_leave_one(known: Collection[str], without: Collection[str]) -> None:
    """Raises Refused unless a channel is left that wakes people (a file does not)."""
    if not set(known) - set(without) - NOT_FOR_PEOPLE:
        raise Refused(Reason.LAST_CHANNEL, {"channels": sorted(set(known) - NOT_FOR_PEOPLE)})


def _unreachable(world: World, without: Collection[str]) -> list[str]:
    """Who would have no channel of their own left; they fall to the installation's fallback."""
    known = world.channels | world.distrusted
    found = []
    for person in world.organisation.people:
        usable = {one for one in person.ways if one in known and person.address(one)} - NOT_FOR_PEOPLE
        if usable and not usable - set(without):
            found.append(person.id)
    return found


def confirm(state: House, command: ConfirmTrust, world: World) -> Decided:
    """A second person agrees, in person. Whoever wrote the proposal down counts as its side too."""
    require(command, PERMISSION, state, world)
    wanted = state.proposal
    if wanted is None or _lapsed(wanted, world) or command.proposal != wanted.seq:
        raise Refused(Reason.NO_SUCH_PROPOSAL, {"proposal": command.proposal})
    if command.for_ is not None:
        # As with a decision: two scribes, neither of whom may do it, would be both pairs of eyes.
        raise Refused(Reason.IN_PERSON, {"who": command.for_, "step": f"#{wanted.seq}"})
    ours, theirs = {command.who, command.actor.person}, {wanted.by, wanted.recorded_by}
    if ours & theirs:
        raise Refused(Reason.SECOND_PERSON, {"who": command.who})
    if wanted.way == "out-of-band":
        # Settings and other confirmations may have changed what is left since it was proposed.
        _must_leave_one(world.channels | world.distrusted, {*state.distrusted, *wanted.channels})
    return [_confirmed(wanted, command)]


def _confirmed(wanted: Proposal, command: ConfirmTrust) -> Draft:
    kind = "trust.withdrawn" if wanted.way == "out-of-band" else "trust.restored"
    data = {
        "proposal": wanted.seq,
        "channels": list(wanted.channels),
        "by": command.who,
        "person": wanted.by,
    }
    return Draft(kind=kind, data=data)


def open_link(state: House, command: OpenLink, world: World) -> Decided:
    """Nothing: looking changes nothing. The desk has refused it by now if it had to."""
    return []


def take_reply(state: House, command: TakeReply, world: World) -> Decided:
    """The answer counts once, however often the gateway hands it over; the page is the person's own."""
    if command.id in state.replies:
        raise Refused(Reason.DUPLICATE, {"what": command.id})
    require(command, "ack", state, world)
    if not command.stream:
        raise Refused(Reason.NO_SUCH_PAGE, {"page": "", "known": []})
    data = {"id": command.id, "by": command.who, "channel": command.actor.via, "stream": command.stream}
    taken = Draft(kind="reply.taken", data=data | {"page": command.page or 0})
    actor = Actor(person=command.actor.person, name=command.actor.name, via=command.actor.via)
    return [taken, Then(stream=command.stream, command=Acknowledge(actor=actor, page=command.page))]
