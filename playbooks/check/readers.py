"""Who has to read a playbook: are there such roles, and does anybody have them?"""

from __future__ import annotations

from collections.abc import Iterator

from models.readers import members
from playbooks.check.view import View
from playbooks.defect import Defect, one_of, quoted


def defects(view: View) -> Iterator[Defect]:
    """Roles in `read_by` that do not exist, or that nobody has: their reading would never be missed."""
    organisation = view.organisation
    if organisation is None:
        return
    for entry in view.contents.entries.values():
        for place, role in enumerate(entry.playbook.read_by):
            path = ("read_by", place)
            if role not in view.roles:
                yield entry.document.defect(path, f"no role {quoted(role)}", one_of(view.roles, role))
            elif not members(organisation, role):
                yield entry.document.defect(
                    path, f"nobody has the role {quoted(role)}", "a role that somebody has"
                )
