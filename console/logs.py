"""The log of every process: lines on standard error, as text or as JSON, that nothing from outside can forge.

A line holds the time in UTC, the level, who says it, and the ids of what was being worked on. It holds no
secret: the values that were read as secrets here, and whatever looks like one, are blotted out. Turning files
over, keeping and deleting them is the service manager's work.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from models.subject import subject
from models.watching import LogSettings

if TYPE_CHECKING:
    from console.opening import House

LONGEST = 8_000
"""Characters of a message, and of a trace back; what is longer is cut."""
BLOT = "[blotted out]"
SHORTEST_SECRET = 6
"""A shorter value would blot out words that only look like it."""
MOST_SECRETS = 1_000
FORM_VARIABLE = "HIKESHI_LOGS"
"""How the process that started this one writes its log: format and level."""
_hidden: set[str] = set()
_INCIDENT = re.compile(r"\bINC-\d{4}-\d{4,}\b")
_KEY = re.compile(
    r"(?<!\S)(?P<stream>INC-\d{4}-\d{4,}|house|intake|programme)/(?P<fact>\d+)/[^/\s]+/[^/\s]+/[^\s]+?(?=:?\s|$)"
)
"""The key of a message, which names the fact that asked for it."""
_LOOKS_SECRET = re.compile(
    r"(?P<before>\b(?:bearer|basic)\s+|\b(?:authorization|password|passwd|secret|token|api[-_]?key)"
    r"['\"]?\s*[=:]\s*['\"]?(?:bearer\s+|basic\s+)?)(?P<bare>[^\s'\",;&]{6,})"
    r"|\bxox[a-z]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}|\bhikeshi-[A-Za-z0-9_-]{30,}"
    r"|(?P<user>://[^/\s:@]+:)[^/\s@]+(?=@)|(?P<link>/(?:p|login/once)/)[A-Za-z0-9._~-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.IGNORECASE | re.DOTALL,
)


def hide(value: str) -> str:
    """This value was read as a secret: no line of this process's log holds it from now on. The same again."""
    if len(value) >= SHORTEST_SECRET and len(_hidden) < MOST_SECRETS:
        _hidden.add(value)
    return value


def blotted(text: str) -> str:
    """The text without secrets: the values known here, and what looks like one."""
    for value in sorted(_hidden, key=len, reverse=True):
        text = text.replace(value, BLOT)
    return _LOOKS_SECRET.sub(_blot, text)


def _blot(found: re.Match[str]) -> str:
    return f"{found['before'] or found['user'] or found['link'] or ''}{BLOT}"


def one_line(text: str) -> str:
    """Control characters, line ends of every kind and characters that turn writing round spelled out."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


class _Lines(logging.Formatter):
    """What both forms have in common."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process
        self.node = socket.gethostname()

    def said(self, record: logging.LogRecord) -> str:
        """The message, in one line and without secrets."""
        return one_line(blotted(_message(record)[:LONGEST]))

    def traced(self, record: logging.LogRecord) -> str:
        """The trace back, if there is one."""
        if not record.exc_info:
            return ""
        return blotted(self.formatException(record.exc_info))[-LONGEST:]

    def ids(self, record: logging.LogRecord) -> dict[str, str | int]:
        """What it is about: as the call carried it, else what the message itself names first."""
        said = _message(record)[:LONGEST]
        found: dict[str, str | int] = {}
        if (key := _KEY.search(said)) is not None:
            found = {"incident": key["stream"], "fact": int(key["fact"]), "key": key[0]}
        elif (named := _INCIDENT.search(said)) is not None:
            found = {"incident": named[0]}
        return found | dict(subject())


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        # A library's line whose arguments do not fit: what it meant to say is better than no line.
        return f"{record.msg} {record.args!r}"


def _instant(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


class TextLines(_Lines):
    """For people: one line each; those of a trace back are indented, so that none passes for another's."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        ids = " ".join(f"{name}={one_line(str(value))}" for name, value in self.ids(record).items())
        level = record.levelname.lower()
        head = f"{_instant(record)} {level} {self.process} {record.name}: {self.said(record)}"
        head += f" [{ids}]" if ids else ""
        return "\n    | ".join([head, *(one_line(line) for line in self.traced(record).splitlines())])


class JsonLines(_Lines):
    """For programs: one object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": _instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.said(record),
            "process": self.process,
            "pid": os.getpid(),
            "node": self.node,
        }
        line |= {name: one_line(value) if isinstance(value, str) else value
                 for name, value in self.ids(record).items()}  # fmt: skip
        if trace := self.traced(record):
            line["trace_back"] = [one_line(one) for one in trace.splitlines()]
        return json.dumps(line, ensure_ascii=False)


def begin(process: str, settings: LogSettings | None = None) -> None:
    """Write this process's log from now on; may be called again.

    Without `settings` in the form that whoever started this process uses, which is text if nobody said.
    """
    wanted = settings or _handed_down()
    lines = (JsonLines if wanted.format == "json" else TextLines)(process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(lines)
    root = logging.getLogger()
    for old in [one for one in root.handlers if _on_stderr(one)]:
        root.removeHandler(old)
    root.addHandler(handler)
    # What libraries say while they work is noise; what we say is wanted down to the named level.
    root.setLevel(max(logging.WARNING, _level(wanted)))
    logging.getLogger("hikeshi").setLevel(_level(wanted))
    for name in list(logging.root.manager.loggerDict):
        for other in [one for one in logging.getLogger(name).handlers if _on_stderr(one)]:
            # A library that writes there by itself, as Prefect does, writes lines like ours.
            other.setFormatter(lines)
    os.environ[FORM_VARIABLE] = f"{wanted.format}:{wanted.level}"


def follow(house: House, process: str) -> House:
    """As `begin`, as the house's own settings say; the house again."""
    begin(process, house.institution.settings.logs)
    return house


def _handed_down() -> LogSettings:
    form, _, level = os.environ.get(FORM_VARIABLE, "").partition(":")
    try:
        return LogSettings.model_validate({"format": form, "level": level})
    except ValidationError:
        return LogSettings()


def _level(settings: LogSettings) -> int:
    return int(getattr(logging, settings.level.upper()))


def _on_stderr(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    return isinstance(handler, logging.StreamHandler) and stream in (sys.stderr, sys.__stderr__)
