"""Reading one file into its model: all defects at once, each as `file:line:column: path: …`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from playbooks.defect import Defect, Defects
from playbooks.document import Document, read_document
from playbooks.explain import explain

__all__ = ["Defect", "Defects", "Document", "fit", "read_document", "read_folder", "read_yaml"]

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path, model: type[Model]) -> tuple[Model | None, list[Defect]]:
    """The file (YAML, or TOML by its suffix) as `model`, or None and every defect in it."""
    document, defects = read_document(path)
    if document is None:
        return None, defects
    value, more = fit(document, model)
    return (None if defects else value), [*defects, *more]


def fit(document: Document, model: type[Model]) -> tuple[Model | None, list[Defect]]:
    """What the document says as `model`, or None and every defect."""
    try:
        return model.model_validate(document.value), []
    except ValidationError as wrong:
        return None, explain(document, model, wrong)


def read_folder(
    folder: Path, model: type[Model], key: str, most: int
) -> tuple[Mapping[str, tuple[Model, Document]], list[Defect]]:
    """The folder's YAML files, at most so many, by the id that each gives itself in `key`; and every defect.

    A file is named after its id, so that nobody looks for one in another's file.
    """
    found: dict[str, tuple[Model, Document]] = {}
    defects: list[Defect] = []
    for path in sorted(folder.glob("*.yaml"))[:most]:
        document, more = read_document(path)
        defects += more
        if document is None:
            continue
        value, more = fit(document, model)
        defects += more
        if value is None:
            continue
        name = getattr(value, key)
        if name != path.stem:
            defects.append(document.defect((key,), f"{name!r} stands in {path.name}", f"a file {name}.yaml"))
        found[name] = value, document
    return found, defects
