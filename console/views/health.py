"""Whether everything runs, read from the record: parts alive, messages waiting, timers stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select

from console.views.checkpoints import upkeep_lines
from console.views.naming import Naming
from console.views.sheet import Line, Style
from console.views.trust import out_of_band_line
from models.clock import iso
from models.node import RETIRED
from models.record import NODE, OUTBOX, Record, micros
from models.state import House, StreamState

PARTS = ("pager", "conductor")
ALIVE = timedelta(seconds=10)
OLD = timedelta(minutes=2)
"""A message that waits longer than this is itself a reason to look."""
STUCK = timedelta(seconds=60)
"""As OLD, for a page: somebody ought to be awake by now."""
LATELY = timedelta(hours=1)
LATE = timedelta(seconds=30)
SHOWN = timedelta(days=1)
"""For how long a machine of several is shown that gives no sign of life any more."""
WAITING = ("queued", "sending")
_NOBODY: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Health:
    """How things are at `at`. `seen` are the parts by name with their last sign of life, None for never."""

    at: datetime
    seen: dict[str, datetime | None]
    unsent: int
    oldest: datetime | None
    oldest_page: datetime | None
    given_up: int
    given_up_lately: int
    late: timedelta
    quarantined: tuple[str, ...]
    impaired: dict[str, str]
    house: House
    unreached: dict[str, str]
    """People whom their last communication check did not reach; shown, but Hikeshi runs all the same."""

    def alive(self, part: str) -> bool:
        """Whether a part has shown itself lately."""
        seen = self.seen.get(part)
        return seen is not None and self.at - seen <= ALIVE

    @property
    def ok(self) -> bool:
        """Whether nobody needs to look."""
        waiting = self.oldest is not None and self.at - self.oldest > OLD
        stuck = self.oldest_page is not None and self.at - self.oldest_page > STUCK
        return (
            self.alive("pager")
            and not waiting
            and not stuck
            and not self.given_up_lately
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
            "oldest_unsent_page_at": iso(self.oldest_page) if self.oldest_page else None,
            "given_up": self.given_up,
            "given_up_lately": self.given_up_lately,
            "late_seconds": int(self.late.total_seconds()),
            "quarantined": list(self.quarantined),
            "impaired": self.impaired,
            "clock": self.house.upkeep.clock,
            "anchored": self.house.upkeep.anchored,
            "out_of_band": sorted(self.house.distrusted),
            "unreached": self.unreached,
        }


def look(  # noqa: PLR0913 - what else is known, by name
    record: Record,
    house: StreamState,
    now: datetime,
    left_out: Sequence[str] = (),
    unreached: Mapping[str, str] = _NOBODY,
    *,
    not_working: Mapping[str, str] = _NOBODY,
    wall: datetime | None = None,
) -> Health:
    """Read how things are. `left_out`: files of playbooks that have defects; `unreached`: person -> test.

    `not_working`: what else, by what it is, such as a sink of the second path. `wall` is the machine's time
    where that is not `now`, as in a drill: signs of life are given in it.
    """
    seen: dict[str, datetime | None] = dict.fromkeys(PARTS)
    with record.read() as tx:
        running = select(NODE.c.id, NODE.c.beat_at).where(NODE.c.detail != RETIRED)
        for name, beat in tx.connection.execute(running):
            part = next((one for one in PARTS if name.startswith(one)), name)
            at = _instant(beat) - ((wall - now) if wall is not None else timedelta(0))
            known = seen.get(part)
            seen[part] = at if known is None or at > known else known
            if "@" in name and now - at <= SHOWN:
                seen[name] = at  # one of several machines
        # What waits for its delay, or for the end of quiet hours, is not late.
        due = and_(OUTBOX.c.state.in_(WAITING), OUTBOX.c.created_at <= micros(now))
        waiting = select(func.count(), func.min(OUTBOX.c.created_at)).where(due)
        unsent, oldest = tx.connection.execute(waiting).one()
        oldest_page = tx.connection.execute(
            select(func.min(OUTBOX.c.created_at)).where(due, OUTBOX.c.kind == "page")
        ).scalar()
        gone = select(func.count()).where(OUTBOX.c.state == "given_up")
        given_up = tx.connection.execute(gone).scalar_one()
        lately = tx.connection.execute(gone.where(OUTBOX.c.created_at > micros(now - LATELY))).scalar_one()
        failing = tx.connection.execute(
            select(OUTBOX.c.channel, func.max(OUTBOX.c.error))
            .where(OUTBOX.c.state.in_(WAITING), OUTBOX.c.error.is_not(None))
            .group_by(OUTBOX.c.channel)
        ).all()
        next_due = tx.earliest_due()
    late = now - _instant(next_due) if next_due is not None else timedelta(0)
    state = house if isinstance(house, House) else House(stream="house")
    impaired = dict(state.impaired) | {
        f"channel {name}": error for name, error in failing if name not in state.distrusted
    }
    impaired |= not_working
    if left_out:
        impaired["playbooks"] = f"{', '.join(left_out)} (hikeshi check)"
    return Health(
        at=now,
        seen=seen,
        unsent=unsent,
        oldest=_instant(oldest) if oldest is not None else None,
        oldest_page=_instant(oldest_page) if oldest_page is not None else None,
        given_up=given_up,
        given_up_lately=lately,
        late=max(timedelta(0), late),
        quarantined=tuple(state.quarantined),
        impaired=impaired,
        house=state,
        unreached=dict(unreached),
    )


def _instant(stamp: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=stamp)


def lines(found: Health, naming: Naming) -> list[Line]:
    """The same for people, the verdict first."""
    texts, times = naming.texts, naming.times
    head = Line(text=texts("words.health_ok"), style="good")
    if not found.ok:
        head = Line(text=texts("words.health_bad"), style="bad")
    out = out_of_band_line(found.house, naming)
    said = [head] if out is None else [head, out]
    for part, seen in found.seen.items():
        key = "stopped" if seen is None else "alive" if found.alive(part) else "stale"
        text = texts(f"words.health.{key}", at=times.at(seen, seconds=True))
        colour: Style = "good" if key == "alive" else "bad" if part == "pager" else "warn"
        said.append(Line(text=f"{texts.word('words.health', part)}: {text}", style=colour))
    age = times.span(found.at - found.oldest) if found.oldest else "–"
    said.append(Line(text=texts("words.health.outbox", n=found.unsent, age=age)))
    if found.given_up:
        style: Style = "bad" if found.given_up_lately else "warn"
        said.append(Line(text=texts("words.health.given_up", n=found.given_up), style=style))
    if found.late > LATE:
        said.append(Line(text=texts("words.health.late", span=times.span(found.late)), style="bad"))
    if found.quarantined:
        streams = texts("words.comma").join(found.quarantined)
        said.append(Line(text=texts("words.health.quarantined", streams=streams), style="bad"))
    for what, detail in found.impaired.items():
        text = texts("words.health.impaired", what=what, detail=naming.text(detail))
        said.append(Line(text=text, style="bad"))
    said += upkeep_lines(found.house.upkeep, naming)
    for person, comcheck in found.unreached.items():
        text = texts("readiness.health.unreached", who=naming.who(person), comcheck=comcheck)
        said.append(Line(text=text, style="warn"))
    return said
