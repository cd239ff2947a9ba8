"""What concerns the whole incident, as forms: its severity, its people, its times, its phases, its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.views import stepcards
from console.web.doing import Doing, Forms
from models.rules.incident import INSTANTS, RELATIONS
from models.state import ENDED


def groups(forms: Forms) -> list[dict[str, Any]]:
    """The forms that the person may use now, in groups; an empty group is left out."""
    found = {
        "known": list(_known(forms)),
        "people": list(_people(forms)),
        "plan": list(_plan(forms)),
        "end": list(_end(forms)),
    }
    return [
        {"id": name, "title": forms.words["group"][name], "forms": many}
        for name, many in found.items()
        if many
    ]


def _known(forms: Forms) -> Iterator[Doing]:
    """What is known of the matter."""
    policy, lang = forms.naming.world.policy, forms.naming.lang
    if forms.may("note"):
        text = forms.field("text", "area", required=True, word="note-text")
        yield forms.form("note", "note", text, forms.at(), forms.field("said_by"), forms.field("source"))
    if forms.state.status in ENDED:
        return
    if forms.may("severity"):
        severities = [(one.id, one.title.lang(lang)) for one in policy.severity.severities]
        impacts = [(one.id, one.title.lang(lang)) for one in policy.severity.impacts]
        urgencies = [(one.id, one.title.lang(lang)) for one in policy.severity.urgencies]
        yield forms.form(
            "severity",
            "severity",
            forms.choice("severity", severities),
            forms.choice("impact", impacts, word="impact-scale"),
            forms.choice("urgency", urgencies),
            forms.reason(),
        )
    if forms.may("instant"):
        names = forms.worded("words.instant", INSTANTS)
        time = forms.field("time.local", "local", required=True)
        source = forms.field("source", required=True)
        yield forms.form(
            "instant", "instant", forms.choice("name", names, required=True, word="instant"), time, source
        )


def _people(forms: Forms) -> Iterator[Doing]:
    """Who leads, who writes, who may know."""
    state, naming = forms.state, forms.naming
    for fact, one in state.confirmations.items():
        if one.person == forms.person:
            yield forms.form("confirm", "confirm", of=str(fact), hidden={"fact": str(fact)})
    if state.status in ENDED:
        return
    if forms.may("role"):
        roles = [(one, naming.who(one)) for one in ("commander", "scribe")]
        yield forms.form("role", "role", forms.choice("role", roles, required=True), forms.someone())
    if forms.may("restrict"):
        to = forms.field("to", "checks", options=forms.people, word="restrict-to")
        if state.restriction.on:
            yield forms.form("unrestrict", "restrict", forms.reason(), hidden={"lift": "on"})
        yield forms.form("restrict", "restrict", to, forms.reason())


def _plan(forms: Forms) -> Iterator[Doing]:
    """What is to be done: a step that no playbook foresaw, another playbook, a phase taken up again."""
    state, naming = forms.state, forms.naming
    phases = [(one, naming.phase(one)) for one in stepcards.ORDER]
    if state.status in {"open", "resolved"} and forms.may("step-add"):
        roles = [(one.id, one.title.lang(naming.lang)) for one in naming.world.organisation.roles]
        yield forms.form(
            "step-add",
            "step add",
            forms.field("title", required=True),
            forms.field("step", required=True, word="step-id"),
            forms.choice("phase", phases, required=True),
            forms.choice("owner", roles, required=True, word="owner-role"),
            forms.field("within"),
            forms.reason(),
        )
    if state.status == "open" and forms.may("playbook"):
        library = forms.ask.house.institution.playbooks
        others = [
            (one, each.title.lang(naming.lang)) for one, each in library.items() if one not in state.playbooks
        ]
        yield forms.form("playbook-add", "playbook add", _playbook(forms, others), forms.reason())
        carried = [(one, naming.playbook(one)) for one in state.playbooks]
        yield forms.form("playbook-move", "playbook move", _playbook(forms, carried), forms.reason())
        if len(carried) > 1:
            yield forms.form("playbook-drop", "playbook drop", _playbook(forms, carried), forms.reason())
    if forms.may("reopen") and state.status not in ENDED:
        decline = forms.field("decline", "flag")
        phase = forms.choice("phase", phases)
        yield forms.form("reopen", "reopen", phase, decline, forms.reason())


def _playbook(forms: Forms, options: list[tuple[str, str]]) -> Any:
    return forms.choice("name", options, required=True, word="playbook")


def _end(forms: Forms) -> Iterator[Doing]:
    """How it ends, or goes on elsewhere."""
    state = forms.state
    other = forms.field("other", required=True, word="other-incident")
    if state.status == "open" and forms.may("resolve"):
        cause, route = (forms.field(one, "area", required=True) for one in ("cause", "entry_route"))
        yield forms.form("resolve", "resolve", cause, route, forms.field("watch"))
    if state.status == "resolved" and forms.may("close"):
        assessment = forms.field("assessment", "area", required=True)
        yield forms.form("close", "close", assessment, forms.field("spread", "area"))
    if state.status not in ENDED and forms.may("link"):
        relations = forms.worded("words.relation", RELATIONS)
        yield forms.form("link", "link", other, forms.choice("relation", relations))
    if state.status == "open":
        if forms.may("merge"):
            into = forms.field("into", required=True, word="other-incident")
            yield forms.form("merge", "merge", into, forms.reason())
        if forms.may("dismiss"):
            yield forms.form("dismiss", "dismiss", forms.reason())
        if forms.may("cancel"):
            yield forms.form("cancel", "cancel", forms.reason())
