"""restrict, break-glass, inspector: who may know of an incident, and who may look for a time."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from console.cli.arguments import Incident, Reason
from console.cli.given import reads, writes
from console.cli.session import Session

Opt = typer.Option
HOUSE = "house"
Names = Annotated[list[str] | None, Opt("--to", metavar="PERSON|ROLE", show_default=False)]
Not = Annotated[list[str] | None, Opt("--not", metavar="PERSON", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(app, "restrict")(restrict)
    writes(app, "break-glass")(break_glass)
    inspector = typer.Typer(no_args_is_help=True)
    writes(inspector, "grant")(inspector_grant)
    writes(inspector, "revoke")(inspector_revoke)
    reads(inspector, "list")(inspector_list)
    app.add_typer(inspector, name="inspector")


def restrict(  # noqa: PLR0913 - each of these may be changed at once
    session: Session,
    *,
    incident: Incident,
    reason: Reason,
    to: Names = None,
    not_: Not = None,
    remove: Annotated[list[str] | None, Opt("--remove", metavar="PERSON|ROLE", show_default=False)] = None,
    lift: Annotated[bool, Opt("--lift")] = False,
) -> None:
    """Name who may know of an incident, and who may not whatever their role."""
    from models.restriction import Restrict  # noqa: PLC0415

    session.write(
        session.stream(incident),
        Restrict,
        reason=reason,
        people=tuple(session.person(one) for one in to or ()),
        remove=tuple(session.person(one) for one in remove or ()),
        bar=tuple(session.person(one) for one in not_ or ()),
        lift=lift,
    )


def break_glass(
    session: Session,
    incident: Incident,
    reason: Annotated[str, Opt("--reason", "-r", metavar="TEXT", show_default=False)] = "",
    end: Annotated[bool, Opt("--end")] = False,
) -> None:
    """Take rights at once that one does not have; others are paged, and it is reviewed."""
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason as ReasonOf  # noqa: PLC0415
    from models.restriction import BreakGlass, EndGlass  # noqa: PLC0415

    stream = session.stream(incident)
    if session.is_number(stream) and (end or reason.strip()):
        _whole_number(session, stream)
    if end:
        session.write(stream, EndGlass)
    elif not reason.strip():
        # Before the incident is looked for: the answer must not tell whether there is one.
        report.refused(session, None, ReasonOf.REASON_MISSING, {"field": "reason"})
    else:
        session.write(stream, BreakGlass, reason=reason)


def _whole_number(session: Session, said: str) -> NoReturn:
    """Refuse a short number that finds nothing: what one may not read is found by its whole number only.

    The answer is the same whether or not there is such an incident.
    """
    from console.cli import account, report  # noqa: PLC0415
    from models.reason import Reason as Why  # noqa: PLC0415

    account.record_refusal(session.desk, session.actor, Why.NO_SUCH_INCIDENT, session.surface)
    report.refused(session, said, Why.NO_SUCH_INCIDENT, {"incident": said, "case": "full-number"})


def inspector_grant(
    session: Session,
    *,
    name: Name,
    until: Annotated[str, Opt("--until", metavar="TIME", show_default=False)],
    reason: Reason,
    incident: Annotated[list[str] | None, Opt("--incident", metavar="INC", show_default=False)] = None,
    account: Annotated[str | None, Opt("--account", metavar="ACCOUNT", show_default=False)] = None,
) -> None:
    """Let somebody from outside read for a time: by an account, or else by a token that is shown once."""
    import hashlib  # noqa: PLC0415
    import secrets  # noqa: PLC0415

    from console.cli import output, report  # noqa: PLC0415
    from models.restriction import GrantInspector  # noqa: PLC0415

    # Whoever lets others read it must be able to read it.
    named = tuple(session.incident(one).stream for one in incident or ())
    token = None if account else secrets.token_urlsafe(32)
    outcome = session.ask(
        HOUSE,
        GrantInspector,
        name=name,
        until=session.instant(until, "--until", whole_day=True),
        reason=reason,
        incidents=named,
        account=account,
        digest=hashlib.sha256(token.encode()).hexdigest() if token else None,
    )
    if session.given.json:
        output.json({"accepted": True, "stream": HOUSE, "inspector": name, "token": token})
        return
    report.recorded(session, outcome)
    if token:
        session.say(session.texts("access.token", token=token), "strong")


def inspector_revoke(session: Session, name: Name, reason: Reason) -> None:
    """End it before its time."""
    from models.restriction import RevokeInspector  # noqa: PLC0415

    session.write(HOUSE, RevokeInspector, name=name, reason=reason)


def inspector_list(session: Session) -> None:
    """Who may look, until when, and at what."""
    from console.cli import output  # noqa: PLC0415
    from console.views import access as view  # noqa: PLC0415
    from models.state import House  # noqa: PLC0415

    state = session.reader.without_hidden(session.desk.state(HOUSE))
    known = list(state.inspectors.values()) if isinstance(state, House) else []
    if session.given.json:
        output.json([view.as_json(one, session.now) for one in known])
    elif not known:
        session.say(session.texts("access.no_inspectors"))
    else:
        output.show([view.section(known, session.naming(state))])
