"""Obligations, and what playbooks and severity criteria say of instants, reports and impact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from models.errors import BadExpression, BadInput
from models.expression import calls_in
from models.impact import KINDS, SETS, WORDS
from models.obligation import FUNCTIONS, SUBMITTED, Obligation, Profile, Stage, Term, overlapping
from models.playbook import SUBMITTED as SENT
from models.rules.incident import INSTANTS
from playbooks.check.conditions import Asked, asked
from playbooks.check.view import View
from playbooks.defect import Defect, Defects, one_of, quoted
from playbooks.document import Document, KeyPath
from playbooks.obligations import ObligationsFile, forms_of, merged
from playbooks.reporting import FORM_CALLS, FORM_NAMES, try_form

FILE = "obligations.yaml"
ANCHORS = frozenset({*INSTANTS, "declared"})


def defects(view: View) -> Iterator[Defect]:
    """What does not fit in `obligations.yaml`, and in what refers to obligations."""
    known = _known(view)
    if view.contents.owed is not None:
        yield from _file(view, view.document(FILE), view.contents.owed)
    yield from _proposals(view)
    yield from _playbooks(view, known)


def _known(view: View) -> Mapping[str, frozenset[str]]:
    """Every obligation by id with the stages of all its editions."""
    try:
        found = merged(view.contents.owed).obligations
    except Defects:
        return {}
    stages: dict[str, set[str]] = {}
    for one in found:
        stages.setdefault(one.id, set()).update(stage.id for stage in one.stages)
    return {name: frozenset(many) for name, many in stages.items()}


def _file(view: View, document: Document, owed: ObligationsFile) -> Iterator[Defect]:
    forms = forms_of(owed)
    for number, one in enumerate(owed.obligations):
        path: KeyPath = ("obligations", number)
        yield from view.wrong_actor(document, (*path, "owner"), one.owner)
        yield from _condition(view, document, (*path, "applies_if"), one.applies_if)
        if one.form is not None and one.form not in forms:
            yield document.defect((*path, "form"), f"{quoted(one.form)} is no form", one_of(forms, one.form))
        if one.party is not None and view.organisation is not None and one.party not in view.parties:
            yield document.defect(
                (*path, "party"),
                f"{quoted(one.party)} is no third party of organisation.yaml: nobody will find its telephone",
                one_of(view.parties, one.party),
                severity="warning",
            )
        for place, stage in enumerate(one.stages):
            yield from _stage(view, document, (*path, "stages", place), one, stage, forms)
        yield from _circle(document, path, one)
    yield from _overlaps(document, owed)
    yield from _forms(document, owed)


def _stage(
    view: View, document: Document, path: KeyPath, one: Obligation, stage: Stage, forms: Mapping[str, object]
) -> Iterator[Defect]:
    if stage.applies_if is not None:
        yield from _condition(view, document, (*path, "applies_if"), stage.applies_if)
    if stage.form is not None and stage.form not in forms:
        yield document.defect((*path, "form"), f"{quoted(stage.form)} is no form", one_of(forms, stage.form))
    for kind in ("on", "at_once"):
        name = getattr(stage.deadline, kind)
        if name is not None:
            yield from _anchor(document, (*path, "deadline", kind), name, one)
    kind = "earliest" if stage.deadline.earliest else "latest"
    for number, term in enumerate(stage.deadline.terms):
        yield from _term(document, (*path, "deadline", kind, number), term, one)


def _term(document: Document, path: KeyPath, term: Term, one: Obligation) -> Iterator[Defect]:
    yield from _anchor(document, (*path, "from"), term.from_, one)
    for number, name in enumerate(term.requires):
        yield from _anchor(document, (*path, "requires", number), name, one)
    if term.within_of is not None:
        for field in ("instant", "of"):
            yield from _anchor(document, (*path, "within_of", field), getattr(term.within_of, field), one)
    if term.roll_unless is not None:
        yield from _asks(document, (*path, "roll_unless"), term.roll_unless, frozenset({"profile"}))


def _anchor(document: Document, path: KeyPath, name: str, one: Obligation) -> Iterator[Defect]:
    if name.startswith(SUBMITTED):
        stages = [stage.id for stage in one.stages]
        stage = name.removeprefix(SUBMITTED)
        if stage not in stages:
            yield document.defect(path, f"{one.id} has no stage {quoted(stage)}", one_of(stages, stage))
    elif name not in ANCHORS:
        yield document.defect(path, f"{quoted(name)} is no instant of an incident", one_of(ANCHORS, name))


def _circle(document: Document, path: KeyPath, one: Obligation) -> Iterator[Defect]:
    """Stages that wait for each other's submission never start."""
    waits = {
        stage.id: {
            term.from_.removeprefix(SUBMITTED)
            for term in stage.deadline.terms
            if term.from_.startswith(SUBMITTED)
        }
        for stage in one.stages
    }
    for stage in one.stages:
        seen: set[str] = set()
        todo = list(waits[stage.id])
        while todo:
            name = todo.pop()
            if name == stage.id:
                wrong = f"stage {stage.id} waits for its own submission, by way of {', '.join(sorted(seen))}"
                yield document.defect((*path, "stages"), wrong, "a first stage that counts from an instant")
                return
            if name not in seen:
                seen.add(name)
                todo.extend(waits.get(name, ()))


