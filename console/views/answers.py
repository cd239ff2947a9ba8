"""What people answered besides yes: refusals of a page, proposals, opinions, steps on their way."""

from __future__ import annotations

from collections.abc import Iterator

from console.views.naming import Naming
from console.views.sheet import Line
from models.plan import PlannedStep
from models.state import Page, StepState
from models.voting import empty_seats

MAX_SHOWN = 500


def refusals(page: Page, naming: Naming) -> Iterator[Line]:
    """Who said that they cannot take the page, and why."""
    for who, no in page.declined.items():
        key = "answers.gave_back" if no.gave_back else "answers.declined"
        reason = naming.text(no.reason, MAX_SHOWN)
        said = naming.texts(key, who=naming.who(who), at=naming.times.at(no.at), reason=reason)
        yield Line(text=said, style="warn", indent=1)


def delegate(page: Page, naming: Naming) -> str:
    """Who stands in, and who named them."""
    who = naming.who(page.delegated_to)
    if page.delegated_by is None:
        return who
    return naming.texts("answers.delegated_by", who=who, by=naming.who(page.delegated_by))


def of_step(known: StepState, planned: PlannedStep, naming: Naming) -> Iterator[Line]:
    """All that was answered about a step: a proposal, opinions, whether it is on its way to somebody."""
    yield from _proposal(known, planned, naming)
    yield from votes(known, planned, naming)
    yield from _opinions(known, naming)
    handed, texts = known.handed, naming.texts
    if handed is None:
        return
    who = {"by": naming.who(handed.by), "to": naming.who(handed.to)}
    if handed.waits:
        said = texts(
            "answers.handed",
            at=naming.times.at(handed.at),
            reason=naming.text(handed.reason, MAX_SHOWN),
            **who,
        )
    else:
        refusal = naming.text(handed.refusal, MAX_SHOWN)
        at = naming.times.at(handed.refused_at) if handed.refused_at else ""
        said = texts("answers.refused", at=at, reason=refusal, **who)
    yield Line(text=said, style="warn", indent=1)


def _proposal(known: StepState, planned: PlannedStep, naming: Naming) -> Iterator[Line]:
    texts, step, proposed = naming.texts, planned.step, known.proposed
    if known.sent_back is not None:
        no = known.sent_back
        said = texts(
            "answers.rejected",
            choice=naming.option(known.key, no.choice),
            who=naming.who(no.by),
            at=naming.times.at(no.at),
            reason=naming.text(no.reason, MAX_SHOWN),
        )
        yield Line(text=said, style="bad", indent=1)
    if proposed is None:
        if step.approver is not None and known.choice is None:
            yield Line(text=texts("answers.four_eyes", who=naming.holders(step.approver)), indent=1)
        return
    by, at = naming.who(proposed.by), naming.times.at(proposed.at)
    reason = naming.text(proposed.reason, MAX_SHOWN)
    choice = naming.option(known.key, proposed.choice)
    head = texts("answers.proposed", choice=choice, who=by, at=at, reason=reason)
    yield Line(text=head, style="bad", indent=1)
    yield Line(text=texts("answers.awaits", who=naming.holders(step.approver), by=by), style="warn", indent=1)
    approve = f"hikeshi approve {naming.state.stream} {known.key}"
    reject = f"hikeshi reject {naming.state.stream} {known.key} --reason …"
    yield Line(text=texts("answers.approve", approve=approve, reject=reject), indent=1, style="dim")


def votes(known: StepState, planned: PlannedStep, naming: Naming) -> Iterator[Line]:
    """Of a decision that several make together: who has voted what, and whose vote is missing."""
    quorum, texts = planned.step.quorum, naming.texts
    if quorum is None or known.status not in {"ready", "started"}:
        return
    for one in known.votes.values():
        seat = one.seats[0]
        who = naming.who(one.person)
        if seat.deputy_for:
            who = texts("words.deputy", name=who, other=naming.who(seat.deputy_for))
        choice, reason = naming.option(known.key, one.choice), naming.text(one.reason, MAX_SHOWN)
        said = texts("gates.vote", who=who, choice=choice, reason=reason)
        yield Line(text=said, indent=1)
    missing = texts("words.comma").join(naming.holders(role) for role in empty_seats(known.votes, quorum.of))
    if missing:
        yield Line(text=texts("gates.missing", who=missing, need=quorum.need), style="warn", indent=1)
    else:
        yield Line(text=texts("gates.split", need=quorum.need), style="bad", indent=1)


def _opinions(known: StepState, naming: Naming) -> Iterator[Line]:
    for one in known.opinions:
        values = {"person": naming.who(one.person), "question": naming.text(one.question, MAX_SHOWN)}
        if one.given_at is None:
            said = naming.texts("answers.opinion_waits", by=naming.who(one.asked_by), **values)
        else:
            text, at = naming.text(one.text, MAX_SHOWN), naming.times.at(one.given_at)
            said = naming.texts("answers.opinion", text=text, at=at, **values)
        yield Line(text=said, indent=1)


def status(known: StepState | None, naming: Naming) -> str:
    """A step's status in words; one that waits for its second person says so."""
    if known is not None and known.proposed is not None:
        return naming.texts("answers.status")
    return naming.texts.word("words.status", known.status if known else "waiting")
