"""Whether everything runs, read from the record: parts alive, messages waiting, timers stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from console.views.naming import Naming
from console.views.sheet import Line
from models.clock import iso
from models.record import NODE, OUTBOX, Record
from models.state import House, StreamState

PARTS = ("pager", "conductor")
ALIVE = timedelta(seconds=10)
OLD = timedelta(minutes=2)
"""A message that waits longer than this is itself a reason to look."""
LATE = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class Health:
    """How things are at `at`. `seen` are the parts by name with their last sign of life, None for never."""

    at: datetime
    seen: dict[str, datetime | None]
    unsent: int
    oldest: datetime | None
    given_up: int
    late: timedelta
    quarantined: tuple[str, ...]
    impaired: dict[str, str]

    def alive(self, part: str) -> bool:
        """Whether a part has shown itself lately."""
        seen = self.seen.get(part)
        return seen is not None and self.at - seen <= ALIVE

    @property
    def ok(self) -> bool:
        """Whether nobody needs to look."""
        waiting = self.oldest is not None and self.at - self.oldest > OLD
        return (
            self.alive("pager")
            and not waiting
            and self.late <= LATE
            and not self.quarantined
            and not self.impaired
        )

    def as_json(self) -> dict[str, Any]:
        """The figures for programs."""
        return {
            "ok": self.ok,
            "parts": {name: iso(at) if at else None for name, at in self.seen.items()},
            "alive": {name: self.alive(name) for name in self.seen},
            "unsent": self.unsent,
            "oldest_unsent_at": iso(self.oldest) if self.oldest else None,
            "given_up": self.given_up,
            "late_seconds": int(self.late.total_seconds()),
            "quarantined": list(self.quarantined),
            "impaired": self.impaired,
        }


def look(record: Record, house: StreamState, now: datetime) -> Health:
    """Read how things are."""
    seen: dict[str, datetime | None] = dict.fromkeys(PARTS)
    with record.read() as tx:
        for name, beat in tx.connection.execute(select(NODE.c.id, NODE.c.beat_at)):
            part = next((one for one in PARTS if name.startswith(one)), name)
            at = _instant(beat)
            known = seen.get(part)
            seen[part] = at if known is None or at > known else known
        waiting = select(func.count(), func.min(OUTBOX.c.created_at)).where(
            OUTBOX.c.state.in_(("queued", "sending"))
        )
        unsent, oldest = tx.connection.execute(waiting).one()
        gone = select(func.count()).where(OUTBOX.c.state == "given_up")
        given_up = tx.connection.execute(gone).scalar_one()
        due = tx.earliest_due()
    late = now - _instant(due) if due is not None else timedelta(0)
    state = house if isinstance(house, House) else House(stream="house")
    return Health(
        at=now,
        seen=seen,
        unsent=unsent,
        oldest=_instant(oldest) if oldest is not None else None,
        given_up=given_up,
        late=max(timedelta(0), late),
        quarantined=tuple(state.quarantined),
        impaired=dict(state.impaired),
    )


def _instant(stamp: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=stamp)


def lines(found: Health, naming: Naming) -> list[Line]:
    """The same for people, the verdict first."""
    texts, times = naming.texts, naming.times
    head = Line(text=texts("words.health_ok"), style="good")
    if not found.ok:
        head = Line(text=texts("words.health_bad"), style="bad")
    said = [head]
    for part, seen in found.seen.items():
        key = "stopped" if seen is None else "alive" if found.alive(part) else "stale"
        text = texts(f"words.health.{key}", at=times.at(seen, seconds=True))
        style = "good" if key == "alive" else "bad" if part == "pager" else "warn"
        said.append(Line(text=f"{texts.word('words.health', part)}: {text}", style=style))  # type: ignore[arg-type]
    age = times.span(found.at - found.oldest) if found.oldest else "–"
    said.append(Line(text=texts("words.health.outbox", n=found.unsent, age=age)))
    if found.given_up:
        said.append(Line(text=texts("words.health.given_up", n=found.given_up), style="warn"))
    if found.late > LATE:
        said.append(Line(text=texts("words.health.late", span=times.span(found.late)), style="bad"))
    if found.quarantined:
        streams = texts("words.comma").join(found.quarantined)
        said.append(Line(text=texts("words.health.quarantined", streams=streams), style="bad"))
    for what, detail in found.impaired.items():
        text = texts("words.health.impaired", what=what, detail=naming.text(detail))
        said.append(Line(text=text, style="bad"))
    return said
