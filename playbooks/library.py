"""Playbooks: the shipped ones, those of the institution, and which of them override which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from models.playbook import Playbook
from playbooks.defect import Defect
from playbooks.document import Document
from playbooks.reading import read_folder

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


class Library(Mapping[str, Playbook]):
    """The playbooks of an institution, read when the first of them is asked for: most commands need none.

    One with a defect is left out, and with it whatever calls it: a slip of the pen in one playbook must not
    keep anybody from being paged. `left_out` says what, `hikeshi check` where; a shipped playbook comes back
    in the place of a broken override.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, name: str) -> Playbook:
        return self.entries[name].playbook

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The sound ones, with where each comes from."""
        return self._read[0]

    @property
    def left_out(self) -> tuple[Defect, ...]:
        """Why some are missing."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[Mapping[str, Entry], tuple[Defect, ...]]:
        entries, defects = read_library(self._directory)
        return _whole(entries), tuple(one for one in defects if one.severity == "error")


def _whole(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Without those that call, at any depth, a playbook that is not there."""
    kept = dict(entries)
    while True:
        broken = [
            name
            for name, entry in kept.items()
            if any(step.call and step.call not in kept for step in entry.playbook.steps)
        ]
        if not broken:
            return kept
        for name in broken:
            del kept[name]


def shipped(folder: Path = FOLDER) -> Mapping[str, Playbook]:
    """The playbooks that come with Hikeshi, whatever the institution has put in their place."""
    return {name: entry.playbook for name, entry in _whole(_shipped(folder)[0]).items()}


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
    found, defects = read_folder(folder, Playbook, "playbook", MAX_PLAYBOOKS)
    entries = {
        name: Entry(playbook=playbook, document=document, origin="overrides" if name in shipped else "own")
        for name, (playbook, document) in found.items()
    }
    return entries, defects
