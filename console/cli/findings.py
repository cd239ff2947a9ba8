"""Findings of exercises: opened, mended, tested again, accepted."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.arguments import All, Number, Reason, Text
from console.cli.exercises import STREAM, programme
from console.cli.given import reads, writes
from console.cli.groups import group
from console.cli.session import Session

Opt = typer.Option
Due = Annotated[str, Opt("--due", metavar="DATE")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    finding = group(app, "finding")
    writes(finding, "open")(finding_open)
    writes(finding, "fix")(finding_fix)
    writes(finding, "retest")(finding_retest)
    writes(finding, "accept")(finding_accept)
    writes(finding, "reopen")(finding_reopen)
    reads(finding, "show")(finding_show)
    reads(group(app, "exercise"), "findings")(findings)
    reads(group(app, "drill"), "findings")(findings)


def finding_open(  # noqa: PLR0913 - one option for each field of a finding
    session: Session,
    *,
    exercise: Annotated[str, typer.Argument(metavar="EX")],
    title: Text,
    owner: Annotated[str, Opt("--owner", metavar="PERSON")],
    due: Due,
    objective: Annotated[str, Opt("--objective", metavar="NAME", show_default=False)] = "",
    cause: Annotated[str, Opt("--cause", metavar="TEXT", show_default=False)] = "",
) -> None:
    """An exercise showed something to be wanting."""
    from models.programme import NewFinding, OpenFinding  # noqa: PLC0415

    until = session.instant(due, "--due", whole_day=True)
    assert until is not None  # noqa: S101 - the option is needed
    new = NewFinding(
        title=title,
        owner=session.person(owner),
        due=until,
        objective=objective,
        cause=cause,
    )
    session.write(STREAM, OpenFinding, exercise=exercise.upper(), finding=new)


def finding_fix(
    session: Session,
    number: Number,
    note: Annotated[str, Opt("--note", metavar="TEXT")],
    playbook: Annotated[str, Opt("--playbook", metavar="NAME", show_default=False)] = "",
    version: Annotated[str, Opt("--version", metavar="VERSION", show_default=False)] = "",
) -> None:
    """The work is done; the finding waits for its re-test."""
    from models.programme import FixFinding  # noqa: PLC0415

    session.write(STREAM, FixFinding, id=number.upper(), note=note, playbook=playbook, version=version)


def finding_retest(  # noqa: PLR0913 - a rating is given by hand or taken from a result
    session: Session,
    *,
    number: Number,
    exercise: Annotated[str, Opt("--exercise", metavar="EX")],
    rating: Annotated[str, Opt("--rating", metavar="P|S|M|U", show_default=False)] = "",
    evaluator: Annotated[str, Opt("--evaluator", metavar="PERSON", show_default=False)] = "",
    objective: Annotated[str, Opt("--objective", metavar="NAME", show_default=False)] = "",
    observation: Annotated[str, Opt("--observation", metavar="TEXT", show_default=False)] = "",
) -> None:
    """Another exercise tested it."""
    from models.programme import RetestFinding  # noqa: PLC0415

    session.write(
        STREAM,
        RetestFinding,
        id=number.upper(),
        exercise=exercise.upper(),
        rating=rating.upper(),
        evaluator=session.person(evaluator),
        objective=objective,
        observation=observation,
    )


def finding_accept(
    session: Session,
    number: Number,
    reason: Reason,
    review: Annotated[str, Opt("--review", metavar="DATE")],
) -> None:
    """Management accepts the risk that remains."""
    from models.programme import AcceptFinding  # noqa: PLC0415

    until = session.instant(review, "--review", whole_day=True)
    session.write(STREAM, AcceptFinding, id=number.upper(), reason=reason, review=until)


def finding_reopen(session: Session, number: Number, reason: Reason, due: Due) -> None:
    """What was closed, or accepted, is wanting again."""
    from models.programme import ReopenFinding  # noqa: PLC0415

    until = session.instant(due, "--due", whole_day=True)
    session.write(STREAM, ReopenFinding, id=number.upper(), reason=reason, due=until)


def finding_show(session: Session, number: Number) -> None:
    """One finding, whole."""
    from console.cli import output, report  # noqa: PLC0415
    from console.views import exercises as view  # noqa: PLC0415
    from models.reason import Reason as Why  # noqa: PLC0415

    state = programme(session)
    naming, found = session.naming(state), state.findings.get(number.upper())
    if found is None:
        report.refused(session, STREAM, Why.NO_SUCH_ITEM, {"item": number, "known": list(state.findings)})
    if session.given.json:
        output.json(view.finding_json(found, state, naming))
    else:
        output.show([view.finding(found, state, naming)])


def findings(session: Session, everything: All = False) -> None:
    """Findings that are open: whose they are, until when, and which planned exercise tests them again."""
    from console.cli import output  # noqa: PLC0415
    from console.views import exercises as view  # noqa: PLC0415
    from models.programme import OPEN  # noqa: PLC0415

    state = programme(session)
    naming = session.naming(state)
    found = [one for one in state.findings.values() if everything or one.status in OPEN]
    if session.given.json:
        output.json([view.finding_json(one, state, naming) for one in found])
    else:
        output.show([view.findings(found, state, naming)])
