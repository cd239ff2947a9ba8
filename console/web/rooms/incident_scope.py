"""What an incident has reached: services, the harm, hosts, accounts, indicators, third parties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.cli.harm import SIDES, SURE
from console.views import harm
from console.views import scope as view
from console.views.sheet import Line
from console.web.doing import Doing, Forms, Input
from console.web.rooms.items import page, section
from models.impact import KINDS as HARMS
from models.scope import KINDS

MAX_LINES = 200


def _sections(forms: Forms, words: dict[str, Any]) -> list[dict[str, Any]]:
    state, naming = forms.state, forms.naming
    return [
        section("scope", words["scope"], lines=_scope(forms, words), doings=_scoping(forms)),
        section("services", words["services"], lines=harm.in_order(state, naming), doings=_services(forms)),
        section("harm", words["harm"], lines=harm.impact(state, naming), doings=_harm(forms)),
        section("parties", words["parties"], lines=harm.vendors(state, naming), doings=_parties(forms)),
    ]


def _scope(forms: Forms, words: dict[str, Any]) -> list[Line]:
    """What is open first; of more than a page can bear only how many they are."""
    items = sorted(view.chosen(forms.state), key=lambda one: one.settled)
    found = list(view.lines(items[:MAX_LINES], forms.naming))
    if len(items) > MAX_LINES:
        found.append(Line(text=words["left"].format(n=len(items) - MAX_LINES), style="dim"))
    return found


def _which(forms: Forms) -> Input:
    return forms.field("number", required=True, word="scope-number")


def _scoping(forms: Forms) -> Iterator[Doing]:
    kinds = forms.worded("words.scope", KINDS)
    sure = forms.worded("clocks.confidence", SURE)
    known = (
        forms.field("first_seen.local", "local"),
        forms.field("last_seen.local", "local"),
        forms.choice("confidence", sure),
        forms.field("source", word="scope-source"),
        forms.field("evidence", word="scope-evidence"),
        forms.choice("party", forms.parties),
        forms.field("note"),
    )
    if forms.may("scope"):
        kind = forms.choice("kind", kinds, required=True, word="scope-kind")
        name = forms.field("name", required=True, word="scope-name")
        yield forms.form("scope-add", "scope add", kind, name, *known)
        file = forms.field("file", "file", required=True)
        yield forms.form("scope-import", "scope import", file, forms.field("dry_run", "flag"))
    if not forms.state.scope:
        return
    if forms.may("scope"):
        fix = (forms.field("text", "area", required=True, word="fix"), forms.field("step", word="fix-step"))
        shown = forms.field("evidence", word="scope-evidence")
        yield forms.form("scope-fix", "scope fix", _which(forms), *fix, shown)
        yield forms.form("scope-update", "scope update", _which(forms), *known)
    if forms.may("scope-accept"):
        yield forms.form("scope-accept", "scope accept", _which(forms), forms.reason())
    if forms.may("scope-retract"):
        yield forms.form("scope-retract", "scope retract", _which(forms), forms.reason())


def _services(forms: Forms) -> Iterator[Doing]:
    any_service = forms.choice("service", forms.services, required=True)
    affected = tuple(one for one in forms.services if one[0] in forms.state.services)
    one_of_them = forms.choice("service", affected, required=True)
    level, note = forms.field("level"), forms.field("note")
    if forms.may("service"):
        since = forms.field("since.local", "local")
        yield forms.form("service-impact", "service impact", any_service, since, level, note)
    if not affected:
        return
    if forms.may("service"):
        needed = forms.field("level", required=True)
        yield forms.form("service-level", "service level", one_of_them, needed, note, forms.at())
        yield forms.form("service-restored", "service restored", one_of_them, note, forms.at())
        yield forms.form("service-works", "service works", one_of_them)
        yield forms.form("service-fails", "service fails", one_of_them)
        sides = [(one, forms.words["sides"][one]) for one in SIDES]
        side = forms.choice("side", sides, required=True)
        yield forms.form("service-confirm", "service confirm", one_of_them, side)
    if forms.may("forecast"):
        time = forms.field("time.local", "local", required=True, word="eta")
        yield forms.form("service-eta", "service eta", one_of_them, time)


def _harm(forms: Forms) -> Iterator[Doing]:
    if forms.may("impact"):
        kinds = forms.worded("clocks.impact", HARMS)
        yield forms.form(
            "impact",
            "impact set",
            forms.choice("kind", kinds, required=True, word="impact-kind"),
            forms.field("value", required=True),
            forms.field("source", required=True),
            forms.choice("confidence", forms.worded("clocks.confidence", SURE)),
        )
    if forms.may("recovery-point"):
        words = forms.words["checked"]
        clean = [(one, words[one]) for one in ("clean", "unknown")]
        yield forms.form(
            "backup",
            "backup set",
            forms.choice("service", forms.services, required=True),
            forms.field("number", required=True),
            forms.field("time.local", "local", required=True, word="backup-time"),
            forms.choice("tamper", [*clean, ("tampered", words["tampered"])]),
            forms.choice("malware", [*clean, ("infected", words["infected"])]),
        )


def _parties(forms: Forms) -> Iterator[Doing]:
    party = forms.choice("party", forms.parties, required=True)
    if forms.may("vendor"):
        asked = [(one, forms.words["asked"][one]) for one in ("notice", "logs")]
        what = forms.choice("what", asked, required=True)
        yield forms.form("vendor-asked", "vendor asked", party, what, forms.at())
        yield forms.form("vendor-answered", "vendor answered", party, what, forms.at())
    if forms.may("party-notice") and forms.state.party_notices:
        yield forms.form("vendor-not-due", "vendor not-due", party, forms.reason())


PAGES = (page("scope", _sections),)
