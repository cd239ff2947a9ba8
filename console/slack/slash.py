"""What people type after `/hikeshi`: pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

WORDS = ("status", "clocks", "who", "ack", "declare", "note", "severity", "more", "help")
ALSO = {"状況": "status", "時計": "clocks", "当番": "who", "受領": "ack", "宣言": "declare", "ヘルプ": "help"}
_INCIDENT = re.compile(r"(?:INC-\d{4}-\d{4,}|\d{1,6})", re.IGNORECASE | re.ASCII)
MAX_TEXT = 3_000
FORMS = ("note", "severity", "more")
"""Words that open a dialog about an incident."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A typed request. `stream` is the incident that was named, in the words of `typed`; `rest` is what
    followed, `form` a dialog.
    """

    word: str
    stream: str = ""
    typed: str = ""
    rest: str = ""
    form: str = ""


def parse(text: str) -> Asked:
    """`declare core banking does not answer`, `clocks INC-2026-0003`, `who ciso`; anything else is `help`."""
    word, rest = _halves(text[:MAX_TEXT])
    word = ALSO.get(word, word.lower())
    if word not in WORDS:
        return Asked(word="help", rest=text.strip()[:80])
    if word == "declare":
        return Asked(word=word, rest=rest, form="" if rest else "declare")
    stream = ""
    first, after = _halves(rest)
    if _INCIDENT.fullmatch(first):
        stream, rest = first.upper(), after
    return Asked(
        word=word, stream=stream, typed=stream, rest=rest, form=word if word in FORMS and stream else ""
    )


def _halves(text: str) -> tuple[str, str]:
    """The first word and what follows; a full-width space, as Japanese keyboards type it, parts them too."""
    first, *rest = text.split(None, 1) or [""]
    return first, rest[0].strip() if rest else ""
