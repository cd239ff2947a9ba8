"""The items of the FSA guideline (金融分野におけるサイバーセキュリティに関するガイドライン), as data."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from models.values import Frozen, Text
from playbooks.defect import Defect
from playbooks.document import Document
from playbooks.reading import fit, read_document

FOLDER = Path(__file__).parent / "catalogue"
OWN_FILE = "catalogue.yaml"
GuidelineId = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*(-[A-Za-z0-9.]+)+$", max_length=64)]


class GuidelineItem(Frozen):
    """One item, paraphrased. `origin` tells what the FSA asks from what others do."""

    id: GuidelineId
    edition: date
    origin: Literal["official", "seed", "own"]
    level: Literal["basic", "desirable"]
    section: str
    summary: Text
    source: str
    confidence: Literal["C1", "C2", "G"]
    scope: Literal["playbook", "plan", "exercise", "governance"] = Field(
        description="what should cover it: each playbook, at least one playbook, exercises, governance"
    )


class Catalogue(Frozen):
    """A file of guideline items."""

    items: tuple[GuidelineItem, ...] = Field(min_length=1, max_length=500)


def read_catalogue(
    directory: Path, folder: Path = FOLDER
) -> tuple[dict[str, GuidelineItem], list[Document], list[Defect]]:
    """The shipped items, added to and overridden by id from the institution's `catalogue.yaml`."""
    items: dict[str, GuidelineItem] = {}
    documents: list[Document] = []
    defects: list[Defect] = []
    for path in _files(directory, folder):
        document, more = read_document(path)
        defects += more
        if document is None:
            continue
        documents.append(document)
        catalogue, more = fit(document, Catalogue)
        defects += more
        if catalogue is not None:
            items.update((item.id, item) for item in catalogue.items)
    return items, documents, defects


def _files(directory: Path, folder: Path) -> Iterable[Path]:
    yield from sorted(folder.glob("guideline*.yaml"))
    own = directory / OWN_FILE
    if own.exists():
        yield own