def _overlaps(document: Document, owed: ObligationsFile) -> Iterator[Defect]:
    for (first, one), (second, other) in combinations(enumerate(owed.obligations), 2):
        if one.id == other.id and (one.edition == other.edition or overlapping(one, other)):
            line = document.place(("obligations", first))[0]
            yield document.defect(
                ("obligations", second, "effective_from"),
                f"two editions of {one.id} are in force on the same day (see line {line})",
                "an `effective_to` of the older one that lies before",
            )
    own = {(one.id, one.edition) for one in owed.obligations}
    for number, one in enumerate(owed.obligations):
        for other in merged(owed).obligations:
            if (other.id, other.edition) not in own and overlapping(one, other):
                yield document.defect(
                    ("obligations", number, "edition"),
                    f"the shipped edition {other.edition} of {one.id} is in force on the same days",
                    f"edition: {other.edition} to take its place, or its id in `without`",
                )


def _forms(document: Document, owed: ObligationsFile) -> Iterator[Defect]:
    for number, form in enumerate(owed.forms):
        for place, item in enumerate(form.items):
            for lang in ("ja", "en"):
                try:
                    try_form(item.text.lang(lang))
                except BadInput as wrong:
                    known = f"names {', '.join(FORM_NAMES)} and {', '.join(sorted(FORM_CALLS))}(…)"
                    yield document.defect(("forms", number, "items", place, "text"), str(wrong), known)
                    break


# -- conditions ---------------------------------------------------------------------------------------------


def _asks(document: Document, path: KeyPath, source: str, known: frozenset[str]) -> Iterator[Defect]:
    try:
        calls_in(source, known)
    except BadExpression as wrong:
        yield document.defect(path, str(wrong), f"a condition over {', '.join(sorted(known))}")
        return
    for call in asked(source):
        yield from _profile(document, path, call)


def _condition(view: View, document: Document, path: KeyPath, source: str) -> Iterator[Defect]:
    found = list(_asks(document, path, source, FUNCTIONS))
    yield from found
    if found:
        return
    for call in asked(source):
        yield from _impact(document, path, call)
        yield from _named(view, document, path, call)


def _profile(document: Document, path: KeyPath, call: Asked) -> Iterator[Defect]:
    name = call.arguments[0] if call.arguments else None
    fields = {field.replace("_", "-") for field in Profile.model_fields}
    if call.function == "profile" and (name or "").replace("_", "-") not in fields:
        yield document.defect(path, f"profile({quoted(name)}) is not known", one_of(fields, name or ""))


def _impact(document: Document, path: KeyPath, call: Asked) -> Iterator[Defect]:
    if call.function != "impact":
        return
    kind = call.arguments[0] if call.arguments else None
    if kind not in KINDS:
        yield document.defect(path, f"impact({quoted(kind)}) is not known", one_of(KINDS, kind or ""))
        return
    words = {**WORDS, **SETS}.get(kind, ())
    for word in call.equals if words else ():
        if word not in words:
            yield document.defect(path, f"impact({kind}) is never {quoted(word)}", one_of(words, word))


def _named(view: View, document: Document, path: KeyPath, call: Asked) -> Iterator[Defect]:
    name = call.arguments[0] if call.arguments else None
    severities = [one.id for one in view.contents.severity.severities] if view.contents.severity else []
    lists: dict[str, tuple[str, frozenset[str]]] = {
        "playbook": ("playbook", view.playbooks),
        "affected": ("service", view.services if view.organisation else frozenset()),
        "severity_at_least": ("severity", frozenset(severities)),
        "known": ("instant", ANCHORS),
    }
    what, known = lists.get(call.function, ("", frozenset()))
    if known and name not in known:
        yield document.defect(path, f"{quoted(name)} is no {what}", one_of(known, name or ""))


def _proposals(view: View) -> Iterator[Defect]:
    severity = view.contents.severity
    for number, one in enumerate(severity.proposals if severity else ()):
        yield from _condition(view, view.document("severity.yaml"), ("proposals", number, "when"), one.when)


# -- what playbooks refer to --------------------------------------------------------------------------------


def _playbooks(view: View, known: Mapping[str, frozenset[str]]) -> Iterator[Defect]:
    for entry in view.contents.entries.values():
        for number, step in enumerate(entry.playbook.steps):
            path: KeyPath = ("steps", number)
            for place, field in enumerate(step.record):
                if field.instant is not None and field.instant not in {*INSTANTS, SENT}:
                    where = (*path, "record", place, "instant")
                    expected = one_of({*INSTANTS, SENT}, field.instant)
                    yield entry.document.defect(where, f"{quoted(field.instant)} is no instant", expected)
            for place, named in enumerate(step.reports):
                yield from _reported(entry.document, (*path, "reports", place), named, known)
            for place, option in enumerate(step.options):
                for name in option.judges:
                    if known and name not in known:
                        where = (*path, "options", place, "judges", name)
                        yield entry.document.defect(
                            where, f"{quoted(name)} is no obligation", one_of(known, name), severity="warning"
                        )


def _reported(
    document: Document, path: KeyPath, named: str, known: Mapping[str, frozenset[str]]
) -> Iterator[Defect]:
    """A shipped playbook may name what the institution has left out: that is no defect, but is said."""
    name, _, stage = named.partition("/")
    if known and name not in known:
        yield document.defect(
            path, f"{quoted(name)} is no obligation", one_of(known, name), severity="warning"
        )
    elif known and stage not in known[name]:
        yield document.defect(path, f"{name} has no stage {quoted(stage)}", one_of(known[name], stage))
