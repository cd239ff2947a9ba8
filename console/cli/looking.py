"""list, show, log, clocks: looking at incidents. Nothing here changes a record."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.cli.arguments import All, Incident
from console.cli.given import reads
from console.cli.session import OTHER_STREAMS, Session
from models.errors import RecordTooNew

if TYPE_CHECKING:
    from console.views.naming import Naming
    from models.fact import Fact
    from models.record import Record
    from models.state import Incident as IncidentState
    from models.state import StreamState

MAX_LISTED = 200
FOLLOW_SECONDS = 0.5


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    reads(app, "list")(list_)
    reads(app, "show")(show)
    reads(app, "log")(log)
    reads(app, "clocks")(clocks)


def incident_ids(record: Record, statuses: tuple[str, ...] = ()) -> list[str]:
    """Ids of incidents, the latest first; all of them if no status is named."""
    from sqlalchemy import select  # noqa: PLC0415

    from models.record import STREAM  # noqa: PLC0415

    wanted = select(STREAM.c.id).where(STREAM.c.kind == "incident").order_by(STREAM.c.id.desc())
    if statuses:
        wanted = wanted.where(STREAM.c.status.in_(statuses))
    with record.read() as tx:
        return [row[0] for row in tx.connection.execute(wanted.limit(MAX_LISTED))]


def list_(session: Session, everything: All = False) -> None:
    """Incidents, the latest first."""
    from console.cli import output  # noqa: PLC0415
    from console.views import access, listing  # noqa: PLC0415

    ids = incident_ids(session.house.record, () if everything else ("open", "resolved"))
    found = _known(session, ids)
    rows = [(state, session.naming(state)) for state, whole in found if whole]
    own = [(state, session.naming(state)) for state, whole in found if not whole]
    if session.given.json:
        parts = [access.own_json(state, naming, session.viewer.person or "") for state, naming in own]
        output.json([*(listing.as_json(state, naming) for state, naming in rows), *parts])
    elif own:
        output.show(access.own_sections(own, session.viewer.person or ""))
    elif not rows:
        session.say(session.texts("words.no_incidents"), "good")
    else:
        output.show([listing.section(rows)])


def _known(session: Session, ids: list[str]) -> list[tuple[IncidentState, bool]]:
    """Those that exist for this person, and whether all of them may be read."""
    found = []
    for one in ids:
        try:
            state = session.desk.incident(one)
        except RecordTooNew as newer:
            # One that a newer Hikeshi wrote to hides no other; it is said, and not told of.
            session.say(str(newer), "bad", stderr=True)
            continue
        reading = session.reader.reading(state)
        if reading.some:
            session.reader.note(state)
            found.append((state, reading.whole))
    return found


def show(
    session: Session,
    incident: Incident,
    as_known_at: Annotated[
        str | None, typer.Option("--as-known-at", metavar="TIME", show_default=False)
    ] = None,
) -> None:
    """One incident on one screen, what is open first."""
    from console.cli import output  # noqa: PLC0415
    from console.views import incident as view  # noqa: PLC0415

    if _show_own(session, incident):
        return
    state, naming = _as_known(session, incident, as_known_at)
    if session.given.json:
        output.json(view.as_json(state, naming))
        return
    if as_known_at is not None:
        session.say(session.texts("words.as_known_at", at=naming.times.at(naming.now)), "warn")
    output.show(view.sections(state, naming))


def _show_own(session: Session, reference: str) -> bool:
    """Whether a third party looks; then their own steps were shown."""
    from console.cli import output  # noqa: PLC0415
    from console.views import access  # noqa: PLC0415

    person = session.viewer.person or ""
    if not session.is_vendor:
        return False
    state = session.part_of(reference)
    naming = session.naming(state)
    if session.given.json:
        output.json(access.own_json(state, naming, person))
    else:
        output.show(access.own_sections([(state, naming)], person))
    return True


def _as_known(session: Session, reference: str, at: str | None) -> tuple[IncidentState, Naming]:
    """The incident as of now, or folded from nothing but what had been recorded by `at`."""
    from models.errors import NotFound  # noqa: PLC0415
    from models.fold import empty, fold  # noqa: PLC0415
    from models.state import Incident as State  # noqa: PLC0415

    stream = session.stream(reference)
    present = session.incident(stream)
    instant = session.instant(at, "--as-known-at")
    if instant is None:
        return present, session.naming(present)
    with session.house.record.read() as tx:
        facts = [fact for fact in tx.facts(stream) if fact.recorded_at <= instant]
    state = fold(empty(stream), facts)
    if not isinstance(state, State) or not facts:
        raise NotFound(f"{stream}: nothing had been recorded by {at}")
    naming = session.naming(state)
    return state, replace(naming, world=replace(naming.world, now=instant))


def log(
    session: Session,
    incident: Incident,
    follow: Annotated[bool, typer.Option("--follow", "-f")] = False,
    raw: Annotated[bool, typer.Option("--raw")] = False,
) -> None:
    """Every fact of a record, one a line; also of intake, house and programme."""
    stream = session.stream(incident)
    if raw:
        _print_raw(session, stream)
        return
    if stream not in OTHER_STREAMS:
        session.part_of(stream)
    elif session.is_vendor or session.desk.state(stream).seq == 0:
        session.incident(stream)
    last = _print_facts(session, stream, 0)
    if not follow:
        return
    session.say(session.texts("words.follow_hint"), "dim", stderr=True)
    try:
        for _ in _changes(session.house.record):
            if stream not in OTHER_STREAMS:
                session.part_of(stream)  # whoever has been barred since follows no longer
            last = _print_facts(session, stream, last)
    except KeyboardInterrupt:
        return


def _print_raw(session: Session, stream: str) -> None:
    """The facts as they are stored, a line each, also those that this version cannot read."""
    try:
        if stream not in OTHER_STREAMS:
            session.incident(stream)
        state = session.desk.state(stream)
    except RecordTooNew:
        # Nobody can tell who else may know of it: only whoever may know of everything.
        if stream in session.reader.hidden() or session.is_vendor or session.viewer.inspector is not None:
            raise
        state = None
    with session.house.record.read() as tx:
        facts = tx.facts(stream)
    if state is not None:
        facts = readable(session, stream, facts, session.naming(state))
    if session.given.json:
        from console.cli import output  # noqa: PLC0415

        # One document, as every answer in JSON; the bytes that the hash covers are those of the plain form.
        output.json([json.loads(fact.body()) for fact in facts])
        return
    for fact in facts:
        session.echo(fact.body().decode() + "\n")


def _changes(record: Record) -> Iterator[int]:
    """A number each time that another process has written, and once for what came since the first look."""
    seen = record.data_version()
    yield seen
    while True:
        time.sleep(FOLLOW_SECONDS)
        version = record.data_version()
        # PostgreSQL has no such number: there every look may find something.
        if version != seen or version == 0:
            seen = version
            yield version


def _print_facts(session: Session, stream: str, after: int) -> int:
    """Print the facts after `after`; returns the seq of the last one."""
    with session.house.record.read() as tx:
        facts = tx.facts(stream, after)
    if not facts:
        return after
    naming = session.naming(session.desk.state(stream))
    _print(session, readable(session, stream, facts, naming), naming)
    return facts[-1].seq


def readable(session: Session, stream: str, facts: list[Fact], naming: Naming) -> list[Fact]:
    """Of an incident a third party sees its own steps; of other records nobody what they may not know of."""
    from console.reading import Concealed  # noqa: PLC0415
    from models.access import own_facts  # noqa: PLC0415
    from models.exercise import Exercise  # noqa: PLC0415
    from models.exercise_sight import may_see  # noqa: PLC0415
    from models.state import Incident as State  # noqa: PLC0415

    if isinstance(naming.state, State):
        person = session.viewer.person or ""
        return own_facts(facts, naming.state, person, naming.world) if session.is_vendor else facts
    if isinstance(naming.state, Exercise):
        return [fact for fact in facts if may_see(naming.state, fact, session.viewer.person)]
    concealed = Concealed(session.desk, session.reader.hidden(), naming.beside)
    return [fact for fact in facts if not concealed.fact(fact)]


def _print(session: Session, facts: list[Fact], naming: Naming) -> None:
    from console.cli import output  # noqa: PLC0415
    from console.views import facts as view  # noqa: PLC0415
    from console.views.sheet import Line  # noqa: PLC0415

    if session.given.json:
        output.json([fact_json(fact, naming) for fact in facts])
    else:
        output.show([Line(text=view.line(fact, naming), style=view.style(fact)) for fact in facts])


def fact_json(fact: Fact, naming: Naming) -> dict[str, Any]:
    import orjson  # noqa: PLC0415

    from console.views import facts as view  # noqa: PLC0415

    stored: dict[str, Any] = orjson.loads(fact.body())
    return stored | {"text": view.sentence(fact, naming)}


def clocks(
    session: Session,
    incident: Annotated[str | None, typer.Argument(metavar="INC", show_default=False)] = None,
    ics: Annotated[str | None, typer.Option("--ics", metavar="FILE", show_default=False)] = None,
) -> None:
    """What breaks next: recovery times, reports owed, limits of steps, levels of pages."""
    from console.cli import output  # noqa: PLC0415
    from console.ics import calendar  # noqa: PLC0415
    from console.views import clocks as view  # noqa: PLC0415

    states = [session.incident(incident)] if incident else _with_clocks(session)
    namings = [session.naming(state) for state in states]
    found = view.ordered([clock for naming in namings for clock in view.clocks(naming)])
    if ics is not None:
        write_ics(session, ics, calendar(found, session.now))
    elif session.given.json:
        output.json(found)
    else:
        order = [view.order_of_recovery(naming) for naming in namings] if incident else []
        output.show([view.section(found, namings[0]), *(one for one in order if one is not None)])


def write_ics(session: Session, path: str, text: str) -> None:
    """A calendar holds what its reader may see in any other program: titles and ids, no text of people's."""
    if path == "-":
        session.echo(text)
        return
    session.save(Path(path), text, "--ics")
    session.say(session.texts("words.written", path=path), "good", stderr=True)


def _with_clocks(session: Session) -> list[StreamState]:
    known = _known(session, incident_ids(session.house.record, ("open", "resolved")))
    incidents: list[StreamState] = [state for state, whole in known if whole]
    return [*incidents, *(session.reader.without_hidden(session.desk.state(one)) for one in OTHER_STREAMS)]
