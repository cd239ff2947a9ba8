"""resolve, close, reopen, improvement …: the response is over, and what is learned."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.arguments import All, Incident, Number, Reason, Text
from console.cli.given import reads, writes
from console.cli.session import Session

Opt = typer.Option


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(app, "resolve")(resolve)
    writes(app, "close")(close)
    writes(app, "reopen")(reopen)
    group = typer.Typer(no_args_is_help=True)
    writes(group, "add")(improvement_add)
    writes(group, "done")(improvement_done)
    writes(group, "accept")(improvement_accept)
    reads(group, "list")(improvement_list)
    app.add_typer(group, name="improvement")


def resolve(
    session: Session,
    incident: Incident,
    cause: Annotated[str, Opt("--cause", metavar="TEXT")],
    entry_route: Annotated[str, Opt("--entry-route", metavar="TEXT")],
    watch: Annotated[str | None, Opt("--watch", metavar="SPAN", show_default=False)] = None,
) -> None:
    """The response is over; the watch period and the review begin."""
    from models.commands import Resolve  # noqa: PLC0415

    session.write(
        session.stream(incident),
        Resolve,
        cause=cause,
        entry_route=entry_route,
        watch=session.seconds(watch, "--watch"),
    )


def close(
    session: Session,
    incident: Incident,
    assessment: Annotated[str, Opt("--assessment", metavar="TEXT")],
    spread: Annotated[str, Opt("--spread", metavar="TEXT", show_default=False)] = "",
) -> None:
    """The review is over."""
    from models.commands import Close  # noqa: PLC0415

    session.write(session.stream(incident), Close, assessment=assessment, spread=spread)


def reopen(
    session: Session,
    incident: Incident,
    reason: Reason,
    phase: Annotated[str | None, Opt("--phase", metavar="PHASE", show_default=False)] = None,
    decline: Annotated[bool, Opt("--decline")] = False,
) -> None:
    """Take an incident up again, or one of its phases."""
    from models.commands import Reopen  # noqa: PLC0415
    from models.reopening import DeclineReopening  # noqa: PLC0415

    stream = session.stream(incident)
    if decline:
        session.write(stream, DeclineReopening, reason=reason, phase=phase or "")
    else:
        session.write(stream, Reopen, reason=reason, phase=phase)


def improvement_add(
    session: Session,
    incident: Incident,
    title: Text,
    owner: Annotated[str, Opt("--owner", metavar="PERSON")],
    due: Annotated[str, Opt("--due", metavar="DATE")],
) -> None:
    """Something to do better, with an owner and a date."""
    from models.commands import AddImprovement  # noqa: PLC0415

    session.write(
        session.stream(incident),
        AddImprovement,
        title=title,
        owner=session.person(owner),
        due=session.instant(due, "--due", whole_day=True),
    )


def improvement_done(session: Session, number: Number, reason: Reason) -> None:
    """An improvement is done."""
    _end(session, number, "done", reason)


def improvement_accept(session: Session, number: Number, reason: Reason) -> None:
    """Management accepts the risk of leaving it."""
    _end(session, number, "accepted", reason)


def _end(session: Session, number: str, how: str, reason: str) -> None:
    from models.commands import EndImprovement  # noqa: PLC0415

    session.write("programme", EndImprovement, id=number.upper(), how=how, reason=reason)


def improvement_list(session: Session, everything: All = False) -> None:
    """Improvements that are open, of all incidents."""
    from console.cli import output  # noqa: PLC0415
    from console.views import programme as view  # noqa: PLC0415
    from models.state import Programme  # noqa: PLC0415

    state = session.reader.without_hidden(session.desk.state("programme"))
    if not isinstance(state, Programme):
        return
    found = [one for one in state.improvements.values() if everything or one.status == "open"]
    naming = session.naming(state)
    if session.given.json:
        output.json([view.improvement_json(one, naming) for one in found])
    else:
        output.show([view.improvements(found, naming)])
