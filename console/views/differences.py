"""What changed between two versions of a playbook, in words: steps added, removed, moved, and fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from difflib import SequenceMatcher
from typing import Any, Literal

from pydantic import BaseModel

from console.texts import Texts
from console.views.sheet import Line, Section, harmless
from models.plan import Plan, PlannedStep
from models.playbook import Playbook, Step
from models.values import Text, write_duration

What = Literal["playbook", "added", "removed", "moved", "changed"]
ORDER: tuple[What, ...] = ("playbook", "added", "removed", "moved", "changed")
MAX_WORDS = 600


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference. `gone` and `come` are what a field held before and holds now, in words."""

    what: What
    key: str = ""
    title: str = ""
    field: str = ""
    gone: tuple[str, ...] = ()
    come: tuple[str, ...] = ()


def differences(before: Plan, after: Plan, lang: str) -> list[Change]:
    """Every difference between two plans of a playbook, its called parts included."""
    old = {_key(one): one for one in before.steps.values()}
    new = {_key(one): one for one in after.steps.values()}
    return [
        *_playbook(before.playbook, after.playbook, lang),
        *(_step("added", key, new[key], lang) for key in new if key not in old),
        *(_step("removed", key, old[key], lang) for key in old if key not in new),
        *_moved(old, new, lang),
        *(change for key in new if key in old for change in _fields(key, old[key], new[key], lang)),
    ]


def sections(changes: Sequence[Change], texts: Texts) -> list[Section | Line]:
    """The differences for people."""
    if not changes:
        return [Line(text=texts("reading.diff.none"), style="good")]
    found: list[Section | Line] = []
    for what in ORDER:
        lines = [line for change in changes if change.what == what for line in _lines(change, texts)]
        if lines:
            found.append(Section(title=texts(f"reading.diff.{what}"), parts=tuple(lines)))
    return found


def as_json(change: Change) -> dict[str, object]:
    """One difference for programs."""
    return {
        "what": change.what,
        "step": change.key,
        "title": change.title,
        "field": change.field,
        "before": list(change.gone),
        "after": list(change.come),
    }


def _lines(change: Change, texts: Texts) -> Iterator[Line]:
    head = f"{change.title} [{change.key}]" if change.key else ""
    if change.field:
        name = texts.get(f"reading.fields.{change.field}", change.field)
        head = f"{head}  {name}" if head else name
    style = {"added": "good", "removed": "bad"}.get(change.what, "strong")
    yield Line(text=head, style=style)  # type: ignore[arg-type]
    yield from (Line(text=texts("reading.diff.gone", text=one), style="bad", indent=1) for one in change.gone)
    yield from (
        Line(text=texts("reading.diff.come", text=one), style="good", indent=1) for one in change.come
    )


# -- comparing ----------------------------------------------------------------------------------------------


def _key(planned: PlannedStep) -> str:
    return planned.key.split("/", 1)[1]


def _step(what: What, key: str, planned: PlannedStep, lang: str) -> Change:
    return Change(what=what, key=key, title=harmless(planned.step.title.lang(lang)))


def _playbook(old: Playbook, new: Playbook, lang: str) -> Iterator[Change]:
    for name in Playbook.model_fields:
        if name != "steps":
            yield from _field(
                Change(what="playbook", field=name), getattr(old, name), getattr(new, name), lang
            )


def _fields(key: str, old: PlannedStep, new: PlannedStep, lang: str) -> Iterator[Change]:
    title = harmless(new.step.title.lang(lang))
    for name in Step.model_fields:
        if name not in {"id", "phase"}:
            place = Change(what="changed", key=key, title=title, field=name.rstrip("_"))
            yield from _field(place, getattr(old.step, name), getattr(new.step, name), lang)


def _field(place: Change, old: Any, new: Any, lang: str) -> Iterator[Change]:
    """The difference at `place`, if there is one."""
    if old == new:
        return
    gone, come = _words(old, lang), _words(new, lang)
    yield replace(
        place,
        gone=tuple(one for one in gone if one not in come),
        come=tuple(one for one in come if one not in gone),
    )


def _moved(old: Mapping[str, PlannedStep], new: Mapping[str, PlannedStep], lang: str) -> Iterator[Change]:
    """Steps in another phase, or in another place among those that both versions have."""
    here, there = [key for key in old if key in new], [key for key in new if key in old]
    blocks = SequenceMatcher(a=here, b=there, autojunk=False).get_matching_blocks()
    stayed = {here[number] for block in blocks for number in range(block.a, block.a + block.size)}
    for key in there:
        was, now = old[key].step, new[key].step
        if was.phase != now.phase:
            yield Change(
                what="moved", key=key, title=harmless(now.title.lang(lang)), field="phase",
                gone=(was.phase,), come=(now.phase,),
            )  # fmt: skip
        elif key not in stayed:
            yield Change(what="moved", key=key, title=harmless(now.title.lang(lang)), field="order")


def _words(value: Any, lang: str) -> list[str]:
    """A value of a playbook as lines for people; a list gives a line for each of its items."""
    if value is None or value == ():
        return []
    if isinstance(value, (tuple, list)):
        return [", ".join(_words(one, lang)) for one in value]
    if isinstance(value, dict):
        return [f"{harmless(str(name), 80)}: {', '.join(_words(one, lang))}" for name, one in value.items()]
    if isinstance(value, Text):
        return [harmless(line, MAX_WORDS) for line in value.lang(lang).splitlines()]
    if isinstance(value, BaseModel):
        return [" · ".join(", ".join(_words(part, lang)) for _, part in value if part not in (None, ()))]
    return [_plain(value)]


def _plain(value: Any) -> str:
    if isinstance(value, timedelta):
        return write_duration(value)
    if isinstance(value, date):
        return value.isoformat()
    return harmless(str(value).lower() if isinstance(value, bool) else str(value), MAX_WORDS)
