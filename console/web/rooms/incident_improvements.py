"""What is to be done better after an incident, each with an owner and a date (FSA-2.5.2.6-B6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.views.sheet import Line
from console.views.stepcards import limit
from console.web.doing import Doing, Forms, anchor
from console.web.rooms.items import Item, page, section
from models.state import Improvement, Programme


def _sections(forms: Forms, words: dict[str, Any]) -> list[dict[str, Any]]:
    desk = forms.ask.house.desk
    programme = desk.state("programme")
    assert isinstance(programme, Programme)  # noqa: S101 - of this stream it always is
    naming = forms.ask.naming(programme)
    found = [one for one in programme.improvements.values() if one.incident == forms.state.stream]
    found.sort(key=lambda one: (one.status != "open", one.due))
    review = [
        Line(text=f"{forms.naming.texts.word('words.review', name)}: {forms.naming.text(text)}")
        for name, text in forms.state.review.items()
    ]
    items = [_item(one, forms, naming.text(one.title, 300)) for one in found]
    return [
        section("improvements", words["title"], items=items, doings=_adding(forms)),
        section("review", words["review"], lines=review),
    ]


def _item(one: Improvement, forms: Forms, title: str) -> Item:
    naming = forms.naming
    return Item(
        anchor=anchor("improvement", one.id),
        title=f"{one.id} {title}",
        badge=naming.texts.word("words.status", one.status),
        tone="alarm" if one.overdue and one.status == "open" else "",
        limit=limit(one.due, naming) if one.status == "open" else None,
        lines=[Line(text=naming.who(one.owner))],
        doings=list(_ending(one, forms)) if one.status == "open" else (),
    )


def _ending(one: Improvement, forms: Forms) -> Iterator[Doing]:
    if forms.may("improvement-end") or one.owner == forms.person:
        for name in ("improvement-done", "improvement-accept"):
            made = forms.form(name, name.replace("-", " "), forms.reason(), of=one.id)
            yield made.about({"number": one.id})


def _adding(forms: Forms) -> Iterator[Doing]:
    if forms.may("improvement"):
        yield forms.form(
            "improvement-add",
            "improvement add",
            forms.field("title", required=True),
            forms.someone("owner", word="improvement-owner"),
            forms.field("due", "date", required=True),
        )


PAGES = (page("improvements", _sections),)
