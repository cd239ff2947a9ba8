"""Where the services and third parties of a dependency graph lie: each to the left of what it needs.

Pure geometry in units of the drawing. The first column is what nothing else needs, the last the third
parties. A line over several columns gets a place of its own in each, so that it runs between the boxes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from console.views.graph_layout import wrap

BOX, GUTTER, GAP, MARGIN, HEAD = 178.0, 62.0, 14.0, 16.0, 34.0
LINE, PAD, LANE = 17.0, 9.0, 12.0
LETTER = 13.5
MAX_LINES = 3
MAX_NODES = 80
"""More than this nobody can read as a drawing; the table beside it holds all."""
SWEEPS = 6


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Something to be drawn. `last`: in the last column, whatever it needs."""

    id: str
    title: str
    meta: str = ""
    last: bool = False


@dataclass(frozen=True, kw_only=True)
class Box:
    """It in its place; `x` and `y` are the upper left corner."""

    id: str
    lines: tuple[str, ...]
    meta: str
    column: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """From something to what it needs, through `points` between the columns."""

    source: str
    target: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Estate:
    """Everything in its place."""

    width: float
    height: float
    columns: int
    boxes: Mapping[str, Box]
    lines: tuple[Line, ...]


def lay_out_estate(wanted: Sequence[Wanted], needs: Iterable[tuple[str, str]]) -> Estate | None:
    """The drawing of `wanted`, where `needs` are pairs: who, and what they need. None if it is too large."""
    if not wanted or len(wanted) > MAX_NODES:
        return None
    known = {one.id: one for one in wanted}
    pairs = tuple(dict.fromkeys((a, b) for a, b in needs if a in known and b in known and a != b))
    columns = _columns(known, pairs)
    grid = _Grid(known, columns)
    paths = [grid.path(source, target) for source, target in pairs if columns[source] < columns[target]]
    grid.order()
    return grid.drawing(paths)


# -- columns ------------------------------------------------------------------------------------------------


def _columns(known: Mapping[str, Wanted], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """How far from what customers use each lies: one more than the farthest of those who need it."""
    inner = _without_circles(known, [(a, b) for a, b in pairs if not known[a].last and not known[b].last])
    found = {name: 0 for name, one in known.items() if not one.last}
    for _ in found:  # a path is no longer than there are boxes
        moved = [(b, found[a] + 1) for a, b in inner if found[b] <= found[a]]
        if not moved:
            break
        for name, column in moved:
            found[name] = max(found[name], column)
    deepest = max(found.values(), default=-1) + 1
    return {name: deepest if one.last else found[name] for name, one in known.items()}


def _without_circles(known: Mapping[str, Wanted], pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs without those that would lead back: two services may well need each other."""
    after: dict[str, list[str]] = {}
    for source, target in pairs:
        after.setdefault(source, []).append(target)
    kept: list[tuple[str, str]] = []
    done: set[str] = set()
    for start in known:
        trail: list[tuple[str, int]] = [(start, 0)] if start not in done else []
        open_ = {start}
        while trail:
            name, turn = trail.pop()
            if turn >= len(after.get(name, ())):
                done.add(name)
                open_.discard(name)
                continue
            trail.append((name, turn + 1))
            target = after[name][turn]
            if target in open_:
                continue
            kept.append((name, target))
            if target not in done:
                trail.append((target, 0))
                open_.add(target)
    return kept


# -- places in the columns ----------------------------------------------------------------------------------


@dataclass
class _Place:
    """A box or the lane of a line in one column."""

    id: str
    column: int
    height: float
    before: list[_Place] = field(default_factory=list)
    after: list[_Place] = field(default_factory=list)
    rank: float = 0.0
    y: float = 0.0


class _Grid:
    """The columns while they are put in order."""

    def __init__(self, known: Mapping[str, Wanted], columns: Mapping[str, int]) -> None:
        self.known = known
        self.words = {name: _words(one) for name, one in known.items()}
        self.places = {
            name: _Place(id=name, column=columns[name], height=_height(self.words[name], one.meta))
            for name, one in known.items()
        }
        self.stacks: list[list[_Place]] = [[] for _ in range(max(columns.values()) + 1)]
        for place in self.places.values():
            self.stacks[place.column].append(place)

    def path(self, source: str, target: str) -> list[_Place]:
        """The places that a line runs through, its ends included; new lanes between them."""
        first, last = self.places[source], self.places[target]
        lanes = [_Place(id="", column=n, height=LANE) for n in range(first.column + 1, last.column)]
        for lane in lanes:
            self.stacks[lane.column].append(lane)
        found = [first, *lanes, last]
        for one, other in itertools.pairwise(found):
            one.after.append(other)
            other.before.append(one)
        return found

    def order(self) -> None:
        """Each beside those it is tied to, from the left and from the right by turns."""
        for number in range(SWEEPS):
            stacks = self.stacks if number % 2 == 0 else self.stacks[::-1]
            for stack in stacks:
                for position, place in enumerate(stack):
                    ties = place.before if number % 2 == 0 else place.after
                    place.rank = sum(one.rank for one in ties) / len(ties) if ties else float(position)
                stack.sort(key=lambda place: place.rank)
                for position, place in enumerate(stack):
                    place.rank = float(position)
        tallest = max(_tall(stack) for stack in self.stacks)
        for stack in self.stacks:
            y = MARGIN + HEAD + (tallest - _tall(stack)) / 2
            for place in stack:
                place.y = y
                y += place.height + GAP

    def drawing(self, paths: Sequence[list[_Place]]) -> Estate:
        """Everything where it has been put."""
        boxes = {
            name: Box(
                id=name,
                lines=self.words[name],
                meta=self.known[name].meta,
                column=place.column,
                x=_left(place.column),
                y=place.y,
                width=BOX,
                height=place.height,
            )
            for name, place in self.places.items()
        }
        bottom = max(box.y + box.height for box in boxes.values())
        lanes = max((place.y + place.height for path in paths for place in path), default=bottom)
        return Estate(
            width=_left(len(self.stacks)) - GUTTER + MARGIN,
            height=max(bottom, lanes) + MARGIN,
            columns=len(self.stacks),
            boxes=boxes,
            lines=tuple(_line(path) for path in paths),
        )


def _words(one: Wanted) -> tuple[str, ...]:
    return tuple(wrap(one.title, (BOX - 2 * PAD) / LETTER, MAX_LINES))


def _height(lines: tuple[str, ...], meta: str) -> float:
    return (len(lines) + bool(meta)) * LINE + 2 * PAD


def _tall(stack: Sequence[_Place]) -> float:
    return sum(place.height + GAP for place in stack) - GAP


def _left(column: int) -> float:
    return MARGIN + column * (BOX + GUTTER)


def _line(path: Sequence[_Place]) -> Line:
    first, last = path[0], path[-1]
    points = [(_left(first.column) + BOX, first.y + first.height / 2)]
    for lane in path[1:-1]:
        y = lane.y + lane.height / 2
        points += [(_left(lane.column), y), (_left(lane.column) + BOX, y)]
    points.append((_left(last.column), last.y + last.height / 2))
    return Line(source=first.id, target=last.id, points=tuple(points))
