"""A page of the war room drawn part by part for somebody, without a server or a browser."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from console.opening import House
from console.visitor import Visitor
from console.web.asking import Ask
from console.web.frame import Page, drawn
from console.web.rooms import PAGES
from models.access import Viewer

BY_NAME: Mapping[str, Page] = {page.name: page for page in PAGES}
VOID = frozenset({"input", "meta", "link", "br", "hr", "img"})


def ask(house: House, person: str | None, page: str, subject: str = "", **more: Any) -> Ask:
    """What somebody asks for; with a token for forms, as a session has one."""
    visitor = Visitor(viewer=more.pop("viewer", Viewer(person=person)), lang=more.pop("lang", "en"), csrf="t")
    return Ask(house=house, visitor=visitor, page=page, subject=subject, csrf="t", **more)


def parts(house: House, person: str | None, name: str, subject: str = "", **more: Any) -> dict[str, str]:
    """The parts of a page by name. Raises NotFound as the page does."""
    page = BY_NAME[name]
    asked = ask(house, person, name, subject, **more)
    page.head(asked)
    return {part.name: str(drawn(page, part, asked)) for part in page.parts}


class Outline(HTMLParser):
    """The elements and attributes of a piece of HTML, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
