"""Outside experts whom a playbook calls: is there what one needs to call them at night?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from models.organisation import ThirdParty
from playbooks.check.view import View
from playbooks.defect import Defect, quoted
from playbooks.document import Document, KeyPath

HIRED = ("vendor", "counsel", "forensics", "insurer")
"""Kinds that come because of a contract. Authorities and the police do not, and may take web forms only."""


def defects(view: View) -> Iterator[Defect]:
    """Third parties that a playbook names, without contact or contract."""
    if view.organisation is None:
        return
    parties = {party.id: (n, party) for n, party in enumerate(view.organisation.third_parties)}
    callers: dict[str, set[str]] = {}
    for name, entry in view.contents.entries.items():
        named = {*entry.playbook.experts, *(to for step in entry.playbook.steps for to in step.to)}
        for party in named & set(parties):
            callers.setdefault(party, set()).add(name)
    yield from _incomplete(view.document("organisation.yaml"), parties, callers)


def _incomplete(
    document: Document, parties: Mapping[str, tuple[int, ThirdParty]], callers: Mapping[str, set[str]]
) -> Iterator[Defect]:
    for name, by in callers.items():
        number, party = parties[name]
        path: KeyPath = ("third_parties", number)
        who = f"{quoted(name)} is called by {', '.join(sorted(by))}"
        if party.kind not in HIRED:
            continue
        if not party.phone and not party.email:
            yield document.defect(path, f"{who}, but has neither phone nor email", "a `phone` or an `email`")
        if party.contract is None:
            yield document.defect(
                path, f"{who}, but its contract is missing", "`contract:` with number, hours and call_out"
            )
        elif not party.contract.number.strip():
            yield document.defect((*path, "contract", "number"), "is empty", "the number that they ask for")
