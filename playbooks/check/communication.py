"""Messages to others: who approves them, whom situation reports go to, and the templates."""

from __future__ import annotations

from collections.abc import Iterator

from models.audience import APPROVALS
from models.errors import BadInput
from playbooks.check.view import View, twice
from playbooks.defect import Defect
from playbooks.document import Document, KeyPath
from playbooks.outgoing import OWN_FILE, try_template

FILE = "routes.yaml"


def defects(view: View) -> Iterator[Defect]:
    """What does not fit in `approvals`, `lists` and `messages.yaml`."""
    routes = view.contents.routes
    if routes is not None:
        document = view.document(FILE)
        for audience, chain in routes.approvals.items():
            path: KeyPath = ("approvals", audience)
            yield from _chain(view, document, path, chain)
        for name, to in routes.lists.items():
            for place, who in enumerate(to):
                yield from view.wrong_actor(document, ("lists", name, place), who)
        yield from _shipped(view, document, {*routes.approvals})
    if view.contents.messages is not None:
        yield from _templates(view, view.document(OWN_FILE))


def _chain(view: View, document: Document, path: KeyPath, chain: tuple[str, ...]) -> Iterator[Defect]:
    if not chain:
        yield document.defect(path, "nobody approves these messages", "roles in order", severity="warning")
    if len(set(chain)) < len(chain):
        yield document.defect(path, "a role approves twice", "each role once: the eyes are to differ")
    for place, role in enumerate(chain):
        yield from view.wrong_actor(document, (*path, place), role)


def _shipped(view: View, document: Document, own: set[str]) -> Iterator[Defect]:
    """Shipped chains that name a role which this institution does not have: nobody could ever approve."""
    if view.organisation is None:
        return
    for audience, chain in APPROVALS.items():
        missing = [role for role in chain if role not in view.roles]
        if audience not in own and missing:
            yield document.defect(
                ("routes",),
                f"messages to {audience} are approved by {', '.join(missing)}, whom nobody here is",
                f"`approvals: {{{audience}: [...]}}` with roles of organisation.yaml",
                severity="warning",
                key=True,
            )


def _templates(view: View, document: Document) -> Iterator[Defect]:
    yield from twice(document, ("messages",))
    for number, template in enumerate(view.contents.messages.messages if view.contents.messages else ()):
        try:
            try_template(template)
        except BadInput as wrong:
            yield document.defect(("messages", number, "text"), str(wrong), "names that a message may use")
