"""Roles in the place of people's names, for what leaves the house. Best effort: it finds names as written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from console.views.sheet import Line, Row, Section, Table
from models.directory import Directory
from models.organisation import Person

MIN_NAME = 2
"""Shorter names would be found in words that name nobody, unless a form of address follows."""
_ADDRESSED = (
    "さん",
    "さま",
    "様",
    "氏",
    "君",
    "部長",
    "次長",
    "課長",
    "係長",
    "主任",
    "室長",
    "役員",
    "取締役",
)


class Veil:
    """Knows every name of the directory: ids, accounts, addresses, and names in both languages.

    Names are found whole, with and without their spaces, and by the family name alone.
    """

    def __init__(
        self,
        directory: Directory,
        lang: str,
        somebody: str,
        *,
        others: Iterable[Person] = (),
        gone: Iterable[str] = (),
    ) -> None:
        """`others` are people of another directory, `gone` the ids of people whom no directory has."""
        self.lang = lang
        self._roles: dict[str, str] = {}
        own = directory.organisation.people
        known = {one.id for one in own}
        people = (*own, *(one for one in others if one.id not in known))
        self._spoken(people, directory, somebody)
        self._families(people, somebody)
        self._roles |= {one.lower(): somebody for one in gone if one.lower() not in self._roles}
        names = sorted(self._roles, key=len, reverse=True)
        self._found = re.compile("|".join(_pattern(one) for one in names), re.IGNORECASE) if names else None

    def _spoken(self, all_: Iterable[Person], directory: Directory, somebody: str) -> None:
        many: dict[str, list[Person]] = {}
        for person in all_:
            role = directory.role(person.roles[0]) if person.roles else None
            many.setdefault(role.title.lang(self.lang) if role is not None else somebody, []).append(person)
        for title, people in many.items():
            for number, person in enumerate(people, start=1):
                spoken = title if len(people) == 1 else f"{title} {number}"
                for name in _names(person):
                    self._roles.setdefault(name.lower(), spoken)

    def _families(self, people: Iterable[Person], somebody: str) -> None:
        """The family name alone, as people are called; one that several have may mean any of them."""
        found = [(family, one) for one in people for family in _families(one)]
        shared = Counter(family for family, _ in found)
        for family, one in found:
            spoken = self._roles[one.id.lower()] if shared[family] == 1 else somebody
            self._roles.setdefault(family.lower(), spoken)

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
    yield from filter(None, (person.account, person.email, person.phone, person.number, person.slack))
    for name in (person.id, person.name.ja, person.name.en):
        for one in dict.fromkeys((name, name.replace(" ", ""), name.replace(" ", "\u3000"))):
            if len(one) >= MIN_NAME:
                yield one


def _families(person: Person) -> Iterator[str]:
    """The first word of a Japanese name, the last of one in Latin letters; none if it is but one word."""
    for name, place in ((person.name.ja, 0), (person.name.en, -1)):
        words = name.split()
        if len(words) > 1:
            yield words[place]


def _pattern(name: str) -> str:
    """Latin letters name somebody only as whole words, a single character only before a form of address."""
    plain = re.escape(name)
    if len(name) < MIN_NAME:
        return rf"{plain}(?={'|'.join(_ADDRESSED)})"
    return rf"(?<![\w-]){plain}(?![\w-])" if name.isascii() else plain
