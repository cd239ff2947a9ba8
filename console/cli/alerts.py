"""alert …: what monitoring sent, and what people make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import Incident, Number, Reason
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from models.state import Intake

MAX_SHOWN = 20_000


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True)
    reads(group, "list")(alert_list)
    reads(group, "show")(alert_show)
    writes(group, "declare")(alert_declare)
    writes(group, "attach")(alert_attach)
    writes(group, "dismiss")(alert_dismiss)
    app.add_typer(group, name="alert")


def _intake(session: Session) -> Intake:
    from models.state import Intake as State  # noqa: PLC0415

    state = session.desk.state("intake")
    assert isinstance(state, State)  # noqa: S101 - the stream's name says so
    return state


def alert_list(session: Session) -> None:
    """Alerts that nobody has dealt with yet."""
    from console.cli import output  # noqa: PLC0415
    from console.views import programme as view  # noqa: PLC0415

    state = _intake(session)
    naming = session.naming(state)
    if session.given.json:
        output.json([view.alert_json(one, naming) for one in state.alerts.values()])
    else:
        output.show([view.alerts(list(state.alerts.values()), naming)])


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
    if row is None:
        known = sorted(_intake(session).alerts)
        report.refused(session, "intake", Why.NO_SUCH_ITEM, {"item": number, "known": known})
    raw = (body or b"").decode("utf-8", "replace")
    facts = {key: row[key] for key in ("id", "source", "key", "status", "incident", "count")}
    if session.given.json:
        output.json(facts | {"body": raw})
        return
    lines = [Line(text=f"{key}: {value if value is not None else '–'}") for key, value in facts.items()]
    raw_lines = [Line(text=one, style="dim") for one in printable(raw, MAX_SHOWN)]
    output.show([*lines, Section(title=session.texts("words.alert_raw"), parts=tuple(raw_lines))])


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
