"""`hikeshi check`: every defect of an institution's directory at once, within files and across them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from playbooks.check import (
    communication,
    cover,
    experts,
    gates,
    graph,
    installation,
    obligations,
    oncall,
    people,
    reach,
    readers,
    refers,
    rehearsal,
    review,
    routes,
    scenarios,
    services,
    steps,
    targets,
    texts,
)
from playbooks.check.view import View
from playbooks.defect import Defect
from playbooks.institution import read_contents

CHECKS: tuple[Callable[[View], Iterator[Defect]], ...] = tuple(
    module.defects
    for module in (
        people,
        reach,
        services,
        routes,
        cover,
        installation,
        steps,
        targets,
        graph,
        refers,
        gates,
        texts,
        experts,
        readers,
        review,
        obligations,
        communication,
        oncall,
        scenarios,
        rehearsal,
    )
)


def check(directory: Path, now: datetime) -> list[Defect]:
    """All defects and warnings of the directory as of `now` (aware), sorted by file and line.

    A file that cannot be read hides only what depends on it; everything else is still looked at.
    """
    contents = read_contents(directory)
    view = View(contents, now)
    found = {*contents.defects, *(defect for look in CHECKS for defect in look(view))}
    return sorted(found)
