"""Where everything of a playbook's graph lies: phases as columns, steps under each other.

Pure geometry in units of the drawing. The sheet is kept near the shape of A3 on its side: a phase with more
steps than fit under each other gets a second column.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from console.views.leaflet import Card, Leaflet
from models.plan import Plan, PlannedStep

BOX, INDENT, GUTTER, GAP = 180.0, 14.0, 34.0, 14.0
COLUMN = BOX + GUTTER
TOP, HEAD, MARGIN, LEGEND = 64.0, 30.0, 20.0, 74.0
TITLE_SIZE, SMALL_SIZE, LINE = 13.0, 10.5, 16.0
GATE_HEIGHT, PAD = 16.0, 7.0
A3 = 420 / 297
MAX_LINES = 4
LOWEST = 600.0
_NOT_FIRST = "、。，．・：；！？）」』】〉》ー々"
_NOT_LAST = "（「『【〈《"

EdgeKind = Literal["after", "any", "part"]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A step in its place; `x` and `y` are its upper left corner, gates included."""

    card: Card
    lines: tuple[str, ...]
    meta: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float
    column: int
    at_once: bool

    @property
    def gates(self) -> float:
        """Height of the bars above the box itself."""
        return GATE_HEIGHT * len(self.card.gates)


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A phase: where its columns begin and how wide they are together."""

    title: str
    x: float
    width: float


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An arrow from a step to one that waits for it, or a line to a part of it."""

    source: str
    target: str
    kind: EdgeKind
    conditional: bool


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Everything in its place."""

    width: float
    height: float
    lanes: tuple[Lane, ...]
    boxes: Mapping[str, Box]
    edges: tuple[Edge, ...]


def lay_out_graph(leaflet: Leaflet, plan: Plan) -> Drawing:
    """The drawing of `leaflet`, whose steps wait for each other as `plan` says."""
    steps = {planned.key.split("/", 1)[1]: planned for planned in plan.steps.values()}
    depth = _depth(leaflet)
    columns = [_columns(chapter.cards, depth) for chapter in leaflet.chapters]
    lanes: list[Lane] = []
    boxes: dict[str, Box] = {}
    count = 0
    for chapter, stacks in zip(leaflet.chapters, columns, strict=True):
        lanes.append(Lane(title=chapter.title, x=MARGIN + count * COLUMN, width=COLUMN * len(stacks)))
        for stack in stacks:
            for box in _stack(stack, count, steps):
                boxes[box.card.key] = box
            count += 1
    bottom = max(box.y + box.height for box in boxes.values())
    return Drawing(
        width=2 * MARGIN + count * COLUMN,
        height=bottom + MARGIN + LEGEND,
        lanes=tuple(lanes),
        boxes=boxes,
        edges=tuple(edges_of(plan)),
    )


# -- columns ------------------------------------------------------------------------------------------------


def _depth(leaflet: Leaflet) -> float:
    """How far down a column may go, so that the whole has about the shape of A3."""
    depth = LOWEST
    tallest = max(sum(_height(card) + GAP for card in chapter.cards) for chapter in leaflet.chapters)
    while depth < tallest:
        count = sum(len(_columns(chapter.cards, depth)) for chapter in leaflet.chapters)
        if 2 * MARGIN + count * COLUMN <= A3 * (TOP + HEAD + depth + LEGEND):
            break
        depth += 50
    return depth


def _columns(cards: Sequence[Card], depth: float) -> list[list[Card]]:
    found: list[list[Card]] = [[]]
    used = 0.0
    for card in cards:
        height = _height(card) + GAP
        if used + height > depth and found[-1]:
            found.append([])
            used = 0.0
        found[-1].append(card)
        used += height
    return found


def _stack(cards: Sequence[Card], column: int, steps: Mapping[str, PlannedStep]) -> Iterator[Box]:
    y = TOP + HEAD + GAP
    for card in cards:
        indent = INDENT if card.path else 0.0
        planned = steps[card.key]
        lines, meta = _words(card)
        yield Box(
            card=card,
            lines=lines,
            meta=meta,
            x=MARGIN + column * COLUMN + GUTTER / 2 + indent,
            y=y,
            width=BOX - indent,
            height=_height(card),
            column=column,
            at_once=planned.after == () and not planned.after_any,
        )
        y += _height(card) + GAP


def _height(card: Card) -> float:
    lines, meta = _words(card)
    text = len(lines) * LINE + len(meta) * (LINE - 3)
    return GATE_HEIGHT * len(card.gates) + text + 2 * PAD


def _words(card: Card) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines of a box: its title, then kind, who acts and the limit."""
    room = (BOX - (INDENT if card.path else 0) - 24) / TITLE_SIZE
    small = (BOX - (INDENT if card.path else 0) - 24) / SMALL_SIZE
    return tuple(wrap(card.title, room, MAX_LINES)), tuple(_meta(card, small))


