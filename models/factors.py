"""The factors of a decision, typed: what was weighed before a service is stopped (FSA-2.5.2.4-B1).

`unknown` is an answer to each of them and stays visible; nothing is not. A word, a number, a time or a
service is kept plain in the fact; free text lies beside it. Records of the first versions hold texts for all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.clock import iso, parse_instant
from models.errors import NaiveInstant
from models.organisation import Organisation
from models.values import parse_duration, write_duration

FACTOR_TYPES: Mapping[str, str] = {
    "window": "window",
    "duration": "duration",
    "services": "services",
    "alternative": "text",
    "customers-affected": "customers",
}
"""What each factor of a shutdown is; the order is that in which they are asked."""
UNKNOWN = "unknown"
UNKNOWN_WORDS = frozenset({UNKNOWN, "不明"})
NOW_WORDS = frozenset({"now", "at once", "immediately", "即時", "直ちに", "今すぐ"})
MAX_SERVICES = 50
MAX_NUMBER = 15
_HOURS = re.compile(r"(?P<from>\d{1,2}:\d{2})(?:\s*[-~–〜～]\s*(?P<until>\d{1,2}:\d{2}))?")
_RANGE = re.compile(r"\s*(?:\.\.|/|〜|～|\s-\s)\s*")


_UNITS: Mapping[str, str] = {"日間": "d", "日": "d", "時間": "h", "分間": "m", "分": "m", "秒": "s"}
"""Units as screens print them: what is shown can be written."""
_IN_WORDS = re.compile(r"\s*(?:日間|日|時間|分間|分|秒)\s*")


class WrongFactor(ValueError):
    """A factor that cannot be read; the message says what was expected."""


def read_factor(name: str, value: str, now: datetime, organisation: Organisation) -> Any:
    """The value to keep in the fact; None if it is free text, which lies beside it.

    `now` (aware) is what times of day count from. Raises WrongFactor.
    """
    if value.strip().lower() in UNKNOWN_WORDS:
        return UNKNOWN
    return _READERS[FACTOR_TYPES[name]](value.strip(), now, organisation)


def _window(value: str, now: datetime, organisation: Organisation) -> list[str]:
    """An instant, or from one to another. A time of day is the next one in the institution's zone."""
    if value.lower() in NOW_WORDS:
        return [iso(now)]
    hours = _HOURS.fullmatch(value)
    try:
        if hours is not None:
            begin = _next(hours["from"], now, organisation.zone)
            ends = [_next(hours["until"], begin, organisation.zone)] if hours["until"] else []
        else:
            begin, *ends = [_instant(one, now, organisation.zone) for one in _RANGE.split(value)]
    except NaiveInstant as naive:
        raise WrongFactor(str(naive)) from naive
    except ValueError as wrong:
        raise WrongFactor(
            "expected now, a time, or from one to another, such as 02:00-06:00 or"
            f" 2026-11-23T02:00+09:00..2026-11-23T06:00+09:00, or unknown; got {value[:60]!r}"
        ) from wrong
    if len(ends) > 1 or (ends and ends[0] <= begin):
        raise WrongFactor(f"expected one time, or two with the later one last; got {value[:60]!r}")
    return [iso(begin), *(iso(one) for one in ends)]


def _instant(value: str, now: datetime, zone: str) -> datetime:
    if value.lower() in NOW_WORDS:
        return now
    return _next(value, now, zone) if _HOURS.fullmatch(value) else parse_instant(value)


def _next(value: str, after: datetime, zone: str) -> datetime:
    """The next time of day that is not before `after`."""
    hour, minute = (int(part) for part in value.split(":"))
    local = after.astimezone(ZoneInfo(zone))
    if hour == 24 and minute == 0:  # noqa: PLR2004 - as the end of a day is written
        hour, local = 0, local + timedelta(days=1)
    found = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if found.astimezone(after.tzinfo) < after.replace(second=0, microsecond=0):
        found += timedelta(days=1)
    return found.astimezone(after.tzinfo)


def _duration(value: str, now: datetime, organisation: Organisation) -> str:
    try:
        return write_duration(parse_duration(_IN_WORDS.sub(lambda found: _UNITS[found[0].strip()], value)))
    except ValueError as wrong:
        raise WrongFactor(f"{wrong}, or unknown") from wrong


def _services(value: str, now: datetime, organisation: Organisation) -> list[str]:
    """Ids or names, or how only one of them begins, separated by commas; each must be in the register."""
    asked = [part.strip() for part in re.split(r"[,、，;\n]", value) if part.strip()]
    found = {one: _meant(one, organisation) for one in asked}
    unheard = [one for one, meant in found.items() if len(meant) != 1]
    if unheard or not asked or len(asked) > MAX_SERVICES:
        raise WrongFactor(
            f"expected services of the register, separated by commas, or unknown; known:"
            f" {', '.join(sorted(one.id for one in organisation.services))}; got {', '.join(unheard)[:200]!r}"
        )
    return list(dict.fromkeys(one for meant in found.values() for one in meant))


def _meant(said: str, organisation: Organisation) -> set[str]:
    """The ids of the services that are called so, else of those whose id or name begins so."""
    low = said.casefold()
    names = {
        one.id: [one.id, one.name.ja.casefold(), one.name.en.casefold()] for one in organisation.services
    }
    whole = {service for service, called in names.items() if low in called}
    return whole or {
        service for service, called in names.items() if any(name.startswith(low) for name in called)
    }


def _text(value: str, now: datetime, organisation: Organisation) -> None:
    return None


def _customers(value: str, now: datetime, organisation: Organisation) -> int | None:
    """How many, or in words (`all private customers of the east branch`)."""
    digits = value.replace(",", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= MAX_NUMBER else None


_READERS: Mapping[str, Callable[[str, datetime, Organisation], Any]] = {
    "window": _window,
    "duration": _duration,
    "services": _services,
    "text": _text,
    "customers": _customers,
}
