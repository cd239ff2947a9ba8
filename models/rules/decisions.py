"""Decisions: a choice with its reason and factors, by a person entitled to make it. Never by a time-out."""

from __future__ import annotations

from typing import Any

from models.commands import Decide, WithdrawDecision
from models.errors import Refused
from models.fact import Draft
from models.factors import WrongFactor, read_factor
from models.permission import require
from models.plan import PlannedStep
from models.reason import Reason
from models.rules.choosing import entitled_now, settings
from models.rules.common import Decided, find_step, must_not_have_ended, text
from models.rules.superseding import must_be_decided, superseded
from models.rules.told import judged
from models.rules.voting import must_have_a_seat, voted
from models.state import Incident, StepState
from models.world import World

MAX_FACTOR = 1_000


def decide_step(state: Incident, command: Decide, world: World) -> Decided:
    """Record the choice (FSA-2.5.2.4-B1, B2); where the step asks for four eyes, as a proposal."""
    require(command, "decide", state, world)
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    if planned.step.kind != "decision":
        raise Refused(Reason.STEP_NOT_READY, {"step": planned.key, "status": "no decision", "after": ()})
    if command.supersede:
        must_be_decided(planned, known, command)
    else:
        must_be_undecided(state, planned, known, command.choice)
    options = [option.id for option in planned.step.options]
    if command.choice not in options:
        raise Refused(Reason.NO_SUCH_OPTION, {"choice": command.choice, "known": options})
    seats = []
    if planned.step.quorum is not None:
        seats = must_have_a_seat(state, planned, known, command, world)
        entitled = {"role": seats[0].role, "directory": world.directory.version}
    else:
        entitled = as_whom(state, planned.step.authority or "", planned.key, command.who, world)
    reason = text(command.reason, "reason")
    weighed = not command.factors and any(one.factors for one in known.votes.values())
    factors, texts = ({}, {}) if weighed else _factors(planned, command, world)
    texts = {"reason": reason} | texts
    data: dict[str, Any] = {
        "step": planned.key,
        "choice": command.choice,
        "authority": entitled,
        "entitled": entitled_now(state, planned, world),
        "factors": factors,
    }
    data |= settings(planned, command.choice)
    if seats:
        vote, *heard = voted(state, planned, command, seats, data)
        return [Draft(kind=vote.kind, data=vote.data, texts=texts, at=command.at), *heard]
    if planned.step.approver is not None:
        # Four eyes: nothing follows from it until somebody else has approved it.
        return [Draft(kind="decision.proposed", data=data, texts=texts, at=command.at)]
    chosen = next(option for option in planned.step.options if option.id == command.choice)
    made = Draft(kind="decision.made", data=data, texts=texts, at=command.at)
    follows = judged(state, chosen, reason, world)
    if command.supersede:
        made.data["supersedes"] = known.decided_seq
        return [superseded(state, planned, known, made, world), made, *follows]
    return [made, *follows]


def must_be_undecided(
    state: Incident, planned: PlannedStep, known: StepState, choice: str | None = None
) -> None:
    """Raises Refused unless the decision can be made now; `choice` is what is to be decided, if it is known.

    Whoever chooses something else than what stands must not read that nothing is left to do.
    """
    if known.status == "done":
        detail = {"what": f"{planned.key}: {known.choice} ({known.done_by})"}
        if choice not in {None, known.choice}:
            detail |= {"case": "other-choice", "step": planned.key, "choice": known.choice or ""}
            detail |= {"who": known.done_by or ""}
        raise Refused(Reason.ALREADY, detail)
    if known.status == "held":
        causes = state.gates_held.get(planned.key, [])
        raise Refused(Reason.GATE_HELD, {"step": planned.key, "gates": known.held, "causes": causes})
    if known.status not in {"ready", "started"}:
        raise Refused(
            Reason.STEP_NOT_READY, {"step": planned.key, "status": known.status, "after": planned.after or ()}
        )


def as_whom(state: Incident, role: str, what: str, person: str, world: World) -> dict[str, str]:
    """As what the person decides `what`: the role, held by rota, by assignment or as a deputy.

    Raises Refused if the person does not hold it.
    """
    holder = world.holder(state, role, person)
    if holder is not None:
        found = {"role": role, "directory": world.directory.version}
        return found | ({"deputy_for": holder.deputy_for} if holder.deputy_for else {})
    if role in world.roles_of(state, person):
        return {"role": role, "directory": world.directory.version}
    raise Refused(Reason.AUTHORITY_MISSING, {"who": person, "needs": [role], "what": what})


def _holds(state: Incident, role: str, person: str, world: World) -> bool:
    return role in world.roles_of(state, person) or world.holder(state, role, person) is not None


def _factors(planned: PlannedStep, command: Decide, world: World) -> tuple[dict[str, Any], dict[str, str]]:
    """The factors that had to be weighed, typed: plain values apart from free text.

    `unknown` is an answer, nothing is not. Raises Refused on all defects at once.
    """
    needed = planned.step.weighed
    missing = [name for name in needed if not command.factors.get(name, "").strip()]
    wrong = [f"{name}: no factor of this decision" for name in command.factors if name not in needed]
    plain: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for name in (one for one in needed if one not in missing):
        value = text(command.factors[name], name, MAX_FACTOR)
        try:
            found = read_factor(name, value, world.now, world.organisation)
        except WrongFactor as problem:
            wrong.append(f"{name}: {problem}")
            continue
        if found is None:
            texts[f"factors.{name}"] = value
        else:
            plain[name] = found
    if missing:
        detail: dict[str, Any] = {"step": planned.key, "factors": missing}
        if wrong:
            # Told in one go: nobody who is in a hurry is refused twice for one decision.
            detail |= {"case": "and-wrong", "wrong": wrong}
        raise Refused(Reason.FACTORS_MISSING, detail)
    if wrong:
        raise Refused(Reason.FIELD_WRONG, {"fields": wrong})
    return plain, texts


def withdraw(state: Incident, command: WithdrawDecision, world: World) -> Decided:
    """Take a decision back; it is asked for again. Whoever decides it may, and who leads the incident."""
    require(command, "decide", state, world)
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    if not any(_holds(state, role, command.who, world) for role in planned.step.deciders):
        require(command, "withdraw", state, world)
    choice = known.proposed.choice if known.proposed is not None else known.choice
    if choice is None:
        raise Refused(Reason.STEP_NOT_READY, {"step": planned.key, "status": known.status, "after": ()})
    return [
        Draft(
            kind="decision.withdrawn",
            data={"step": planned.key, "choice": choice},
            texts={"reason": text(command.reason, "reason")},
        )
    ]
