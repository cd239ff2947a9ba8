"""The dependency graph of services as SVG within a page: drawn here, coloured by classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from console.views.estate_layout import LINE, MARGIN, PAD, Box, Estate
from console.views.estate_layout import Line as Tie
from console.views.markup import element, written

VENDOR = "vendor"


@dataclass(frozen=True, kw_only=True)
class Look:
    """How one is shown: the kind, whether it is down, where it leads, and what is said of it."""

    kind: str
    down: bool
    href: str
    said: str


def svg(estate: Estate, looks: Mapping[str, Look], title: str, desc: str, heads: tuple[str, str]) -> str:
    """The drawing. `heads` stand over the first column and the last."""
    first, last = heads
    width = estate.width
    {"x": _n(width - MARGIN), "y": _n(MARGIN + 8), "text_anchor": "end"}
    return written(
        element(
            "svg",
            element("title", title, id="estate-title"),
            element("desc", desc, id="estate-desc"),
            element("text", first, class_="column-name", x=_n(MARGIN), y=_n(MARGIN + 8)),
            element(
                "text", last, class_="column-name", x=_n(width - MARGIN), y=_n(MARGIN + 8), text_anchor="end"
            ),
            element("g", *(_tie(one, looks) for one in estate.lines), aria_hidden="true"),
            *(_box(box, looks[name]) for name, box in estate.boxes.items()),
            viewBox=f"0 0 {_n(width)} {_n(estate.height)}",
            width=_n(width),
            height=_n(estate.height),
            class_="estate",
            role="group",
            aria_labelledby="estate-title estate-desc",
        )
    )


def _box(box: Box, look: Look) -> Element:
    y = box.y + PAD + LINE - 5
    lines = []
    for line in box.lines:
        lines.append(element("text", line, class_="name", x=_n(box.x + PAD), y=_n(y)))
        y += LINE
    if box.meta:
        lines.append(element("text", box.meta, class_="meta", x=_n(box.x + PAD), y=_n(y)))
    return element(
        "a",
        element("title", look.said),
        element(
            "rect",
            class_="box",
            x=_n(box.x),
            y=_n(box.y),
            width=_n(box.width),
            height=_n(box.height),
            rx=16 if look.kind == VENDOR else 3,
        ),
        *lines,
        class_=f"node {look.kind}{' down' if look.down else ''}",
        href=look.href,
    )


def _tie(tie: Tie, looks: Mapping[str, Look]) -> Element:
    (x, y), *rest = tie.points
    path = f"M{_n(x)} {_n(y)}"
    for number, (to_x, to_y) in enumerate(rest):
        if number % 2:
            path += f" L{_n(to_x)} {_n(to_y)}"
        else:
            middle = (x + to_x) / 2
            path += f" C{_n(middle)} {_n(y)} {_n(middle)} {_n(to_y)} {_n(to_x)} {_n(to_y)}"
        x, y = to_x, to_y
    return element("path", class_="tie down" if looks[tie.target].down else "tie", d=path)


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
