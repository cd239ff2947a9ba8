"""What makes an institution's directory that of a drill: `drill.yaml`, and `participants.yaml` beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from models.drillfile import (
    DRILL_FILE,
    PARTICIPANTS_FILE,
    DrillFile,
    Participants,
    with_addresses,
)
from models.organisation import Organisation
from playbooks.defect import Defect, Defects, one_of, quoted
from playbooks.document import Document, read_document
from playbooks.reading import fit


def is_drill(directory: Path) -> bool:
    """Whether the directory is that of a drill."""
    return (directory / DRILL_FILE).is_file()


def read_drill(directory: Path) -> DrillFile:
    """Which drill the directory is for. Raises Defects with file, line and field."""
    file, defects = _drill_file(directory)
    if file is None:
        raise Defects(defects)
    return file


def enrolled(directory: Path, organisation: Organisation) -> Organisation:
    """The people with the addresses of those who take part. Raises Defects with file, line and field."""
    participants, defects = _participants(directory, organisation)
    if defects:
        raise Defects(defects)
    people = tuple(with_addresses(person, participants.of(person.id)) for person in organisation.people)
    return organisation.model_copy(update={"people": people})


def defects(directory: Path, organisation: Organisation | None) -> Iterator[Defect]:
    """What is wrong with the two files; nothing in a directory that is no drill's."""
    if not is_drill(directory):
        return
    yield from _drill_file(directory)[1]
    yield from _participants(directory, organisation)[1]


def _drill_file(directory: Path) -> tuple[DrillFile | None, list[Defect]]:
    document, found = read_document(directory / DRILL_FILE)
    if document is None:
        return None, found
    value, more = fit(document, DrillFile)
    return value, [*found, *more]


def _participants(directory: Path, organisation: Organisation | None) -> tuple[Participants, list[Defect]]:
    path = directory / PARTICIPANTS_FILE
    if not path.exists():
        return Participants(), []
    document, found = read_document(path)
    if document is None:
        return Participants(), found
    value, more = fit(document, Participants)
    strangers = list(_strangers(document, value, organisation)) if value and organisation else []
    return value or Participants(), [*found, *more, *strangers]


def _strangers(
    document: Document, participants: Participants, organisation: Organisation
) -> Iterator[Defect]:
    known = {person.id for person in organisation.people}
    for number, one in enumerate(participants.people):
        if one.person not in known:
            yield document.defect(
                ("people", number, "person"),
                f"{quoted(one.person)} is nobody in organisation.yaml",
                one_of(known, one.person),
            )
