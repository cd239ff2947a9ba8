"""The size budget: a file that grows past it is split by noun."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIMIT, TEST_LIMIT = 500, 600


GENERATED = frozenset({"docs/verify.py"})
"""Put together from parts that keep to the budget: an inspector is given one file."""


def python_files() -> list[str]:
    """Every Python file that is, or will be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split() if (ROOT / name).is_file() and name not in GENERATED]


@pytest.mark.parametrize("name", python_files())
def test_file_is_within_the_budget(name: str) -> None:
    lines = len((ROOT / name).read_text(encoding="utf-8").splitlines())
    assert lines <= (TEST_LIMIT if name.startswith("tests/") else LIMIT)
