"""Clocks as a calendar file (RFC 5545), for whoever keeps their deadlines in a calendar.

An entry holds the clock's own title, the incident's id and what stops it: nothing that somebody wrote during
the incident. A step that was added by hand is named by its key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from console.views.clocks import OVER, Clock
from models.world import ADDED

MAX_OCTETS = 75
STEP = "step:"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


def calendar(many: Iterable[Clock], now: datetime) -> str:
    """Those that run and have an end; `now` (aware) is when the file was made."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Hikeshi//Clocks//EN", "CALSCALE:GREGORIAN"]
    for one in many:
        if one.at is not None and one.status not in OVER and one.kind != "page":
            lines += _entry(one, one.at, now)
    return "".join(f"{folded}\r\n" for line in [*lines, "END:VCALENDAR"] for folded in _fold(line))


def _entry(one: Clock, at: datetime, now: datetime) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{one.stream}-{_escape(one.id)}@hikeshi"
    yield f"DTSTAMP:{_stamp(now)}"
    yield f"DTSTART:{_stamp(at)}"
    what = one.id.removeprefix(STEP) if one.id.startswith(f"{STEP}{ADDED}/") else one.what
    yield f"SUMMARY:{_escape(f'{one.stream} {what}')}"
    yield f"DESCRIPTION:{_escape(one.stops)}"
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
