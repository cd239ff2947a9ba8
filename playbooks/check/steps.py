"""What the steps of a playbook name: people, services, targets, called playbooks, guideline items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from models.gate import AFFECTED
from models.installation import CommandTarget, FileTarget, HttpTarget, Parameter, Target
from models.playbook import FACTORS, Step, Value
from playbooks.check.view import View, twice, unknown
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath
from playbooks.library import Entry

TAKES: Mapping[str, tuple[type, str]] = {
    "http.request": (HttpTarget, "http"),
    "command.run": (CommandTarget, "command"),
    "file.collect": (FileTarget, "files"),
}


def defects(view: View) -> Iterator[Defect]:
    """Names in playbooks that mean nothing here."""
    for entry in view.contents.entries.values():
        document, playbook = entry.document, entry.playbook
        yield from twice(document, ("steps",))
        items = view.contents.catalogue or playbook.covers
        yield from unknown(document, ("covers",), playbook.covers, items, "guideline item")
        if view.organisation is not None:
            yield from unknown(document, ("experts",), playbook.experts, view.parties, "third party")
        for number, step in enumerate(playbook.steps):
            path: KeyPath = ("steps", number)
            yield from _people(view, document, path, step)
            yield from _things(view, document, path, step)
            yield from _lists(entry, path, step)
            yield from _action(view, entry, path, step)
            yield from _call(view, entry, path, step)


def _people(view: View, document: Document, path: KeyPath, step: Step) -> Iterator[Defect]:
    if step.owner is not None:
        yield from view.wrong_actor(document, (*path, "owner"), step.owner)
    if step.authority is not None:
        yield from view.wrong_actor(document, (*path, "authority"), step.authority)
    for place, name in enumerate(step.to):
        if name not in view.parties:
            yield from view.wrong_actor(document, (*path, "to", place), name)


def _things(view: View, document: Document, path: KeyPath, step: Step) -> Iterator[Defect]:
    items = view.contents.catalogue or step.guideline  # a catalogue that cannot be read is told already
    yield from unknown(document, (*path, "guideline"), step.guideline, items, "guideline item")
    yield from unknown(document, (*path, "factors"), step.factors, FACTORS, "factor that is weighed")
    if view.organisation is None:
        return
    services = {*view.services, AFFECTED}
    for key in ("stops", "restores", "reconnects", "resumes"):
        yield from unknown(document, (*path, key), getattr(step, key), services, "service")


def _lists(entry: Entry, path: KeyPath, step: Step) -> Iterator[Defect]:
    document, variables = entry.document, entry.playbook.variables
    yield from twice(document, (*path, "record"))
    yield from twice(document, (*path, "options"))
    for name in step.sets:
        if name not in variables:
            yield document.defect(
                (*path, "sets", name),
                f"{quoted(name)} is no variable of this playbook",
                one_of(variables, name),
            )


def _action(view: View, entry: Entry, path: KeyPath, step: Step) -> Iterator[Defect]:
    fields = {field.id for field in step.record}
    if step.use is not None:
        target = _target(view, step.target)
        yield from _use(view, entry, path, (step.use, step.target, step.params))
        fields |= set(target.outputs) if isinstance(target, HttpTarget) else {"output", "exit"}
    if step.probe is not None:
        probe = step.probe
        yield from _use(view, entry, (*path, "probe"), (probe.use, probe.target, probe.params))
    for name, field in step.sets.items():
        if field not in fields and (step.use is None or isinstance(_target(view, step.target), HttpTarget)):
            yield entry.document.defect(
                (*path, "sets", name),
                f"{quoted(field)} is recorded by no field of this step",
                one_of(fields, field),
            )


def _target(view: View, name: str | None) -> Target | None:
    targets = view.contents.targets
    return targets.targets.get(name or "") if targets is not None else None


def _use(
    view: View, entry: Entry, path: KeyPath, what: tuple[str, str | None, Mapping[str, Value]]
) -> Iterator[Defect]:
    use, name, params = what
    if view.contents.targets is None and "targets.yaml" in view.contents.documents:
        return  # its own defects are told already
    target = _target(view, name)
    kind, word = TAKES[use]
    if target is None:
        known = view.contents.targets.targets if view.contents.targets else {}
        yield entry.document.defect(
            (*path, "target"), f"{quoted(name)} is no target of targets.yaml", one_of(known, name or "")
        )
    elif not isinstance(target, kind):
        yield entry.document.defect(
            (*path, "target"),
            f"{use} cannot use {quoted(name)}, of kind {target.kind}",
            f"a target of kind {word}",
        )
    else:
        yield from _params(entry, path, target, params)


def _params(entry: Entry, path: KeyPath, target: Target, params: Mapping[str, Value]) -> Iterator[Defect]:
    known: Mapping[str, Parameter] = {} if isinstance(target, FileTarget) else target.parameters
    document, variables = entry.document, entry.playbook.variables
    for name, value in params.items():
        here = (*path, "params", name)
        if name not in known:
            yield document.defect(
                here, f"{quoted(name)} is no parameter of the target", one_of(known, name), key=True
            )
        elif isinstance(value, str) and value.startswith("$"):
            if value[1:] not in variables:
                yield document.defect(here, f"{quoted(value)} is no variable", one_of(variables, value[1:]))
        elif known[name].type == "choice" and value not in known[name].choices:
            yield document.defect(here, f"got {quoted(value)}", one_of(known[name].choices, str(value)))
    for name in known:
        if name not in params:
            yield document.defect(
                (*path, "target"), f"the target needs the parameter `{name}`", f"`params: {{{name}: …}}`"
            )


def _call(view: View, entry: Entry, path: KeyPath, step: Step) -> Iterator[Defect]:
    if step.call is None:
        return
    entries, document = view.contents.entries, entry.document
    called = entries.get(step.call)
    if called is None:
        if step.call not in view.playbooks:
            wrong = f"{quoted(step.call)} is no playbook"
            yield document.defect((*path, "call"), wrong, one_of(view.playbooks, step.call))
        return
    variables = called.playbook.variables
    for name in step.pass_:
        if name not in variables:
            yield document.defect(
                (*path, "with", name),
                f"{step.call} has no variable {quoted(name)}",
                one_of(variables, name),
                key=True,
            )
