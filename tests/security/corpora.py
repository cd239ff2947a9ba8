"""The collections of hostile texts that lie beside as data, in our own words."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "corpora"
KINDS = ("slack", "html", "sheets", "lines", "markdown", "paths", "options")
FORGED = "FORGED"
"""What stands where a line would begin that is not ours."""
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that nobody sees and that turn, break or move what others read."""


@cache
def document(name: str) -> dict[str, Any]:
    """One collection as it lies there."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def texts(*names: str) -> tuple[str, ...]:
    """The texts of some collections; of all that are texts if none is named."""
    found = [one for name in names or KINDS for one in document(name)["texts"]]
    return tuple(dict.fromkeys(found))
