"""Calendar files (RFC 5545): clocks for whoever keeps their deadlines in a calendar, and stretches of duty.

An entry of a clock holds the clock's own title, the incident's id and what stops it: nothing that somebody
wrote during the incident. A step that was added by hand is named by its key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from console.views.clocks import OVER, Clock
from models.world import ADDED

MAX_OCTETS = 75
STEP = "step:"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One event; instants are aware. Without `ends` it is a moment. `uid` never changes."""

    uid: str
    starts: datetime
    summary: str
    description: str
    ends: datetime | None = None


def calendar(many: Iterable[Clock], now: datetime) -> str:
    """Those that run and have an end; `now` (aware) is when the file was made."""
    running = (one for one in many if one.status not in OVER and one.kind != "page")
    return written([_clock(one, one.at) for one in running if one.at is not None], "Clocks", now)


def written(entries: Iterable[Entry], what: str, now: datetime) -> str:
    """The entries as one file; `what` names the product's part that made it."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//Hikeshi//{what}//EN", "CALSCALE:GREGORIAN"]
    for one in entries:
        lines += _lines(one, now)
    return "".join(f"{folded}\r\n" for line in [*lines, "END:VCALENDAR"] for folded in _fold(line))


def _clock(one: Clock, at: datetime) -> Entry:
    what = one.id.removeprefix(STEP) if one.id.startswith(f"{STEP}{ADDED}/") else one.what
    return Entry(
        uid=f"{one.stream}-{one.id}", starts=at, summary=f"{one.stream} {what}", description=one.stops
    )


def _lines(one: Entry, now: datetime) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{_escape(one.uid)}@hikeshi"
    yield f"DTSTAMP:{_stamp(now)}"
    yield f"DTSTART:{_stamp(one.starts)}"
    if one.ends is not None:
        yield f"DTEND:{_stamp(one.ends)}"
    yield f"SUMMARY:{_escape(one.summary)}"
    yield f"DESCRIPTION:{_escape(one.description)}"
    yield "END:VEVENT"


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _escape(text: str) -> str:
    """A text as a value; of control characters a calendar takes none (RFC 5545, 3.1), so they are dropped."""
    return _CONTROL.sub("", text).translate(_ESCAPED)


def _fold(line: str) -> Iterator[str]:
    """No line longer than 75 octets, and no character cut in two; what goes on begins with a space."""
    part, size = "", 0
    for char in line:
        octets = len(char.encode())
        if size + octets > MAX_OCTETS:
            yield part
            part, size = " ", 1
        part += char
        size += octets
    yield part
