"""What understudies say where neither scenario nor playbook gives them words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FILE = Path(__file__).parent / "words.yaml"


class Words:
    """The texts of `words.yaml` in one language, `ja` or `en`."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, *path: str) -> str:
        """The text at this path. Raises KeyError if there is none."""
        found: Any = _read()
        for name in path:
            found = found[name]
        return str(found[self.lang]) if isinstance(found, Mapping) else str(found)


@lru_cache(maxsize=1)
def _read() -> Mapping[str, Any]:
    read: Mapping[str, Any] = YAML(typ="safe").load(FILE.read_text(encoding="utf-8"))
    return read
