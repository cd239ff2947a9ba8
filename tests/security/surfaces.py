"""What a text from outside must not have become, by the kind of thing that people or programs read."""

from __future__ import annotations

import csv
import io
import unicodedata
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from notifiers.slack.fake import active
from tests.security.corpora import FORGED, HIDDEN

ACTIVE = {"iframe", "object", "embed", "base", "applet", "frame", "img", "template", "plaintext", "xmp"}
LINKED = ("/", "?", "#", "https://hikeshi.example.jp/", "http://127.0.0.1:8410/")
ADDRESSES = {"href", "src", "action", "xlink:href", "formaction", "poster", "data"}
BLANK = " \u00a0\u3000\u200b"
SPREADSHEET = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


class Outline(HTMLParser):
    """The elements of a page whose ends may be missing, with their attributes, addresses and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self._script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.links += [
            value or "" for name, value in attrs if name in {"href", "src", "action", "xlink:href"}
        ]
        self._script = tag == "script"
        if self._script:
            self.scripts.append(dict(attrs).get("src") or "inline")

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.scripts.append(data)


def _hidden(text: str, kept: str = "\n") -> list[str]:
    return [char for char in text if char not in kept and unicodedata.category(char) in HIDDEN]


def _forged(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(FORGED)]


def terminal(text: str) -> list[str]:
    """What a terminal would obey, or a reader would take for a line of ours."""
    return [repr(one) for one in _hidden(text)] + _forged(text)


def html(text: str) -> list[str]:
    """Elements, attributes and addresses that somebody else wrote into a page."""
    outline = Outline(text)
    wrong = [tag for tag in outline.tags if tag in ACTIVE]
    wrong += [f"{name}={value}" for name, value in outline.attributes if _acts(name, value)]
    wrong += [link for link in outline.links if not link.startswith(LINKED)]
    scripts = [one for one in outline.scripts if not one.startswith("/static/")]
    return wrong + scripts + [repr(one) for one in _hidden(text, "\n\t")]


def _acts(name: str, value: str) -> bool:
    if name.startswith(("on", "hx-on", "style", "srcdoc", "formaction")):
        return True
    if name == "content":  # of a page that loads itself anew; ours name no other
        return "url=" in value.lower()
    return name.startswith(("hx-get", "hx-post", "sse-connect")) and not value.startswith("/")


def markdown(text: str) -> list[str]:
    """What a reader of Markdown would make of it beyond words, headings, lists and tables."""
    made = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough").render(text)
    outline = Outline(made)
    wrong = [tag for tag in outline.tags if tag in ACTIVE | {"a", "script", "svg", "form", "input"}]
    wrong += [f"{name}={value}" for name, value in outline.attributes if _acts(name, value)]
    return wrong + outline.links + terminal(text)


def sheet(text: str) -> list[str]:
    """Cells that a spreadsheet computes. Names stand there as they are, to come back as they were."""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    wrong = [cell for row in rows for cell in row if cell.lstrip(BLANK).startswith(SPREADSHEET)]
    uneven = [repr(row) for row in rows if len(row) != len(rows[0])]
    return wrong + uneven


def slack(text: str, ours: tuple[str, ...] = ()) -> list[str]:
    """Mentions and links that are not ours, and whatever nobody sees."""
    found = [one for one in active(text) if not any(one.startswith(own) for own in ours)]
    return found + [repr(one) for one in _hidden(text)]


def calendar(text: str) -> list[str]:
    """Lines of a calendar that nobody of ours began."""
    lines = text.replace("\r\n ", "").split("\r\n")
    odd = [
        line
        for line in lines
        if line and not line.split(":", 1)[0].split(";", 1)[0].replace("-", "").isupper()
    ]
    return odd + _forged(text) + [repr(one) for one in _hidden(text, "\r\n")]


def card(text: str, *ours: str) -> list[str]:
    """What Teams would make of a card's Markdown."""
    made = Outline(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    wrong = [tag for tag in made.tags if tag in ACTIVE | {"script", "svg", "form", "input"}]
    wrong += [link for link in made.links if not any(link in own for own in ours)]
    return wrong + terminal(text)
