"""A leaflet as one HTML file for the screen and for A4: no script, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.etree.ElementTree import Element

from console.texts import Texts
from console.views.leaflet import Card, Chapter, Choice, Field, Gate, Leaflet
from console.views.markup import element, written

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = Path(__file__).with_name("leaflet.css")


def html(leaflet: Leaflet, texts: Texts) -> str:
    """The leaflet as one document, well-formed as XML too."""
    return written(_Page(leaflet, texts).document(), "<!DOCTYPE html>\n")


@cache
def _style() -> str:
    """The style sheet. It must hold none of `<`, `>` and `&`, which mean different things in HTML and XML."""
    return _STYLE.read_text(encoding="utf-8")


class _Page:
    def __init__(self, leaflet: Leaflet, texts: Texts) -> None:
        self.leaflet, self.texts = leaflet, texts
        self.numbers = {card.key: number for number, card in enumerate(leaflet.cards, start=1)}

    def document(self) -> Element:
        one = self.leaflet
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=POLICY),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", f"{one.title} ({one.name} {one.version})"),
            element("style", _style()),
        )
        body = element(
            "body",
            element("h1", one.title, element("small", f"{one.name} {one.version}")),
            element("p", one.summary) if one.summary else None,
            element("dl", *self._fields(one.facts)),
            self._contents(),
            *(self._chapter(chapter) for chapter in one.chapters),
            element("footer", self.texts("reading.printed", name=one.name, version=one.version)),
        )
        return element("html", head, body, lang=one.lang)

    def _contents(self) -> Element:
        rows = (
            element(
                "li",
                element("a", chapter.title, href=f"#{chapter.phase}"),
                f" {self.texts('reading.steps', n=len(chapter.cards))}",
            )
            for chapter in self.leaflet.chapters
        )
        return element("nav", element("ol", *rows), aria_label=self.texts("reading.contents"))

    def _chapter(self, chapter: Chapter) -> Element:
        return element(
            "section",
            element("h2", chapter.title, id=chapter.phase),
            *(self._card(card) for card in chapter.cards),
        )

    def _card(self, card: Card) -> Element:
        classes = [card.kind, "called" if card.path else "", "conditional" if card.conditional else ""]
        path = self.texts("reading.path").join(card.path)
        return element(
            "article",
            element(
                "h3", f"{self.numbers[card.key]}. {card.title} ", element("span", card.key, class_="key")
            ),
            element("p", self.texts("reading.part_of", path=path), class_="path") if path else None,
            element("p", *self._marks(card), class_="head"),
            *(self._gate(gate) for gate in card.gates),
            element("dl", *self._fields(card.fields), *self._decision(card)),
            element("p", self.texts("reading.otherwise", text=card.otherwise), class_="otherwise")
            if card.otherwise
            else None,
            class_=" ".join(filter(None, classes)),
        )

    def _marks(self, card: Card) -> Iterator[Element]:
        yield element("span", card.kind_word)
        yield element("span", card.who)
        if card.limit:
            yield element("span", self.texts("reading.limit", span=card.limit), class_="limit")
        for name in ("conditional", "optional"):
            if getattr(card, name):
                yield element("span", self.texts(f"reading.{name}"))

    def _gate(self, gate: Gate) -> Element:
        return element(
            "p",
            element("b", self.texts("reading.gate", title=gate.title, id=gate.guideline)),
            f" {self.texts('reading.opens_with', text=gate.opens)}",
            class_="gate",
        )

    def _fields(self, fields: tuple[Field, ...]) -> Iterator[Element]:
        for field in fields:
            yield element("dt", field.label, class_=field.tone)
            yield element("dd", _lines(field), class_=field.tone)

    def _decision(self, card: Card) -> Iterator[Element]:
        """The options, and the items of the guideline that the step serves."""
        if card.choices:
            yield element("dt", self.texts("reading.label.options"))
            yield element("dd", element("ul", *(self._choice(one) for one in card.choices), class_="options"))
        if card.guideline:
            yield element("dt", self.texts("reading.label.guideline"), class_="note")
            yield element("dd", ", ".join(card.guideline), class_="note")

    def _choice(self, one: Choice) -> Element:
        price = f" {self.texts('reading.price', text=one.price)}" if one.price else None
        mark = element("span", f" ({self.texts('reading.recommended')})", class_="recommended")
        name = element("span", f" [{one.id}]", class_="key")
        return element("li", one.title, name, mark if one.recommended else None, price)


def _lines(field: Field) -> Element | str:
    if field.tone == "code":
        return element("pre", "\n".join(field.lines))
    if len(field.lines) == 1:
        return field.lines[0]
    if field.tone == "text":
        return element("div", *(element("p", line) for line in field.lines if line))
    return element("ul", *(element("li", line) for line in field.lines if line))
