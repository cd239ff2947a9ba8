"""Steps in words: what is ready for whom, the list of all, and one step with everything that it asks."""

from __future__ import annotations

from collections.abc import Iterator

from console.views import answers, preserving
from console.views.causes import cause
from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Style, Table
from models.plan import PlannedStep
from models.policy import PHASES
from models.state import SETTLED, Incident, StepState
from notifiers.factorwords import is_unknown

_STYLES: dict[str, Style] = {
    "ready": "strong",
    "started": "strong",
    "held": "warn",
    "failed": "bad",
    "unknown": "bad",
    "done": "good",
    "waiting": "dim",
    "skipped": "dim",
    "not-applicable": "dim",
}


def owner_of(known: StepState | None, planned: PlannedStep) -> str | None:
    """Who acts: the person it was given to, else the role that the playbook names; None is a machine."""
    return (known.owner if known else None) or planned.step.acts


def ready_by_owner(state: Incident, naming: Naming) -> Iterator[Line]:
    """Steps that can be done now, under whoever does them; decisions stand apart."""
    groups: dict[str, list[Line]] = {}
    for known in state.steps.values():
        planned = naming.planned(known.key)
        if planned is None or planned.step.kind in {"decision", "call"}:
            continue
        if known.status in {"ready", "started", "failed", "unknown"}:
            owner = owner_of(known, planned)
            title = naming.holders(owner) if owner else naming.texts("words.machine")
            groups.setdefault(title, []).extend(_ready(known, planned, naming))
    for owner, lines in groups.items():
        yield Line(text=owner, style="strong")
        yield from lines
    if groups:
        yield Line(text=naming.texts("words.steps_how", incident=state.stream), style="dim")


def _ready(known: StepState, planned: PlannedStep, naming: Naming) -> Iterator[Line]:
    status = answers.status(known, naming)
    limit = f"  {naming.times.left(known.limit_at, naming.now)}" if known.limit_at else ""
    late = known.overdue or known.status in {"failed", "unknown"}
    by = f"  {naming.who(known.started_by)}" if known.status == "started" and not known.node else ""
    error = f"  {naming.text(known.error, 200)}" if known.error else ""
    yield Line(
        text=f"・{naming.step(known.key)}  {status}{by}{limit}{error}",
        style="bad" if late else "plain",
        indent=1,
    )
    yield from answers.of_step(known, planned, naming)


def listing(state: Incident, naming: Naming, *, everything: bool) -> Section:
    """All steps by phase; settled ones only with `everything`."""
    rows = []
    planned = naming.world.steps(state).values()
    for phase in (*PHASES, "communication"):
        for one in planned:
            known = state.steps.get(one.key)
            settled = known is not None and known.status in SETTLED
            if one.step.phase == phase and (everything or not settled):
                rows.append(_row(known, one, naming))
    headers = ("phase", "status", "key", "title", "who", "limit")
    title = naming.texts("words.title.steps")
    if not rows:
        return Section(title=title, parts=(Line(text=naming.texts("words.none")),))
    names = tuple(naming.texts.word("words.column", name) for name in headers)
    return Section(title=title, parts=(Table(headers=names, rows=tuple(rows), whole=(0, 1)),))


def _row(known: StepState | None, planned: PlannedStep, naming: Naming) -> Row:
    status = known.status if known else "waiting"
    owner = owner_of(known, planned)
    limit = naming.times.left(known.limit_at, naming.now) if known and known.limit_at else ""
    return Row(
        cells=(
            naming.phase(planned.step.phase),
            answers.status(known, naming),
            planned.key,
            naming.title(planned),
            naming.who(owner) if owner else naming.texts("words.machine"),
            limit,
        ),
        style=_STYLES[status],
    )


