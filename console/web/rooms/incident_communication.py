"""What is said about an incident to others: messages and who approves them, situation reports, inquiries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.cli.communication import AUDIENCES, LABELS
from console.cli.situation import ASKERS
from console.composing import draft_situation, facts_since, read_text
from console.views import communication as view
from console.views.sheet import Line
from console.web.doing import Doing, Forms, anchor
from console.web.rooms.decisionforms import holds
from console.web.rooms.items import Item, page, section, text_of
from models.audience import unlabelled
from models.communication import Outgoing
from models.state import ENDED
from playbooks.outgoing import templates

MAX_REPORTS = 20


def _sections(forms: Forms, words: dict[str, Any]) -> list[dict[str, Any]]:
    state, naming = forms.state, forms.naming
    messages = [_message(one, forms, words) for one in reversed(state.outgoing.values())]
    told = [_situation(one, forms) for one in state.situation_reports[-MAX_REPORTS:][::-1]]
    inquiries = [Line(text=view.inquiry_line(state, naming))]
    return [
        section("messages", words["messages"], items=messages, doings=_drafting(forms)),
        section("situation", words["situation"], items=told, doings=_telling(forms)),
        section("inquiries", words["inquiries"], lines=inquiries, doings=_counting(forms)),
    ]


def _message(one: Outgoing, forms: Forms, words: dict[str, Any]) -> Item:
    naming = forms.naming
    texts = [
        (words["text"].format(lang=lang), text_of(read_text(forms.ask.house, version.document)))
        for lang, version in one.versions.items()
    ]
    return Item(
        anchor=anchor("message", one.id),
        title=view.head(one, naming),
        badge=f"TLP:{one.tlp}",
        tone="warn" if one.waiting() else "",
        lines=[each for each in view.whole(one, naming)[1:] if each.style != "dim"],
        texts=texts,
        doings=list(_doings(one, forms)),
    )


def _doings(one: Outgoing, forms: Forms) -> Iterator[Doing]:
    if one.withdrawn_at is not None or forms.ask.is_vendor:
        return
    of, hidden = one.id, {"message": one.id}
    if not one.over:
        mine = [
            version
            for lang, version in one.versions.items()
            if (role := one.next_role(lang)) is not None and holds(role, forms)
        ]
        if mine:
            # Approved are the very texts that stand on this page, and no others.
            digests = tuple(("digest", version.document) for version in mine)
            yield forms.form("message-approve", "message approve", of=of, hidden=hidden, several=digests)
            yield forms.form("message-reject", "message reject", forms.reason(), of=of, hidden=hidden)
        if forms.may("message"):
            yield from _writing(one, forms)
    if forms.may("message-sent") and one.status in {"approved", "sent"}:
        via = forms.field("via", required=True)
        yield forms.form("message-sent", "message sent", via, forms.at(), of=of, hidden=hidden)
    if forms.may("message-withdraw"):
        yield forms.form("message-withdraw", "message withdraw", forms.reason(), of=of, hidden=hidden)


def _writing(one: Outgoing, forms: Forms) -> Iterator[Doing]:
    of, hidden = one.id, {"message": one.id}
    if any(version.status in {"draft", "rejected"} for version in one.versions.values()):
        yield forms.form("message-submit", "message submit", of=of, hidden=hidden)
    for lang, version in one.versions.items():
        now = unlabelled(read_text(forms.ask.house, version.document) or "")
        body = forms.field("from.text", "area", required=True, word="text", value=now, rows=12)
        yield forms.form(
            "message-edit", "message edit", body, of=f"{of}-{lang}", hidden=hidden | {"version": lang}
        )


def _drafting(forms: Forms) -> Iterator[Doing]:
    if forms.state.status in ENDED or not forms.may("message"):
        return
    lang = forms.naming.lang
    known = templates(forms.ask.house.institution.messages).values()
    yield forms.form(
        "message-draft",
        "message draft",
        forms.choice("audience", forms.worded("communication.audience", AUDIENCES), required=True),
        forms.choice("tlp", [(one, f"TLP:{one}") for one in LABELS], required=True),
        forms.choice("template", [(one.id, one.title.lang(lang)) for one in known]),
        forms.choice("to", forms.parties, word="message-to"),
        forms.field("from.text", "area", word="body", rows=8),
    )


# -- situation reports and inquiries ------------------------------------------------------------------------


def _situation(one: Any, forms: Forms) -> Item:
    return Item(
        anchor=anchor("situation", str(one.number)),
        title=view.situation_line(one, forms.naming),
        texts=[("#" + str(one.number), text_of(forms.naming.beside.get(one.text)))],
    )


def _telling(forms: Forms) -> Iterator[Doing]:
    if forms.state.status in ENDED or not forms.may("situation"):
        return
    naming, state = forms.naming, forms.state
    drafted = draft_situation(state, naming, facts_since(forms.ask.house, state, None))
    roles = [(one.id, one.title.lang(naming.lang)) for one in naming.world.organisation.roles]
    yield forms.form(
        "situation-send",
        "situation send",
        forms.field("to", "checks", required=True, options=tuple(roles), word="send-to"),
        forms.field("from.text", "area", required=True, word="text", value=drafted, rows=12),
    )
    text = forms.field("text", "area", required=True)
    yield forms.form("situation-note", "report situation", text)


def _counting(forms: Forms) -> Iterator[Doing]:
    if forms.may("inquiry"):
        asker = forms.choice("from", forms.worded("communication.asker", ASKERS), required=True, word="asker")
        count = forms.field("count", "number", value="1")
        yield forms.form("inquiry", "inquiry add", asker, count, forms.field("topic"), forms.field("note"))


PAGES = (page("communication", _sections),)
