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
    """A typed request. `stream` is the incident that was named, `rest` what followed, `form` a dialog."""

    word: str
    stream: str = ""
    rest: str = ""
    form: str = ""


def parse(text: str) -> Asked:
    """`declare core banking does not answer`, `clocks INC-2026-0003`, `who ciso`; anything else is `help`."""
    word, _, rest = text.strip()[:MAX_TEXT].partition(" ")
    word = ALSO.get(word, word.lower())
    rest = rest.strip()
    if word not in WORDS:
        return Asked(word="help", rest=text.strip()[:80])
    if word == "declare":
        return Asked(word=word, rest=rest, form="" if rest else "declare")
    stream = ""
    first, _, after = rest.partition(" ")
    if _INCIDENT.fullmatch(first):
        stream, rest = first.upper(), after.strip()
    return Asked(word=word, stream=stream, rest=rest, form=word if word in FORMS and stream else "")
