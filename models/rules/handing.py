"""Handing a step from one person to another: it waits for the receiver, who begins it or refuses."""

from __future__ import annotations

from models.answers import HandOver, RefuseHandOver
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.plan import PlannedStep
from models.reason import Reason
from models.routing import level_recipients
from models.rules.common import Decided, find_step, must_not_have_ended, must_reach, text
from models.state import SETTLED, Incident, StepState
from models.world import World


def hand_over(state: Incident, command: HandOver, world: World) -> Decided:
    """Whoever has the step gives it to somebody else, who is told."""
    require(command, "hand-over", state, world)
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    must_be_manual(planned)
    if known.status in SETTLED:
        raise Refused(Reason.ALREADY, {"what": f"{planned.key}: {known.status}"})
    if world.directory.person(command.person) is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": command.person})
    if not _has(state, planned, known, command.who, world):
        raise Refused(Reason.NOT_YOURS, {"who": command.who, "step": planned.key})
    if command.person == command.who:
        raise Refused(Reason.SAME_PERSON, {"who": command.who, "step": planned.key})
    texts = {"reason": text(command.reason, "reason")} if command.reason.strip() else {}
    data = {"step": planned.key, "by": command.who, "to": command.person}
    handed = Draft(kind="step.handed_over", data=data, texts=texts)
    notice = tell(state, planned, command.person, "notice.handed_over", world)
    must_reach(notice.data["recipients"], command.person, "to")
    return [handed, notice]


def must_be_manual(planned: PlannedStep) -> None:
    """Raises Refused unless a person does the step; the authority to decide is nobody's to give away."""
    if planned.step.kind == "decision":
        raise Refused(Reason.STEP_NEEDS_DECISION, {"step": planned.key})
    if planned.step.kind not in {"manual", "notice"}:
        raise Refused(Reason.STEP_NOT_MANUAL, {"step": planned.key, "kind": planned.step.kind})


def _has(state: Incident, planned: PlannedStep, known: StepState, person: str, world: World) -> bool:
    """Whether the step is this person's: begun by them; else given to them; else of a role they hold."""
    if known.status == "started":
        return known.started_by == person
    who = known.owner or planned.step.owner or ""
    if world.holder(state, who, person) is not None:
        return True
    return who == person or who in world.roles_of(state, person, glass=False)


def refuse(state: Incident, command: RefuseHandOver, world: World) -> Decided:
    """The receiver does not take it: it is the giver's again, who is told why."""
    require(command, "hand-over", state, world)
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    handed = known.handed
    if handed is None or not handed.waits or handed.to != command.who:
        raise Refused(Reason.NOT_YOURS, {"who": command.who, "step": planned.key})
    data = {"step": planned.key, "by": command.who, "to": handed.by}
    refused = Draft(kind="step.refused", data=data, texts={"reason": text(command.reason, "reason")})
    return [refused, tell(state, planned, handed.by, "notice.hand_over_refused", world)]


def tell(state: Incident, planned: PlannedStep, person: str, template: str, world: World) -> Draft:
    """A notice about the step to one person."""
    subject = f"step:{planned.key}"
    people = level_recipients(world, state, (person,), (), subject)
    return Draft(
        kind="message.requested", data={"template": template, "subject": subject, "recipients": people}
    )
