"""Pages that show what there is of something, item by item, each with the forms for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from console.views.sheet import Line, printable
from console.web.asking import Ask
from console.web.doing import Doing, Forms
from console.web.frame import Page, Part, Values
from console.web.rendering import page_words
from console.web.rooms.matter import HEAD, Matter, head, whole
from models.audience import gaps

MAX_ITEMS = 100
MAX_TEXT = 40_000


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing: what it is called, what is known of it, what can be done about it."""

    anchor: str
    title: str
    badge: str = ""
    tone: str = ""
    limit: Any = None
    lines: Sequence[Line] = ()
    more_title: str = ""
    more: Sequence[Line] = ()
    texts: Sequence[tuple[str, list[dict[str, Any]]]] = ()
    opened: Sequence[str] = ()
    """Titles of the texts that stand open."""
    doings: Sequence[Doing] = ()


def section(
    name: str,
    title: str,
    *,
    lines: Iterable[Line] = (),
    items: Sequence[Item] = (),
    doings: Iterable[Doing] = (),
) -> dict[str, Any]:
    """A titled part of the page; of many items the first, and how many are left."""
    return {
        "id": name,
        "title": title,
        "lines": list(lines),
        "items": items[:MAX_ITEMS],
        "left": max(0, len(items) - MAX_ITEMS),
        "doings": list(doings),
    }


def text_of(text: str | None) -> list[dict[str, Any]]:
    """The lines of a text, those with a gap marked."""
    return [{"text": one, "gap": gaps(one) > 0} for one in printable(text or "", MAX_TEXT)]


Sections = Callable[[Forms, dict[str, Any]], list[dict[str, Any]]]


def page(noun: str, sections: Sections) -> Page:
    """The page `/incidents/{subject}/<noun>`; `sections` gives its parts, from the forms and its words."""

    def values(ask: Ask, found: Matter) -> Values:
        here = f"/incidents/{found.state.stream}/{noun}"
        forms = Forms(ask=ask, state=found.state, naming=found.naming, here=here)
        words = dict(page_words(f"incident-{noun}", ask.lang))
        return {"i": page_words("incident", ask.lang), "sections": sections(forms, words)}

    return Page(
        name=f"incident-{noun}",
        path=f"/incidents/{{subject}}/{noun}",
        parts=(HEAD, Part(name="list", values=whole(values), template="working/items.html", personal=True)),
        head=head,
        live=("{subject}",),
        nav="board",
    )
