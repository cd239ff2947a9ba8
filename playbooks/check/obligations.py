"""Obligations, and what playbooks and severity criteria say of instants, reports and impact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any, get_args
from zoneinfo import available_timezones

from jinja2 import Environment, nodes

from models.errors import BadExpression, BadInput
from models.expression import UNKNOWN, calls_in, try_all, weigh
from models.impact import KINDS, NUMBERS, SETS, TEXTS, WORDS
from models.obligation import FUNCTIONS, SUBMITTED, Deadline, Obligation, Profile, Stage, Term, overlapping
from models.playbook import SUBMITTED as SENT
from models.rules.incident import INSTANTS
from models.scope import KINDS as SCOPE_KINDS
from playbooks.check.conditions import RULE_TAKES, Asked, asked, not_asked, otherwise
from playbooks.check.view import View, twice, unknown
from playbooks.defect import Defect, Defects, one_of, quoted
from playbooks.document import Document, KeyPath
from playbooks.obligations import ObligationsFile, forms_of, merged, shipped
from playbooks.reporting import FORM_CALLS, FORM_NAMES, try_form

FILE = "obligations.yaml"
ANCHORS = frozenset({*INSTANTS, "declared"})
REVIEWED = frozenset({"cause", "entry_route"})
"""What a resolved incident says of itself, and forms ask by `review(…)`."""
FIELDS = {
    "incident": ("id", "title", "declared_at", "severity"),
    "organisation": ("name",),
    "loop": ("first", "index", "last", "length"),
}
"""What the names of a form have parts of; all others are texts and lists of texts."""
HARM: Mapping[str, object] = (
    dict.fromkeys(NUMBERS, 1)
    | {kind: words[0] for kind, words in WORDS.items()}
    | {kind: words for kind, words in SETS.items()}
    | dict.fromkeys(TEXTS, "text")
)
SAMPLES: Mapping[str, Callable[..., Any]] = dict.fromkeys(FUNCTIONS, lambda *given: True) | {
    "profile": Profile().value,
    "impact": HARM.get,
}
"""One value of the right kind for everything that a rule may ask."""
_ENVIRONMENT = Environment(autoescape=True)  # only parses: nothing is rendered by it


def defects(view: View) -> Iterator[Defect]:
    """What does not fit in `obligations.yaml`, and in what refers to obligations."""
    known = _known(view)
    if view.contents.owed is not None:
        yield from _file(view, view.document(FILE), view.contents.owed)
    yield from _shipped(view)
    yield from _severities(view)
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


def _shipped(view: View) -> Iterator[Defect]:
    """Who is to answer for a shipped rule and is nobody here. What severities are lacking: `_severities`."""
    owed = view.contents.owed
    own = {(one.id, one.edition) for one in owed.obligations} if owed else set()
    for one in merged(owed).obligations:
        if (one.id, one.edition) in own or not _reaches(one, owed.profile if owed else Profile()):
            continue
        if view.organisation is not None and one.owner not in {*view.roles, *view.people}:
            yield view.document("organisation.yaml").defect(
                ("roles",),
                f"{one.id} is to be reported by {quoted(one.owner)}, which is no role: nobody will be told",
                f"this role, or edition {one.edition} of the rule in obligations.yaml with another owner",
                severity="warning",
            )


def _reaches(one: Obligation, profile: Profile) -> bool:
    """Whether the rule may ever apply to an institution of this profile, whatever happens to it."""
    unknown = dict.fromkeys(FUNCTIONS, lambda *arguments: UNKNOWN)
    return weigh(one.applies_if, unknown | {"profile": profile.value}) is not False


def _file(view: View, document: Document, owed: ObligationsFile) -> Iterator[Defect]:
    forms = forms_of(owed)
    for number, one in enumerate(owed.obligations):
        path: KeyPath = ("obligations", number)
        yield from view.wrong_actor(document, (*path, "owner"), one.owner)
        yield from _zone(document, (*path, "zone"), one.zone)
        yield from _condition(view, document, (*path, "applies_if"), one.applies_if)
        yield from twice(document, (*path, "stages"))
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
    yield from unknown(
        document, ("without",), owed.without, {one.id for one in shipped()}, "shipped obligation"
    )
    yield from _overlaps(document, owed)
    yield from twice(document, ("forms",))
    yield from _forms(document, owed)


def _zone(document: Document, path: KeyPath, name: str) -> Iterator[Defect]:
    if name not in available_timezones():
        yield document.defect(path, f"{quoted(name)} is no zone", one_of(available_timezones(), name))


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
        where = (*path, "roll_unless")
        found = list(_asks(document, where, term.roll_unless, frozenset({"profile"})))
        yield from found or _cannot(document, where, term.roll_unless)


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
    stages = {stage.id for stage in one.stages}
    starts: set[str] = set()
    while more := {stage.id for stage in one.stages if _starts(stage.deadline, stages - starts)} - starts:
        starts |= more
    if waits := sorted(stages - starts):
        wrong = f"no clock of {', '.join(waits)} starts: the submission waited for is their own or another's"
        yield document.defect((*path, "stages"), wrong, "a first stage that counts from an instant")


def _starts(wanted: Deadline, still: set[str]) -> bool:
    """Whether something starts this deadline while the stages in `still` are not submitted."""
    waits = {f"{SUBMITTED}{stage}" for stage in still}
    if not wanted.terms:
        return not waits & {wanted.on, wanted.at_once}
    free = [not waits & {term.from_, *term.requires} for term in wanted.terms]
    return any(free) if wanted.earliest else all(free)


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
    asked_for = _asked_for(owed)
    for number, form in enumerate(owed.forms):
        yield from twice(document, ("forms", number, "items"))
        for place, item in enumerate(form.items):
            for lang in ("ja", "en"):
                found = _text(item.text.lang(lang), asked_for)
                if found is not None:
                    yield document.defect(("forms", number, "items", place, "text"), *found)
                    break


def _asked_for(owed: ObligationsFile) -> Mapping[str, frozenset[str]]:
    """What each call of a form may be given."""
    stages = {stage.id for one in merged(owed).obligations for stage in one.stages}
    return {
        "instant": ANCHORS,
        "impact": frozenset(KINDS),
        "scope": frozenset(SCOPE_KINDS),
        "review": REVIEWED,
        "submitted": frozenset(stages),
    }


def _text(source: str, asked_for: Mapping[str, frozenset[str]]) -> tuple[str, str] | None:
    """What is wrong with the text of a form, and what is expected in its place."""
    try:
        try_form(source)
    except BadInput as wrong:
        return str(wrong), f"names {', '.join(FORM_NAMES)} and {', '.join(sorted(FORM_CALLS))}(…)"
    return next(_nothing(source, asked_for), None)


def _nothing(source: str, asked_for: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    """What the text asks for though there is no such thing: `gap` would mark it as unknown for ever."""
    tree = _ENVIRONMENT.parse(source)
    names = list(tree.find_all(nodes.Name))
    known = {*FORM_NAMES, *FORM_CALLS, "loop", *(one.name for one in names if one.ctx == "store")}
    for one in names:
        if one.name not in known:
            yield f"asks for {quoted(one.name)}, which there is not", one_of(known, one.name)
    for node in tree.find_all(nodes.Getattr):
        owner = node.node.name if isinstance(node.node, nodes.Name) else "this"
        fields = FIELDS.get(owner, ())
        if node.attr not in fields:
            yield f"asks for {quoted(node.attr)}, which {owner} does not have", one_of(fields, node.attr)
    for call in tree.find_all(nodes.Call):
        function = call.node.name if isinstance(call.node, nodes.Name) else ""
        given = call.args[0].value if call.args and isinstance(call.args[0], nodes.Const) else None
        if given not in asked_for[function]:
            yield f"{function}({quoted(given)}) is never known", one_of(asked_for[function], str(given))


# -- conditions ---------------------------------------------------------------------------------------------


def _asks(document: Document, path: KeyPath, source: str, known: frozenset[str]) -> Iterator[Defect]:
    try:
        calls_in(source, known)
    except BadExpression as wrong:
        yield document.defect(path, str(wrong), f"a condition over {', '.join(sorted(known))}")
        return
    yield from (document.defect(path, *one) for one in not_asked(source, RULE_TAKES))
    for call in asked(source):
        if None in call.arguments:  # what is asked of a rule is a name, and none that is worked out
            yield document.defect(path, *otherwise(call, RULE_TAKES[call.function]))
        yield from _profile(document, path, call)


def _cannot(document: Document, path: KeyPath, source: str) -> Iterator[Defect]:
    """A comparison of what cannot be compared, such as a text and a number: it would never be evaluated."""
    try:
        try_all(source, SAMPLES)
    except BadExpression as wrong:
        yield document.defect(path, str(wrong), "a comparison of things of one kind")


def _condition(view: View, document: Document, path: KeyPath, source: str) -> Iterator[Defect]:
    found = list(_asks(document, path, source, FUNCTIONS))
    yield from found
    if found:
        return
    found = [document.defect(path, *one) for one in _compared(source)]
    for call in asked(source):
        if call.function == "impact" and call.arguments[0] not in KINDS:
            name = call.arguments[0] or ""
            found.append(document.defect(path, f"impact({quoted(name)}) is not known", one_of(KINDS, name)))
        found += _named(view, document, path, call)
    yield from found or _cannot(document, path, source)


def _profile(document: Document, path: KeyPath, call: Asked) -> Iterator[Defect]:
    if call.function != "profile" or not call.arguments:
        return
    name = call.arguments[0] or ""
    fields = {field.replace("_", "-") for field in Profile.model_fields}
    if name.replace("_", "-") not in fields:
        yield document.defect(path, f"profile({quoted(name)}) is not known", one_of(fields, name))
    sectors = get_args(Profile.model_fields["sector"].annotation)
    for word in call.equals if name == "sector" else ():
        if word not in sectors:
            yield document.defect(path, f"profile(sector) is never {quoted(word)}", one_of(sectors, word))


# -- what impact is compared with ---------------------------------------------------------------------------


def _compared(source: str) -> Iterator[tuple[str, str]]:
    """Comparisons with impact that can never hold, on whichever side it stands."""
    for compare in _ENVIRONMENT.parse("{{ (" + source + ") }}").find_all(nodes.Compare):
        left = compare.expr
        for operand in compare.ops:
            within = operand.op in ("in", "notin")
            yield from _never(_impact(left), operand.expr, listed=False)
            yield from _never(_impact(operand.expr), left, listed=within)
            left = operand.expr


def _impact(node: nodes.Expr) -> str | None:
    """The kind of harm that is asked for here."""
    if not (
        isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "impact"
    ):
        return None
    return str(node.args[0].value) if isinstance(node.args[0], nodes.Const) else None


def _never(kind: str | None, other: nodes.Expr, *, listed: bool) -> Iterator[tuple[str, str]]:
    """`listed`: `other` is looked for among what is known of this kind."""
    if kind is not None and kind in SETS and not listed:
        yield f"impact({kind}) holds several words", f'"{SETS[kind][0]}" in impact("{kind}")'
        return
    words = {**WORDS, **SETS}.get(kind or "", ())
    for value in _constants(other):
        if kind in NUMBERS and not isinstance(value, (int, float)):
            yield f"impact({kind}) is a number and never {quoted(value)}", "a number without quotes"
        elif words and value not in words:
            yield f"impact({kind}) is never {quoted(value)}", one_of(words, str(value))


def _constants(node: nodes.Expr) -> Iterator[object]:
    for item in node.items if isinstance(node, (nodes.List, nodes.Tuple)) else [node]:
        if isinstance(item, nodes.Const):
            yield item.value


# -- what a condition names ---------------------------------------------------------------------------------


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


def _severities(view: View) -> Iterator[Defect]:
    """A shipped rule that asks for a severity that is none here never holds: that is said, once for each."""
    severity = view.contents.severity
    if severity is None:
        return
    lacking: dict[str, set[str]] = {}
    for one in _shipped_here(view.contents.owed):
        for call in asked(one.applies_if):
            name = call.arguments[0] if call.function == "severity_at_least" else None
            if name is not None and name not in {each.id for each in severity.severities}:
                lacking.setdefault(name, set()).add(one.id)
    for name, ids in sorted(lacking.items()):
        yield view.document("severity.yaml").defect(
            ("severities",),
            f"{', '.join(sorted(ids))} asks for at least {quoted(name)}, which is no severity here",
            "obligations of your own in their place, with a severity of yours",
            severity="warning",
        )


def _shipped_here(owed: ObligationsFile | None) -> Iterator[Obligation]:
    """Shipped obligations that no own one takes the place of, and that are not left out."""
    try:
        found = merged(owed)
    except Defects:
        return
    origins = found.origins
    yield from (one for one in found.obligations if origins[one.id, one.edition.isoformat()] == "shipped")


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
