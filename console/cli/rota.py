"""oncall: who is on duty, now and at any instant, and what is wrong with the rota."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.given import reads
from console.cli.session import Session

if TYPE_CHECKING:
    from console.views.naming import Naming
    from models.oncall import Stretch

Opt = typer.Option
WHAT = ("gaps",)
GAP_DAYS, ICS_DAYS = 60, 14


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    reads(app, "oncall")(oncall)


def oncall(
    session: Session,
    *,
    what: Annotated[str | None, typer.Argument(metavar="gaps", show_default=False)] = None,
    at: Annotated[str | None, Opt("--at", metavar="TIME", show_default=False)] = None,
    role: Annotated[list[str] | None, Opt("--role", metavar="ROLE", show_default=False)] = None,
    days: Annotated[int | None, Opt("--days", metavar="N", show_default=False)] = None,
    ics: Annotated[str | None, Opt("--ics", metavar="FILE", show_default=False)] = None,
) -> None:
    """Who is on duty now, or at any instant, for how long, and who is next."""
    from models.oncall import calendar, watched  # noqa: PLC0415

    instant = session.instant(at, "--at") or session.now
    naming = session.naming(session.desk.state("house"))
    directory = naming.world.directory
    roles = _known(session, role) or watched(directory, naming.world.policy.routes)
    span = timedelta(days=_days(session, days, what, ics))
    if what is not None:
        session.one_of(what, WHAT, "oncall")
        _gaps(session, roles, instant, span, naming)
        return
    if not span:
        _now(session, roles, instant, naming)
        return
    found = [one for who in roles for one in calendar(directory, who, instant, instant + span)]
    _coming(session, found, ics, naming)


def _days(session: Session, days: int | None, what: str | None, ics: str | None) -> int:
    """How far to look: nowhere if only the instant is asked for."""
    from models.oncall import MAX_DAYS  # noqa: PLC0415

    if days is None:
        return GAP_DAYS if what is not None else ICS_DAYS if ics is not None else 0
    if not 1 <= days <= MAX_DAYS:
        session.wrong(
            session.texts("words.usage.choice", option="--days", value=days, known=f"1 … {MAX_DAYS}")
        )
    return days


def _known(session: Session, named: list[str] | None) -> tuple[str, ...]:
    """The roles and people asked for; refused if the directory has no such."""
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    directory = session.desk.directory
    for who in named or ():
        if directory.role(who) is None and directory.person(who) is None:
            known = sorted(one.id for one in directory.organisation.roles)
            report.refused(session, None, Reason.NO_SUCH_ROLE, {"role": who, "known": known})
    return tuple(named or ())


def _now(session: Session, roles: tuple[str, ...], at: datetime, naming: Naming) -> None:
    from console.cli import output  # noqa: PLC0415
    from console.views import oncall as view  # noqa: PLC0415

    if session.given.json:
        output.json([view.present_json(who, at, naming) for who in roles])
    else:
        output.show([view.present(roles, at, naming)])


def _coming(session: Session, found: list[Stretch], ics: str | None, naming: Naming) -> None:
    from console.cli import output  # noqa: PLC0415
    from console.cli.looking import write_ics  # noqa: PLC0415
    from console.ics import written  # noqa: PLC0415
    from console.views import oncall as view  # noqa: PLC0415

    if ics is not None:
        entries = [view.entry(one, naming) for one in found]
        write_ics(session, ics, written(entries, "Duty", session.now))
    elif session.given.json:
        output.json([view.stretch_json(one, naming) for one in found])
    else:
        output.show(view.coming(found, naming))


def _gaps(session: Session, roles: tuple[str, ...], at: datetime, span: timedelta, naming: Naming) -> None:
    """Exit 1 if there is any, so that a job in the night can tell."""
    from console.cli import output  # noqa: PLC0415
    from console.cli.session import REFUSED  # noqa: PLC0415
    from console.views import oncall as view  # noqa: PLC0415
    from models.oncall import gaps  # noqa: PLC0415

    found = gaps(naming.world.directory, roles, at, at + span, naming.world.channels)
    if session.given.json:
        output.json([view.gap_json(one, naming) for one in found])
    else:
        output.show([view.faults(found, naming, span.days)])
    if found:
        raise typer.Exit(REFUSED)
