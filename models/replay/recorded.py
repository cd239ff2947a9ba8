"""A record's facts -> the commands that people and machines gave: the rules read backwards. Pure.

Facts of one command stand together: the first of them says what it was, those that follow beside it stand in
`FOLLOWS`. What rules and time write by themselves is no act: it is derived anew, and `DERIVED` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from models.errors import HikeshiError
from models.fact import SYSTEM, Fact
from models.replay.course import COURSE
from models.replay.matter import MATTER
from models.replay.past import RULES, SETTLING, WATCH, Act, Group, Look, Past, is_digest
from models.rules.scope import IDS

ACTS = COURSE | MATTER
"""How each kind of fact that a command begins with is read back."""

DERIVED: Mapping[str, str] = {
    "page.asked": "a rule asks for it, beside what calls for it",
    "page.escalated": "time",
    "page.repeated": "time",
    "page.exhausted": "time",
    "page.lapsed": "time, or beside a restriction",
    "page.hurried": "beside a no, a delivery that was given up, or nobody left to wait for",
    "page.stopped": "what it asked for is settled",
    "page.worked": "work has begun",
    "page.unanswerable": "no route answers for it",
    "message.requested": "a rule tells somebody, beside what calls for it",
    "confirm.asked": "a scribe wrote for somebody",
    "approval.asked": "a decision was proposed",
    "step.ready": "its condition, order and gates hold",
    "step.repeated": "its loop goes round, or beside a reopening",
    "step.overdue": "time",
    "gate.held": "a gate is closed",
    "gate.passed": "a gate is open again",
    "override.spent": "a cause that was overridden is over",
    "phase.opened": "a step of it is ready",
    "phase.ended": "nothing of it is left",
    "reopening.proposed": "the scope has grown",
    "clock.set": "its start is known",
    "clock.warned": "time",
    "clock.breached": "time",
    "clock.over": "time",
    "clock.met": "what stops it has happened",
    "clock.missed": "what stops it has happened too late",
    "clock.ended": "it counts no longer",
    "clock.forecast": "what is planned and expected",
    "severity.proposed": "what is known of the harm",
    "obligation.proposed": "what is known of the harm",
    "service.loss": "recovery points and the compromise",
    "service.stopped": "beside the step that stops it",
    "service.resumed": "beside the step that resumes it",
    "party.owed": "scope, or a service that was stopped",
    "outgoing.voided": "beside an edit or a no",
    "source.unreachable": "beside what a machine reports",
    "shift.begun": "time",
    "shift.passed": "time",
    "shift.missed": "time",
    "role.handed_over": "time, by the shift plan",
}
"""Kinds that no command of their own writes, each with what they come from."""


def _said_by_step(_: Sequence[Fact], fact: Fact) -> bool:
    return not is_digest(fact.data["source"])


def _of_its_own(name: str) -> Callable[[Sequence[Fact], Fact], bool]:
    return lambda _, fact: name in fact.data


def _without(name: str) -> Callable[[Sequence[Fact], Fact], bool]:
    return lambda _, fact: name not in fact.data


def _plain_reason(_: Sequence[Fact], fact: Fact) -> bool:
    return not is_digest(fact.data.get("reason"))


def _always(_: Sequence[Fact], __: Fact) -> bool:
    return True


def _not_yet(kind: str) -> Callable[[Sequence[Fact], Fact], bool]:
    """Whether there is none of a kind so far: a command writes one."""
    return lambda before, _: all(one.kind != kind for one in before)


def _of_the_vote(before: Sequence[Fact], fact: Fact) -> bool:
    return (
        fact.data["by"] == before[0].actor and not fact.data["takeover"] and fact.data.get("page") is not None
    )


def _seen_again(before: Sequence[Fact], fact: Fact) -> bool:
    """An item that there was before, told together with new ones; seen again later is an act of its own."""
    known = {one.data.get("id") for one in before} | {
        key for one in before for key in one.data.get("items", {})
    }
    told = {fact.data["id"]} if "id" in fact.data else set(fact.data["items"])
    return not told & known and all(one.kind.startswith("scope.") for one in before)


def _next_part(before: Sequence[Fact], fact: Fact) -> bool:
    """The parts of one file are numbered."""
    own = [one for one in before if one.kind == fact.kind]
    known = fact.kind != "scope.met" or before[0].kind == "scope.met" or _seen_again(before, fact)
    return known and bool(fact.data["part"] == (own[-1].data["part"] + 1 if own else 1))


def _next_many(before: Sequence[Fact], _: Fact) -> bool:
    """A fact of many items that is full goes on in the next."""
    return bool(before[-1].data["count"] == IDS)


_READER_ORDER = ("removed", "added", "barred")


def _next_reader(before: Sequence[Fact], fact: Fact) -> bool:
    """One command takes readers off, then adds some, then bars some."""
    readers = [_how(one) for one in before if one.kind.startswith("reader.")]
    return len(readers) == len(before) and _READER_ORDER.index(_how(fact)) >= _READER_ORDER.index(readers[-1])


def _how(fact: Fact) -> str:
    return "barred" if fact.data.get("barred") else fact.kind.removeprefix("reader.")


Beside = Mapping[str, Callable[[Sequence[Fact], Fact], bool]]
_TELLS: Beside = {"message.requested": _always}
_ASKS: Beside = {"page.asked": _always, "page.unanswerable": _always}
_SERVICES: Beside = {
    "service.stopped": _always,
    "service.restored": _without("level"),
    "service.resumed": _always,
}
_MACHINE: Beside = {"source.unreachable": _always, **_ASKS}
_JUDGES: Beside = {"obligation.judged": _always}
_DONE: Beside = {
    **_SERVICES,
    "instant.set": _said_by_step,
    "report.submitted": _of_its_own("step"),
    "report.updated": _of_its_own("step"),
}
_GROWN: Beside = {"party.owed": _always, "reopening.proposed": _always, **_ASKS}
_PUT_OUT: Beside = {"step.reset": _of_its_own("taken_from"), "page.lapsed": _always}
_READERS: Beside = {"reader.added": _next_reader, "reader.removed": _next_reader, **_PUT_OUT}
FOLLOWS: Mapping[str, Beside] = {
    "incident.declared": {
        "incident.restricted": _not_yet("severity.set"),
        "playbook.added": _not_yet("severity.set"),
        "instant.set": _not_yet("severity.set"),
        "service.impacted": _not_yet("severity.set"),
        "severity.set": _not_yet("severity.set"),
    },
    "incident.absorbed": {"severity.set": _not_yet("severity.set")},
    "incident.reopened": {"phase.reopened": _not_yet("phase.reopened"), "step.repeated": _always},
    "phase.reopened": {"step.repeated": _not_yet("step.repeated")},
    "incident.restricted": {
        **_PUT_OUT,
        "playbook.added": _not_yet("playbook.added"),
        "playbook.moved": _not_yet("playbook.moved"),
        "step.not_applicable": _plain_reason,
    },
    "reader.added": _READERS,
    "reader.removed": _READERS,
    "playbook.moved": {"step.not_applicable": _plain_reason, "step.reset": _plain_reason},
    "role.assigned": _TELLS,
    "page.declined": {"page.hurried": _always},
    "message.given_up": {"page.hurried": _always},
    "message.failed": {"page.hurried": _always},
    "message.sent": {"page.hurried": _always},
    "step.started": {"message.requested": lambda before, _: "taken_from" in before[0].data},
    "step.done": _DONE,
    "step.failed": _MACHINE,
    "step.unknown": {"step.unknown": _plain_reason, "step.reset": _of_its_own("look_first"), **_MACHINE},
    "step.reset": {"step.unknown": _plain_reason, "step.reset": _of_its_own("look_first"), **_ASKS},
    "step.handed_over": _TELLS,
    "step.refused": _TELLS,
    "decision.made": _JUDGES,
    "decision.superseded": {"decision.made": _of_its_own("supersedes"), **_JUDGES},
    "decision.approved": {"decision.made": _of_its_own("proposal"), **_JUDGES},
    "decision.voted": {"page.acknowledged": _of_the_vote},
    "opinion.asked": _TELLS,
    "opinion.given": _TELLS,
    "situation.reported": {"message.requested": lambda before, _: "people" in before[0].data},
    "outgoing.edited": {"outgoing.voided": _always},
    "outgoing.submitted": _ASKS,
    "outgoing.approved": {**_ASKS, **_TELLS},
    "outgoing.rejected": {"outgoing.voided": _always, **_TELLS},
    "evidence.transferred": _ASKS,
    "evidence.verified": _ASKS,
    "text.disposed": {"text.disposed": _always},
    "scope.added": {"scope.seen": _seen_again, **_GROWN},
    "scope.imported": {
        "scope.imported": _next_part,
        "scope.seen": _seen_again,
        "scope.met": _next_part,
        **_GROWN,
    },
    "scope.met": {"scope.met": _next_part, **_GROWN},
    "scope.seen": _GROWN,
    "scope.fixed_many": {"scope.fixed_many": _next_many},
    "scope.accepted_many": {"scope.accepted_many": _next_many},
    "scope.retracted_many": {"scope.retracted_many": _next_many},
    "glass.broken": {**_ASKS, "improvement.added": _not_yet("improvement.added")},
}
"""What one command writes beside its first fact, and when such a fact is of that command."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A record taken apart: what was done, and when the watch looked. `derived` facts are none of these."""

    stream: str
    facts: tuple[Fact, ...]
    acts: tuple[Act, ...]
    looks: tuple[Look, ...]
    derived: int

    @property
    def disposed(self) -> int:
        """How many texts had been disposed of: placeholders stand for them."""
        return sum(len(act.disposed) for act in self.acts)


