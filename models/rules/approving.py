"""Four eyes on a decision, and second opinions about a step. Nothing here is ever settled by time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.answers import (
    ApproveDecision,
    AskOpinion,
    GiveOpinion,
    ProposedDecision,
    RejectDecision,
)
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.plan import PlannedStep
from models.reason import Reason
from models.routing import APPROVAL, ask, level_recipients
from models.rules.common import Decided, find_step, must_not_have_ended, must_reach, text
from models.rules.decisions import as_whom, must_be_undecided
from models.rules.told import judged
from models.state import Incident, Page, StepState
from models.world import World

MAX_OPINIONS = 50


def approvals(state: Incident, world: World) -> Iterator[Draft]:
    """A proposal that nobody was asked about yet is put to its second person."""
    for known in state.steps.values():
        if known.proposed is None or known.proposed.asked:
            continue
        planned = world.step(state, known.key)
        if planned is not None:
            detail = {"proposal": known.proposed.seq}
            asked = {"step": known.key, "role": planned.step.approver or "", **detail}
            yield Draft(kind="approval.asked", data=asked)
            yield from ask(world, state, APPROVAL, f"{APPROVAL}:{known.key}", detail)


def awaits(state: Incident, page: Page, name: str) -> bool:
    """Whether what a page about a decision asked for is still to be answered.

    A decision that was proposed is no longer asked for, and each proposal has an approval page of its own.
    """
    known = state.steps.get(name) if page.event in {"decision", APPROVAL} else None
    proposed = known.proposed if known is not None else None
    if page.event == APPROVAL:
        return proposed is not None and proposed.seq == page.detail.get("proposal")
    return proposed is None


def approve(state: Incident, command: ApproveDecision, world: World) -> Decided:
    """The second person agrees: what was proposed is decided now (FSA-2.5.2.4-B1)."""
    require(command, "approve", state, world)
    planned, proposed = _proposal(state, command.step, command.proposal, world)
    if command.for_ is not None:
        # An approval that is unconfirmed is none: a scribe could be both pairs of eyes.
        raise Refused(Reason.IN_PERSON, {"who": command.for_, "step": planned.key})
    entitled = _second(state, planned, proposed, command.who, world)
    held = {"step": planned.key, "proposal": proposed.seq, "choice": proposed.choice}
    texts = {"reason": text(command.reason, "reason")} if command.reason.strip() else {}
    approved = Draft(kind="decision.approved", data=held | {"authority": entitled}, texts=texts)
    both: dict[str, Any] = {"decided_by": proposed.by, "approved_by": command.who}
    made = Draft(kind="decision.made", data=proposed.data | both | {"proposal": proposed.seq})
    return [approved, made, *_judged(state, planned, proposed, world)]


def _judged(
    state: Incident, planned: PlannedStep, proposed: ProposedDecision, world: World
) -> Iterator[Draft]:
    """What the option judges, with the reason of the proposal, whose text lies beside the record already.

    Raises Refused if the playbook has been moved to a version without this option.
    """
    chosen = next((option for option in planned.step.options if option.id == proposed.choice), None)
    if chosen is None:
        known = [option.id for option in planned.step.options]
        raise Refused(Reason.NO_SUCH_OPTION, {"choice": proposed.choice, "known": known})
    for one in judged(state, chosen, proposed.reason, world):
        yield Draft(kind=one.kind, data=one.data | {"reason": proposed.reason})


def reject(state: Incident, command: RejectDecision, world: World) -> Decided:
    """The second person does not agree: the decision is asked for again."""
    require(command, "approve", state, world)
    reason = text(command.reason, "reason")
    planned, proposed = _proposal(state, command.step, command.proposal, world)
    entitled = _second(state, planned, proposed, command.who, world)
    data = {"step": planned.key, "proposal": proposed.seq, "choice": proposed.choice, "authority": entitled}
    return [Draft(kind="decision.rejected", data=data, texts={"reason": reason})]


def _proposal(
    state: Incident, step: str, read: int | None, world: World
) -> tuple[PlannedStep, ProposedDecision]:
    """The proposal that waits. Raises Refused if there is none, or another than the one that was read."""
    must_not_have_ended(state)
    planned, known = find_step(state, world, step)
    if known.proposed is None:
        if known.choice is not None:
            raise Refused(Reason.ALREADY, {"what": f"{planned.key}: {known.choice} ({known.done_by})"})
        raise Refused(Reason.NOTHING_PROPOSED, {"step": planned.key})
    must_be_undecided(state, planned, known)
    if read is not None and read != known.proposed.seq:
        raise Refused(
            Reason.PROPOSAL_CHANGED,
            {"step": planned.key, "choice": known.proposed.choice, "who": known.proposed.by},
        )
    return planned, known.proposed


def _second(
    state: Incident, planned: PlannedStep, proposed: ProposedDecision, person: str, world: World
) -> dict[str, str]:
    """As whom the person answers. Raises Refused if it is one of the first pair of eyes, or has no role."""
    if person in {proposed.by, proposed.recorded_by}:
        raise Refused(Reason.SAME_PERSON, {"who": person, "step": planned.key})
    return as_whom(state, planned.step.approver or "", planned.key, person, world)


# -- second opinions ----------------------------------------------------------------------------------------


def ask_opinion(state: Incident, command: AskOpinion, world: World) -> Decided:
    """Ask somebody; nothing waits for the answer."""
    require(command, "opinion", state, world)
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    if world.directory.person(command.person) is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": command.person})
    if len(known.opinions) >= MAX_OPINIONS:
        wrong = f"step: {planned.key} has {MAX_OPINIONS} opinions already"
        raise Refused(Reason.FIELD_WRONG, {"fields": [wrong]})
    data = {"step": planned.key, "person": command.person, "number": len(known.opinions) + 1}
    asked = Draft(kind="opinion.asked", data=data, texts={"question": text(command.question, "question")})
    notice = _tell(state, planned, data["number"], command.person, "notice.opinion", world)
    must_reach(notice.data["recipients"], command.person, "person")
    return [asked, notice]


def give_opinion(state: Incident, command: GiveOpinion, world: World) -> Decided:
    """The answer to everybody who asked this person about the step and has none yet."""
    require(command, "opinion", state, world)
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    asked = {one.number: one.asked_by for one in _unanswered(known) if one.person == command.who}
    if not asked:
        raise Refused(Reason.NOT_ASKED_FOR_OPINION, {"who": command.who, "step": planned.key})
    data = {"step": planned.key, "by": command.who, "numbers": list(asked)}
    given = Draft(kind="opinion.given", data=data, texts={"text": text(command.text, "text")})
    told = {who: number for number, who in asked.items()}
    return [
        given,
        *(_tell(state, planned, n, who, "notice.opinion_given", world) for who, n in told.items()),
    ]


def _unanswered(known: StepState) -> Iterator[Any]:
    return (one for one in known.opinions if one.given_at is None)


def _tell(
    state: Incident, planned: PlannedStep, number: Any, person: str, template: str, world: World
) -> Draft:
    subject = f"opinion:{planned.key}#{number}"
    people = level_recipients(world, state, (person,), (), subject)
    data = {"template": template, "subject": subject, "recipients": people}
    return Draft(kind="message.requested", data=data)
