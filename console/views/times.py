"""Instants and spans as people say them, in the institution's zone with its offset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from console.texts import Texts
from models.clock import utc

EARLIEST, LATEST = 1900, 2999
"""Years. The record's own rules are narrower; this is what can be shown in every zone."""
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


@dataclass(frozen=True, kw_only=True)
class Times:
    """Writes instants for people; `zone` is the institution's."""

    texts: Texts
    zone: ZoneInfo

    def at(self, instant: datetime | None, *, seconds: bool = False) -> str:
        """`2026-11-23 03:05 +09:00`, or a dash for no instant."""
        if instant is None:
            return "–"
        local = instant.astimezone(self.zone)
        offset = local.strftime("%z")
        clock = local.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")
        return f"{clock} {offset[:3]}:{offset[3:5]}"

    def due(self, instant: datetime | None) -> str:
        """A deadline: one at midnight is the end of the day before, as people and laws say it: `24:00`."""
        if instant is None:
            return "–"
        local = instant.astimezone(self.zone)
        if local.timetz().replace(tzinfo=None) != time():
            return self.at(instant)
        offset = local.strftime("%z")
        return f"{local.date() - timedelta(days=1):%Y-%m-%d} 24:00 {offset[:3]}:{offset[3:5]}"

    def span(self, span: timedelta) -> str:
        """The two largest units of a time that is not negative: `1 h 5 min`."""
        left = max(0, int(span.total_seconds()))
        parts = []
        for unit, size in _UNITS:
            count, left = divmod(left, size)
            if count:
                parts.append(self.texts(f"words.unit.{unit}", n=count))
            if parts and (len(parts) == 2 or unit == "m"):  # noqa: PLR2004 - seconds tell nothing beside minutes
                break
        return self.texts("words.unit.join").join(parts) or self.texts("words.unit.s", n=0)

    def relative(self, instant: datetime, now: datetime) -> str:
        """`in 4 min`, or `12 min ago`."""
        key = "words.ahead" if instant > now else "words.ago"
        return self.texts(key, span=self.span(abs(instant - now)))

    def left(self, instant: datetime, now: datetime) -> str:
        """What is left of a limit: `4 min left`, or `3 min over`."""
        key = "words.left" if instant > now else "words.over"
        return self.texts(key, span=self.span(abs(instant - now)))


def read_instant(text: str, zone: ZoneInfo, *, whole_day: bool = False) -> datetime:
    """An instant as given on the command line. Raises NaiveInstant without an offset, ValueError otherwise.

    ValueError also for what lies beyond EARLIEST and LATEST: not every zone has a time for it.
    With `whole_day` a plain date stands for the end of that day in `zone`: a due date has no hour.
    """
    if whole_day and len(text) == len("2026-12-31"):
        instant = datetime.combine(date.fromisoformat(text), time(23, 59, 59), zone)
    else:
        instant = datetime.fromisoformat(text)
    if not EARLIEST <= instant.year <= LATEST:
        raise ValueError(f"{text}: the year is not between {EARLIEST} and {LATEST}")
    return utc(instant)
