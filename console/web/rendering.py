"""From what is known to HTML. Everything printed is cleaned and escaped; no text of outsiders is markup."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from console.web.kept import once
from notifiers.briefing_names import at
from notifiers.rendering import clean, cut, language, one_line, safe_url

HERE = Path(__file__).parent
VALUE_LIMIT = 2_000


@cache
def words(lang: str) -> Mapping[str, Any]:
    """The words of one language; `ja` for a language there is none of."""
    return tomllib.loads((HERE / "words" / f"{language(lang)}.toml").read_text(encoding="utf-8"))


@cache
def page_words(name: str, lang: str) -> Mapping[str, Any]:
    """The words of one page of the war room."""
    path = HERE / "words" / "pages" / f"{name}.{language(lang)}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def filled(template: str, lang: str, **values: Any) -> Markup:
    """A template of ours, filled in."""
    content = _environment().get_template(template).render(t=words(lang), lang=language(lang), **values)
    return Markup(content)  # noqa: S704 - the template has escaped what was filled in


def page(template: str, lang: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template of ours, filled in, as an answer."""
    return HTMLResponse(filled(template, lang, **values), status)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_cleaned,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["once"] = once
    made.globals["as_typed"] = as_typed
    return made


def _cleaned(value: Any) -> Any:
    """Hidden characters, live links and our own marks 【】 do not get through; Jinja2 escapes after."""
    if isinstance(value, (Markup, Undefined)) or not isinstance(value, str):
        return value
    return cut(clean(value), VALUE_LIMIT)


def as_typed(text: str) -> Markup:
    """What somebody typed, as it goes back into the field it came from: whole, its lines kept, escaped."""
    return escape("".join(one for one in text if one.isprintable() or one in "\n\t\u00a0\u3000"))


def ours(text: str) -> Markup:
    """A text of the institution's own, with the addresses in it alive: a meeting has to be one touch away."""
    parts = (_linked(part) for part in one_line(text).split(" "))
    return Markup(" ").join(parts)


def _linked(part: str) -> Markup:
    url = safe_url(part)
    return Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(url) if url else escape(part)


_SPANS = (("days", 86_400, 172_800), ("hours", 3_600, 7_200), ("minutes", 60, 0))
"""Unit, its seconds, and from how many seconds on it is used."""


def span(until: datetime, now: datetime, lang: str) -> str:
    """How long until then, or how long past, in words."""
    t = words(lang)
    seconds = abs(int((until - now).total_seconds()))
    unit, size = next((unit, size) for unit, size, least in _SPANS if seconds >= least)
    said = t["units"][unit].format(count=seconds // size)
    return str(t["until-left" if until >= now else "until-over"]).format(span=said)


def when(instant: datetime, zone: str, lang: str) -> str:
    """An instant in the institution's zone, with its offset."""
    return at(instant, zone, lang)
