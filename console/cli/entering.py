"""token, login, session: how programs and browsers come in, and how they are shut out again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import Person, Reason
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from models.state import House

Opt = typer.Option
HOUSE = "house"
LINK_MINUTES = 15


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    token = typer.Typer(no_args_is_help=True)
    writes(token, "issue")(token_issue)
    writes(token, "revoke")(token_revoke)
    reads(token, "list")(token_list)
    app.add_typer(token, name="token")
    login = typer.Typer(no_args_is_help=True)
    writes(login, "link")(login_link)
    app.add_typer(login, name="login")
    session = typer.Typer(no_args_is_help=True)
    writes(session, "end")(session_end)
    reads(session, "list")(session_list)
    app.add_typer(session, name="session")


def token_issue(  # noqa: PLR0913 - what a token is takes as much
    session: Session,
    *,
    person: Person,
    name: Annotated[str, Opt("--name", metavar="NAME", show_default=False)],
    until: Annotated[str, Opt("--until", metavar="TIME", show_default=False)],
    role: Annotated[list[str] | None, Opt("--role", metavar="ROLE", show_default=False)] = None,
    look: Annotated[bool, Opt("--look")] = False,
    reason: Annotated[str, Opt("--reason", metavar="TEXT", show_default=False)] = "",
) -> None:
    """Let a program act as somebody, with some of their roles. The token is shown this once."""
    import hashlib  # noqa: PLC0415
    import secrets  # noqa: PLC0415

    from console.cli import output, report  # noqa: PLC0415
    from models.entering import IssueToken  # noqa: PLC0415

    token = f"hikeshi-{secrets.token_urlsafe(32)}"
    outcome = session.ask(
        HOUSE,
        IssueToken,
        person=session.person(person),
        name=name,
        until=session.instant(until, "--until", whole_day=True),
        digest=hashlib.sha256(token.encode()).hexdigest(),
        roles=tuple(role or ()),
        looks=look,
        reason=reason,
    )
    if session.given.json:
        output.json({"accepted": True, "stream": HOUSE, "name": name, "token": token})
        return
    report.recorded(session, outcome)
    session.say(session.texts("entering.token", token=token), "strong")


def token_revoke(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    reason: Reason,
) -> None:
    """End it before its time."""
    from models.entering import RevokeToken  # noqa: PLC0415

    session.write(HOUSE, RevokeToken, name=name, reason=reason)


def token_list(session: Session) -> None:
    """One's own tokens; with the right to issue them those of everybody."""
    from console.cli import output  # noqa: PLC0415
    from console.views import entering as view  # noqa: PLC0415

    state = _house(session)
    known = [one for one in state.tokens.values() if _sees(session, "token", one.person)]
    if session.given.json:
        output.json([view.token_json(one, session.now) for one in known])
    elif not known:
        session.say(session.texts("entering.no_tokens"))
    else:
        output.show([view.tokens(known, session.naming(state))])


def login_link(
    session: Session,
    *,
    person: Annotated[str | None, typer.Argument(metavar="PERSON", show_default=False)] = None,
    minutes: Annotated[int, Opt("--minutes", min=1, max=1_440)] = LINK_MINUTES,
) -> None:
    """An address that logs somebody in once; oneself if nobody is named."""
    from console.cli import output, report  # noqa: PLC0415
    from console.web.links import base_address  # noqa: PLC0415
    from console.web.once import Once  # noqa: PLC0415
    from models.entering import OfferLogin  # noqa: PLC0415

    session.known_actor()
    who = session.person(person) if person else (session.actor.person or "")
    lasts = timedelta(minutes=minutes)
    outcome = session.ask(HOUSE, OfferLogin, person=who, until=session.now + lasts)
    value = Once(session.house).put("login", lasts, person=who, by=session.actor.person or "")
    url = f"{base_address(session.house)}/login/once/{value}"
    if session.given.json:
        output.json({"accepted": True, "stream": HOUSE, "person": who, "minutes": minutes, "url": url})
        return
    report.recorded(session, outcome)
    session.say(session.texts("entering.link", url=url, minutes=minutes), "strong")


def session_list(session: Session) -> None:
    """One's own browsers; with the right to end them those of everybody."""
    from console.cli import output  # noqa: PLC0415
    from console.views import entering as view  # noqa: PLC0415
    from console.web.sessions import Sessions  # noqa: PLC0415

    found = Sessions(session.house).running()
    known = [one for one in found if _sees(session, "session", one.person)]
    if session.given.json:
        output.json([view.session_json(one) for one in known])
    elif not known:
        session.say(session.texts("entering.no_sessions"))
    else:
        output.show([view.sessions(known, session.naming(_house(session)))])


def session_end(
    session: Session,
    key: Annotated[str, typer.Argument(metavar="KEY", show_default=False)],
    reason: Annotated[str, Opt("--reason", metavar="TEXT", show_default=False)] = "",
) -> None:
    """Log a browser out."""
    from console.cli import report  # noqa: PLC0415
    from console.web.sessions import Sessions  # noqa: PLC0415
    from models.entering import KEY_SIZE, EndSession  # noqa: PLC0415
    from models.reason import Reason as Why  # noqa: PLC0415

    session.known_actor()
    sessions = Sessions(session.house)
    found = sessions.find(key)
    if found is None or not _sees(session, "session", found.person):
        mine = [one.digest[:KEY_SIZE] for one in sessions.running(session.actor.person)]
        report.refused(session, HOUSE, Why.NO_SUCH_ITEM, {"item": key[:40], "known": mine})
    ending = {"key": found.digest[:KEY_SIZE], "person": found.person or found.inspector, "reason": reason}
    outcome = session.ask(HOUSE, EndSession, **ending)
    sessions.end(found.digest)
    report.recorded(session, outcome)


def _house(session: Session) -> House:
    from models.state import House  # noqa: PLC0415

    state = session.desk.state(HOUSE)
    assert isinstance(state, House)  # noqa: S101 - of this stream it always is
    return state


def _sees(session: Session, right: str, person: str | None) -> bool:
    """Whether they may see what is this person's: their own, or by the right to change it."""
    from models.permission import TABLE  # noqa: PLC0415

    mine = session.viewer.person
    if mine is None or mine == person:
        return mine is not None
    world = session.desk.world(_house(session)).within(mine, session.viewer.roles)
    allowed = world.policy.permissions.get(right, TABLE[right])
    return "*" in allowed or bool(world.roles_of(None, mine) & set(allowed))
