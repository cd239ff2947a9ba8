"""What an incident owes to authorities: what is proposed, judged, due, drafted and submitted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.composing import read_text
from console.views import reports as view
from console.views.sheet import Line
from console.views.stepcards import limit
from console.web.doing import Doing, Forms, anchor
from console.web.rooms.items import Item, page, section, text_of
from models.clocks.owed import is_owed, obligations
from models.obligation import Obligation


def _sections(forms: Forms, words: dict[str, Any]) -> list[dict[str, Any]]:
    state, world = forms.state, forms.naming.world
    found: dict[str, list[Item]] = {"owed": [], "proposed": [], "others": []}
    for one in obligations(state, world):
        known = state.obligations.get(one.id)
        judged = known is not None and known.judged == "applicable"
        place = "owed" if judged else "proposed" if is_owed(known) else "others"
        found[place].append(_item(one, forms, words))
    return [section(name, words[name], items=items) for name, items in found.items()]


def _item(one: Obligation, forms: Forms, words: dict[str, Any]) -> Item:
    state, naming = forms.state, forms.naming
    known = state.obligations.get(one.id)
    owed = is_owed(known)
    said = [each for each in view.section([one], state, naming).parts if isinstance(each, Line)]
    running = [
        clock.due_at
        for clock in state.clocks.values()
        if clock.id.startswith(f"report:{one.id}/") and clock.status == "running"
    ]
    drafts = [
        (f"{words['draft']} {stage}", text_of(read_text(forms.ask.house, report.drafted)))
        for stage, report in (known.reports if known is not None else {}).items()
        if report.drafted
    ]
    return Item(
        anchor=anchor("report", one.id),
        title=one.title.lang(naming.lang),
        badge=one.recipient.lang(naming.lang),
        tone="warn" if owed and running else "",
        limit=limit(min(running), naming) if running else None,
        lines=said[1:],
        more_title=words["basis"],
        more=[each for each in view.basis(one, state, naming).parts if isinstance(each, Line)]
        if owed
        else (),
        texts=drafts,
        doings=list(_doings(one, forms, owed=owed)),
    )


def _doings(one: Obligation, forms: Forms, *, owed: bool) -> Iterator[Doing]:
    of, hidden = one.id, {"obligation": one.id}
    lang = forms.naming.lang
    stages = [(each.id, each.title.lang(lang)) for each in one.stages]
    stage = forms.choice("stage", stages, required=True)
    if owed and forms.may("report-draft"):
        yield forms.form("report-draft", "report draft", stage, of=of, hidden=hidden)
        file = hidden | {"out": "on"}
        yield forms.form("report-file", "report draft", stage, of=of, hidden=file)
    if owed and forms.may("report-submit"):
        receipt = forms.field("receipt")
        name = forms.in_the_name_of()
        yield forms.form(
            "report-submit", "report submit", stage, receipt, *name, forms.at(), of=of, hidden=hidden
        )
        yield forms.form(
            "report-correct", "report correct", stage, receipt, *name, forms.at(), of=of, hidden=hidden
        )
    if forms.may("report-judge"):
        yes = [(each, forms.words["yes-no"][each]) for each in ("yes", "no")]
        applicable = forms.choice("applicable", yes, required=True)
        yield forms.form(
            "report-judge",
            "report judge",
            applicable,
            forms.reason(),
            *forms.in_the_name_of(),
            of=of,
            hidden=hidden,
        )


PAGES = (page("reports", _sections),)
