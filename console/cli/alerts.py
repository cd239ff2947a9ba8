"""alert …: what monitoring sent, and what people make of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import Incident, Number, Reason
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from models.state import Intake

MAX_SHOWN = 20_000
MAX_LISTED = 500


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True)
    reads(group, "list")(alert_list)
    reads(group, "show")(alert_show)
    writes(group, "declare")(alert_declare)
    writes(group, "attach")(alert_attach)
    writes(group, "dismiss")(alert_dismiss)
    app.add_typer(group, name="alert")
    intake = typer.Typer(no_args_is_help=True)
    reads(intake, "test")(intake_test)
    app.add_typer(intake, name="intake")


def _intake(session: Session) -> Intake:
    from models.state import Intake as State  # noqa: PLC0415

    state = session.reader.without_hidden(session.desk.state("intake"))
    assert isinstance(state, State)  # noqa: S101 - the stream's name says so
    return state


def alert_list(session: Session) -> None:
    """Alerts that nobody has dealt with yet, with what helps to judge them."""
    from console import triage  # noqa: PLC0415
    from console.cli import output  # noqa: PLC0415
    from console.views import triage as view  # noqa: PLC0415

    state, house = _intake(session), session.house
    naming = session.naming(state)
    incidents = session.reader.whole(triage.open_incidents(house))
    judged = [
        (one, triage.related(house, one, one.source, incidents), triage.known(house, one))
        for one in list(state.alerts.values())[:MAX_LISTED]
    ]
    if session.given.json:
        output.json([view.queue_json(one, naming) for one in judged])
    else:
        output.show([view.queue(judged, naming)])


def intake_test(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE")],
    source: Annotated[str | None, typer.Option("--source", metavar="NAME", show_default=False)] = None,
) -> None:
    """What an alert would do, without doing it."""
    from console import triage  # noqa: PLC0415
    from console.cli import output  # noqa: PLC0415
    from console.views import triage as view  # noqa: PLC0415

    name = _source(session, Path(file), source)
    found = triage.preview(session.house, name, session.read(Path(file), "FILE"), session.reader.hidden())
    if session.given.json:
        output.json([view.preview_json(one) for one in found])
    else:
        naming = session.naming(_intake(session))
        output.show([view.previewed(one, naming) for one in found])


def _source(session: Session, path: Path, given: str | None) -> str:
    """The source that was named, or the one there is, or for a mail the mailbox; else exit 2."""
    from console.intake import sources_of  # noqa: PLC0415

    sources = sources_of(session.house)
    known = [one.id for one in sources]
    if given is None and path.suffix == ".eml":
        given = next((one.id for one in sources if one.format == "mail"), None)
    if given is None and len(known) == 1:
        given = known[0]
    if given is None:
        session.wrong(session.texts("words.usage.source", known=", ".join(known)))
    if given not in known:
        names = ", ".join(known)
        session.wrong(session.texts("words.usage.unknown_source", value=given, known=names))
    return given


def alert_show(session: Session, number: Number) -> None:
    """One alert as it was received."""
    from sqlalchemy import select  # noqa: PLC0415

    from console.cli import output, report  # noqa: PLC0415
    from console.views.sheet import Line, Section, printable  # noqa: PLC0415
    from models.reason import Reason as Why  # noqa: PLC0415
    from models.record import ALERT  # noqa: PLC0415

    with session.house.record.read() as tx:
        row = tx.connection.execute(select(ALERT).where(ALERT.c.id == number.upper())).mappings().first()
        body = tx.document(row["document"]) if row is not None else None
    if row is not None and session.reader.conceals_alert(row["id"]):
        row = None
    if row is None:
        known = sorted(_intake(session).alerts)
        report.refused(session, "intake", Why.NO_SUCH_ITEM, {"item": number, "known": known})
    raw = _readable(session, row["source"], body or b"")
    facts = {key: row[key] for key in ("id", "source", "key", "status", "incident", "count")}
    if session.given.json:
        output.json(facts | {"body": raw})
        return
    lines = [Line(text=f"{key}: {value if value is not None else '–'}") for key, value in facts.items()]
    raw_lines = [Line(text=one, style="dim") for one in printable(raw, MAX_SHOWN)]
    output.show([*lines, Section(title=session.texts("words.alert_raw"), parts=tuple(raw_lines))])


def _readable(session: Session, source: str, body: bytes) -> str:
    """The bytes as people read them: a mail by what it says; nothing of it is opened or followed."""
    from console.intake import sources_of  # noqa: PLC0415
    from models.mail import read_mail  # noqa: PLC0415

    if all(one.id != source or one.format != "mail" for one in sources_of(session.house)):
        return body.decode("utf-8", "replace")
    mail = read_mail(body)
    head = (f"From: {mail.sender}", f"Subject: {mail.subject}", f"Date: {mail.date}")
    return "\n".join((*head, "", mail.text, *(f"[{name}]" for name in mail.attachments)))


def alert_declare(
    session: Session,
    number: Number,
    text: Annotated[str, typer.Argument(metavar="TEXT", show_default=False)] = "",
    playbook: Annotated[str | None, typer.Option("--playbook", metavar="NAME", show_default=False)] = None,
) -> None:
    """Open an incident from an alert."""
    from models.commands import SettleAlert  # noqa: PLC0415

    state = _intake(session)
    alert = state.alerts.get(number.upper())
    if not text and alert is not None:
        text = session.naming(state).text(alert.title)
    session.write("intake", SettleAlert, id=number.upper(), how="declared", reason=text, playbook=playbook)


def alert_attach(session: Session, number: Number, incident: Incident) -> None:
    """An alert belongs to an incident that is open."""
    from models.commands import SettleAlert  # noqa: PLC0415

    stream = session.incident(incident).stream
    session.write("intake", SettleAlert, id=number.upper(), how="attached", incident=stream)


def alert_dismiss(session: Session, number: Number, reason: Reason) -> None:
    """An alert is nothing, and why."""
    from models.commands import SettleAlert  # noqa: PLC0415

    session.write("intake", SettleAlert, id=number.upper(), how="dismissed", reason=reason)
