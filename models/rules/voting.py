"""A quorum: several people decide together, each for a seat of their own. Time never adds a vote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from models.commands import Decide
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.plan import PlannedStep
from models.reason import Reason
from models.rules.choosing import entitled_now, settings
from models.rules.common import Decided, find_step, must_not_have_ended, text
from models.rules.pages import acknowledged_by_acting
from models.rules.told import judged
from models.state import Incident, StepState
from models.voting import Seat, Vote, WithdrawVote, carried, seated
from models.world import World

OPEN = frozenset({"ready", "started"})


def seats_of(state: Incident, planned: PlannedStep, person: str, world: World) -> list[Seat]:
    """The seats that the person may fill now: in their own right, or for somebody who is away."""
    quorum = planned.step.quorum
    found = []
    for role in quorum.of if quorum is not None else ():
        holder = world.holder(state, role, person)
        if holder is not None:
            found.append(Seat(role=role, deputy_for=holder.deputy_for))
        elif role in world.roles_of(state, person):
            found.append(Seat(role=role))
    return found


def must_have_a_seat(
    state: Incident, planned: PlannedStep, known: StepState, command: Decide, world: World
) -> list[Seat]:
    """The seats that this vote fills. Raises Refused if there is none, or the vote is there already."""
    if command.for_ is not None:
        # A scribe who writes for two could be a quorum alone.
        raise Refused(Reason.VOTE_IN_PERSON, {"who": command.for_, "step": planned.key})
    seats = seats_of(state, planned, command.who, world)
    if not seats:
        needs = list(planned.step.deciders)
        raise Refused(Reason.AUTHORITY_MISSING, {"who": command.who, "needs": needs, "what": planned.key})
    own = known.votes.get(command.who)
    if own is not None and own.choice == command.choice:
        raise Refused(Reason.ALREADY, {"what": f"{planned.key}: {own.choice} ({command.who})"})
    left = [one for one in seats if one.deputy_for not in known.votes]
    if not left:
        # Whoever they stand in for has voted, and that vote stands.
        raise Refused(Reason.ALREADY, {"what": f"{planned.key}: {seats[0].deputy_for}"})
    return left


def voted(
    state: Incident, planned: PlannedStep, command: Decide, seats: list[Seat], data: dict[str, Any]
) -> list[Draft]:
    """The vote, and that whoever votes has heard the page. `data` is what a decision would hold."""
    known = state.steps[planned.key]
    kept = ("step", "choice", "factors", "against_recommendation")
    content = {name: data[name] for name in kept if name in data}
    content["seats"] = msgspec.to_builtins(seats)
    content["directory"] = data["authority"]["directory"]
    if (own := known.votes.get(command.who)) is not None:
        content["changed_from"] = own.choice
    replaced = [
        one.person for one in known.votes.values() if any(s.deputy_for == command.who for s in one.seats)
    ]
    if replaced:
        content["instead_of"] = replaced
    heard = acknowledged_by_acting(state, f"step:{planned.key}", command.who)
    return [Draft(kind="decision.voted", data=content), *heard]


def quorums(state: Incident, world: World) -> Iterator[Draft]:
    """Enough people have chosen the same: that is the decision, with who was for it and who against."""
    for known in state.steps.values():
        planned = world.step(state, known.key) if known.votes and known.status in OPEN else None
        quorum = planned.step.quorum if planned is not None else None
        if planned is None or quorum is None:
            continue
        choice = carried(known.votes, quorum.need)
        if choice is not None:
            yield from _decision(state, planned, known, choice, world)
            return


def _decision(
    state: Incident, planned: PlannedStep, known: StepState, choice: str, world: World
) -> Iterator[Draft]:
    quorum, votes = planned.step.quorum, sorted(known.votes.values(), key=lambda one: one.seq)
    agreed = [one for one in votes if one.choice == choice]
    last = agreed[-1]
    filled = {one.person: role for role, one in seated(agreed).items()}
    data: dict[str, Any] = {
        "step": planned.key,
        "choice": choice,
        "authority": {
            "role": filled.get(last.person, last.seats[0].role),
            "directory": world.directory.version,
        },
        "entitled": entitled_now(state, planned, world),
        "factors": next((one.factors for one in reversed(votes) if one.factors), {}),
        "reason": last.reason,
        "decided_by": last.person,
        "quorum": {"need": quorum.need if quorum else 0, "of": list(planned.step.deciders)},
        "votes": [_told(one, filled) for one in votes],
        "voted_for": [one.person for one in agreed],
        "voted_against": [one.person for one in votes if one.choice != choice],
    }
    yield Draft(kind="decision.made", data=data | settings(planned, choice))
    chosen = next(option for option in planned.step.options if option.id == choice)
    for one in judged(state, chosen, last.reason, world):
        yield Draft(kind=one.kind, data=one.data | {"reason": last.reason})


def _told(vote: Vote, filled: dict[str, str]) -> dict[str, Any]:
    role = filled.get(vote.person, vote.seats[0].role)
    found: dict[str, Any] = {"person": vote.person, "choice": vote.choice, "role": role, "fact": vote.seq}
    deputy = next((one.deputy_for for one in vote.seats if one.role == role), None)
    return found | ({"deputy_for": deputy} if deputy else {})


def withdraw_vote(state: Incident, command: WithdrawVote, world: World) -> Decided:
    """My vote no longer counts; what was decided by then stays decided."""
    require(command, "decide", state, world)
    must_not_have_ended(state)
    reason = text(command.reason, "reason")
    planned, known = find_step(state, world, command.step)
    if command.for_ is not None:
        raise Refused(Reason.VOTE_IN_PERSON, {"who": command.for_, "step": planned.key})
    vote = known.votes.get(command.who)
    if vote is None or known.status not in OPEN:
        raise Refused(Reason.NO_VOTE, {"who": command.who, "step": planned.key})
    data = {"step": planned.key, "choice": vote.choice, "by": command.who}
    return [Draft(kind="vote.withdrawn", data=data, texts={"reason": reason})]
