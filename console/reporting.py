"""Drafting a report to an authority from the record. A draft is a document beside the record; nothing is
sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from console.export import escape
from console.opening import House
from console.texts import texts
from console.views.naming import Naming
from console.views.scope import name as scope_name
from models.canonical import document_digest
from models.clocks.owed import find_obligation
from models.clocks.services import downtime
from models.errors import NotFound
from models.frozen import Document
from models.impact import NOT_KNOWN
from models.obligation import Obligation
from models.scope import is_of
from models.state import Incident
from playbooks.obligations import Form, forms_of
from playbooks.reporting import draft_report

GENERIC = "generic"
MEDIA = "text/markdown"
BY_PLAYBOOK = {"ransomware": "common-ransomware", "ddos": "common-ddos"}
"""The common forms differ by the kind of attack; the obligation names the one for all others."""
COMMON = "common-other"
MAX_LISTED = 20


def make_draft(house: House, state: Incident, name: str, stage: str, lang: str) -> Document:
    """The draft in `ja` or `en`, in UTF-8, to be stored with the fact that names it. Raises NotFound."""
    desk = house.desk
    naming = Naming(texts=texts(lang), world=desk.world(state), state=state, beside=desk.texts(state.stream))
    one = find_obligation(state, naming.world, name)
    found = one.stage(stage) if one is not None else None
    if one is None or found is None:
        raise NotFound(
            f"there is no report {name}/{stage} here; `hikeshi report list {state.stream}` shows all"
        )
    forms = forms_of(house.institution.owed)
    form = _form(forms, found.form or one.form or GENERIC, state)
    text = draft_report(form, names(one, stage, state, naming), lang)
    return Document(digest=document_digest(text.encode()), body=text.encode())


def _form(forms: Mapping[str, Form], name: str, state: Incident) -> Form:
    if name == COMMON:
        name = next((form for book, form in BY_PLAYBOOK.items() if book in state.playbooks), name)
    return forms.get(name, forms[GENERIC])


def names(one: Obligation, stage: str, state: Incident, naming: Naming) -> Mapping[str, Any]:
    """What a form's texts may use; what nobody knows is None, and shows as a gap.

    What people wrote is escaped as in an export: a draft goes to an authority, and nothing in it is a link.
    """
    known = state.obligations.get(one.id)
    found = one.stage(stage)

    def at(instant: datetime | None) -> str | None:
        return naming.times.at(instant) if instant is not None else None

    def submitted(name: str) -> str | None:
        report = known.reports.get(name) if known is not None else None
        return at(report.submitted[-1].at) if report is not None and report.submitted else None

    return {
        "incident": {
            "id": state.stream,
            "title": escape(naming.text(state.title)),
            "declared_at": at(state.declared_at),
            "severity": naming.severity(state.severity) or None,
        },
        "organisation": {"name": naming.world.organisation.name.lang(naming.lang)},
        "stage": found.title.lang(naming.lang) if found is not None else stage,
        "now": naming.times.at(naming.now),
        "instant": lambda name: at(state.instants.get(name)),
        "impact": lambda kind: impact_words(kind, state, naming),
        "scope": lambda kind: [
            escape(scope_name(item, naming)) for item in state.scope.values() if is_of(item, kind)
        ],
        "review": lambda name: escape(naming.text(state.review.get(name))) or None,
        "submitted": submitted,
        "services": [
            naming.service(name) for name, one in state.services.items() if one.down_since or one.since
        ],
        "downtime": _downtime(state, naming),
        "evidence": str(len(state.evidence)),
        "decisions": list(_decisions(state, naming)),
        "steps_done": list(_steps_done(state, naming)),
        "recovery": list(_recovery(state, naming)),
        "reported": list(_reported(state, naming, one.id)),
        "improvements": list(state.improvements),
    }


def impact_words(kind: str, state: Incident, naming: Naming) -> str | None:
    """What is known of one kind of harm, in words; None if nothing is."""
    found = state.impacts.get(kind)
    if found is None or found.value == NOT_KNOWN:
        return None
    if isinstance(found.value, list):
        return naming.texts("words.comma").join(naming.texts.word("clocks.value", one) for one in found.value)
    if found.value.isdigit():
        return f"{int(found.value):,}"
    return escape(naming.texts.word("clocks.value", naming.text(found.value)))


def _downtime(state: Incident, naming: Naming) -> str | None:
    spans = [downtime(one, naming.now) for one in state.services.values() if one.down_since is not None]
    return naming.times.span(max(spans)) if spans else None


def _decisions(state: Incident, naming: Naming) -> Iterator[str]:
    for known in list(state.steps.values()):
        planned = naming.planned(known.key)
        if known.choice is None or planned is None:
            continue
        chosen = next((option for option in planned.step.options if option.id == known.choice), None)
        title = chosen.title.lang(naming.lang) if chosen is not None else known.choice
        yield escape(f"{naming.title(planned)}: {title}")


def _steps_done(state: Incident, naming: Naming) -> Iterator[str]:
    done = [known for known in state.steps.values() if known.status == "done"][-MAX_LISTED:]
    for known in done:
        planned = naming.planned(known.key)
        if planned is not None and planned.step.kind in {"manual", "notice"}:
            yield escape(naming.title(planned))


def _recovery(state: Incident, naming: Naming) -> Iterator[str]:
    for name, one in state.services.items():
        if one.targets is None:
            continue
        said = f"{naming.service(name)}: {naming.level(name, one.level)}"
        if one.forecast is not None:
            said += f" ({naming.texts('clocks.forecast', at=naming.times.at(one.forecast.at))})"
        yield escape(said)


def _reported(state: Incident, naming: Naming, own: str) -> Iterator[str]:
    for name, known in state.obligations.items():
        sent = [one.at for report in known.reports.values() for one in report.submitted]
        if name != own and sent:
            yield f"{naming.obligation(name)} {naming.times.at(min(sent))}"
