"""shifts …, handover: the shift plan of a long incident, and the brief for whoever takes over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import Incident
from console.cli.given import reads, writes
from console.cli.session import REFUSED, Session

if TYPE_CHECKING:
    from console.views.naming import Naming
    from models.shiftplan import Wanted
    from models.shifts import PlannedShift
    from models.state import Incident as State

Opt = typer.Option
Rest = Annotated[str, Opt("--rest", metavar="SPAN")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    shifts = typer.Typer(no_args_is_help=True)
    reads(shifts, "plan")(shifts_plan)
    writes(shifts, "set")(shifts_set)
    reads(shifts, "show")(shifts_show)
    app.add_typer(shifts, name="shifts")
    reads(app, "handover")(handover)


# -- shifts -------------------------------------------------------------------------------------------------


def shifts_plan(  # noqa: PLR0913 - one option for each thing that a plan hangs on
    session: Session,
    *,
    incident: Incident,
    roles: Annotated[str, Opt("--roles", metavar="ROLE,…")],
    people: Annotated[str, Opt("--people", metavar="PERSON,…")],
    from_: Annotated[str | None, Opt("--from", metavar="TIME", show_default=False)] = None,
    days: Annotated[int, Opt("--days", metavar="N")] = 3,
    hours: Annotated[int, Opt("--hours", metavar="N")] = 8,
    rest: Rest = "8h",
    overlap: Annotated[str, Opt("--overlap", metavar="SPAN")] = "30m",
    out: Annotated[str | None, Opt("--out", metavar="FILE", show_default=False)] = None,
) -> None:
    """Propose who takes which role when; nothing is recorded."""
    from console.cli import output  # noqa: PLC0415
    from console.views import shifts as view  # noqa: PLC0415
    from models.shiftplan import Wanted, propose  # noqa: PLC0415

    state = session.incident(incident)
    naming = session.naming(state)
    wanted = Wanted(
        roles=_names(roles),
        people=tuple(session.person(name) for name in _names(people)),
        since=session.instant(from_, "--from") or session.now,
        days=days,
        hours=hours,
        rest=timedelta(seconds=session.seconds(rest, "--rest") or 0),
        overlap=timedelta(seconds=session.seconds(overlap, "--overlap") or 0),
    )
    _must_be_possible(session, wanted)
    found = propose(wanted, naming.world.directory)
    if session.given.json:
        proposed = {"shifts": found.shifts, "holes": found.holes}
        output.json({name: [view.as_json(one) for one in many] for name, many in proposed.items()})
    else:
        output.show([view.proposal(found, naming)])
    if out is not None:
        session.save(Path(out), view.written(found.shifts, naming))
        session.say(session.texts("words.written", path=out), "good", stderr=True)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in text.split(",") if (name := one.strip())))


def _must_be_possible(session: Session, wanted: Wanted) -> None:
    """Exit 2 with advice for a bound that is passed, refused for a role or person that does not exist."""
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415
    from models.shiftplan import MAX_DAYS, MAX_PEOPLE, MAX_ROLES, MOST_OVERLAP  # noqa: PLC0415

    bounds = (
        ("--roles", len(wanted.roles), 1, MAX_ROLES),
        ("--people", len(wanted.people), 1, MAX_PEOPLE),
        ("--days", wanted.days, 1, MAX_DAYS),
        ("--hours", wanted.hours, 1, 24),
        ("--overlap", int(wanted.overlap.total_seconds()), 0, int(MOST_OVERLAP.total_seconds())),
        ("--overlap", int(wanted.overlap.total_seconds()), 0, wanted.hours * 3_600 - 1),
    )
    for option, value, least, most in bounds:
        if not least <= value <= most:
            known = f"{least} … {most}"
            session.wrong(session.texts("words.usage.choice", option=option, value=value, known=known))
    directory = session.desk.directory
    for role in wanted.roles:
        if directory.role(role) is None:
            known_roles = sorted(one.id for one in directory.organisation.roles)
            report.refused(session, None, Reason.NO_SUCH_ROLE, {"role": role, "known": known_roles})
    for person in wanted.people:
        if directory.person(person) is None:
            report.refused(session, None, Reason.UNKNOWN_PERSON, {"who": person})


def shifts_set(
    session: Session,
    incident: Incident,
    file: Annotated[str, typer.Argument(metavar="FILE")],
    roles: Annotated[str, Opt("--roles", metavar="ROLE,…", show_default=False)] = "",
    rest: Rest = "8h",
) -> None:
    """Record a plan: ROLE PERSON SINCE UNTIL a line. What was planned for its roles before is gone."""
    from models.shifts import SetShifts  # noqa: PLC0415

    state = session.incident(incident)
    naming = session.naming(state)
    text = session.read(Path(file), "FILE").decode("utf-8", "replace")
    seconds = session.seconds(rest, "--rest") or 0
    shifts = _read(session, text, state, _names(roles), seconds, naming)
    session.write(state.stream, SetShifts, shifts=tuple(shifts), roles=_names(roles), rest=seconds)


def _read(
    session: Session, text: str, state: State, roles: tuple[str, ...], rest: int, naming: Naming
) -> list[PlannedShift]:
    """The shifts of the file. All that is wrong is shown at once, also beside a refusal that has no room."""
    from console.views import shifts as view  # noqa: PLC0415
    from models.shiftplan import shift_defects  # noqa: PLC0415

    shifts, wrong = view.read(text, naming)
    planned = {*roles, *(one.role for one in shifts)}
    others = [one for one in state.shifts.values() if one.role not in planned]
    defects = shift_defects(shifts, others, naming.world.directory, naming.now, timedelta(seconds=rest))
    for line in (*wrong, *(view.defect(one, naming) for one in defects)):
        session.say(line, "bad", stderr=True)
    if wrong:
        raise typer.Exit(REFUSED)
    return shifts


def shifts_show(session: Session, incident: Incident) -> None:
    """The shift plan as it stands: who has taken over, who is next, what is not planned."""
    from console.cli import output  # noqa: PLC0415
    from console.views import shifts as view  # noqa: PLC0415

    state = session.incident(incident)
    if session.given.json:
        output.json(sorted(state.shifts.values(), key=lambda one: (one.since, one.role)))
    else:
        output.show([view.plan(state, session.naming(state))])


# -- hand-over ----------------------------------------------------------------------------------------------


def handover(
    session: Session,
    incident: Incident,
    since: Annotated[str | None, Opt("--since", metavar="TIME", show_default=False)] = None,
    to: Annotated[str | None, Opt("--to", metavar="PERSON", show_default=False)] = None,
    md: Annotated[bool, Opt("--md")] = False,
) -> None:
    """What whoever takes over has to know, on one screen."""
    from console.cli import output, report  # noqa: PLC0415
    from console.views import handover as view  # noqa: PLC0415
    from models.clock import iso  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415
    from notifiers.handover import handover as brief  # noqa: PLC0415
    from notifiers.handover import handover_since  # noqa: PLC0415

    state = session.incident(incident)
    person = session.person(to) if to else session.actor.person
    if to is not None and session.desk.directory.person(person or "") is None:
        report.refused(session, None, Reason.UNKNOWN_PERSON, {"who": to})
    naming = session.naming(state)
    began = session.instant(since, "--since") or handover_since(state, _role_of(state, person), person)
    parts = brief(view.matter(naming), session.given.lang, began, person)
    head = session.texts(
        "shifts.title.handover",
        incident=state.stream,
        title=naming.text(state.title, 200),
        who=naming.who(person),
    )
    if session.given.json:
        shown = {part.name: list(part.lines) for part in parts}
        output.json({"incident": state.stream, "since": iso(began), "person": person, "parts": shown})
    elif md:
        session.echo(view.markdown(parts, head, naming))
    else:
        session.say(head, "strong")
        output.show(view.sections(parts, naming))


def _role_of(state: State, person: str | None) -> str | None:
    """The role that a person has here, or has been planned for next."""
    own = next((role for role, held in state.assigned.items() if held == person), None)
    coming = sorted(state.shifts.values(), key=lambda one: one.since)
    planned = next((one.role for one in coming if one.person == person and one.status != "passed"), None)
    return own or planned
