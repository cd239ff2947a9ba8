"""What `[integrity]` names and is not there: people without a mailbox, a server, a certificate."""

from __future__ import annotations

from collections.abc import Iterator

from playbooks.check.view import View, unknown
from playbooks.defect import Defect


def defects(view: View) -> Iterator[Defect]:
    """A place for checkpoints that cannot be reached is found before an incident, not in it."""
    settings, organisation = view.contents.settings, view.organisation
    if settings is None or organisation is None or "settings.toml" not in view.contents.documents:
        return
    document = view.document("settings.toml")
    mail, stamp = settings.integrity.mail, settings.integrity.timestamp
    if mail is not None:
        if settings.email is None:
            wrong, what = "checkpoints by mail need a server", "a table [email] in settings.toml"
            yield document.defect(("integrity", "mail"), wrong, what)
        people = {person.id: person for person in organisation.people}
        yield from unknown(document, ("integrity", "mail", "to"), mail.to, people, "person")
        for number, name in enumerate(mail.to):
            if name in people and people[name].email is None:
                wrong, what = f"{name} has no mailbox", f"`email` of {name} in organisation.yaml, or another"
                yield document.defect(("integrity", "mail", "to", number), wrong, what)
    if stamp is not None and stamp.certificate is not None:
        path = view.contents.directory / stamp.certificate
        if not path.is_file():
            wrong, what = f"there is no file {stamp.certificate}", "the authority's root in PEM"
            yield document.defect(("integrity", "timestamp", "certificate"), wrong, what)
