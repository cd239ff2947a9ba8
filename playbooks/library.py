"""Playbooks: the shipped ones, those of the institution, and which of them override which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from models.playbook import Playbook
from playbooks.defect import Defect
from playbooks.document import Document
from playbooks.reading import fit, read_document

FOLDER = Path(__file__).parent / "library"
OWN_FOLDER = "playbooks"
MAX_PLAYBOOKS = 200
Origin = Literal["shipped", "own", "overrides"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One playbook with the file it was read from."""

    playbook: Playbook
    document: Document
    origin: Origin


def read_library(directory: Path, folder: Path = FOLDER) -> tuple[Mapping[str, Entry], list[Defect]]:
    """All playbooks by id; one of the institution's own takes the place of a shipped one of the same id."""
    shipped, defects = _shipped(folder)
    entries = dict(shipped)
    own, more = _read_folder(directory / OWN_FOLDER, shipped)
    entries.update(own)
    return entries, [*defects, *more]


def parts(entries: Mapping[str, Entry]) -> frozenset[str]:
    """Playbooks that are parts of others. A shipped part stays one when its caller has been overridden."""
    playbooks = [entry.playbook for entry in (*entries.values(), *_shipped(FOLDER)[0].values())]
    return frozenset(step.call for playbook in playbooks for step in playbook.steps if step.call)


@cache
def _shipped(folder: Path) -> tuple[Mapping[str, Entry], tuple[Defect, ...]]:
    """Read once: the package's files do not change while a process runs."""
    entries, defects = _read_folder(folder, {})
    shipped = {
        name: Entry(playbook=entry.playbook, document=entry.document, origin="shipped")
        for name, entry in entries.items()
    }
    return shipped, tuple(defects)


def _read_folder(folder: Path, shipped: Mapping[str, Entry]) -> tuple[dict[str, Entry], list[Defect]]:
    entries: dict[str, Entry] = {}
    defects: list[Defect] = []
    for path in sorted(folder.glob("*.yaml"))[:MAX_PLAYBOOKS]:
        document, more = read_document(path)
        defects += more
        if document is None:
            continue
        playbook, more = fit(document, Playbook)
        defects += more
        if playbook is None:
            continue
        if playbook.playbook != path.stem:
            defects.append(
                document.defect(
                    ("playbook",),
                    f"{playbook.playbook!r} stands in {path.name}",
                    f"a file {playbook.playbook}.yaml",
                )
            )
        origin: Origin = "overrides" if playbook.playbook in shipped else "own"
        entries[playbook.playbook] = Entry(playbook=playbook, document=document, origin=origin)
    return entries, defects
