"""What an incident owes to authorities: what is proposed, judged, due, drafted and submitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from console.composing import read_text
from console.views import reports as view
from console.views.sheet import Line
from console.views.stepcards import limit
from console.web.doing import Doing, Forms, anchor
from console.web.rooms.items import Item, page, section, text_of
from models.clocks.owed import is_owed, obligations
from models.obligation import Obligation
from models.state import ObligationState


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
    reports = known.reports if known is not None else {}
    titles = {each.id: f"{words['draft']} {each.title.lang(naming.lang)}" for each in one.stages}
    drafts = [
        (titles.get(stage, f"{words['draft']} {stage}"), text_of(read_text(forms.ask.house, report.drafted)))
        for stage, report in reports.items()
        if report.drafted
    ]
    waiting = [
        titles.get(stage, "") for stage, report in reports.items() if report.drafted and not report.submitted
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
        opened=waiting,
        doings=list(_doings(one, forms, known)),
    )


def _doings(one: Obligation, forms: Forms, known: ObligationState | None) -> Iterator[Doing]:
    """What is asked first stands first: before it is judged whether it is owed, that."""
    judged = known is not None and known.judged is not None
    if not judged:
        yield from (replace(each, style="") for each in _judging(one, forms))
    if is_owed(known):
        yield from _writing(one, forms, judged=judged, submitted=_any_submitted(known))
    if judged:
        yield from _judging(one, forms)


def _any_submitted(known: ObligationState | None) -> bool:
    return known is not None and any(each.submitted for each in known.reports.values())


def _writing(one: Obligation, forms: Forms, *, judged: bool, submitted: bool) -> Iterator[Doing]:
    of, hidden = one.id, {"obligation": one.id}
    stages = [(each.id, each.title.lang(forms.naming.lang)) for each in one.stages]
    stage = forms.choice("stage", stages, required=True)
    spot = anchor("report", one.id)
    if forms.may("report-draft"):
        made = forms.form("report-draft", "report draft", stage, of=of, hidden=hidden)
        yield replace(made, spot=spot)
        file = hidden | {"out": "on"}
        yield forms.form("report-file", "report draft", stage, of=of, hidden=file)
    if not forms.may("report-submit"):
        return
    fields = (stage, forms.field("receipt"), *forms.in_the_name_of(), forms.at())
    sent = forms.form("report-submit", "report submit", *fields, of=of, hidden=hidden)
    yield sent if judged else replace(sent, style="second")
    if submitted:
        yield forms.form("report-correct", "report correct", *fields, of=of, hidden=hidden)


def _judging(one: Obligation, forms: Forms) -> Iterator[Doing]:
    if not forms.may("report-judge"):
        return
    yes = [(each, forms.words["yes-no"][each]) for each in ("yes", "no")]
    yield forms.form(
        "report-judge",
        "report judge",
        forms.choice("applicable", yes, required=True),
        forms.reason(),
        *forms.in_the_name_of(),
        of=one.id,
        hidden={"obligation": one.id},
    )


PAGES = (page("reports", _sections),)
