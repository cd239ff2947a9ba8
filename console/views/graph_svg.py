"""The graph of a playbook as SVG: drawn here, without a script, readable on A3.

A kind shows by shape and word, colour only helps; every box says in its title what a screen reader reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from console.texts import Texts
from console.views.graph_layout import (
    GATE_HEIGHT,
    HEAD,
    LEGEND,
    LINE,
    MARGIN,
    PAD,
    SMALL_SIZE,
    TOP,
    Box,
    Drawing,
    Edge,
    Lane,
    cut,
    lay_out_graph,
)
from console.views.leaflet import Leaflet
from console.views.markup import element, written
from models.plan import Plan

KINDS = ("manual", "action", "decision", "notice", "call")
POINT = 9.0
_STYLE = Path(__file__).with_name("graph.css")


def svg(leaflet: Leaflet, plan: Plan, texts: Texts) -> str:
    """The graph as one SVG document."""
    return written(_Canvas(leaflet, lay_out_graph(leaflet, plan), texts).document())


def within(leaflet: Leaflet, plan: Plan, texts: Texts, page: str) -> str:
    """The graph as a part of a page that has the style sheet; each step leads to its place on `page`."""
    return written(_Canvas(leaflet, lay_out_graph(leaflet, plan), texts, page).document())


class _Canvas:
    def __init__(self, leaflet: Leaflet, drawing: Drawing, texts: Texts, page: str = "") -> None:
        self.leaflet, self.drawing, self.texts, self.page = leaflet, drawing, texts, page

    def document(self) -> Element:
        one, drawing = self.leaflet, self.drawing
        title = self.texts("reading.graph_title", title=one.title, name=one.name, version=one.version)
        gated = sum(1 for card in one.cards if card.gates)
        desc = self.texts("reading.graph_desc", steps=len(one.cards), phases=len(one.chapters), gates=gated)
        return element(
            "svg",
            element("title", title, id="title"),
            element("desc", desc, id="desc"),
            None if self.page else element("style", _STYLE.read_text(encoding="utf-8")),
            element("defs", _arrow_head()),
            element("rect", class_="paper", width=_n(drawing.width), height=_n(drawing.height)),
            element("text", title, class_="head", x=_n(MARGIN), y=_n(TOP - 28)),
            element("text", desc, class_="soft", x=_n(MARGIN), y=_n(TOP - 8)),
            *(part for lane in drawing.lanes for part in self._lane(lane)),
            element("g", *(self._edge(edge) for edge in drawing.edges), aria_hidden="true"),
            *(self._box(box) for box in drawing.boxes.values()),
            element("g", *self._legend(), aria_hidden="true"),
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {_n(drawing.width)} {_n(drawing.height)}",
            width=_n(drawing.width) if self.page else "420mm",
            class_="graph" if self.page else None,
            role="group" if self.page else "img",
            aria_labelledby="title desc",
            lang=one.lang,
        )

    def _lane(self, lane: Lane) -> Iterator[Element]:
        height = self.drawing.height - TOP - LEGEND
        yield element(
            "rect",
            class_="lane",
            x=_n(lane.x + 3),
            y=_n(TOP),
            width=_n(lane.width - 6),
            height=_n(height),
            rx=6,
        )
        yield element("text", lane.title, class_="lane-name", x=_n(lane.x + 16), y=_n(TOP + HEAD - 9))

    # -- steps ----------------------------------------------------------------------------------------------

    def _box(self, box: Box) -> Element:
        card = box.card
        said = [card.kind_word, card.who, card.limit, *(gate.title for gate in card.gates)]
        whole = f"{card.title} [{card.key}] {' · '.join(one for one in said if one)}"
        top = box.y + box.gates
        return element(
            "a" if self.page else "g",
            element("title", whole),
            *self._bars(box),
            *_shape(card.kind, box.x, top, box.width, box.height - box.gates),
            element("circle", class_="at-once", cx=_n(box.x), cy=_n(top), r=4) if box.at_once else None,
            *_lines(box, top),
            class_="step conditional" if card.conditional else "step",
            href=f"{self.page}#step-{card.key}" if self.page else None,
        )

    def _bars(self, box: Box) -> Iterator[Element]:
        """A bar above the box for each gate."""
        for number, gate in enumerate(box.card.gates):
            y = box.y + number * GATE_HEIGHT
            yield element(
                "rect",
                class_="gate",
                x=_n(box.x - 5),
                y=_n(y),
                width=_n(box.width + 10),
                height=_n(GATE_HEIGHT - 2),
            )
            name = cut(gate.title, (box.width - 2) / SMALL_SIZE)
            yield element("text", name, class_="gate-name", x=_n(box.x), y=_n(y + GATE_HEIGHT - 5))

    # -- arrows ---------------------------------------------------------------------------------------------

    def _edge(self, edge: Edge) -> Element:
        source, target = self.drawing.boxes[edge.source], self.drawing.boxes[edge.target]
        classes = f"edge {edge.kind} conditional" if edge.conditional else f"edge {edge.kind}"
        return element(
            "path",
            class_=classes,
            d=_path(source, target),
            marker_end=None if edge.kind == "part" else "url(#tip)",
        )

    # -- the legend -----------------------------------------------------------------------------------------

    def _legend(self) -> Iterator[Element]:
        y = self.drawing.height - LEGEND + 16
        yield element("text", self.texts("reading.legend"), class_="lane-name", x=_n(MARGIN), y=_n(y + 17))
        x = MARGIN + 140
        for kind in KINDS:
            yield from _shape(kind, x, y, 150, 26)
            name = self.texts.word("words.kind", kind)
            yield element("text", name, x=_n(x + 75), y=_n(y + 17), text_anchor="middle")
            x += 170
        x, y = MARGIN + 140, y + 44
        for name in ("arrow", "any", "dashed", "gate_bar", "at_once"):
            yield _sample(name, x, y)
            yield element("text", self.texts(f"reading.{name}"), x=_n(x + 42), y=_n(y + 4))
            x += 220


def _sample(name: str, x: float, y: float) -> Element:
    """What a word of the legend stands for."""
    if name == "gate_bar":
        return element("rect", class_="gate", x=_n(x), y=_n(y - 7), width=34, height=13)
    if name == "at_once":
        return element("circle", class_="at-once", cx=_n(x + 26), cy=_n(y), r=4)
    classes = {"arrow": "edge after", "any": "edge any", "dashed": "edge after conditional"}[name]
    return element("path", class_=classes, d=f"M{_n(x)} {_n(y)} h30", marker_end="url(#tip)")


def _arrow_head() -> Element:
    return element(
        "marker",
        element("path", class_="tip", d="M0 0 L8 4 L0 8 z"),
        id="tip", viewBox="0 0 8 8", refX=7, refY=4, markerWidth=7, markerHeight=7, orient="auto",
    )  # fmt: skip


def _shape(kind: str, x: float, y: float, width: float, height: float) -> Iterator[Element]:
    """The outline of a kind; never by colour alone."""
    if kind == "decision":
        middle, right = y + height / 2, x + width
        points = [(x, middle), (x + POINT, y), (right - POINT, y), (right, middle)]
        points += [(right - POINT, y + height), (x + POINT, y + height)]
        yield element(
            "polygon", class_="box decision", points=" ".join(f"{_n(a)},{_n(b)}" for a, b in points)
        )
        return
    rounded = {"notice": 14, "manual": 3}.get(kind, 0)
    yield element(
        "rect", class_=f"box {kind}", x=_n(x), y=_n(y), width=_n(width), height=_n(height), rx=rounded
    )
    if kind == "action":
        yield element(
            "path",
            class_="thin",
            d=f"M{_n(x + 5)} {_n(y)} v{_n(height)} M{_n(x + width - 5)} {_n(y)} v{_n(height)}",
        )
    if kind == "call":
        yield element(
            "rect", class_="thin", x=_n(x + 3), y=_n(y + 3), width=_n(width - 6), height=_n(height - 6)
        )


def _lines(box: Box, top: float) -> Iterator[Element]:
    y = top + PAD + LINE - 4
    for line in box.lines:
        yield element("text", line, x=_n(box.x + 12), y=_n(y))
        y += LINE
    for line in box.meta:
        yield element("text", line, class_="small", x=_n(box.x + 12), y=_n(y - 2))
        y += LINE - 3


def _path(source: Box, target: Box) -> str:
    """From a step to one that waits for it, around what lies between in the same column."""
    if source.column == target.column:
        return _down(source, target)
    y1 = source.y + (source.height + source.gates) / 2
    y2 = target.y + (target.height + target.gates) / 2
    ahead = target.column > source.column
    x1 = source.x + source.width if ahead else source.x
    x2 = target.x if ahead else target.x + target.width
    pull = 26 if ahead else -26
    return f"M{_n(x1)} {_n(y1)} C{_n(x1 + pull)} {_n(y1)} {_n(x2 - pull)} {_n(y2)} {_n(x2)} {_n(y2)}"


def _down(source: Box, target: Box) -> str:
    below = source.y + source.height
    if 0 <= target.y - below < 2 * GATE_HEIGHT:
        x = max(source.x, target.x) + 30
        return f"M{_n(x)} {_n(below)} L{_n(x)} {_n(target.y)}"
    y1, y2 = source.y + source.height - 10, target.y + target.gates + 12
    turn = 10 if y2 > y1 else -10
    x = min(source.x, target.x) - 12
    out = f"M{_n(source.x)} {_n(y1)} Q{_n(x)} {_n(y1)} {_n(x)} {_n(y1 + turn)}"
    return f"{out} V{_n(y2 - turn)} Q{_n(x)} {_n(y2)} {_n(target.x)} {_n(y2)}"


def _n(value: float) -> str:
    """A number as short as it can be written."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
