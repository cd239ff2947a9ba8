"""drill: who runs it, who plays, where each is reached, and management's sign-off."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.cli.arguments import Person
from console.cli.drilling import STREAM, exercise, no, told, wall
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from models.drillfile import Enrolled
    from models.exercise import Exercise

Opt = typer.Option
ROLES = ("facilitator", "controller", "evaluator", "scribe", "observer")
NONE = "none"
Addresses = Annotated[list[str] | None, Opt("--address", metavar="CHANNEL:ADDRESS", show_default=False)]


def add(drill: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(drill, "staff")(staff)
    writes(drill, "enrol")(enrol)
    writes(drill, "confirm-addresses")(confirm_addresses)
    writes(drill, "absent")(absent)
    reads(drill, "participants")(participants)
    writes(drill, "signoff")(signoff)


def staff(
    session: Session,
    person: Person,
    role: Annotated[str, typer.Argument(metavar="ROLE")],
    address: Addresses = None,
) -> None:
    """Who runs and watches it."""
    from models.exercise import Staff  # noqa: PLC0415

    state = exercise(session)
    session.one_of(role, (*ROLES, NONE), "ROLE")
    name = session.person(person)
    places = _places(session, name, address)
    if places is not None and state.staff.get(name) == role:
        _reached_at(session, state, places)
        return
    # The rules say first whether this person may: nothing is written into the file for anybody else.
    outcome = session.ask(STREAM, Staff, person=name, role=None if role == NONE else role)
    _write(session, places)
    _recorded(session, outcome)


def enrol(
    session: Session,
    person: Person,
    role: Annotated[list[str] | None, Opt("--role", metavar="ROLE", show_default=False)] = None,
    address: Addresses = None,
    organisation: Annotated[str, Opt("--organisation", metavar="TEXT", show_default=False)] = "",
) -> None:
    """Somebody plays these roles and is reached at these addresses, once they have confirmed them."""
    from models.exercise import Enrol  # noqa: PLC0415

    state = exercise(session)
    name = session.person(person)
    places = _places(session, name, address)
    if not role:
        if places is None or (name not in state.participants and name not in state.staff):
            session.wrong(session.texts("playing.enrol_how"))
        _reached_at(session, state, places)
        return
    outcome = session.ask(STREAM, Enrol, person=name, roles=tuple(role), organisation=organisation)
    _write(session, places)
    _recorded(session, outcome)


def _recorded(session: Session, outcome: Any) -> None:
    from console.cli import report  # noqa: PLC0415

    report.recorded(session, outcome)


def _reached_at(session: Session, state: Exercise, places: Enrolled) -> None:
    """Other addresses for somebody who takes part already."""
    from console.cli import output  # noqa: PLC0415
    from models.enrolled import may_address  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    if not may_address(state, session.actor.person or ""):
        no(session, Reason.NOT_STAFF, who=session.actor.person or session.account, needs=["controller"])
    _write(session, places)
    if session.given.json:
        output.json({"accepted": True, "person": places.person, "channels": list(places.ways)})


def _places(session: Session, person: str, address: list[str] | None) -> Enrolled | None:
    """The addresses given, as participants.yaml takes them; exit 2 with everything that is wrong."""
    from console.participants import HERE, enrolled  # noqa: PLC0415

    if not address:
        return None
    given: dict[str, str] = {}
    for one in address:
        channel, colon, at = one.partition(":")
        if not (colon and at) and channel not in HERE:
            session.wrong(session.texts("playing.address_how", value=one))
        given[channel] = at
    found, wrong = enrolled(person, given)
    if found is None:
        session.wrong("\n".join(wrong))
    return found


def _write(session: Session, places: Enrolled | None) -> None:
    from console.participants import write_enrolled  # noqa: PLC0415
    from models.errors import BadConfiguration  # noqa: PLC0415

    if places is None:
        return
    try:
        write_enrolled(session.house.institution.directory, places)
    except BadConfiguration as bad:
        session.wrong(str(bad))
    if not session.given.json:
        ways = ", ".join(places.ways)
        session.say(session.texts("playing.address_written", who=places.person, channels=ways), "good")
    for one in places.ways:
        if one not in session.desk.premises.channels:
            session.say(session.texts("playing.not_set_up", channel=one), "warn", stderr=True)


def confirm_addresses(
    session: Session,
    people: Annotated[list[str] | None, typer.Argument(metavar="PERSON…", show_default=False)] = None,
    within: Annotated[str, Opt("--within", metavar="SPAN", show_default=False)] = "24h",
) -> None:
    """Page every address that has not been confirmed; an answer over it confirms it, nothing else."""
    from models.comcheck import StartComcheck  # noqa: PLC0415
    from models.enrolled import unconfirmed  # noqa: PLC0415

    state = exercise(session)
    marks = session.desk.premises.marks or {}
    named = [session.person(one) for one in people or ()]
    wanted = named or [one for one in unconfirmed(state, marks)]
    if not wanted:
        session.say(session.texts("playing.all_confirmed"), "good")
        return
    span = timedelta(seconds=session.seconds(within, "--within") or 0)
    session.write("programme", StartComcheck, people=tuple(wanted), within=span)


def absent(
    session: Session,
    person: Person,
    why: Annotated[str | None, Opt("--why", metavar="TEXT", show_default=False)] = None,
    back: Annotated[bool, Opt("--back")] = False,
) -> None:
    """Somebody enrolled is not there, and why; or has come after all."""
    from models.exercise import MarkAbsent  # noqa: PLC0415

    exercise(session)
    if (why is None) == (not back):
        session.wrong(session.texts("playing.absent_how"))
    session.write(STREAM, MarkAbsent, person=session.person(person), why=None if back else why)


def participants(session: Session) -> None:
    """Who takes part, in which role, where each is reached, and who is absent."""
    from console.cli import output  # noqa: PLC0415
    from console.views import drill as view  # noqa: PLC0415

    sheet = told(session)
    if session.given.json:
        output.json(view.participants_json(sheet))
    else:
        output.show(view.participants(sheet))


def signoff(
    session: Session,
    text: Annotated[str, typer.Argument(metavar="TEXT", show_default=False)] = "",
) -> None:
    """Management has seen the report."""
    from models.exercise import SignOff  # noqa: PLC0415

    exercise(session)
    session.write(STREAM, SignOff, text=text, wall=wall())
