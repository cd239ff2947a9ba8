"""What the steps of a playbook name: people, services, targets, called playbooks, guideline items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from models.gate import AFFECTED
from models.playbook import FACTORS, Playbook, Step, Value
from models.targets import USES, HttpTarget, Parameter, Target, kind_of, optional_of, parameters_of
from playbooks.check.view import View, twice, unknown
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath
from playbooks.library import Entry


def defects(view: View) -> Iterator[Defect]:
    """Names in playbooks that mean nothing here."""
    for entry in view.contents.entries.values():
        document, playbook = entry.document, entry.playbook
        yield from twice(document, ("steps",))
        items = view.contents.catalogue or playbook.covers  # an unreadable catalogue is told already
        yield from unknown(document, ("covers",), playbook.covers, items, "guideline item")
        for place, name in enumerate(playbook.experts):
            if view.organisation is not None and name not in view.parties:
                yield from _lacking(entry, ("experts", place), name, "third party", view.parties)
        for number, step in enumerate(playbook.steps):
            path: KeyPath = ("steps", number)
            yield from _people(view, entry, path, step)
            yield from _things(view, document, path, step)
            yield from _lists(entry, path, step)
            yield from _action(view, entry, path, step)
            yield from _call(view, entry, path, step)
    yield from _needs(view)


def _people(view: View, entry: Entry, path: KeyPath, step: Step) -> Iterator[Defect]:
    if view.organisation is None:
        return
    named: list[tuple[KeyPath, str | None]] = [(("owner",), step.owner), (("authority",), step.authority)]
    seats = step.quorum.of if step.quorum is not None else ()
    named += [(("quorum", "of", place), name) for place, name in enumerate(seats)]
    named += [(("four_eyes",), None if step.four_eyes is True else step.four_eyes)]
    named += [(("to", place), name) for place, name in enumerate(step.to) if name not in view.parties]
    for place, name in named:
        if name is not None and name not in view.roles and name not in view.people:
            what = "role or third party" if place[0] == "to" else "role"
            yield from _lacking(entry, (*path, *place), name, what, view.roles)
    yield from _four_eyes(view, entry, path, step)
    yield from _quorum(view, entry, path, step)


def _four_eyes(view: View, entry: Entry, path: KeyPath, step: Step) -> Iterator[Defect]:
    """A second pair of eyes that is nobody else's could never approve: the decision would wait for ever."""
    deciding, approving = view.candidates(step.authority or ""), view.candidates(step.approver or "")
    if step.approver is not None and approving and len(deciding | approving) == 1:
        yield entry.document.defect(
            (*path, "four_eyes"),
            f"only {next(iter(approving))} could decide and approve",
            "a role that somebody else holds",
        )


def _quorum(view: View, entry: Entry, path: KeyPath, step: Step) -> Iterator[Defect]:
    """Fewer people than votes are needed could never be a quorum: a person counts once."""
    if step.quorum is None:
        return
    seats = [view.candidates(role) for role in step.quorum.of]
    people = set().union(*seats)
    filled = sum(1 for one in seats if one)
    if all(seats) and min(len(people), filled) < step.quorum.need:
        yield entry.document.defect(
            (*path, "quorum", "need"),
            f"{step.quorum.need} votes are needed and only {', '.join(sorted(people))} could vote",
            "roles that enough different people hold",
        )


def _lacking(entry: Entry, path: KeyPath, name: str, what: str, known: Iterable[str]) -> Iterator[Defect]:
    """What a playbook of the institution's own names and nothing defines; for shipped ones see `_needs`."""
    if entry.origin != "shipped":
        yield entry.document.defect(path, f"{quoted(name)} is no {what}", one_of(known, name))


def _needs(view: View) -> Iterator[Defect]:
    """What the shipped playbooks name and the institution lacks: told once, where it can be mended."""
    lacking: dict[tuple[str, str, str], set[str]] = {}
    for entry in view.contents.entries.values():
        if entry.origin == "shipped":
            for need in _named(view, entry.playbook):
                lacking.setdefault(need, set()).add(entry.playbook.playbook)
    for (file, key, name), by in lacking.items():
        what = f"{'target' if key == 'targets' else 'role or third party'} {quoted(name)}"
        wrong = f"the shipped playbooks need the {what} ({', '.join(sorted(by))})"
        expected = "it here, or playbooks of your own in place of the shipped ones"
        if file in view.contents.documents:
            yield view.document(file).defect((key,), wrong, expected, key=True)
        else:
            path = str(view.contents.directory / file)
            yield Defect(file=path, line=1, column=1, path=key, wrong=wrong, expected=expected)


def _named(view: View, playbook: Playbook) -> Iterator[tuple[str, str, str]]:
    """File, key and name of all that the playbook names and nothing defines."""
    people = {who for step in playbook.steps for who in (step.owner, *step.deciders, step.approver, *step.to)}
    uses = {use.target for step in playbook.steps for use in (step, step.probe) if use is not None}
    if view.organisation is not None:
        for who in {*people, *playbook.experts} - {*view.roles, *view.people, *view.parties, None}:
            yield "organisation.yaml", "roles", who or ""
    if view.targets is not None:
        for name in uses - {*view.targets, None}:
            yield "targets.yaml", "targets", name or ""


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
    return (view.targets or {}).get(name or "")


def _use(
    view: View, entry: Entry, path: KeyPath, what: tuple[str, str | None, Mapping[str, Value]]
) -> Iterator[Defect]:
    use, name, params = what
    if view.targets is None:
        return  # the file's own defects are told already
    target = _target(view, name)
    kind = USES[use]
    if target is None:
        yield from _lacking(entry, (*path, "target"), name or "", "target of targets.yaml", view.targets)
    elif not isinstance(target, kind):
        yield entry.document.defect(
            (*path, "target"),
            f"{use} cannot use {quoted(name)}, of kind {target.kind}",
            f"a target of kind {kind_of(kind)}",
        )
    else:
        yield from _params(entry, path, target, params)


def _params(entry: Entry, path: KeyPath, target: Target, params: Mapping[str, Value]) -> Iterator[Defect]:
    needed, known = parameters_of(target), _known(target)
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
    for name in needed:
        if name not in params:
            yield document.defect(
                (*path, "target"), f"the target needs the parameter `{name}`", f"`params: {{{name}: …}}`"
            )


def _known(target: Target) -> Mapping[str, Parameter]:
    """All that may be given: what has to be, and what narrows a collection down."""
    return {**dict.fromkeys(optional_of(target), Parameter()), **parameters_of(target)}


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
