"""A leaflet as Markdown: everything in it is escaped, addresses are no links."""

from __future__ import annotations

from collections.abc import Iterator

from console.export import escape
from console.texts import Texts
from console.views.leaflet import Card, Field, Leaflet


def markdown(leaflet: Leaflet, texts: Texts) -> str:
    """The leaflet as one Markdown document."""
    lines = [f"# {escape(leaflet.title)} ({escape(leaflet.name)} {leaflet.version})", ""]
    if leaflet.summary:
        lines += [escape(leaflet.summary), ""]
    lines += [f"- {escape(one.label)}: {escape(' '.join(one.lines))}" for one in leaflet.facts]
    number = 0
    for chapter in leaflet.chapters:
        lines += ["", f"## {escape(chapter.title)}"]
        for card in chapter.cards:
            number += 1
            lines += ["", *_card(number, card, texts)]
    note = texts("reading.printed", name=leaflet.name, version=leaflet.version)
    return "\n".join([*lines, "", "---", "", escape(note)]) + "\n"


def _card(number: int, card: Card, texts: Texts) -> Iterator[str]:
    limit = texts("reading.limit", span=card.limit) if card.limit else ""
    marks = [texts("reading.conditional")] if card.conditional else []
    marks += [texts("reading.optional")] if card.optional else []
    head = " · ".join(one for one in (card.kind_word, card.who, limit, *marks) if one)
    yield f"### {number}. {escape(card.title)} \\[{escape(card.key)}\\]"
    yield ""
    if card.path:
        path = texts("reading.path").join(card.path)
        yield f"_{escape(texts('reading.part_of', path=path))}_"
        yield ""
    yield f"**{escape(head)}**"
    yield ""
    for gate in card.gates:
        opens = texts("reading.opens_with", text=gate.opens)
        yield f"- **{escape(texts('reading.gate', title=gate.title, id=gate.guideline))}** {escape(opens)}"
    for field in card.fields:
        yield from _field(field)
    yield from _choices(card, texts)
    if card.guideline:
        yield f"- {escape(texts('reading.label.guideline'))}: {escape(', '.join(card.guideline))}"


def _field(field: Field) -> Iterator[str]:
    label = escape(field.label)
    label = f"**{label}**" if field.tone == "never" else label
    if len(field.lines) == 1:
        yield f"- {label}: {escape(field.lines[0])}"
        return
    yield f"- {label}:"
    yield from (f"  - {escape(line)}" for line in field.lines if line)


def _choices(card: Card, texts: Texts) -> Iterator[str]:
    if card.choices:
        yield f"- {escape(texts('reading.label.options'))}:"
    for one in card.choices:
        mark = f" **({escape(texts('reading.recommended'))})**" if one.recommended else ""
        price = f". {escape(texts('reading.price', text=one.price))}" if one.price else ""
        yield f"  - `{one.id}` {escape(one.title)}{mark}{price}"
    if card.otherwise:
        yield f"- **{escape(texts('reading.otherwise', text=card.otherwise))}**"