def read_back(facts: Sequence[Fact], texts: Mapping[str, str | None]) -> Recorded:
    """The acts behind a record, in their order. Raises HikeshiError at a fact that nothing reads back."""
    past = Past(facts, texts)
    acts: list[Act] = []
    looks: list[Look] = []
    place = derived = 0
    while place < len(past.facts):
        fact = past.facts[place]
        if fact.actor == SYSTEM and fact.via in {RULES, WATCH}:
            acted = acts[-1].seq if acts else 0
            last = looks[-1] if looks and looks[-1].seq > acted else None
            if fact.via == WATCH and (last is None or last.at != fact.recorded_at):
                looks.append(Look(at=fact.recorded_at, seq=fact.seq))
            past.passed(fact)
            derived += 1
            place += 1
            continue
        group = past.facts[place : _end(past.facts, place)]
        acts.append(_act(past, group))
        for one in group:
            past.passed(one)
        place += len(group)
    stream = past.facts[0].stream if past.facts else ""
    return Recorded(stream=stream, facts=past.facts, acts=tuple(acts), looks=tuple(looks), derived=derived)


def _act(past: Past, facts: Sequence[Fact]) -> Act:
    group = Group(past, facts)
    build = ACTS.get(_main(facts).kind)
    if build is None:
        first = facts[0]
        raise HikeshiError(
            f"{first.stream} #{first.seq}: nothing says how {first.kind!r} came about; please report this"
        )
    command = build(group)
    return Act(
        command=command,
        facts=tuple(facts),
        refs=group.refs,
        freezes=group.freezes,
        disposed=tuple(group.disposed),
    )


