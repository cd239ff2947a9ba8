"""The last checkpoints as a table: what each covers, and where it lies elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Table
from models.checkpoint import digest, read_checkpoint
from models.clock import iso
from models.record import ANCHOR, Record
from models.upkeep import Upkeep

if TYPE_CHECKING:
    from console.checkpoints import Made


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A checkpoint, and the kinds and places that have it."""

    made: Made
    anchors: tuple[tuple[str, str], ...]

    @property
    def at(self) -> datetime:
        """When it was made."""
        return self.made.at


def latest(record: Record, count: int) -> list[Shown]:
    """The last `count` checkpoints, the newest first."""
    from console.checkpoints import find_last  # noqa: PLC0415

    with record.read() as tx:
        made = find_last(tx, count)
        wanted = select(ANCHOR.c.checkpoint, ANCHOR.c.kind, ANCHOR.c.place).where(
            ANCHOR.c.checkpoint >= (made[-1].number if made else 0)
        )
        rows = tx.connection.execute(wanted.order_by(ANCHOR.c.id)).all()
    return [
        Shown(made=one, anchors=tuple((row.kind, row.place) for row in rows if row.checkpoint == one.number))
        for one in made
    ]


def as_json(one: Shown) -> dict[str, Any]:
    """For programs."""
    content = read_checkpoint(one.made.body)
    return {
        "number": one.made.number,
        "at": iso(one.at),
        "digest": digest(one.made.body),
        "key": one.made.key,
        "facts": int(content.facts),
        "streams": content.streams,
        "anchors": [{"kind": kind, "place": place} for kind, place in one.anchors],
    }


def table(found: list[Shown], naming: Naming) -> Section:
    """For a terminal."""
    texts = naming.texts
    columns = ("number", "at", "facts", "digest", "elsewhere")
    rows = [_row(one, naming) for one in found]
    headers = tuple(texts(f"integrity.checkpoint.column.{name}") for name in columns)
    return Section(
        title=texts("integrity.checkpoint.title"),
        parts=(Table(headers=headers, rows=tuple(rows), whole=(0, 1)),),
    )


def _row(one: Shown, naming: Naming) -> Row:
    content = read_checkpoint(one.made.body)
    places = ", ".join(
        f"{naming.texts.word('integrity.anchor', kind)} {place}" for kind, place in one.anchors
    )
    name = digest(one.made.body)
    at = naming.times.at(one.at, seconds=True)
    cells = (
        str(one.made.number),
        at,
        content.facts,
        f"{name[:12]}…",
        places or "–",
    )
    return Row(cells=cells, style="plain" if places else "dim")


def upkeep_lines(upkeep: Upkeep, naming: Naming) -> list[Line]:
    """How the record is kept: the clock, and the last checkpoint that lies elsewhere; nothing if unknown."""
    texts, said = naming.texts, []
    clock = upkeep.clock
    if clock is not None:
        known = clock.offset is not None
        key = "offset" if known else "synchronised" if clock.synchronised else "unknown"
        ahead = f"{clock.offset.total_seconds():+.3f}" if clock.offset is not None else ""
        text = texts(f"integrity.clock.{key}", source=clock.source, ahead=ahead)
        said.append(Line(text=text, style="plain" if known or clock.synchronised else "dim"))
    for kind, number in upkeep.anchored.items():
        what = texts.word("integrity.anchor", kind)
        said.append(Line(text=texts("integrity.anchored", kind=what, number=number)))
    return said
