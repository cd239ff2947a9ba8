"""What somebody can do about a step, as forms: each command of steps has one."""

from __future__ import annotations

from collections.abc import Iterator

from console.web.doing import Doing, Forms, Input, Kind
from models.access import own_steps
from models.awaited import STUCK
from models.plan import PlannedStep
from models.playbook import RecordField
from models.rules.steps import OVERSEERS, may_do
from models.state import OVER, SETTLED, StepState

_KINDS: dict[str, Kind] = {"instant": "local", "number": "number", "list": "area", "yes-no": "select"}
UNKNOWABLE = frozenset({"instant", "number", "duration"})


def recorded(one: RecordField, forms: Forms) -> Input:
    """What has to be written down when the step is done, as a field of its type."""
    name = f"set.{one.id}"
    words = forms.words
    yes_no = tuple((value, words["yes-no"][value]) for value in ("yes", "no", "unknown"))
    return Input(
        name=f"{name}.local" if one.type == "instant" else name,
        label=one.title.lang(forms.naming.lang),
        kind=_KINDS.get(one.type, "text"),
        required=one.required,
        hint=forms.said_of("type", one.type),
        options=yes_no if one.type == "yes-no" else (),
        unknown=f"{name}.unknown" if one.type in UNKNOWABLE else "",
    )


def theirs(planned: PlannedStep, forms: Forms) -> bool:
    """Whether the step is the person's to do: by name, by role, or because they lead."""
    state, world = forms.state, forms.naming.world
    if not forms.person:
        return False
    if forms.ask.is_vendor:
        return planned.key in own_steps(state, forms.person, world)
    return may_do(state, planned, forms.person, world)


def at_once(planned: PlannedStep, known: StepState, forms: Forms) -> Iterator[Doing]:
    """What is wanted of the person now: take it up, or say that it is done."""
    by_hand = planned.step.kind in {"manual", "notice"}
    of, hidden = planned.key, {"step": planned.key}
    if forms.state.status in OVER or not by_hand or not theirs(planned, forms):
        return
    handed = known.handed is not None and known.handed.waits and known.handed.to == forms.person
    if known.status == "ready" or (handed and known.status != "started"):
        yield forms.form("step-start", "step start", of=of, hidden=hidden)
    if known.status == "started" and known.started_by != forms.person and not forms.ask.is_vendor:
        yield forms.form("step-take", "step take", of=of, hidden=hidden)
    if handed:
        yield forms.form("step-refuse", "step refuse", forms.reason(), of=of, hidden=hidden)
    if known.status in {"ready", "started"}:
        fields = [recorded(one, forms) for one in planned.step.record]
        note = forms.field("note", "area")
        yield forms.form(
            "done", "done", *fields, note, *forms.in_the_name_of(), forms.at(), of=of, hidden=hidden
        )


def sets_severity(planned: PlannedStep, forms: Forms) -> bool:
    """Whether the step writes down what the severity follows from, and the person may set that."""
    asked = {one.id for one in planned.step.record}
    return {"impact", "urgency"} <= asked and not forms.ask.is_vendor and forms.may("severity")


def mending(planned: PlannedStep, known: StepState, forms: Forms) -> Iterator[Doing]:
    """A machine's step that failed, or whose outcome nobody knows: a person says how it goes on."""
    of, hidden = planned.key, {"step": planned.key}
    if known.status not in STUCK:
        return
    if forms.may("step-retry"):
        effect = forms.field("took_effect", "flag")
        yield forms.form("step-retry", "step retry", effect, forms.reason(), of=of, hidden=hidden)
    yield from leaving(planned, known, forms)


def leaving(planned: PlannedStep, known: StepState, forms: Forms) -> Iterator[Doing]:
    """That it is not done, and why."""
    of, hidden = planned.key, {"step": planned.key}
    if known.status in SETTLED:
        return
    if forms.may("step-na"):
        yield forms.form("step-na", "step na", forms.reason(), of=of, hidden=hidden)
    if forms.may("step-skip"):
        yield forms.form("step-skip", "step skip", forms.reason(), of=of, hidden=hidden)


def more(planned: PlannedStep, known: StepState, forms: Forms) -> Iterator[Doing]:
    """What is done seldom: on the page of this one step."""
    if forms.state.status in OVER or not forms.person or forms.ask.is_vendor:
        return
    of, hidden = planned.key, {"step": planned.key}
    left = known.status not in SETTLED
    if left and (forms.person in {known.started_by, known.owner} or forms.roles & OVERSEERS):
        yield forms.form(
            "step-hand-over", "step hand-over", forms.someone(), forms.reason(), of=of, hidden=hidden
        )
    if left and forms.may("step-assign"):
        reason = forms.field("reason", "area")
        yield forms.form("step-assign", "step assign", forms.someone(), reason, of=of, hidden=hidden)
    if known.status not in STUCK:
        yield from leaving(planned, known, forms)
    yield from opinions(planned, known, forms)


def opinions(planned: PlannedStep, known: StepState, forms: Forms) -> Iterator[Doing]:
    """Asking what somebody thinks of it, and saying what one thinks if one was asked."""
    if forms.ask.is_vendor or not forms.person:
        return
    of, hidden = planned.key, {"step": planned.key}
    if any(one.person == forms.person and one.given_at is None for one in known.opinions):
        answer = forms.field("text", "area", required=True, word="opinion")
        yield forms.form("opinion-give", "opinion give", answer, of=of, hidden=hidden)
    if known.status not in SETTLED:
        question = forms.field("question", "area", required=True)
        yield forms.form("opinion-ask", "opinion ask", forms.someone(), question, of=of, hidden=hidden)
