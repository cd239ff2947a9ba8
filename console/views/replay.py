"""A replay in words: what was, what would follow now, how far apart, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from console.replaying import Told
from console.views.causes import cause
from console.views.naming import Naming
from console.views.refusals import what
from console.views.sheet import Line, Row, Section, Style, Table
from models.clock import iso
from models.reason import Reason
from models.replay.compare import Row as Pair

MAX_SHOWN = 200
"""Rows of one table; `--json` has all of them."""
_TABLES = (
    ("pages", ("page",)),
    ("steps", ("step", "decision")),
    ("gates", ("gate",)),
    ("clocks", ("clock",)),
)


def sections(told: Told) -> list[Section]:
    """Everything that is told of a replay, what differs first."""
    made = [_head(told)]
    made += [one for name, kinds in _TABLES if (one := _table(told, name, kinds)) is not None]
    made += [one for one in (_refused(told), _kept(told), _notes(told)) if one is not None]
    return made


def _head(told: Told) -> Section:
    say, comparison, asked = told.naming.texts, told.comparison, told.asked
    changed = len(comparison.changed())
    lines = [
        Line(text=say(f"replay.manner.{asked.manner}")),
        Line(text=say(f"replay.rules.{asked.rules}")),
    ]
    if told.replaced:
        lines.append(Line(text=say("replay.replaced", names=say("words.comma").join(told.replaced))))
    style: Style = "warn" if changed else "good"
    key = "replay.changed" if changed else "replay.same"
    lines.append(Line(text=say(key, n=changed, all=len(comparison.rows)), style=style))
    return Section(title=say("replay.title", incident=comparison.stream), parts=tuple(lines))


def _table(told: Told, name: str, kinds: tuple[str, ...]) -> Section | None:
    pairs = [one for one in told.comparison.changed() if one.kind in kinds]
    if not pairs:
        return None
    say = told.naming.texts
    headers = tuple(say(f"replay.header.{one}") for one in (name, "then", "now", "difference", "why"))
    rows = tuple(_row(one, told.naming) for one in pairs[:MAX_SHOWN])
    parts: list[Line | Table] = [
        Table(headers=headers, rows=rows, whole=() if name in {"gates", "pages"} else (1, 2))
    ]
    if len(pairs) > MAX_SHOWN:
        parts.append(Line(text=say("replay.more", n=len(pairs) - MAX_SHOWN), style="dim"))
    return Section(title=say(f"replay.section.{name}"), parts=tuple(parts))


def _row(pair: Pair, naming: Naming) -> Row:
    cells = (
        about(pair, naming),
        _side(pair, naming, "then"),
        _side(pair, naming, "now"),
        difference(pair, naming),
        why(pair, naming),
    )
    return Row(cells=cells, style=_style(pair))


def _style(pair: Pair) -> Style:
    """Earlier is good of everything but a deadline; what is missed is bad."""
    if pair.now_said in {"missed", "broken"} and pair.then_said != pair.now_said:
        return "bad"
    if pair.by is None or not pair.by:
        return "warn"
    return "good" if (pair.by < timedelta(0)) is not (pair.point == "due") else "warn"


def about(pair: Pair, naming: Naming) -> str:
    """What a row is about: a page and its level, a step and what became of it, a gate, a clock."""
    say = naming.texts
    if pair.kind == "page":
        event, _, rest = pair.what.partition(" ")
        subject, _, number = rest.rpartition(" ")
        again = "" if number == "1" else f" ({number})"
        level = pair.point if pair.point in {"ack", "last"} else "level"
        return say(
            f"replay.point.{level}",
            level=pair.point,
            what=f"{say.word('words.event', event)}: {naming.subject(subject)}{again}",
        )
    if pair.kind == "clock":
        return say(f"replay.point.{pair.point}", what=naming.clock(pair.what))
    return say(f"replay.point.{pair.point}", what=naming.step(pair.what))


def _side(pair: Pair, naming: Naming, side: str) -> str:
    instant = pair.then if side == "then" else pair.now
    said = pair.then_said if side == "then" else pair.now_said
    shown = [naming.times.at(instant)] if instant is not None else []
    shown += [_said(pair, said, naming)] if said else []
    return " ".join(shown) or naming.texts("replay.not")


def _said(pair: Pair, said: str, naming: Naming) -> str:
    if pair.kind == "page":
        return naming.texts("words.comma").join(naming.who(one) for one in said.split())
    if pair.kind == "gate":
        return naming.texts("words.comma").join(cause(naming, one) for one in said.split())
    if pair.kind == "decision":
        return said
    return naming.texts.word("replay.said", said)


def difference(pair: Pair, naming: Naming) -> str:
    """How much earlier or later; or that it would have, or would not have, come at all."""
    say = naming.texts
    if pair.by is not None and abs(pair.by) >= timedelta(seconds=1):
        key = "replay.earlier" if pair.by < timedelta(0) else "replay.later"
        return say(key, span=naming.times.span(abs(pair.by)))
    if pair.then is None and pair.now is not None:
        return say("replay.would")
    if pair.now is None and pair.then is not None:
        return say("replay.would_not")
    return say("replay.other")


def why(pair: Pair, naming: Naming) -> str:
    """The named reason, with what it is about."""
    said = naming.texts(f"replay.why.{pair.why.name}")
    detail = pair.detail or {}
    if "within" in detail:
        then, now = ([span // 60 for span in one] for one in detail["within"])
        return f"{said}: {_ladder(then)} → {_ladder(now)}"
    if "reason" in detail:
        return f"{said}: {_reason(str(detail['reason']), naming)}"
    return said


def _ladder(minutes: list[int]) -> str:
    return "/".join(str(one) for one in minutes) + " min"


def _reason(value: str, naming: Naming) -> str:
    """A rule's reason in words; its own name if the words need more than is known here."""
    key = f"refused.{Reason(value).name}.what"
    text = naming.texts.get(key, value)
    return value if "{" in text else text


