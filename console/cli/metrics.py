"""metrics: how long things took, against their targets."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.given import reads
from console.cli.session import Session

if TYPE_CHECKING:
    from models.metrics import Span

Opt = typer.Option
GROUPS = ("type", "month")
MAX_INCIDENTS = 10_000


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    reads(app, "metrics")(metrics)


def metrics(
    session: Session,
    since_day: Annotated[str | None, Opt("--since", metavar="DATE", show_default=False)] = None,
    by: Annotated[str, Opt("--by", metavar="type|month")] = "type",
    drills: Annotated[bool, Opt("--drills")] = False,
) -> None:
    """Times to detect, acknowledge, contain, restore and report, against their targets."""
    from console.cli import output  # noqa: PLC0415
    from console.views import metrics as view  # noqa: PLC0415
    from models.metrics import summarise  # noqa: PLC0415

    session.one_of(by, GROUPS, "--by")
    found, cut = _spans(session, since_day, drills=drills)
    rows = summarise(found, "month" if by == "month" else "type")
    if session.given.json:
        output.json([view.as_json(row) for row in rows])
        return
    output.show([view.section(rows, session.texts, session.zone)])
    if cut:
        session.say(session.texts("clocks.metrics.cut", n=MAX_INCIDENTS), "warn", stderr=True)


def _spans(session: Session, since_day: str | None, *, drills: bool) -> tuple[list[Span], bool]:
    """What the incidents tell, folded one by one; drills are never mixed with the real."""
    from models.metrics import spans  # noqa: PLC0415
    from models.record import STREAM, micros  # noqa: PLC0415

    since = _midnight(session, since_day)
    # By time and not by number: as a text INC-2026-10000 comes before INC-2026-9999.
    latest = (STREAM.c.opened_at.desc(), STREAM.c.id.desc())
    wanted = STREAM.select().with_only_columns(STREAM.c.id).order_by(*latest)
    wanted = wanted.where(STREAM.c.kind == "incident", STREAM.c.drill.is_(drills))
    if since is not None:
        wanted = wanted.where(STREAM.c.opened_at >= micros(since))
    with session.house.record.read() as tx:
        ids = [row[0] for row in tx.connection.execute(wanted.limit(MAX_INCIDENTS + 1))]
    zone = session.house.institution.organisation.zone
    # Left out where they may not be known of: a type with one incident in it would name it.
    known = session.reader.whole(session.desk.readable(ids[:MAX_INCIDENTS]))
    found = [span for state in known for span in spans(state, zone)]
    return found, len(ids) > MAX_INCIDENTS


def _midnight(session: Session, day: str | None) -> datetime | None:
    """The beginning of a day where the institution is, as its months are; exit 2 with advice."""
    if day is None:
        return None
    try:
        begins = datetime.combine(date.fromisoformat(day), time(), session.zone)
    except ValueError:
        session.wrong(session.texts("words.usage.choice", option="--since", value=day, known="2026-11-23"))
    return session.instant(begins.isoformat(), "--since")
