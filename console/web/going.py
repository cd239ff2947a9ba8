"""Where a form may lead on to: a page of ours, and nothing else."""

from __future__ import annotations

MAX_PATH = 500


def ours(wanted: str, otherwise: str = "/") -> str:
    """The path if it is one of ours; else `otherwise`.

    A browser reads `//host` and `/\\host` as another server, and drops control characters before it looks.
    """
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and len(wanted) <= MAX_PATH
    return wanted if plain and wanted.startswith("/") and not wanted.startswith("//") else otherwise
