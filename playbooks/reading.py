"""Reading one file into its model: all defects at once, each as `file:line:column: path: …`."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from playbooks.defect import Defect, Defects
from playbooks.document import Document, read_document
from playbooks.explain import explain

__all__ = ["Defect", "Defects", "Document", "fit", "read_document", "read_yaml"]

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
