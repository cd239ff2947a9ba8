"""The dependency graph of services: columns, order, lines between boxes, and its bounds. And what runs
through whom.
"""

from __future__ import annotations

import pytest

from console.views.estate_layout import MAX_NODES, Estate, Wanted, lay_out_estate
from console.web.rooms.services import needing, through
from playbooks.institution import Institution

Pairs = list[tuple[str, str]]


def drawn(names: str, pairs: Pairs) -> Estate:
    """`a b c v!`: three services and a third party."""
    wanted = [Wanted(id=one.strip("!"), title=one, last=one.endswith("!")) for one in names.split()]
    found = lay_out_estate(wanted, pairs)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("names", "pairs", "columns"),
    [
        ("a", [], {"a": 0}),
        ("a b", [("a", "b")], {"a": 0, "b": 1}),
        ("a b c", [("a", "b"), ("b", "c"), ("a", "c")], {"a": 0, "b": 1, "c": 2}),
        ("a b v!", [("a", "b"), ("a", "v")], {"a": 0, "b": 1, "v": 2}),
        ("a b", [("a", "b"), ("b", "a")], {"a": 0, "b": 1}),
        ("a b c", [("a", "b"), ("b", "c"), ("c", "a")], {"a": 0, "b": 1, "c": 2}),
        ("a b", [("a", "gone"), ("a", "a")], {"a": 0, "b": 0}),
        ("v!", [], {"v": 0}),
    ],
)
def test_each_lies_left_of_what_it_needs(names: str, pairs: Pairs, columns: dict[str, int]) -> None:
    assert {name: box.column for name, box in drawn(names, pairs).boxes.items()} == columns


def test_no_box_lies_on_another_and_no_line_runs_through_one() -> None:
    names = [f"s{n}" for n in range(30)]
    pairs = [(f"s{a}", f"s{b}") for a in range(30) for b in range(a + 1, 30) if (a * b) % 7 == 3]
    estate = drawn(" ".join([*names, "v1!", "v2!"]), [*pairs, ("s0", "v1"), ("s3", "v2")])
    boxes = list(estate.boxes.values())
    for one in boxes:
        assert one.x >= 0
        assert one.x + one.width <= estate.width
        assert one.y + one.height <= estate.height
        for other in boxes:
            apart = one.y + one.height <= other.y or other.y + other.height <= one.y
            assert one is other or one.column != other.column or apart
    for line in estate.lines:
        for x, y in line.points[1:-1]:
            assert not [
                box.id for box in boxes if box.x <= x <= box.x + box.width and box.y < y < box.y + box.height
            ]


def test_what_nobody_could_read_is_not_drawn() -> None:
    many = [Wanted(id=str(n), title="x") for n in range(MAX_NODES + 1)]
    assert lay_out_estate(many, []) is None
    assert lay_out_estate([], []) is None
    assert lay_out_estate(many[:-1], []) is not None


def test_a_long_name_is_cut_to_its_box() -> None:
    (box,) = drawn("認証基盤" * 20, []).boxes.values()
    assert len(box.lines) == 3
    assert box.lines[-1].endswith("…")


def test_what_runs_through_a_vendor_reaches_those_who_need_its_services(bank: Institution) -> None:
    services = bank.organisation.services
    direct, others = through(services, "core-vendor")
    assert [one.id for one in direct] == ["core-banking", "zengin-link", "branch-terminals"]
    assert [one.id for one in others] == ["atm", "internet-banking"]
    assert needing(services, ["identity"])[0].id == "core-banking"
    assert through(services, "nobody") == ([], [])
