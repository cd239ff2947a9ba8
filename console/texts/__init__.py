"""The interface's words in Japanese and English, kept as data beside this module: one folder a language.

Imports nothing but the standard library, so that `--help` stays fast.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

LANGUAGES = ("ja", "en")
FOLDER = Path(__file__).parent


class _Values(dict[str, object]):
    """Values for a template; what a record does not hold is left out rather than failing the screen."""

    def __missing__(self, key: str) -> str:
        return ""


class Texts:
    """All texts of one language, by dotted key."""

    def __init__(self, lang: str, entries: Mapping[str, str]) -> None:
        self.lang = lang
        self.entries = entries

    def __call__(self, key: str, /, **values: object) -> str:
        """The text under `key`, filled in. Raises KeyError if there is none: the tests find those."""
        return self.entries[key].format_map(_Values(values))

    def get(self, key: str, otherwise: str) -> str:
        """The text under `key` as it is written, or `otherwise`."""
        return self.entries.get(key, otherwise)

    def word(self, kind: str, name: str) -> str:
        """The word for one of a kind (`status.open`), or the name itself."""
        return self.entries.get(f"{kind}.{name}", name)

    def has(self, key: str) -> bool:
        """Whether there is a text under `key`."""
        return key in self.entries


@cache
def texts(lang: str) -> Texts:
    """The texts of `ja` or `en`; any other language reads Japanese."""
    lang = lang if lang in LANGUAGES else LANGUAGES[0]
    entries: dict[str, str] = {}
    for path in sorted((FOLDER / lang).glob("*.toml")):
        entries.update(_flat(tomllib.loads(path.read_text(encoding="utf-8")), path.stem))
    return Texts(lang, MappingProxyType(entries))


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        name = f"{prefix}.{key}"
        if isinstance(value, dict):
            yield from _flat(value, name)
        else:
            yield name, value
