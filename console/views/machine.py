"""What a machine said of its step, in the reader's language.

Actions say it in English, for the record. The sentences that people meet are said again here; one that is
not known stands as it is, which is better than nothing.
"""

from __future__ import annotations

import re

from console.texts import Texts

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("unreached", re.compile(r"nothing was done, the target was not reached: (?P<why>.*)", re.DOTALL)),
    ("unfit", re.compile(r"nothing was done, the parameters do not fit: (?P<why>.*)", re.DOTALL)),
    ("nothing", re.compile(r"nothing was collected from (?P<where>[^:]*): (?P<why>.*)", re.DOTALL)),
    (
        "partial",
        re.compile(
            r"(?P<n>\d+) \w+, (?P<size>\d+) bytes, (?P<left>\d+) left out; partial: (?P<why>.*)", re.DOTALL
        ),
    ),
    ("taken", re.compile(r"(?P<n>\d+) \w+, (?P<size>\d+) bytes, (?P<left>\d+) left out")),
    ("answered", re.compile(r"(?P<method>[A-Z]+): answered (?P<status>\d+)")),
    ("ended", re.compile(r"(?P<name>\S+): ended with code (?P<code>-?\d+)")),
)


def from_machine(text: str, texts: Texts) -> str:
    """An action's own words."""
    for key, pattern in _PATTERNS:
        if (found := pattern.fullmatch(text)) is not None:
            return texts(f"machine.{key}", **found.groupdict())
    return text


def output_title(name: str, texts: Texts) -> str:
    """What an action calls one of its results."""
    return texts.get(f"machine.output.{name}", name)
