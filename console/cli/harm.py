"""Services and the harm: service …, impact …, backup …"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.arguments import Incident, Instant, Number, Service, Time
from console.cli.given import reads, writes
from console.cli.session import Session

Opt = typer.Option
CHECKS = {"tamper": ("unknown", "clean", "tampered"), "malware": ("unknown", "clean", "infected")}
KINDS = ("backup", "replica", "snapshot")
SIDES = ("csirt", "owner")
SURE = ("confirmed", "likely", "suspected")
Note = Annotated[str, Opt("--note", metavar="TEXT", show_default=False)]
LevelOption = Annotated[str, Opt("--level", metavar="LEVEL", show_default=False)]
Confidence = Annotated[str, Opt("--confidence", metavar="confirmed|likely|suspected")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    service = typer.Typer(no_args_is_help=True)
    for word, function in (
        ("impact", service_impact), ("level", service_level), ("restored", service_restored),
        ("eta", service_eta), ("works", service_works), ("fails", service_fails),
        ("confirm", service_confirm),
    ):  # fmt: skip
        writes(service, word)(function)
    reads(service, "list")(service_list)
    app.add_typer(service, name="service")
    impact = typer.Typer(no_args_is_help=True)
    writes(impact, "set")(impact_set)
    reads(impact, "list")(impact_list)
    app.add_typer(impact, name="impact")
    backup = typer.Typer(no_args_is_help=True)
    writes(backup, "set")(backup_set)
    reads(backup, "list")(backup_list)
    app.add_typer(backup, name="backup")


# -- services -----------------------------------------------------------------------------------------------


def service_impact(  # noqa: PLR0913 - one option for each thing that may be said
    session: Session,
    *,
    incident: Incident,
    service: Service,
    since: Annotated[str | None, Opt("--since", metavar="TIME", show_default=False)] = None,
    level: LevelOption = "",
    note: Note = "",
    source: Annotated[str, Opt("--source", metavar="TEXT", show_default=False)] = "person",
    confidence: Confidence = "confirmed",
) -> None:
    """A service is affected, since when, and how; its clocks start."""
    from models.commands import ServiceFact  # noqa: PLC0415

    session.one_of(confidence, SURE, "--confidence")
    session.write(
        session.stream(incident),
        ServiceFact,
        service=service,
        what="impacted",
        instant=session.instant(since, "--since"),
        level=level,
        note=note,
        source=source,
        confidence=confidence,
    )


def service_level(
    session: Session,
    incident: Incident,
    service: Service,
    level: Annotated[str, typer.Argument(metavar="LEVEL")],
    at: Instant = None,
    note: Note = "",
) -> None:
    """The level that a service has reached, or to which it has fallen."""
    _service(session, incident, service, "level", session.instant(at, "--at"), level=level, note=note)


def service_restored(
    session: Session,
    incident: Incident,
    service: Service,
    at: Instant = None,
    level: LevelOption = "",
    note: Note = "",
) -> None:
    """A service is back at its recovery level, or at a better one."""
    _service(session, incident, service, "restored", session.instant(at, "--at"), level=level, note=note)


def service_eta(session: Session, incident: Incident, service: Service, time: Time) -> None:
    """When you expect a service back; past its target, people are called out now."""
    from models.impact import ForecastService  # noqa: PLC0415

    eta = session.instant(time, "TIME")
    session.write(session.stream(incident), ForecastService, service=service, eta=eta)


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


def service_list(session: Session, incident: Incident) -> None:
    """The services affected, in the order of recovery."""
    session.part(incident, "services")


def _service(
    session: Session,
    incident: str,
    service: str,
    what: str,
    when: object = None,
    **said: str,
) -> None:
    from models.commands import ServiceFact  # noqa: PLC0415

    session.write(
        session.stream(incident),
        ServiceFact,
        service=service,
        what=what,
        instant=when,
        **said,
    )


# -- impact -------------------------------------------------------------------------------------------------


def impact_set(
    session: Session,
    incident: Incident,
    kind: Annotated[str, typer.Argument(metavar="KIND")],
    value: Annotated[str, typer.Argument(metavar="VALUE")],
    source: Annotated[str, Opt("--source", metavar="TEXT")],
    confidence: Confidence = "likely",
) -> None:
    """Something is known of the harm: persons, customers, amounts, data, purpose, media."""
    from models.impact import RecordImpact  # noqa: PLC0415

    session.one_of(confidence, SURE, "--confidence")
    session.write(
        session.stream(incident), RecordImpact, kind=kind, value=value, source=source, confidence=confidence
    )


def impact_list(session: Session, incident: Incident) -> None:
    """Everything that is known of the harm; what is not known says so."""
    session.part(incident, "impact")


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
    kind: Annotated[str, Opt("--kind", metavar="backup|replica|snapshot")] = "backup",
    tested: Annotated[str, Opt("--tested", metavar="DATE", show_default=False)] = "",
) -> None:
    """A backup or replica, and what its check found."""
    from models.commands import SetRecoveryPoint  # noqa: PLC0415

    session.one_of(tamper, CHECKS["tamper"], "--tamper")
    session.one_of(malware, CHECKS["malware"], "--malware")
    session.one_of(kind, KINDS, "--kind")
    session.write(
        session.stream(incident),
        SetRecoveryPoint,
        id=number,
        service=service,
        instant=session.instant(time, "TIME"),
        tamper=tamper,
        malware=malware,
        kind=kind,
        tested=tested,
    )


def backup_list(session: Session, incident: Incident) -> None:
    """Recovery points, what their checks found, and the loss against RPO."""
    session.part(incident, "backups")