def _main(facts: Sequence[Fact]) -> Fact:
    """The fact that a command is about: a playbook that restricts goes by the playbook."""
    if facts[0].kind == "incident.restricted":
        taken = [one for one in facts if one.kind in {"playbook.added", "playbook.moved"}]
        return taken[0] if taken else facts[0]
    if facts[0].kind in {"evidence.added", "source.unreachable"}:
        return next((one for one in facts if one.kind in SETTLING), facts[0])
    return facts[0]


def _end(facts: Sequence[Fact], place: int) -> int:
    """Where the facts of the command end that begins at `place`."""
    head = facts[place]
    end = _collected(facts, place)
    if end > place:
        beside = FOLLOWS.get(facts[end].kind, {})
        end += 1
    else:
        beside, end = FOLLOWS.get(head.kind, {}), place + 1
    while end < len(facts) and _same(head, facts[end]):
        fits = beside.get(facts[end].kind)
        if fits is None or not fits(facts[place:end], facts[end]):
            break
        end += 1
    return end


def _collected(facts: Sequence[Fact], place: int) -> int:
    """Where the fact stands that what a machine or a collector took came with; `place` if nowhere."""
    if not _is_item(facts[place]):
        return place
    at = place
    while at < len(facts) and _same(facts[place], facts[at]):
        if facts[at].kind in SETTLING:
            return at
        if not (_is_item(facts[at]) or facts[at].kind in _ASKS):
            break
        at += 1
    return place


def _is_item(fact: Fact) -> bool:
    return (fact.kind == "evidence.added" and "sources" in fact.data) or fact.kind == "source.unreachable"


def _same(head: Fact, fact: Fact) -> bool:
    """Whether a fact may be of the same command: what a scribe wrote is confirmed once, at its first fact."""
    return (
        fact.for_ is None
        and fact.recorded_at == head.recorded_at
        and fact.actor == head.actor
        and fact.via == head.via
    )
