"""Forms for what an incident needs besides its steps until it is closed: services, scope, roles, review."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from console.slack.blocks import Block, Choice, choose, said, tell, words, write
from console.slack.forms import Case, Form, Given, NotUnderstood, for_, instant, people, scribe_field, text
from console.views import scope
from models.commands import (
    AddEvidence,
    AddImprovement,
    AssignRole,
    Close,
    Command,
    Resolve,
    ScopeFact,
    ServiceFact,
    SetInstant,
)
from models.rules.incident import INSTANTS
from models.scope import KINDS as SCOPE_KINDS

DUE_DAYS = 30
SERVICE_FACTS = (
    "impacted", "level", "restored", "works", "fails", "confirmed-by-csirt", "confirmed-by-owner",
)  # fmt: skip


def _head(case: Case) -> Block:
    title = case.naming.text(case.incident.title) if case.incident else ""
    return said(tell(case.target.stream, title))


def _resolve(case: Case) -> list[Block]:
    t = case.t
    return [
        _head(case),
        said(words(t("slack.form.resolve.follows"))),
        write("cause", t("slack.field.cause"), long=True),
        write("entry", t("slack.field.entry-route"), long=True),
        *scribe_field(case),
    ]


def _read_resolve(case: Case, values: Given) -> Command:
    return Resolve(
        actor=case.actor,
        for_=for_(values),
        cause=text(values, "cause"),
        entry_route=text(values, "entry"),
    )


def _close(case: Case) -> list[Block]:
    t = case.t
    return [
        _head(case),
        said(words(t("slack.form.close.follows"))),
        write("assessment", t("slack.field.assessment"), long=True),
        write("spread", t("slack.field.spread"), long=True, optional=True),
        *scribe_field(case),
    ]


def _read_close(case: Case, values: Given) -> Command:
    return Close(
        actor=case.actor,
        for_=for_(values),
        assessment=text(values, "assessment"),
        spread=text(values, "spread"),
    )


def _improvement(case: Case) -> list[Block]:
    t = case.t
    due = (case.naming.now.astimezone(case.naming.times.zone) + timedelta(days=DUE_DAYS)).date()
    return [
        _head(case),
        write("title", t("slack.field.improvement"), long=True, most=300),
        choose("owner", t("slack.field.owner"), people(case)),
        write("due", t("slack.field.due"), given=due.isoformat(), hint=t("slack.hint.day")),
    ]


def _read_improvement(case: Case, values: Given) -> Command:
    written = text(values, "due")
    try:
        day = datetime.strptime(written, "%Y-%m-%d")  # noqa: DTZ007 - its zone is put in just below
    except ValueError as wrong:
        raise NotUnderstood({"due": case.t("slack.field.day-wrong", value=written)}) from wrong
    due = datetime.combine(day.date(), time(23, 59, 59), case.naming.times.zone)
    return AddImprovement(actor=case.actor, title=text(values, "title"), owner=text(values, "owner"), due=due)


def _service(case: Case) -> list[Block]:
    t = case.t
    services = [
        Choice(value=one.id, text=one.name.lang(case.lang)) for one in case.world.organisation.services
    ]
    levels = {
        level.id: level.title.lang(case.lang)
        for one in case.world.organisation.services
        for level in one.levels
    }
    return [
        _head(case),
        choose("service", t("slack.field.service"), services),
        choose(
            "what",
            t("slack.field.service-fact"),
            [Choice(value=one, text=t(f"slack.service.{one}")) for one in SERVICE_FACTS],
        ),
        choose(
            "level",
            t("slack.field.level"),
            [Choice(value=name, text=title) for name, title in levels.items()],
            optional=True,
            hint=t("slack.hint.level"),
        ),
        write("at", t("slack.field.since"), optional=True, hint=t("slack.hint.instant")),
        write("note", t("slack.field.note"), optional=True, most=300),
        *scribe_field(case),
    ]


def _read_service(case: Case, values: Given) -> Command:
    what: Any = text(values, "what")  # one of the form's options; the rule refuses others
    level = text(values, "level") if what in {"impacted", "level", "restored"} else ""
    return ServiceFact(
        actor=case.actor,
        for_=for_(values),
        service=text(values, "service"),
        what=what,
        level=level,
        instant=instant(case, values, "at"),
        note=text(values, "note"),
    )


def _scope(case: Case) -> list[Block]:
    t = case.t
    known = scope.chosen(case.incident, open_only=True) if case.incident else ()
    items = [Choice(value=one.id, text=f"{one.id} {scope.name(one, case.naming)}") for one in known]
    kinds = [Choice(value=one, text=t(f"slack.scope.{one}")) for one in SCOPE_KINDS]
    acts = [Choice(value=one, text=t(f"slack.scope.do.{one}")) for one in ("add", "fix", "accept")]
    blocks = [_head(case), choose("what", t("slack.field.scope-act"), acts, given="add", radio=True)]
    if items:
        blocks.append(choose("item", t("slack.field.scope-item"), items, optional=True))
    blocks.append(choose("kind", t("slack.field.scope-kind"), kinds, optional=True))
    blocks.append(write("text", t("slack.field.scope-text"), hint=t("slack.hint.scope")))
    return [*blocks, *scribe_field(case)]


def _read_scope(case: Case, values: Given) -> Command:
    what: Any = text(values, "what") or "add"
    written = text(values, "text")
    if what == "add":
        if not text(values, "kind"):
            raise NotUnderstood({"kind": case.t("slack.field.needed")})
        return ScopeFact(
            actor=case.actor, for_=for_(values), what="add", kind=text(values, "kind"), name=written
        )
    return ScopeFact(
        actor=case.actor,
        for_=for_(values),
        what=what,
        id=text(values, "item") or None,
        text=written,
    )


def _role(case: Case) -> list[Block]:
    t = case.t
    roles = [Choice(value=one, text=t(f"slack.role.{one}")) for one in ("commander", "scribe")]
    return [
        _head(case),
        choose("role", t("slack.field.role"), roles, radio=True),
        choose("person", t("slack.field.to"), people(case)),
    ]


def _read_role(case: Case, values: Given) -> Command:
    return AssignRole(actor=case.actor, role=text(values, "role"), person=text(values, "person"))


def _instant(case: Case) -> list[Block]:
    t = case.t
    names = [Choice(value=one, text=t.word("words.instant", one)) for one in INSTANTS]
    return [
        _head(case),
        choose("name", t("slack.field.instant"), names),
        write("at", t("slack.field.when"), hint=t("slack.hint.instant")),
        write("source", t("slack.field.how-known"), most=300),
        *scribe_field(case),
    ]


def _read_instant(case: Case, values: Given) -> Command:
    found = instant(case, values, "at")
    if found is None:
        raise NotUnderstood({"at": case.t("slack.field.needed")})
    return SetInstant(
        actor=case.actor,
        for_=for_(values),
        name=text(values, "name"),
        instant=found,
        source=text(values, "source"),
    )


def _item(case: Case) -> list[Block]:
    """Something preserved that is no file in Slack: where it lies and its digest, if it has one."""
    t = case.t
    return [
        _head(case),
        write("source", t("slack.field.source"), hint=t("slack.hint.source"), most=200),
        write("description", t("slack.field.description"), long=True),
        write("digest", t("slack.field.digest"), optional=True, hint="sha256:…", most=80),
        *scribe_field(case),
    ]


def _read_item(case: Case, values: Given) -> Command:
    return AddEvidence(
        actor=case.actor,
        for_=for_(values),
        source=text(values, "source"),
        description=text(values, "description"),
        digest=text(values, "digest") or None,
    )


FORMS = (
    Form(name="resolve", build=_resolve, read=_read_resolve),
    Form(name="close", build=_close, read=_read_close),
    Form(name="improvement", build=_improvement, read=_read_improvement),
    Form(name="service", build=_service, read=_read_service),
    Form(name="scope", build=_scope, read=_read_scope),
    Form(name="role", build=_role, read=_read_role),
    Form(name="instant", build=_instant, read=_read_instant),
    Form(name="item", build=_item, read=_read_item),
)
