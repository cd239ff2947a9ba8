"""declare, and how an incident ends without a response: dismiss, cancel, merge; and link."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli.arguments import Incident, Reason
from console.cli.given import writes
from console.cli.session import Session

Opt = typer.Option


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(app, "declare")(declare)
    writes(app, "dismiss")(dismiss)
    writes(app, "cancel")(cancel)
    writes(app, "merge")(merge)
    writes(app, "link")(link)


def declare(  # noqa: PLR0913 - one flag for each thing that may be known already
    session: Session,
    *,
    text: Annotated[str, typer.Argument(metavar="TEXT", show_default=False)] = "",
    playbook: Annotated[list[str] | None, Opt("--playbook", metavar="NAME", show_default=False)] = None,
    severity: Annotated[str | None, Opt("--severity", metavar="ID", show_default=False)] = None,
    impact: Annotated[str | None, Opt("--impact", metavar="ID", show_default=False)] = None,
    urgency: Annotated[str | None, Opt("--urgency", metavar="ID", show_default=False)] = None,
    service: Annotated[list[str] | None, Opt("--service", metavar="ID", show_default=False)] = None,
    occurred: Annotated[str | None, Opt("--occurred", metavar="TIME", show_default=False)] = None,
    detected: Annotated[str | None, Opt("--detected", metavar="TIME", show_default=False)] = None,
    from_: Annotated[str | None, Opt("--from", metavar="FILE", show_default=False)] = None,
    source: Annotated[str | None, Opt("--source", metavar="NAME", show_default=False)] = None,
    restricted: Annotated[bool, Opt("--restricted")] = False,
    not_: Annotated[list[str] | None, Opt("--not", metavar="PERSON", show_default=False)] = None,
) -> None:
    """Open an incident."""
    from models.commands import Declare  # noqa: PLC0415

    if from_ is not None:
        said = (text, playbook, severity, impact, urgency, service, occurred, detected, restricted, not_)
        if any(said):
            session.wrong(session.texts("words.usage.from_alone"))
        _from_file(session, Path(from_), source)
        return
    if not text.strip():
        session.wrong(session.texts("words.usage.text"))
    session.write(
        None,
        Declare,
        text=text,
        source=source or "person",
        playbooks=tuple(playbook or ()),
        severity=severity,
        impact=impact,
        urgency=urgency,
        services=tuple(service or ()),
        occurred=session.instant(occurred, "--occurred"),
        detected=session.instant(detected, "--detected"),
        restricted=restricted,
        bar=tuple(session.person(one) for one in not_ or ()),
    )


def _from_file(session: Session, path: Path, source: str | None) -> None:
    """A real alert, through the same intake as the API; `-` reads standard input."""
    from console.cli import report  # noqa: PLC0415
    from console.intake import receive  # noqa: PLC0415
    from models.actor import Actor  # noqa: PLC0415
    from models.commands import Note  # noqa: PLC0415

    known = [one.id for one in session.house.institution.intake.sources]
    if source is None and len(known) == 1:
        source = known[0]
    if source is None:
        session.wrong(session.texts("words.usage.source", known=", ".join(known)))
    if source not in known:
        session.wrong(session.texts("words.usage.unknown_source", value=source, known=", ".join(known)))
    body = session.read(path, "--from")
    # The alert speaks for itself, but who fed it in must be known.
    session.known_actor()
    received = receive(session.house, source, body)
    hidden = received.incident in session.reader.hidden()
    if received.incident is not None:
        note = session.texts("words.fed", alert=received.alert, file=path.name)
        if hidden:
            # It was received all the same; whoever fed it in may not write there, nor learn where it went.
            actor = Actor.machine(f"cli:{session.actor.person}")
            session.desk.handle(received.incident, Note(actor=actor, text=note))
        else:
            session.ask(received.incident, Note, text=note)
    if hidden:
        report.received(session, received.alert, received.outcome)
    elif received.duplicate:
        report.counted(session, received.alert, received.incident)
    else:
        report.recorded(session, received.outcome)


def dismiss(session: Session, incident: Incident, reason: Reason) -> None:
    """It was no incident."""
    from models.commands import EndIncident  # noqa: PLC0415

    session.write(session.stream(incident), EndIncident, how="dismissed", reason=reason)


def cancel(session: Session, incident: Incident, reason: Reason) -> None:
    """It was declared by mistake."""
    from models.commands import EndIncident  # noqa: PLC0415

    session.write(session.stream(incident), EndIncident, how="cancelled", reason=reason)


def merge(
    session: Session,
    incident: Incident,
    into: Annotated[str, typer.Argument(metavar="INTO")],
    reason: Reason,
) -> None:
    """Go on with this matter in another incident."""
    from models.commands import Merge  # noqa: PLC0415

    session.write(session.stream(incident), Merge, into=session.incident(into).stream, reason=reason)


def link(
    session: Session,
    incident: Incident,
    other: Annotated[str, typer.Argument(metavar="OTHER")],
    relation: Annotated[str, Opt("--relation", metavar="WORD")] = "related",
) -> None:
    """Say that another incident has to do with this one."""
    from models.commands import Link  # noqa: PLC0415

    session.write(session.stream(incident), Link, to=session.incident(other).stream, relation=relation)
