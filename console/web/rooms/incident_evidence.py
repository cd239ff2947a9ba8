"""The evidence of an incident: what is still to be preserved, each item with its chain of custody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from console.cli.evidence import KINDS
from console.views import evidence as view
from console.views import preserving
from console.views.sheet import Line
from console.web.doing import Doing, Forms
from console.web.forms import WITHOUT_FILE
from console.web.rooms.items import Item, page, section
from models.evidence import Evidence
from models.plan import PlannedStep


def _sections(forms: Forms, words: dict[str, Any]) -> list[dict[str, Any]]:
    state, naming = forms.state, forms.naming
    items = [_item(one, forms, words) for one in reversed(state.evidence.values())]
    held = [one for one in view.lines(state, naming) if one.style == "strong"]
    waiting = list(preserving.waiting(state, naming, headed=True)) or [Line(text=words["nothing-waits"])]
    return [
        section("waiting", words["waiting"], lines=waiting, doings=_adding(forms)),
        section("items", words["items"], lines=held, items=items, doings=_all(forms)),
    ]


def _adding(forms: Forms) -> Iterator[Doing]:
    if not forms.may("evidence"):
        return
    steps = [
        (one.key, forms.naming.title(one))
        for one in forms.naming.world.steps(forms.state).values()
        if one.step.preserves and _came_up(one, forms)
    ]
    plain = [
        forms.field(name)
        for name in ("host", "location", "collected_by", "tool", "serial", "seal", "storage")
    ]
    yield forms.form(
        "evidence-add",
        "evidence add",
        forms.field("file", "file"),
        forms.field(WITHOUT_FILE, "flag"),
        forms.field("source", required=True, word="evidence-source", options=_sources(forms)),
        forms.field("description", "area", required=True),
        forms.choice("step", steps, word="evidence-step"),
        forms.choice("kind", forms.worded("evidence.kind", KINDS), word="evidence-kind"),
        forms.field("partial", "flag"),
        forms.field("name"),
        *plain,
        forms.field("digest"),
        forms.field("size", "number"),
        *forms.in_the_name_of(),
        forms.at(),
    )


def _sources(forms: Forms) -> tuple[tuple[str, str], ...]:
    """What steps preserve, by the names that gates of the analysis know; what is lost first comes first."""
    naming = forms.naming
    titles = {one.id: one.title.lang(naming.lang) for one in naming.world.organisation.evidence_sources}
    steps = [one.step for one in naming.world.steps(forms.state).values() if one.step.preserves]
    steps.sort(key=lambda one: one.volatility or preserving.LEAST_VOLATILE)
    known = dict.fromkeys(source for one in steps for source in one.preserves)
    return tuple((one, titles.get(one, "")) for one in known)


def _came_up(one: PlannedStep, forms: Forms) -> bool:
    known = forms.state.steps.get(one.key)
    return known is not None and known.status != "waiting"


def _all(forms: Forms) -> Iterator[Doing]:
    """What concerns every item."""
    if forms.state.evidence and forms.may("evidence-verify"):
        yield forms.form("evidence-verify-all", "evidence verify")
    if forms.may("evidence-hold"):
        yield forms.form("evidence-hold", "evidence hold", forms.reason(), of="all")
        if forms.state.evidence_holds:
            holds = [
                (str(one.seq), f"#{one.seq} {forms.naming.text(one.reason, 80)}")
                for one in forms.state.evidence_holds
            ]
            which = forms.choice("hold", holds, required=True)
            yield forms.form("evidence-release", "evidence release", which, forms.reason(), of="all")


def _item(item: Evidence, forms: Forms, words: dict[str, Any]) -> Item:
    state, naming = forms.state, forms.naming
    whole = view.item_section(item, state, naming)
    first = view.line(item, naming, whole=True)
    # The number stands in the title.
    first = replace(first, text=first.text.removeprefix(item.id).lstrip())
    return Item(
        anchor=item.id.lower(),
        title=f"{item.id} {naming.text(item.name, 120) or item.source}",
        badge=" ".join(view.marks(item, naming)[:2]),
        tone="alarm" if item.doubted else "",
        lines=[first],
        more_title=words["custody"],
        more=[one for one in whole.parts if isinstance(one, Line)],
        doings=list(_doings(item, forms)) if item.disposal is None else (),
    )


def _doings(item: Evidence, forms: Forms) -> Iterator[Doing]:
    of, hidden = item.id, {"item": item.id}
    several = {"items": item.id}
    if forms.may("evidence"):
        yield forms.form(
            "evidence-transfer",
            "evidence transfer",
            forms.field("to", required=True, word="transfer-to"),
            forms.field("purpose", required=True),
            forms.field("place", required=True),
            forms.field("organisation"),
            forms.field("check", "flag"),
            forms.at(),
            of=of,
            hidden=hidden,
        )
    if forms.may("evidence-verify"):
        yield forms.form("evidence-verify", "evidence verify", of=of, hidden=several)
    if forms.may("evidence-hold"):
        yield forms.form("evidence-hold", "evidence hold", forms.reason(), of=of, hidden=several)
        if item.holds:
            yield forms.form("evidence-release", "evidence release", forms.reason(), of=of, hidden=several)
    if forms.may("evidence-dispose"):
        authority = forms.field("authority", required=True)
        yield forms.form(
            "evidence-dispose", "evidence dispose", authority, forms.reason(), of=of, hidden=hidden
        )


PAGES = (page("evidence", _sections),)
