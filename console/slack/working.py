"""Forms about a step: done with what has to be recorded, handed over to somebody else."""

from __future__ import annotations

from collections.abc import Iterator

from console.slack.blocks import Block, Choice, choose, said, tell, words, write
from console.slack.forms import Case, Form, Given, for_, people, scribe_field, text, written_instant
from models.answers import HandOver, RefuseHandOver
from models.commands import Command, Done
from models.playbook import RecordField
from notifiers.slack import escape

FIELD = "field."
MAX_LINES = 20


def _step(case: Case) -> Iterator[Block]:
    """What the step asks, as its playbook says it."""
    planned = case.naming.planned(case.target.step)
    t = case.t
    if planned is None:
        yield said(words(case.target.step))
        return
    step, known = planned.step, (case.incident.steps.get(planned.key) if case.incident else None)
    title = case.naming.text(case.incident.title) if case.incident else ""
    yield said(
        tell(case.target.stream, title),
        escape.bold(words(case.naming.title(planned), 300)),
        tell(t("slack.until"), case.naming.at(known.limit_at) if known and known.limit_at else ""),
    )
    if step.text:
        yield said(*(words(line) for line in step.text.lang(case.lang).splitlines()[:MAX_LINES]))
    yield from _cautions(case)


def _cautions(case: Case) -> Iterator[Block]:
    planned = case.naming.planned(case.target.step)
    if planned is None:
        return
    step, t, lang = planned.step, case.t, case.lang
    lines = [
        tell(t("slack.where"), step.where.lang(lang) if step.where else ""),
        tell(t("slack.stop-when"), step.stop_when.lang(lang) if step.stop_when else ""),
        *(tell(t("slack.do-not"), one.lang(lang)) for one in step.do_not),
    ]
    if any(lines):
        yield said(*lines)


def _done(case: Case) -> list[Block]:
    planned = case.naming.planned(case.target.step)
    fields = planned.step.record if planned else ()
    note = write("note", case.t("slack.field.note"), long=True, optional=True)
    return [*_step(case), *(_field(case, one) for one in fields), note, *scribe_field(case)]


def _field(case: Case, field: RecordField) -> Block:
    t = case.t
    label = field.title.lang(case.lang)
    if field.type == "yes-no":
        choices = [Choice(value=one, text=t(f"slack.{one}")) for one in ("yes", "no", "unknown")]
        return choose(FIELD + field.id, label, choices, radio=True, optional=not field.required)
    hint = t.get(f"slack.hint.{field.type}", "")
    long = field.type in {"text", "list"}
    return write(FIELD + field.id, label, long=long, optional=not field.required, hint=hint)


def _read_done(case: Case, values: Given) -> Command:
    planned = case.naming.planned(case.target.step)
    kinds = {field.id: field.type for field in planned.step.record} if planned else {}
    found = {}
    for block in values:
        if block.startswith(FIELD):
            name = block.removeprefix(FIELD)
            value = text(values, block)
            found[name] = written_instant(case, value) if kinds.get(name) == "instant" else value
    return Done(
        actor=case.actor, for_=for_(values), step=case.target.step, values=found, note=text(values, "note")
    )


def _hand_over(case: Case) -> list[Block]:
    t = case.t
    return [
        *_step(case),
        choose("person", t("slack.field.to"), people(case)),
        write("reason", t("slack.field.reason"), long=True, optional=True),
    ]


def _read_hand_over(case: Case, values: Given) -> Command:
    return HandOver(
        actor=case.actor,
        step=case.target.step,
        person=text(values, "person"),
        reason=text(values, "reason"),
    )


def _refuse(case: Case) -> list[Block]:
    return [*_step(case), write("reason", case.t("slack.field.reason"), long=True)]


def _read_refuse(case: Case, values: Given) -> Command:
    return RefuseHandOver(actor=case.actor, step=case.target.step, reason=text(values, "reason"))


FORMS = (
    Form(name="refuse", build=_refuse, read=_read_refuse),
    Form(name="done", build=_done, read=_read_done),
    Form(name="hand-over", build=_hand_over, read=_read_hand_over),
)
