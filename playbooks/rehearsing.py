"""What a rehearsal supposes: the shipped assumptions, the institution's `rehearsal.yaml` laid over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.rehearsal.assumptions import Assumptions
from playbooks.defect import Defect, Defects
from playbooks.reading import fit, read_document, read_yaml

SHIPPED = Path(__file__).parent / "rehearsal" / "assumptions.yaml"
OWN = "rehearsal.yaml"


def assumptions(directory: Path) -> Assumptions:
    """The assumptions in force in an institution's directory. Raises Defects with all that is wrong."""
    found, defects = read_assumptions(directory)
    if found is None:
        raise Defects(defects)
    return found


def read_assumptions(directory: Path) -> tuple[Assumptions | None, list[Defect]]:
    """They, or None and every defect of the institution's file, with its line."""
    shipped, _ = read_document(SHIPPED)
    own = directory / OWN
    if not own.is_file() or shipped is None:
        return read_yaml(SHIPPED, Assumptions)
    document, defects = read_document(own)
    if document is None:
        return None, defects
    value, more = fit(replace(document, value=_laid_over(shipped.value, document.value or {})), Assumptions)
    return (None if defects else value), [*defects, *more]


def _laid_over(base: Any, own: Any) -> Any:
    """`own` over `base`; a spread that is given anew takes nothing of the old one."""
    if not isinstance(base, Mapping) or not isinstance(own, Mapping) or "source" in own:
        return own
    return {**base, **{name: _laid_over(base.get(name), value) for name, value in own.items()}}