def _refused(told: Told) -> Section | None:
    say, naming = told.naming.texts, told.naming
    many = told.comparison.refused
    if not many:
        return None
    lines = [
        Line(
            text=say(
                "replay.refused",
                at=naming.times.at(one.at),
                who=naming.who(one.act.command.who),
                command=type(one.act.command).__name__,
                fact=one.act.seq,
                why=what(naming, Reason(one.reason), one.detail),
            ),
            style="warn",
        )
        for one in many[:MAX_SHOWN]
    ]
    return Section(title=say("replay.section.refused"), parts=tuple(lines))


def _kept(told: Told) -> Section | None:
    say, comparison = told.naming.texts, told.comparison
    lines: list[Line] = []
    if comparison.absolute:
        names = (f"{name} ({count})" for name, count in sorted(comparison.absolute.items()))
        lines.append(Line(text=say("replay.absolute", names=say("words.comma").join(names))))
    if comparison.unasked:
        answers = say("words.comma").join(comparison.unasked[:MAX_SHOWN])
        lines.append(Line(text=say("replay.unasked", names=answers), style="warn"))
    return Section(title=say("replay.section.acts"), parts=tuple(lines)) if lines else None


def _notes(told: Told) -> Section | None:
    lines = list(_remarks(told))
    title = told.naming.texts("replay.section.notes")
    return Section(title=title, parts=tuple(Line(text=one, style="dim") for one in lines)) if lines else None


def _remarks(told: Told) -> Iterator[str]:
    say, comparison = told.naming.texts, told.comparison
    if comparison.gone:
        yield say("replay.gone", names=say("words.comma").join(comparison.gone))
    if comparison.disposed:
        yield say("replay.disposed", n=comparison.disposed)
    yield say("replay.people")


def as_json(told: Told) -> dict[str, Any]:
    """The same for programs: every row, also those that do not differ."""
    comparison = told.comparison
    return {
        "incident": comparison.stream,
        "manner": comparison.manner,
        "rules": told.asked.rules,
        "replaced": list(told.replaced),
        "facts": {"then": comparison.facts[0], "now": comparison.facts[1]},
        "changed": len(comparison.changed()),
        "rows": [_pair_json(one) for one in comparison.rows],
        "refused": [
            {
                "fact": one.act.seq,
                "at": iso(one.at),
                "who": one.act.command.who,
                "command": type(one.act.command).__name__,
                "reason": one.reason,
            }
            for one in comparison.refused
        ],
        "unasked": list(comparison.unasked),
        "absolute": dict(comparison.absolute),
        "not_in_directory": list(comparison.gone),
        "disposed": comparison.disposed,
    }


def _pair_json(pair: Pair) -> dict[str, Any]:
    return {
        "kind": pair.kind,
        "what": pair.what,
        "point": pair.point,
        "then": {"at": iso(pair.then) if pair.then else None, "said": pair.then_said},
        "now": {"at": iso(pair.now) if pair.now else None, "said": pair.now_said},
        "seconds": int(pair.by.total_seconds()) if pair.by is not None else None,
        "differs": pair.differs,
        "why": pair.why.value,
    }
