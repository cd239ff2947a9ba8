"""Forms about a page: decline it, or let somebody else have it for a while."""

from __future__ import annotations

from datetime import timedelta

from console.slack.blocks import Block, Choice, choose, said, tell, write
from console.slack.forms import Case, Form, Given, for_, people, scribe_field, text
from models.answers import Decline
from models.commands import Command, Delegate

SPANS = (("15m", 15), ("30m", 30), ("1h", 60), ("2h", 120), ("4h", 240), ("8h", 480))


def _about(case: Case) -> Block:
    page = case.state.pages.get(case.target.page)
    subject = case.naming.subject(page.subject if page else case.target.subject)
    title = case.naming.text(case.incident.title) if case.incident else ""
    return said(tell(case.target.stream, title), tell(case.t("slack.about"), subject))


def _decline(case: Case) -> list[Block]:
    t = case.t
    return [
        _about(case),
        said(t("slack.form.decline.follows")),
        write("reason", t("slack.field.reason"), long=True),
        *scribe_field(case),
    ]


def _read_decline(case: Case, values: Given) -> Command:
    return Decline(actor=case.actor, for_=for_(values), page=case.target.page, reason=text(values, "reason"))


def _delegate(case: Case) -> list[Block]:
    t = case.t
    spans = [Choice(value=str(minutes), text=name) for name, minutes in SPANS]
    return [
        _about(case),
        said(t("slack.form.delegate.follows")),
        choose("to", t("slack.field.to"), people(case, but=(case.actor.person or "",))),
        choose("until", t("slack.field.until"), spans, given="30"),
        *scribe_field(case),
    ]


def _read_delegate(case: Case, values: Given) -> Command:
    minutes = int(text(values, "until") or "30")
    return Delegate(
        actor=case.actor,
        for_=for_(values),
        page=case.target.page,
        to=text(values, "to"),
        until=case.naming.now + timedelta(minutes=minutes),
    )


FORMS = (
    Form(name="decline", build=_decline, read=_read_decline),
    Form(name="delegate", build=_delegate, read=_read_delegate),
)
