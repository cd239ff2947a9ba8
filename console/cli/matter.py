"""What is known of the matter: note, severity, instant, role, confirm …"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.arguments import At, Incident, Name, Person, Source, Text, Time
from console.cli.given import writes
from console.cli.session import Session

Opt = typer.Option


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(app, "note")(note)
    writes(app, "severity")(severity)
    writes(app, "instant")(instant)
    writes(app, "role")(role)
    writes(app, "confirm")(confirm)


def note(
    session: Session,
    *,
    incident: Incident,
    text: Text,
    at: At = None,
    said_by: Annotated[str, Opt("--said-by", metavar="NAME", show_default=False)] = "",
    source: Annotated[str, Opt("--source", metavar="TEXT", show_default=False)] = "",
) -> None:
    """Something for the timeline, at its own instant."""
    from models.answers import TimelineEntry  # noqa: PLC0415

    session.write(
        session.stream(incident),
        TimelineEntry,
        text=text,
        at=session.instant(at, "--at"),
        said_by=session.person(said_by),
        source=source,
    )


def severity(
    session: Session,
    incident: Incident,
    severity: Annotated[str | None, typer.Argument(metavar="SEVERITY", show_default=False)] = None,
    impact: Annotated[str | None, Opt("--impact", metavar="ID", show_default=False)] = None,
    urgency: Annotated[str | None, Opt("--urgency", metavar="ID", show_default=False)] = None,
    reason: Annotated[str, Opt("--reason", metavar="TEXT", show_default=False)] = "",
) -> None:
    """Judge the severity, directly or by impact and urgency."""
    from models.commands import SetSeverity  # noqa: PLC0415

    session.write(
        session.stream(incident),
        SetSeverity,
        severity=severity,
        impact=impact,
        urgency=urgency,
        reason=reason,
    )


def instant(session: Session, incident: Incident, name: Name, time: Time, source: Source) -> None:
    """Say when something happened, and how that is known."""
    from models.commands import SetInstant  # noqa: PLC0415

    session.write(
        session.stream(incident),
        SetInstant,
        name=name,
        instant=session.instant(time, "TIME"),
        source=source,
    )


def role(
    session: Session,
    incident: Incident,
    role: Annotated[str, typer.Argument(metavar="commander|scribe")],
    person: Person,
) -> None:
    """Name the commander or the scribe of this incident."""
    from models.commands import AssignRole  # noqa: PLC0415

    session.write(session.stream(incident), AssignRole, role=role, person=session.person(person))


def confirm(
    session: Session, incident: Incident, fact: Annotated[int, typer.Argument(metavar="FACT")]
) -> None:
    """What a scribe wrote for me is right."""
    from models.commands import Confirm  # noqa: PLC0415

    session.write(session.stream(incident), Confirm, fact=fact)
