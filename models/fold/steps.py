"""How facts about steps and decisions change an incident."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from models.answers import HandedOver, Opinion, ProposedDecision, SentBack
from models.fact import Fact
from models.fold.pages import no_change
from models.state import Incident, StepState
from models.voting import Seat, Vote


def _step(state: Incident, fact: Fact) -> StepState:
    key = fact.data["step"]
    step = state.steps.get(key)
    if step is None:
        step = state.steps[key] = StepState(key=key)
    return step


def _added(state: Incident, fact: Fact) -> None:
    step = _step(state, fact)
    step.added = fact.data["definition"]


def _ready(state: Incident, fact: Fact) -> None:
    step = _step(state, fact)
    step.status = "ready"
    step.ready_at = fact.at
    limit = fact.data.get("limit_at")
    before = step.limit_at
    step.limit_at = datetime.fromisoformat(limit) if limit else None
    step.overdue = step.overdue and step.limit_at == before
    step.held = []
    step.look_first = fact.data.get("look_first", False)
    step.error = None
    step.lease_until = None
    state.gates_held.pop(step.key, None)
    if fact.data.get("machine"):
        state.wanted = fact.seq


def _held(state: Incident, fact: Fact) -> None:
    step = _step(state, fact)
    step.status = "held"
    step.held = list(fact.data["gates"])
    state.gates_held[step.key] = list(fact.data["why"])


def _passed(state: Incident, fact: Fact) -> None:
    state.gates_held.pop(fact.data["step"], None)


def _overridden(state: Incident, fact: Fact) -> None:
    key = f"{fact.data['gate']}@{fact.data['step']}"
    state.overrides[key] = fact.seq
    if "scope" in fact.data:
        state.override_scope[key] = fact.data["scope"]
    covered = state.override_causes.get(key, [])
    state.override_causes[key] = [*covered, *(one for one in fact.data["causes"] if one not in covered)]


def _held_again(state: Incident, fact: Fact) -> None:
    drop_override(state, f"{fact.data['gate']}@{fact.data['step']}")


def _spent(state: Incident, fact: Fact) -> None:
    """Causes that are no longer so are covered no more; an override that covers nothing is over."""
    key = f"{fact.data['gate']}@{fact.data['step']}"
    left = [one for one in state.override_causes.get(key, []) if one not in fact.data["causes"]]
    if left:
        state.override_causes[key] = left
    else:
        drop_override(state, key)


def drop_override(state: Incident, key: str) -> None:
    """The gate is no longer passed, `gate@step`."""
    state.overrides.pop(key, None)
    state.override_causes.pop(key, None)
    state.override_scope.pop(key, None)


def _assigned(state: Incident, fact: Fact) -> None:
    step = _step(state, fact)
    step.owner, step.handed = fact.data["person"], None


def _handed_over(state: Incident, fact: Fact) -> None:
    """It waits for the receiver to begin it, also if the giver had begun."""
    step = _step(state, fact)
    step.owner = fact.data["to"]
    step.handed = HandedOver(
        by=fact.data["by"], to=fact.data["to"], at=fact.at, reason=fact.data.get("reason")
    )
    if step.status == "started":
        step.status = "ready"
        step.started_at = step.started_by = None


def _refused(state: Incident, fact: Fact) -> None:
    step = _step(state, fact)
    step.owner = fact.data["to"]
    if step.handed is not None:
        step.handed.refused_at, step.handed.refusal = fact.at, fact.data["reason"]


def _opinion_asked(state: Incident, fact: Fact) -> None:
    opinions = _step(state, fact).opinions
    opinions.append(
        Opinion(
            number=fact.data["number"],
            person=fact.data["person"],
            asked_by=fact.for_ or fact.actor,
            question=fact.data["question"],
            asked_at=fact.at,
        )
    )


def _opinion_given(state: Incident, fact: Fact) -> None:
    for one in _step(state, fact).opinions:
        if one.number in fact.data["numbers"]:
            one.text, one.given_at = fact.data["text"], fact.at


def _started(state: Incident, fact: Fact) -> None:
    step = _step(state, fact)
    step.status = "started"
    step.started_at = fact.at
    step.started_by = fact.for_ or fact.actor
    step.attempt = fact.data.get("attempt", step.attempt + 1)
    step.begun = step.begun or step.attempt
    step.handed = None
    if fact.data.get("taken_from") is not None and step.owner is not None:
        step.owner = step.started_by
    step.node = fact.data.get("node")
    step.epoch = fact.data.get("epoch", 0)
    lease = fact.data.get("lease_until")
    step.lease_until = datetime.fromisoformat(lease) if lease else None


def _finished(state: Incident, fact: Fact) -> StepState:
    step = _step(state, fact)
    step.status = "done"
    step.done_at = fact.at
    step.done_by = fact.for_ or fact.actor
    step.lease_until = None
    step.limit_at = None
    step.outputs = dict(fact.data.get("outputs", {}))
    step.handed = None
    step.unconfirmed = fact.for_ is not None
    return step


def _done(state: Incident, fact: Fact) -> None:
    step = _finished(state, fact)
    _set(state, step.key, fact.data.get("sets", {}))
    step.reason = fact.data.get("reason")


def _set(state: Incident, key: str, values: Mapping[str, Any]) -> None:
    """A step sets variables; who set what stays known, the latest last, for as long as it stands."""
    for name, value in values.items():
        given = state.variables_by.setdefault(name, {})
        if not given and name in state.variables:
            given[""] = state.variables[name]  # what the playbook itself begins with
        given.pop(key, None)
        given[key] = state.variables[name] = value


def _unset(state: Incident, key: str) -> None:
    """What a decision set goes with it; what another step, or the playbook, had given counts again."""
    for name, given in state.variables_by.items():
        if given.pop(key, None) is None:
            continue
        if given:
            state.variables[name] = next(reversed(given.values()))
        else:
            state.variables.pop(name, None)


def _proposed(state: Incident, fact: Fact) -> None:
    step = _step(state, fact)
    step.sent_back = None
    step.proposed = ProposedDecision(
        seq=fact.seq,
        by=fact.for_ or fact.actor,
        recorded_by=fact.actor if fact.for_ is not None else None,
        at=fact.at,
        choice=fact.data["choice"],
        reason=fact.data["reason"],
        data=fact.data,
    )


def _voted(state: Incident, fact: Fact) -> None:
    """Whoever votes in their own right takes the place of those who stood in for them."""
    step, person = _step(state, fact), fact.for_ or fact.actor
    for other in list(step.votes.values()):
        other.seats = [one for one in other.seats if one.deputy_for != person]
        if not other.seats:
            del step.votes[other.person]
    step.votes.pop(person, None)
    step.votes[person] = Vote(
        person=person,
        choice=fact.data["choice"],
        reason=fact.data["reason"],
        at=fact.at,
        seq=fact.seq,
        seats=msgspec.convert(fact.data["seats"], list[Seat]),
        factors=dict(fact.data.get("factors", {})),
        against=fact.data.get("against_recommendation"),
    )


def _vote_withdrawn(state: Incident, fact: Fact) -> None:
    _step(state, fact).votes.pop(fact.data["by"], None)


def _approval_asked(state: Incident, fact: Fact) -> None:
    proposed = _step(state, fact).proposed
    if proposed is not None:
        proposed.asked = True


def _rejected(state: Incident, fact: Fact) -> None:
    step = _step(state, fact)
    _withdrawn(state, fact)
    step.sent_back = SentBack(
        by=fact.for_ or fact.actor, at=fact.at, choice=fact.data["choice"], reason=fact.data["reason"]
    )


def _decided(state: Incident, fact: Fact) -> None:
    step = _finished(state, fact)
    # With four eyes the fact is the second person's act, and the decision the first one's.
    step.done_by = fact.data.get("decided_by", step.done_by)
    step.proposed = step.sent_back = None
    step.choice, step.decided_seq = fact.data["choice"], fact.seq
    step.factors = dict(fact.data.get("factors", {}))
    step.reason = fact.data["reason"]
    _set(state, step.key, fact.data.get("sets", {}))


def _withdrawn(state: Incident, fact: Fact) -> None:
    step = _step(state, fact)
    step.status = "waiting"
    _unset(state, step.key)
    step.choice = step.reason = step.done_at = step.done_by = step.proposed = None
    step.factors, step.votes = {}, {}


def _failed(status: Any) -> Callable[[Incident, Fact], None]:
    def apply(state: Incident, fact: Fact) -> None:
        step = _step(state, fact)
        step.status = status
        step.error = fact.data.get("error")
        step.lease_until = None

    return apply


def _settled(status: Any) -> Callable[[Incident, Fact], None]:
    def apply(state: Incident, fact: Fact) -> None:
        step = _step(state, fact)
        step.status = status
        step.done_at = fact.at
        step.limit_at = step.lease_until = None
        step.reason = fact.data.get("reason")
        step.proposed, step.votes = None, {}
        state.gates_held.pop(step.key, None)

    return apply


def _overdue(state: Incident, fact: Fact) -> None:
    _step(state, fact).overdue = True


def _anew(step: StepState, round_: int) -> StepState:
    """The step before it begins; attempts count on, so that an old run's outcome is never taken for a new."""
    return StepState(key=step.key, round=round_, attempt=step.attempt, owner=step.owner, added=step.added)


