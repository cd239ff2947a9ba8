"""The scope on a screen and in a table: what is open first, indicators so that nobody can click them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

from console.views.naming import Naming
from console.views.sheet import Line
from models.clock import iso
from models.indicator import defang
from models.scope import KINDS, ScopeItem, type_of
from models.state import Incident

SHOWN = 20
"""Items of one kind on the screen of the whole incident; `scope list` has all of them."""
COLUMNS = (
    "id", "kind", "type", "name", "first_seen", "last_seen", "confidence", "source", "evidence", "party",
    "note", "state", "fix", "step", "fix_evidence", "reason",
)  # fmt: skip
_FORMULA = re.compile(r"'*[\s\u200b-\u200f\u2060\ufeff\u00ad]*[=+\-@＝＋－＠\t\r\n]")
"""Full-width signs as well: spreadsheets here take them for the others. What nobody sees may stand before."""


def name(item: ScopeItem, naming: Naming, limit: int = 200) -> str:
    """What it is called; an indicator defanged."""
    shown = naming.text(item.name, limit)
    return defang(type_of(item, shown), shown) if item.kind == "indicator" else shown


def standing(item: ScopeItem) -> str:
    """One word for what has become of it."""
    if item.retracted is not None:
        return "retracted"
    if item.fix is not None:
        return "fixed"
    return "accepted" if item.accepted is not None else "open"


def chosen(state: Incident, kind: str = "", *, open_only: bool = False) -> list[ScopeItem]:
    """Those of a kind, or that are open, in the order in which they came."""
    return [one for one in state.scope.values() if kind in {"", one.kind} and not (open_only and one.settled)]


def lines(items: Iterable[ScopeItem], naming: Naming) -> Iterator[Line]:
    """A line for each."""
    for item in items:
        style = "plain" if item.settled else "warn"
        yield Line(text=_line(item, naming), style=style)  # type: ignore[arg-type]


def _line(item: ScopeItem, naming: Naming) -> str:
    texts = naming.texts
    kind = texts.word("words.scope", item.kind)
    if item.type:
        kind = f"{kind} {texts.word('scope.type', item.type)}"
    parts = [_rest(item, naming)]
    if item.confidence:
        parts.append(_sure(item, naming))
    for key, instant in (("scope.first", item.first_seen), ("scope.last", item.last_seen)):
        if instant is not None:
            parts.append(texts(key, at=naming.times.at(instant)))
    parts += [one for one in (item.evidence, naming.who(item.party) if item.party else "") if one]
    if item.source:
        parts.append(naming.text(item.source, 80))
    return f"{item.id}  {kind}  {name(item, naming)}: {texts('words.semicolon').join(parts)}"


def _sure(item: ScopeItem, naming: Naming) -> str:
    shown = f"{item.confidence} %" if item.confidence.isdigit() else ""
    return shown or naming.texts.word("clocks.confidence", item.confidence)


def _rest(item: ScopeItem, naming: Naming) -> str:
    texts = naming.texts
    if item.retracted is not None:
        return texts("scope.retracted", text=naming.text(item.retracted, 200))
    if item.fix is not None:
        links = [naming.text(item.fix, 200), item.fix_step, item.fix_evidence]
        return texts("words.scope_fixed", text=texts("words.comma").join(one for one in links if one))
    if item.accepted is not None:
        return texts("words.scope_accepted", text=naming.text(item.accepted, 200))
    return texts("words.scope_open")


def summary(state: Incident, naming: Naming) -> Iterator[Line]:
    """For the screen of the whole incident: each item, or of a kind with many, the open ones and how many."""
    for kind in KINDS:
        items = chosen(state, kind)
        if len(items) <= SHOWN:
            yield from lines(items, naming)
            continue
        waiting = [one for one in items if not one.settled]
        shown = naming.texts.word("words.scope", kind)
        text = naming.texts("scope.many", kind=shown, n=len(items), open=len(waiting), incident=state.stream)
        yield Line(text=text, style="warn" if waiting else "plain")
        yield from lines(waiting[: SHOWN // 4], naming)


def as_json(items: Iterable[ScopeItem], naming: Naming) -> list[dict[str, object]]:
    """The same for programs: values as they are."""
    return [_row(one, naming) | {"open": not one.settled} for one in items]


def _row(item: ScopeItem, naming: Naming) -> dict[str, object]:
    return {
        "id": item.id,
        "kind": item.kind,
        "type": item.type,
        "name": naming.raw(item.name),
        "first_seen": iso(item.first_seen) if item.first_seen else None,
        "last_seen": iso(item.last_seen) if item.last_seen else None,
        "confidence": item.confidence,
        "source": naming.raw(item.source),
        "evidence": item.evidence,
        "party": item.party,
        "note": naming.raw(item.note),
        "state": standing(item),
        "fix": naming.raw(item.fix),
        "step": item.fix_step,
        "fix_evidence": item.fix_evidence,
        "reason": naming.raw(item.retracted or item.accepted),
    }


def as_csv(items: Iterable[ScopeItem], naming: Naming) -> str:
    """A table for a spreadsheet, none of it a formula; `scope import` reads it back."""
    return table(COLUMNS, (_row(one, naming).values() for one in items))


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """CSV with a byte-order mark, by which spreadsheets know Japanese for what it is."""
    written = io.StringIO()
    out = csv.writer(written, lineterminator="\r\n")
    out.writerow(head)
    out.writerows([harmless_cell(one) for one in row] for row in rows)
    return "\ufeff" + written.getvalue()


def harmless_cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) else text
