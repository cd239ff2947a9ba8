"""The factors of a decision in words: the same in messages and on screens, and unknown said as unknown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from models.factors import UNKNOWN, UNKNOWN_WORDS
from models.values import parse_duration
from models.world import World
from notifiers.clockwords import span

WORDS = {"ja": {UNKNOWN: "不明", "comma": "、"}, "en": {UNKNOWN: "UNKNOWN", "comma": ", "}}


def factor_value(name: str, value: Any, world: World, lang: str, text: Callable[[str], str]) -> str:
    """What was weighed, in words; `text` gives a text by its digest."""
    if isinstance(value, list):
        say = _service if name == "services" else _instant
        return _range(name, [say(one, world, lang) for one in value], lang)
    if not isinstance(value, str):
        return f"{value:,}"
    if is_unknown(value, text):
        return WORDS[lang][UNKNOWN]
    return (
        span(parse_duration(value), lang)
        if name == "duration" and not value.startswith("t:")
        else text(value)
    )


def is_unknown(value: Any, text: Callable[[str], str]) -> bool:
    """Whether nobody knew it; the first records kept that as a text as well."""
    if not isinstance(value, str):
        return False
    said = text(value) if value.startswith("t:") else value
    return said.strip().lower() in UNKNOWN_WORDS


def _range(name: str, parts: list[str], lang: str) -> str:
    return (WORDS[lang]["comma"] if name == "services" else " – ").join(parts)


def _service(name: str, world: World, lang: str) -> str:
    found = world.directory.service(name)
    return found.name.lang(lang) if found is not None else name


def _instant(value: str, world: World, lang: str) -> str:
    local = datetime.fromisoformat(value).astimezone(ZoneInfo(world.organisation.zone))
    return f"{local:%m/%d %H:%M}"