def _repeated(state: Incident, fact: Fact) -> None:
    for key in fact.data["steps"]:
        before = state.steps[key]
        if before.choice is not None:
            _unset(state, key)
        state.steps[key] = _anew(before, before.round + 1)
        # An override was for that round.
        for one in [one for one in state.overrides if one.endswith(f"@{key}")]:
            drop_override(state, one)


def _reset(state: Incident, fact: Fact) -> None:
    """A condition that did not hold now does, or the step comes back with its phase."""
    step = _step(state, fact)
    if step.choice is not None:
        _unset(state, step.key)
    anew = _anew(step, step.round)
    anew.limit_at, anew.overdue, anew.drafted = step.limit_at, step.overdue, step.drafted
    anew.look_first = fact.data.get("look_first", False)
    anew.begun = step.begun if step.status in {"started", "unknown"} else 0
    anew.opinions, anew.handed, anew.sent_back = step.opinions, step.handed, step.sent_back
    if "taken_from" in fact.data:
        anew.owner = anew.handed = None
    state.steps[step.key] = anew
    state.gates_held.pop(step.key, None)


def _drafted(state: Incident, fact: Fact) -> None:
    _step(state, fact).drafted = fact.data["document"]


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "step.added": _added,
    "step.ready": _ready,
    "step.assigned": _assigned,
    "step.started": _started,
    "step.done": _done,
    "step.failed": _failed("failed"),
    "step.unknown": _failed("unknown"),
    "step.skipped": _settled("skipped"),
    "step.not_applicable": _settled("not-applicable"),
    "step.overdue": _overdue,
    "step.repeated": _repeated,
    "step.reset": _reset,
    "gate.held": _held,
    "gate.passed": _passed,
    "gate.overridden": _overridden,
    "override.withdrawn": _held_again,
    "override.spent": _spent,
    "decision.made": _decided,
    "decision.withdrawn": _withdrawn,
    "decision.superseded": no_change,
    "decision.proposed": _proposed,
    "decision.voted": _voted,
    "vote.withdrawn": _vote_withdrawn,
    "decision.rejected": _rejected,
    "decision.approved": no_change,
    "approval.asked": _approval_asked,
    "step.handed_over": _handed_over,
    "step.refused": _refused,
    "opinion.asked": _opinion_asked,
    "opinion.given": _opinion_given,
    "notice.drafted": _drafted,
}
