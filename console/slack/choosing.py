"""Forms about a decision: decide it, approve or send back what somebody proposes, ask for an opinion."""

from __future__ import annotations

from collections.abc import Iterator

from console.slack.blocks import Block, Choice, choose, said, tell, words, write
from console.slack.forms import Case, Form, Given, for_, people, scribe_field, text
from models.answers import ApproveDecision, AskOpinion, GiveOpinion, RejectDecision
from models.commands import Command, Decide
from models.plan import PlannedStep
from models.state import StepState
from notifiers.slack import escape

FACTOR = "factor."
MAX_FACTOR = 1_000


def _planned(case: Case) -> tuple[PlannedStep | None, StepState | None]:
    step = case.target.step
    known = case.incident.steps.get(step) if case.incident else None
    return case.naming.planned(step), known


def _question(case: Case) -> Iterator[Block]:
    """What is to be decided, by when, what is recommended, and what happens if nobody decides."""
    planned, known = _planned(case)
    t = case.t
    if planned is None:
        yield said(words(case.target.step))
        return
    step = planned.step
    title = case.naming.text(case.incident.title) if case.incident else ""
    yield said(tell(case.target.stream, title), escape.bold(words(case.naming.title(planned), 300)))
    if step.text:
        yield said(*(words(line) for line in step.text.lang(case.lang).splitlines()[:20]))
    limit = case.naming.at(known.limit_at) if known and known.limit_at else ""
    recommended = next((one.title.lang(case.lang) for one in step.options if one.id == step.recommend), "")
    yield said(
        tell(t("slack.until"), limit),
        tell(t("slack.recommended"), recommended),
        tell(t("slack.otherwise"), step.otherwise.lang(case.lang) if step.otherwise else ""),
        tell(t("slack.authority"), case.naming.deciders(step)),
        tell(t("slack.second"), case.naming.holders(step.approver) if step.approver else ""),
        t("slack.no-timeout-yes"),
    )


def _decide(case: Case) -> list[Block]:
    planned, _ = _planned(case)
    t = case.t
    blocks = list(_question(case))
    if planned is None:
        return blocks
    step = planned.step
    choices = [
        Choice(
            value=one.id,
            text=("★ " if one.id == step.recommend else "") + one.title.lang(case.lang),
            about=one.price.lang(case.lang) if one.price else "",
        )
        for one in step.options
    ]
    blocks.append(choose("choice", t("slack.field.choice"), choices, radio=True))
    blocks.append(write("reason", t("slack.field.reason"), long=True))
    for name in step.weighed:
        label = t.get(f"slack.factor.{name}", name)
        blocks.append(write(FACTOR + name, label, hint=t(f"gates.hint.{name}"), most=MAX_FACTOR))
    return [*blocks, *scribe_field(case)]


def _read_decide(case: Case, values: Given) -> Command:
    factors = {
        block.removeprefix(FACTOR): text(values, block) for block in values if block.startswith(FACTOR)
    }
    return Decide(
        actor=case.actor,
        for_=for_(values),
        step=case.target.step,
        choice=text(values, "choice"),
        reason=text(values, "reason"),
        factors=factors,
    )


def _proposal(case: Case) -> Iterator[Block]:
    """What the first person chose, and why: the second person approves that and nothing else."""
    planned, known = _planned(case)
    proposed = known.proposed if known is not None else None
    if proposed is None or planned is None:
        return
    t = case.t
    titles = {one.id: one.title.lang(case.lang) for one in planned.step.options}
    lines = [
        tell(t("slack.proposed"), titles.get(proposed.choice, proposed.choice)),
        tell(t("slack.proposed-by"), case.naming.who(proposed.by)),
        tell(f"{t('slack.field.reason')}:", case.naming.text(proposed.reason)),
    ]
    lines += [
        tell(f"{t.get(f'slack.factor.{name}', name)}:", case.naming.factor(name, value))
        for name, value in (proposed.data.get("factors") or {}).items()
    ]
    yield said(*lines)


def _approve(case: Case) -> list[Block]:
    reason = write("reason", case.t("slack.field.reason"), long=True, optional=True)
    return [*_question(case), *_proposal(case), reason]


def _read_approve(case: Case, values: Given) -> Command:
    return ApproveDecision(
        actor=case.actor,
        for_=for_(values),
        step=case.target.step,
        reason=text(values, "reason"),
        proposal=_shown(case),
    )


def _shown(case: Case) -> int | None:
    """The proposal that the dialog showed."""
    number = case.extra.get("proposal", "")
    return int(number) if number.isdecimal() else 0


def _reject(case: Case) -> list[Block]:
    return [*_question(case), *_proposal(case), write("reason", case.t("slack.field.reason"), long=True)]


def _read_reject(case: Case, values: Given) -> Command:
    return RejectDecision(
        actor=case.actor, step=case.target.step, reason=text(values, "reason"), proposal=_shown(case)
    )


def _opinion(case: Case) -> list[Block]:
    t = case.t
    return [
        *_question(case),
        choose("person", t("slack.field.whom"), people(case, but=(case.actor.person or "",))),
        write("question", t("slack.field.question"), long=True),
    ]


def _read_opinion(case: Case, values: Given) -> Command:
    return AskOpinion(
        actor=case.actor,
        step=case.target.step,
        person=text(values, "person"),
        question=text(values, "question"),
    )


def _give(case: Case) -> list[Block]:
    return [*_question(case), write("text", case.t("slack.field.opinion"), long=True), *scribe_field(case)]


def _read_give(case: Case, values: Given) -> Command:
    return GiveOpinion(actor=case.actor, for_=for_(values), step=case.target.step, text=text(values, "text"))


FORMS = (
    Form(name="decide", build=_decide, read=_read_decide),
    Form(name="approve", build=_approve, read=_read_approve),
    Form(name="reject", build=_reject, read=_read_reject),
    Form(name="opinion", build=_opinion, read=_read_opinion),
    Form(name="give-opinion", build=_give, read=_read_give),
)