def whole(state: Incident, planned: PlannedStep, naming: Naming) -> list[Line]:
    """One step as somebody needs it who has to do it now."""
    step, texts, lang = planned.step, naming.texts, naming.lang
    known = state.steps.get(planned.key) or StepState(key=planned.key)
    owner = owner_of(known, planned)
    lines = [
        Line(text=naming.step(planned.key), style="strong"),
        Line(text=_status(known, planned, naming)),
        Line(text=texts("words.step.who", who=naming.holders(owner) if owner else texts("words.machine"))),
    ]
    for key, text in (("where", step.where), ("text", step.text), ("stop_when", step.stop_when)):
        if text is not None:
            lines.append(Line(text=texts(f"words.step.{key}", text=text.lang(lang))))
    lines += [Line(text=texts("words.step.do_not", text=one.lang(lang)), style="bad") for one in step.do_not]
    lines += list(_asks(planned, naming))
    lines += list(answers.of_step(known, planned, naming))
    lines += [
        Line(text=f"・{cause(naming, one)}", style="warn") for one in state.gates_held.get(planned.key, [])
    ]
    lines += list(_done(known, naming))
    if step.guideline:
        lines.append(Line(text=texts("words.step.guideline", ids=", ".join(step.guideline)), style="dim"))
    return lines


def _status(known: StepState, planned: PlannedStep, naming: Naming) -> str:
    limit = (
        naming.times.left(known.limit_at, naming.now) if known.limit_at else naming.texts("words.no_limit")
    )
    return naming.texts(
        "words.step.status",
        phase=naming.phase(planned.step.phase),
        status=answers.status(known, naming),
        limit=limit,
        kind=naming.texts.word("words.kind", planned.step.kind),
    )


def _asks(planned: PlannedStep, naming: Naming) -> Iterator[Line]:
    step, texts, lang = planned.step, naming.texts, naming.lang
    for option in step.options:
        mark = texts("words.decision.recommended") if option.id == step.recommend else ""
        price = f" – {option.price.lang(lang)}" if option.price else ""
        yield Line(text=f"・{option.id}: {option.title.lang(lang)}{price}{mark}", indent=1)
    if step.otherwise:
        yield Line(text=texts("words.decision.otherwise", text=step.otherwise.lang(lang)), style="warn")
    yield from (Line(text=line, style="warn") for line in preserving.said(planned, naming))
    for field in step.record:
        must = texts("words.required") if field.required else texts("words.optional")
        kind = texts.word("words.field", field.type)
        yield Line(text=f"--set {field.id}=…  {field.title.lang(lang)} ({kind}, {must})", indent=1)
    for factor in step.weighed:
        hint = texts.get(f"gates.hint.{factor}", "")
        said = f"{texts.word('words.factor', factor)}: {hint}" if hint else texts.word("words.factor", factor)
        yield Line(text=f"--factor {factor}=…  {said}", indent=1)


def _done(known: StepState, naming: Naming) -> Iterator[Line]:
    if known.done_at is not None:
        yield Line(
            text=naming.texts("words.step.done", who=naming.who(known.done_by), at=naming.at(known.done_at)),
            style="good",
        )
    if known.error:
        yield Line(text=naming.text(known.error, 1_000), style="bad")
    if known.status in {"failed", "unknown"}:
        again = f"hikeshi step retry {naming.state.stream} {known.key} --reason …"
        yield Line(text=naming.texts("words.step.retry", command=again), style="bad")
    for name, value in known.outputs.items():
        shown = naming.text(value) if isinstance(value, str) else str(value)
        yield Line(text=f"{name}: {shown}", indent=1)
    if known.choice:
        yield Line(text=f"{known.choice}: {naming.text(known.reason)}", indent=1)
    for name, value in known.factors.items():
        said = f"{naming.texts.word('words.factor', name)}: {naming.factor(name, value)}"
        # What nobody knew when a service was stopped is in red ever after (FSA-2.5.2.4-B1).
        yield Line(text=said, style="bad" if is_unknown(value, naming.text) else "plain", indent=1)
