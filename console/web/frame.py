"""The pages of the war room: what a page is made of, and how it is drawn, whole or part by part.

A page is a frame and its parts. Each part is drawn by itself from what is known now, so that what has changed
can be sent alone to those who look. Without JavaScript the whole page comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from console.web.asking import Ask
from console.web.rendering import filled, page_words

Values = Mapping[str, Any]


def _nothing(ask: Ask) -> Values:
    return {}


Gives = Callable[[Ask], Values | None]
"""What gives a part its values; None where there is nothing to show, and the part is empty."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a page. `template` is `<page>/<name>.html` unless named.

    A personal part is drawn for its visitor alone. Any other is drawn once for all who may read the same in
    the same language, and must not hang on who asks, nor hold a form.
    """

    name: str
    values: Gives
    template: str = ""
    personal: bool = False


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of the war room.

    `path` may hold `{subject}`. `head` gives the values of the frame and raises NotFound if the subject is
    not there for the visitor: it is asked before any part. `live` says which streams change the page, None
    for a page that is not kept up to date; `{subject}` stands for its subject, `*` for any incident.
    """

    name: str
    path: str
    parts: tuple[Part, ...] = ()
    head: Callable[[Ask], Values] = _nothing
    live: tuple[str, ...] | None = None
    nav: str = ""
    """The entry of the navigation that is marked as the present one; empty: the page's own name."""

    def streams(self, subject: str) -> frozenset[str]:
        """The streams whose facts change this page."""
        return frozenset(one.format(subject=subject) for one in self.live or ())


def drawn(page: Page, part: Part, ask: Ask) -> Markup:
    """What stands inside a part."""
    words = page_words(page.name, ask.lang)
    template = part.template or f"{page.name}/{part.name}.html"
    values = part.values(ask)
    if values is None:
        return Markup("")
    return filled(
        template, ask.lang, w=words, csrf=ask.csrf if part.personal else "", ask=ask, **dict(values)
    )
