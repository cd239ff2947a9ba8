"""What docs/security.md claims names a test that is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.test_budget import ROOT

PAGE = ROOT / "docs" / "security.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
ITEM = re.compile(r"\d{1,2}\.\d{1,2}\.\d{1,2}(?:(?:, | to )\d{1,2}\.\d{1,2}\.\d{1,2})*")


@cache
def functions(path: Path) -> frozenset[str]:
    """The names of a file's functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def rows(heading: str) -> list[list[str]]:
    """The rows of the table under a heading."""
    part = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 100
    missing = [f"{path}::{name}" for path, name in named if not (ROOT / path).is_file()]
    missing += [
        f"{path}::{name}"
        for path, name in named
        if name and (ROOT / path).is_file() and name not in functions(ROOT / path)
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("heading", "cells"), [("OWASP ASVS 5.0", 3), ("What somebody can do from where", 5)]
)
def test_every_claim_has_a_test(heading: str, cells: int) -> None:
    found = rows(heading)
    assert len(found) > 10
    assert [row[0] for row in found if len(row) != cells or not NAMED.search(row[-1])] == []


def test_the_items_are_numbers_of_asvs_in_order() -> None:
    items = [row[0] for row in rows("OWASP ASVS 5.0")]
    assert [one for one in items if not ITEM.fullmatch(one)] == []
    chapters = [tuple(map(int, re.split(r"[., ]", one)[:3])) for one in items]
    assert {chapter for chapter, *_ in chapters} >= set(range(1, 17)) - {2, 4}
    assert all(1 <= chapter <= 16 for chapter, *_ in chapters)
