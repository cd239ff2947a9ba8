"""Roles in the place of people's names, for what leaves the house. Best effort: it finds names as written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from console.views.sheet import Line, Row, Section, Table
from models.directory import Directory
from models.organisation import Person

MIN_NAME = 2
"""Shorter names would be found in words that name nobody."""


class Veil:
    """Knows every name of the directory: ids, names in both languages, with and without their spaces."""

    def __init__(self, directory: Directory, lang: str, somebody: str) -> None:
        self.lang = lang
        self._roles: dict[str, str] = {}
        self._spoken(directory, somebody)
        names = sorted(self._roles, key=len, reverse=True)
        self._found = re.compile("|".join(_pattern(one) for one in names), re.IGNORECASE) if names else None

    def _spoken(self, directory: Directory, somebody: str) -> None:
        many: dict[str, list[Person]] = {}
        for person in directory.organisation.people:
            role = directory.role(person.roles[0]) if person.roles else None
            many.setdefault(role.title.lang(self.lang) if role is not None else somebody, []).append(person)
        for title, people in many.items():
            for number, person in enumerate(people, start=1):
                spoken = title if len(people) == 1 else f"{title} {number}"
                for name in _names(person):
                    self._roles.setdefault(name.lower(), spoken)

    def text(self, text: str) -> str:
        """The text with roles in the place of names."""
        if self._found is None:
            return text
        return self._found.sub(lambda found: self._roles[found[0].lower()], text)

    def value(self, value: Any) -> Any:
        """The same for everything within a value for programs."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.value(one) for name, one in value.items()}
        return [self.value(one) for one in value] if isinstance(value, (list, tuple)) else value

    def sections(self, many: list[Section]) -> list[Section]:
        """The same for parts of a screen."""
        return [
            replace(one, title=self.text(one.title), parts=tuple(map(self._part, one.parts))) for one in many
        ]

    def _part(self, part: Line | Table) -> Line | Table:
        if isinstance(part, Line):
            return replace(part, text=self.text(part.text))
        rows = tuple(Row(cells=tuple(map(self.text, row.cells)), style=row.style) for row in part.rows)
        return replace(part, rows=rows)


def _names(person: Person) -> Iterator[str]:
    for name in (person.id, person.name.ja, person.name.en):
        for one in dict.fromkeys((name, name.replace(" ", ""), name.replace(" ", "\u3000"))):
            if len(one) >= MIN_NAME:
                yield one


def _pattern(name: str) -> str:
    """Latin letters stand for a name only as whole words."""
    plain = re.escape(name)
    return rf"(?<![\w-]){plain}(?![\w-])" if name.isascii() else plain
