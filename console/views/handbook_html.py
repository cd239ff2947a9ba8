"""A book as one HTML file for the screen and for paper: no script, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, singledispatch
from pathlib import Path
from xml.etree.ElementTree import Element

from console.views.handbook import Book, Chapter, Facts, Grid, Heading, Part, Points, Words
from console.views.leaflet_html import POLICY
from console.views.markup import element, written

_STYLES = ("leaflet.css", "handbook.css")
BOX = "☐ "


def html(book: Book) -> str:
    """The book as one document, well-formed as XML too."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{book.mark} {book.title}"),
        element("style", _style()),
    )
    body = element(
        "body",
        element("p", book.mark, class_="drill"),
        element("h1", book.title),
        *(element("p", one) for one in book.lead),
        _contents(book),
        *map(_chapter, book.chapters),
        element("footer", book.printed),
    )
    return written(element("html", head, body, lang=book.lang), "<!DOCTYPE html>\n")


def chapters(book: Book) -> str:
    """Its chapters alone, for a page that has a head of its own."""
    return written(element("div", *map(_chapter, book.chapters), class_="book"))


@cache
def _style() -> str:
    """The style sheets. They hold none of `<`, `>` and `&`, which mean different things in HTML and XML."""
    folder = Path(__file__).parent
    return "".join((folder / name).read_text(encoding="utf-8") for name in _STYLES)


def _contents(book: Book) -> Element:
    rows = (element("li", element("a", one.title, href=f"#{one.id}")) for one in book.chapters)
    return element("nav", element("ol", *rows))


def _chapter(chapter: Chapter) -> Element:
    classes = [name for name, on in (("alone", chapter.alone), ("wide", chapter.wide)) if on]
    return element(
        "section",
        element("h2", chapter.title, id=chapter.id),
        *(made for part in chapter.parts for made in _draw(part)),
        class_=" ".join(classes) or None,
    )


@singledispatch
def _draw(part: Part) -> Iterator[Element]:
    raise TypeError(part)


@_draw.register
def _(part: Words) -> Iterator[Element]:
    yield element("div", *(element("p", line) for line in part.lines if line), class_=f"words {part.tone}")


@_draw.register
def _(part: Points) -> Iterator[Element]:
    mark = BOX if part.boxes else ""
    rows = (element("li", f"{mark}{line}") for line in part.lines)
    yield element("ul", *rows, class_="boxes" if part.boxes else None)


@_draw.register
def _(part: Facts) -> Iterator[Element]:
    made = element("dl")
    for label, lines in part.rows:
        inner = lines[0] if len(lines) == 1 else element("ul", *(element("li", line) for line in lines))
        made.append(element("dt", label))
        made.append(element("dd", inner))
    yield made


@_draw.register
def _(part: Grid) -> Iterator[Element]:
    head = element("thead", element("tr", *(element("th", one, scope="col") for one in part.headers)))
    rows = (element("tr", *(element("td", cell or "\u00a0") for cell in row)) for row in part.rows)
    yield element("table", head, element("tbody", *rows))


@_draw.register
def _(part: Heading) -> Iterator[Element]:
    yield element("h3", part.text)
