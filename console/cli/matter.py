"""What is known of the matter: note, severity, instant, role, confirm, service …, scope …, backup …"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.arguments import At, Incident, Instant, Name, Number, Person, Service, Source, Text, Time
from console.cli.given import reads, writes
from console.cli.session import Session

Opt = typer.Option
CHECKS = {"tamper": ("unknown", "clean", "tampered"), "malware": ("unknown", "clean", "infected")}
SIDES = ("csirt", "owner")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(app, "note")(note)
    writes(app, "severity")(severity)
    writes(app, "instant")(instant)
    writes(app, "role")(role)
    writes(app, "confirm")(confirm)
    _group(app, "service", {name: globals()[f"service_{name}"] for name in SERVICE_WORDS}, {})
    _group(app, "scope", {"add": scope_add, "fix": scope_fix, "accept": scope_accept}, {"list": scope_list})
    _group(app, "backup", {"set": backup_set}, {"list": backup_list})


SERVICE_WORDS = ("impact", "restored", "works", "fails", "confirm")


def _group(app: typer.Typer, name: str, acts: dict[str, object], looks: dict[str, object]) -> None:
    group = typer.Typer(no_args_is_help=True)
    for word, function in acts.items():
        writes(group, word)(function)  # type: ignore[arg-type]
    for word, function in looks.items():
        reads(group, word)(function)  # type: ignore[arg-type]
    app.add_typer(group, name=name)


def note(session: Session, incident: Incident, text: Text, at: At = None) -> None:
    """Something for the timeline."""
    from models.commands import Note  # noqa: PLC0415

    session.write(session.stream(incident), Note, text=text, at=session.instant(at, "--at"))


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


# -- services -----------------------------------------------------------------------------------------------


def service_impact(
    session: Session,
    incident: Incident,
    service: Service,
    since: Annotated[str | None, Opt("--since", metavar="TIME", show_default=False)] = None,
    level: Annotated[str, Opt("--level", metavar="TEXT", show_default=False)] = "",
) -> None:
    """A service is affected, since when, and how."""
    _service(session, incident, service, "impacted", session.instant(since, "--since"), level)


def service_restored(
    session: Session,
    incident: Incident,
    service: Service,
    at: Instant = None,
    level: Annotated[str, Opt("--level", metavar="TEXT", show_default=False)] = "",
) -> None:
    """A service is back, when, and at which level."""
    _service(session, incident, service, "restored", session.instant(at, "--at"), level)


def service_works(session: Session, incident: Incident, service: Service) -> None:
    """A check found that the service works normally."""
    _service(session, incident, service, "works")


def service_fails(session: Session, incident: Incident, service: Service) -> None:
    """A check found that the service does not work normally."""
    _service(session, incident, service, "fails")


def service_confirm(
    session: Session,
    incident: Incident,
    service: Service,
    side: Annotated[str, Opt("--side", metavar="csirt|owner")],
) -> None:
    """CSIRT, or the system's owner, confirms that the service may resume."""
    session.one_of(side, SIDES, "--side")
    _service(session, incident, service, f"confirmed-by-{side}")


def _service(
    session: Session, incident: str, service: str, what: str, when: object = None, level: str = ""
) -> None:
    from models.commands import ServiceFact  # noqa: PLC0415

    session.write(
        session.stream(incident), ServiceFact, service=service, what=what, instant=when, level=level
    )


# -- scope --------------------------------------------------------------------------------------------------


def scope_add(
    session: Session,
    incident: Incident,
    kind: Annotated[str, typer.Argument(metavar="KIND")],
    name: Name,
) -> None:
    """An affected entry route, account, host, indicator, data or service."""
    from models.commands import ScopeFact  # noqa: PLC0415

    session.write(session.stream(incident), ScopeFact, what="add", kind=kind, name=name)


def scope_fix(session: Session, incident: Incident, number: Number, text: Text) -> None:
    """What was done about it."""
    from models.commands import ScopeFact  # noqa: PLC0415

    session.write(session.stream(incident), ScopeFact, what="fix", id=number.upper(), text=text)


def scope_accept(
    session: Session,
    incident: Incident,
    number: Number,
    reason: Annotated[str, Opt("--reason", metavar="TEXT")],
) -> None:
    """Its risk is accepted, and why."""
    from models.commands import ScopeFact  # noqa: PLC0415

    session.write(session.stream(incident), ScopeFact, what="accept", id=number.upper(), text=reason)


def scope_list(session: Session, incident: Incident) -> None:
    """Everything affected, and what was done about it."""
    session.part(incident, "scope")


# -- backups ------------------------------------------------------------------------------------------------


def backup_set(  # noqa: PLR0913 - one option for each thing that may be said
    session: Session,
    *,
    incident: Incident,
    number: Number,
    service: Service,
    time: Time,
    tamper: Annotated[str, Opt("--tamper", metavar="clean|tampered|unknown")] = "unknown",
    malware: Annotated[str, Opt("--malware", metavar="clean|infected|unknown")] = "unknown",
) -> None:
    """A backup, and what its check found."""
    from models.commands import SetRecoveryPoint  # noqa: PLC0415

    session.one_of(tamper, CHECKS["tamper"], "--tamper")
    session.one_of(malware, CHECKS["malware"], "--malware")
    session.write(
        session.stream(incident),
        SetRecoveryPoint,
        id=number,
        service=service,
        instant=session.instant(time, "TIME"),
        tamper=tamper,
        malware=malware,
    )


def backup_list(session: Session, incident: Incident) -> None:
    """Backups and what their checks found."""
    session.part(incident, "backups")
