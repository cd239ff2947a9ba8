"""Drafts: what is known is filled in, what is not is a visible gap, and nothing else is possible."""

from __future__ import annotations

import time
from typing import Any

import pytest

from models.errors import BadInput
from playbooks.drafts import GAP, MAX_CHARACTERS, render_draft

NAMES: dict[str, Any] = {
    "incident": {"id": "INC-2026-0001", "title": "<b>{{ 7 * 7 }}</b>", "severity": None},
    "organisation": {"name": "みほん銀行"},
    "services": ["core-banking", "atm"],
    "now": "2026-11-23 03:00",
    "var": {"host": "pc-1"}.get,
    "output": lambda step, field: {"count/down": 3}.get(f"{step}/{field}"),
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ organisation.name }} {{ incident.id }}", "みほん銀行 INC-2026-0001"),
        ("{{ incident.severity | gap }}", GAP),
        ("{{ incident.nothing | gap }}", GAP),
        ("{{ nothing | gap }}", GAP),
        ("{{ output('count', 'down') | gap }}", "3"),
        ("{{ output('count', 'up') | gap }}", GAP),
        ("{{ var('host') | upper }}", "PC-1"),
        ("{{ services | join('、') | gap }}", "core-banking、atm"),
        ("{% for s in services %}[{{ s }}]{% endfor %}", "[core-banking][atm]"),
        ("{% if incident.severity %}x{% else %}y{% endif %}", "y"),
        ("{{ 'many' if services | length > 1 else 'one' }}", "many"),
        ("{{ incident.title }}", "<b>{{ 7 * 7 }}</b>"),
    ],
)
def test_known_things_are_filled_in_and_others_are_gaps(source: str, expected: str) -> None:
    assert render_draft(source, NAMES) == expected


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ incident.nothing }}", "has no attribute 'nothing'"),
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ incident.id", "does not render"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ incident.id.center(1000000000) }}", "calls something else"),
        ("{{ range(1000000000) }}", "calls something else"),
        ("{{ 'x' * 1000000000 }}", "uses Mul"),
        ("{{ 10 ** 10 ** 10 }}", "uses Pow"),
        ("{% set x = 1 %}", "uses Assign"),
        ("{% include 'secrets' %}", "uses Include"),
        ("{% macro m() %}{% endmacro %}", "uses Macro"),
        ("{{ incident['id'] }}", "uses Getitem"),
        ("{{ services | map('upper') }}", "No filter named 'map'"),
        ("{% if services is iterable %}{% endif %}", "uses Test"),
        ("{% for a in services %}{% for b in services %}x{% endfor %}{% endfor %}", "a loop within a loop"),
        ("{% for a in 'abc' | upper %}x{% endfor %}", "loops over something"),
        ("{{ incident.id }}" * 200, "too long for a draft"),
        ("{% for s in services %}" + "x" * MAX_CHARACTERS + "{% endfor %}", "renders to more than"),
        ("{% for s in now.x %}x{% endfor %}", "loops over something"),
        ("{{ output('one') }}", "does not render"),
    ],
)
def test_everything_else_is_refused_at_once(source: str, says: str) -> None:
    began = time.perf_counter()
    with pytest.raises(BadInput) as raised:
        render_draft(source, NAMES)
    assert says in str(raised.value)
    assert time.perf_counter() - began < 1
