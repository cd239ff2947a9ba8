"""Reports owed to authorities, and the forms that they are drafted by: shipped, added to or overridden by
id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field

from models.obligation import Obligation, Profile
from models.values import Frozen, Id, Text
from playbooks.catalogue import FOLDER
from playbooks.defect import Defects, errors_of
from playbooks.reading import fit, read_document

SHIPPED = FOLDER / "obligations.yaml"
SHIPPED_FORMS = FOLDER / "forms.yaml"
OWN_FILE = "obligations.yaml"
Model = TypeVar("Model", bound=BaseModel)


class FormItem(Frozen):
    """One item of a report: its heading, and a template over the record."""

    id: Id
    title: Text
    text: Text


class Form(Frozen):
    """What a report says, item by item."""

    id: Id
    title: Text
    items: tuple[FormItem, ...] = Field(min_length=1, max_length=60)


class FormsFile(Frozen):
    """`forms.yaml` of the package."""

    forms: tuple[Form, ...] = Field(max_length=100)


class ObligationsFile(Frozen):
    """`obligations.yaml`: what the institution is, and what it owes beyond, or otherwise than, what is
    shipped.
    """

    profile: Profile = Profile()
    obligations: tuple[Obligation, ...] = Field(default=(), max_length=200)
    forms: tuple[Form, ...] = Field(default=(), max_length=100)
    without: tuple[str, ...] = Field(
        default=(), description="ids of shipped obligations that never apply here"
    )


@dataclass(frozen=True, kw_only=True)
class Found:
    """The obligations as merged, each with where it comes from."""

    obligations: tuple[Obligation, ...]
    origins: dict[tuple[str, str], str]


@lru_cache(maxsize=1)
def shipped() -> tuple[Obligation, ...]:
    """The obligations of the package. Raises Defects if somebody has damaged it."""
    return _read(SHIPPED, ObligationsFile).obligations


@lru_cache(maxsize=1)
def shipped_forms() -> tuple[Form, ...]:
    """The forms of the package. Raises Defects if somebody has damaged it."""
    return _read(SHIPPED_FORMS, FormsFile).forms


def _read(path: Path, model: type[Model]) -> Model:
    document, defects = read_document(path)
    value = None
    if document is not None:
        value, more = fit(document, model)
        defects += more
    if value is None:
        raise Defects(errors_of(defects))
    return value


def merged(own: ObligationsFile | None) -> Found:
    """Shipped and own, the own in the place of a shipped one with the same id and edition."""
    mine = own or ObligationsFile()
    found: dict[tuple[str, str], Obligation] = {}
    origins: dict[tuple[str, str], str] = {}
    for one in shipped():
        if one.id not in mine.without:
            found[_key(one)], origins[_key(one)] = one, "shipped"
    for one in mine.obligations:
        origins[_key(one)] = "overrides" if _key(one) in found else "own"
        found[_key(one)] = one
    return Found(obligations=tuple(found.values()), origins=origins)


def _key(one: Obligation) -> tuple[str, str]:
    return one.id, one.edition.isoformat()


def forms_of(own: ObligationsFile | None) -> dict[str, Form]:
    """The forms by id, the institution's own in the place of shipped ones."""
    return {form.id: form for form in (*shipped_forms(), *(own.forms if own else ()))}


def editions(many: Iterable[Obligation]) -> dict[str, list[Obligation]]:
    """Editions by id, in the order of their days."""
    found: dict[str, list[Obligation]] = {}
    for one in sorted(many, key=lambda each: each.effective_from):
        found.setdefault(one.id, []).append(one)
    return found