def _meta(card: Card, room: float) -> Iterator[str]:
    """Kind, who acts and the limit; none of them is broken over lines."""
    line = ""
    for part in filter(None, (card.kind_word, card.who, card.limit)):
        joined = f"{line} · {part}" if line else part
        if line and measure(joined) > room:
            yield line
            joined = part
        line = cut(joined, room)
    yield line


# -- words in lines -----------------------------------------------------------------------------------------


def measure(text: str) -> float:
    """About how wide a text is, in letters' heights: a Japanese character is as wide as it is high."""
    return sum(1.0 if unicodedata.east_asian_width(char) in "WFA" else 0.5 for char in text)


def wrap(text: str, room: float, most: int) -> list[str]:
    """`text` in at most `most` lines; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        if line.strip() and measure((line + piece).rstrip()) > room:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    lines.append(line.rstrip())
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], cut("".join((lines[most - 1], "…")), room)]


def cut(text: str, room: float) -> str:
    """`text` on one line, its end replaced by an ellipsis if it is too long."""
    if measure(text) <= room:
        return text
    while text and measure(text) + 1 > room:
        text = text[:-1]
    return text.rstrip("… ") + "…"


def _pieces(text: str) -> Iterator[str]:
    """What must stay on one line: a Latin word with its blank, a Japanese character with its punctuation."""
    piece = ""
    for char in text:
        wide = unicodedata.east_asian_width(char) in "WFA"
        joined = char in _NOT_FIRST or (piece and piece[-1] in _NOT_LAST)
        starts = wide or (piece and (piece[-1] == " " or unicodedata.east_asian_width(piece[-1]) in "WFA"))
        if piece and starts and not joined and char != " ":
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece


# -- arrows -------------------------------------------------------------------------------------------------


def edges_of(plan: Plan) -> Iterator[Edge]:
    """The arrows of a plan, without those that follow from others: a > c where a > b > c is drawn."""
    before = {key: _waits(plan, planned) for key, planned in plan.steps.items()}
    reach = _reach(before)
    for key, planned in plan.steps.items():
        conditional = planned.step.when is not None
        for other in before[key]:
            if not any(other in reach[third] for third in before[key] if third != other):
                yield _edge(other, key, "after", conditional)
        for other in planned.after_any:
            yield _edge(other, key, "any", conditional)
        if planned.caller is not None and plan.steps[planned.caller].step.phase != planned.step.phase:
            yield _edge(planned.caller, key, "part", conditional)


def _edge(source: str, target: str, kind: EdgeKind, conditional: bool) -> Edge:
    return Edge(
        source=source.split("/", 1)[1], target=target.split("/", 1)[1], kind=kind, conditional=conditional
    )


def _waits(plan: Plan, planned: PlannedStep) -> tuple[str, ...]:
    """What a step itself waits for; what its caller waits for is drawn at the caller."""
    own = planned.after or ()
    if planned.caller is None:
        return own
    inherited = plan.steps[planned.caller].after or ()
    return tuple(one for one in own if one not in inherited)


def _reach(before: Mapping[str, tuple[str, ...]]) -> dict[str, set[str]]:
    """All that lies before each step, at any distance."""
    found: dict[str, set[str]] = {}
    for start in before:
        seen: set[str] = set()
        waiting = list(before[start])
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += before.get(one, ())
        found[start] = seen
    return found
