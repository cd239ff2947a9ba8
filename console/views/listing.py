"""`hikeshi list`: incidents in a table."""

from __future__ import annotations

from console.views.clocks import clocks, moving
from console.views.naming import Naming
from console.views.sheet import Row, Section, Style, Table, harmless
from models.clock import iso
from models.state import Incident

_STYLES: dict[str, Style] = {"open": "plain", "resolved": "plain", "closed": "dim"}


def section(rows: list[tuple[Incident, Naming]]) -> Section:
    """One row for each incident; the next limit of each is in words."""
    texts = rows[0][1].texts
    headers = ("incident", "severity", "status", "phase", "title", "declared", "next")
    return Section(
        title=texts("words.title.incidents"),
        parts=(
            Table(
                headers=tuple(texts.word("words.column", name) for name in headers),
                rows=tuple(_row(state, naming) for state, naming in rows),
                whole=(0, 1, 5),
            ),
        ),
    )


def _row(state: Incident, naming: Naming) -> Row:
    texts = naming.texts
    open_now = [name for name, phase in state.phases.items() if phase.status == "open"]
    phases = texts("words.comma").join(naming.phase(name) for name in open_now)
    drill = texts("words.drill") if state.drill else ""
    return Row(
        cells=(
            state.stream,
            naming.severity(state.severity),
            texts.word("words.status", state.status),
            phases,
            drill + naming.text(state.title, 80),
            naming.times.at(state.declared_at),
            next_limit(naming),
        ),
        style=_STYLES.get(state.status, "dim"),
    )


def next_limit(naming: Naming) -> str:
    """What breaks next, and when."""
    running = moving(clocks(naming))
    if not running or running[0].at is None:
        return naming.texts("words.none")
    return f"{naming.times.left(running[0].at, naming.now)}: {harmless(running[0].what, 40)}"


def as_json(state: Incident, naming: Naming) -> dict[str, object]:
    """The same for programs."""
    return {
        "incident": state.stream,
        "title": naming.text(state.title),
        "severity": state.severity,
        "status": state.status,
        "drill": state.drill,
        "declared_at": iso(state.declared_at) if state.declared_at else None,
        "phases": [name for name, phase in state.phases.items() if phase.status == "open"],
    }
