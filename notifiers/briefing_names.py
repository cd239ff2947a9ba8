"""Names, texts and times that every message is put together from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.state import StreamState
from models.world import World


@dataclass(frozen=True, kw_only=True)
class Matter:
    """What a message is about, read in one go: state, its texts, the world."""

    state: StreamState
    texts: Mapping[str, str | None]
    world: World
    link: str = ""
    facts: Mapping[int, Any] = field(default_factory=dict)


def person_name(world: World, person: str | None, lang: str) -> str:
    """A person's name; the id of somebody whom the directory has no more."""
    known = world.directory.person(person) if person else None
    return known.name.lang(lang) if known else (person or "")


def text_of(matter: Matter, digest: str | None) -> str:
    """A text that lies beside the record; empty if it was disposed of."""
    return (matter.texts.get(digest) or "") if digest else ""


def at(instant: datetime, zone: str, lang: str) -> str:
    """An instant as people read it: the institution's zone, with its offset."""
    del lang
    local = instant.astimezone(ZoneInfo(zone))
    offset = local.strftime("%z")
    return f"{local:%m/%d %H:%M} ({offset[:3]}:{offset[3:]})"


def due(instant: datetime, zone: str, lang: str) -> str:
    """A deadline: one at midnight is the end of the day before, as people and laws say it: `24:00`."""
    local = instant.astimezone(ZoneInfo(zone))
    if local.timetz().replace(tzinfo=None) != time():
        return at(instant, zone, lang)
    offset = local.strftime("%z")
    return f"{local.date() - timedelta(days=1):%m/%d} 24:00 ({offset[:3]}:{offset[3:]})"
