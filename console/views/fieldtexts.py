"""What is wrong with a value that was given, in the reader's language.

Rules say it in English, `NAME: expected …, got …`, for programs and for the record. Here the sentences that
people meet are said again; one that is not known stands as it is, which is better than nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from console.views.naming import Naming
from console.views.sheet import harmless

MAX_SHOWN = 300
_SAID = re.compile(r"(?P<name>[^:]{1,80}): (?P<text>.+)", re.DOTALL)
_GOT = re.compile(r".*got (?P<got>['\"]?.*)", re.DOTALL)
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("within-days", re.compile(r"expected a time within (?P<n>\d+) days, got (?P<got>.*)", re.DOTALL)),
    ("instant", re.compile(r"expected a time of this century .*, got (?P<got>.*)", re.DOTALL)),
    ("number", re.compile(r"expected a whole number, or unknown, got (?P<got>.*)", re.DOTALL)),
    ("yes-no", re.compile(r"expected yes, no or unknown, got (?P<got>.*)", re.DOTALL)),
    ("duration", re.compile(r"expected a time such as 30m or 4h, or unknown, got (?P<got>.*)", re.DOTALL)),
    ("small-name", re.compile(r"expected small letters, digits and hyphens, got (?P<got>.*)", re.DOTALL)),
    ("not-asked", re.compile(r"not asked for; asked: (?P<known>.*)", re.DOTALL)),
    ("no-factor", re.compile(r"no factor of this decision")),
    ("no-zone", re.compile(r"(?P<got>\S+) has no zone; .*", re.DOTALL)),
    ("no-reach", re.compile(r"(?P<got>\S+) is out of this century's reach; .*", re.DOTALL)),
    ("no-channel", re.compile(r"no channel reaches (?P<got>.*); choose .*", re.DOTALL)),
)


def field_text(naming: Naming, value: str) -> str:
    """One defect, `NAME: what is wrong`; the bare name of a field is left as it is."""
    said = _SAID.fullmatch(value)
    if said is None:
        return harmless(value, MAX_SHOWN)
    name, text = said["name"], said["text"]
    if naming.texts.has(f"words.factor.{name}") and (got := _GOT.fullmatch(text)) is not None:
        hint = naming.texts(f"gates.hint.{name}")
        shown = naming.texts("fields.factor", name=factor_text(naming, name), hint=hint, got=got["got"])
        return harmless(shown, MAX_SHOWN)
    for key, pattern in _PATTERNS:
        if (found := pattern.fullmatch(text)) is not None:
            shown = naming.texts(f"fields.{key}", **found.groupdict())
            return harmless(f"{name}: {shown}", MAX_SHOWN)
    return harmless(value, MAX_SHOWN)


def labelled(naming: Naming, value: str, titles: Mapping[str, str]) -> str:
    """The same by what the field is called, for whoever sees its label and never its id."""
    said = _SAID.fullmatch(value)
    name = said["name"] if said is not None else value
    title = titles.get(name) or naming.texts.get(f"fields.of-form.{name}", "")
    title = harmless(title or naming.texts.word("words.factor", name), MAX_SHOWN)
    if said is None:
        return title
    return title + field_text(naming, value).removeprefix(harmless(name, MAX_SHOWN)).removeprefix(
        naming.texts("fields.after", title=naming.texts.word("words.factor", name))
    )


def factor_text(naming: Naming, name: str) -> str:
    """A factor by its id, which is typed, and what it is called."""
    title = naming.texts.word("words.factor", name)
    return harmless(name, 80) if title == name else naming.texts("fields.titled", name=name, title=title)
