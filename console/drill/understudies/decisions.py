"""Decisions, second pairs of eyes, opinions, and messages that wait for approval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from console.drill.understudies.seen import Act, Seen, actor
from console.drill.understudies.steps import prompted
from models.answers import ApproveDecision, GiveOpinion
from models.commands import Decide
from models.communication import ApproveMessage, Outgoing
from models.gate import services_of
from models.plan import PlannedStep
from models.state import StepState

NOT_YET = "not-yet"


def decided(seen: Seen) -> Iterator[Act]:
    """What is decided, by each who is entitled and has not said anything; and what is approved."""
    state = seen.incident
    for planned in seen.world.steps(state).values():
        known = state.steps.get(planned.key)
        if known is None or planned.step.kind != "decision":
            continue
        if known.proposed is not None:
            yield from _approved(seen, planned, known)
        elif known.status == "ready" and known.ready_at is not None:
            yield from _decided(seen, planned, known, known.ready_at)


def _decided(seen: Seen, planned: PlannedStep, known: StepState, ready: datetime) -> Iterator[Act]:
    begin, _ = prompted(seen, known, ready)
    if begin is None:
        return
    filled = {seat.role for vote in known.votes.values() for seat in vote.seats}
    for role in planned.step.deciders:
        able = [one for one in seen.understudies(role) if one not in known.votes]
        if not able or role in filled:
            continue
        about = f"decide {planned.key} {known.round} {role}"
        command = Decide(
            actor=actor(able[0]),
            step=planned.key,
            choice=_choice(seen, planned, known),
            reason=seen.words("reason"),
            factors={name: _factor(seen, planned, name) for name in planned.step.weighed},
        )
        yield seen.act(begin + seen.after(seen.times.decide, able[0], about), command, about)


def _choice(seen: Seen, planned: PlannedStep, known: StepState) -> str:
    """What an inject expects, else what the playbook recommends; the second time round nobody waits on."""
    options = [one.id for one in planned.step.options]
    wanted = [
        one.option
        for inject in seen.expecting(planned.key)
        for one in inject.expect
        if one.step == planned.key and one.option in options
    ]
    chosen = next((one for one in wanted if one is not None), None)
    if chosen == NOT_YET and known.round > 1:
        chosen = None
    return chosen or planned.step.recommend or options[0]


def _factor(seen: Seen, planned: PlannedStep, name: str) -> str:
    if name == "services":
        return ", ".join(services_of(seen.incident, planned.step.stops)) or "unknown"
    return seen.words("factors", name)


def _approved(seen: Seen, planned: PlannedStep, known: StepState) -> Iterator[Act]:
    """By somebody else than whoever proposed it."""
    proposed = known.proposed
    assert proposed is not None  # noqa: S101 - the caller has looked
    able = seen.understudies(planned.step.approver or "")
    person = next((one for one in able if one not in {proposed.by, proposed.recorded_by}), None)
    if person is not None and known.status in {"ready", "started"}:
        about = f"approve {planned.key} {proposed.seq}"
        command = ApproveDecision(actor=actor(person), step=planned.key, proposal=proposed.seq)
        yield seen.act(proposed.at + seen.after(seen.times.approve, person, about), command, about)


def opinions(seen: Seen) -> Iterator[Act]:
    """Whoever is asked for an opinion gives one."""
    for key, known in seen.incident.steps.items():
        for one in known.opinions:
            if one.given_at is None and one.person in seen.understudies(one.person):
                about = f"opinion {key} {one.number}"
                command = GiveOpinion(actor=actor(one.person), step=key, text=seen.words("opinion"))
                yield seen.act(
                    one.asked_at + seen.after(seen.times.approve, one.person, about), command, about
                )


def messages(seen: Seen) -> Iterator[Act]:
    """A message that somebody wrote is approved by whose turn it is, if nobody plays them."""
    for message in seen.incident.outgoing.values():
        for role in message.waiting()[:1]:
            yield from _message(seen, message, role)


def _message(seen: Seen, message: Outgoing, role: str) -> Iterator[Act]:
    authors = message.authors_for(role)
    person = next((one for one in seen.understudies(role) if one not in authors), None)
    if person is None:
        return
    read = {lang: one.document for lang, one in message.versions.items() if message.next_role(lang) == role}
    about = f"message {message.id} {role} {len(read)}"
    since = seen.noticed.of("message", message.id, seen.state.at or seen.world.now)
    command = ApproveMessage(actor=actor(person), message=message.id, read=read)
    yield seen.act(since + seen.after(seen.times.approve, person, about), command, about)
