"""`rehearsal.yaml`: what the institution supposes otherwise than the shipped assumptions."""

from __future__ import annotations

from collections.abc import Iterator

from playbooks.check.view import View
from playbooks.defect import Defect
from playbooks.rehearsing import read_assumptions


def defects(view: View) -> Iterator[Defect]:
    """Whatever the file says that cannot be meant."""
    yield from read_assumptions(view.contents.directory)[1]
