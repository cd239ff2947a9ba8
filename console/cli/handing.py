"""step take, hand-over, refuse: a step goes from one person to another."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.arguments import Incident, Person, Reason, Step
from console.cli.session import Session


def step_take(session: Session, incident: Incident, step: Step) -> None:
    """Begin a step, also one that somebody else has begun."""
    from models.commands import StartStep  # noqa: PLC0415

    session.write(session.stream(incident), StartStep, step=step, take=True)


def step_hand_over(
    session: Session,
    incident: Incident,
    step: Step,
    person: Person,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", show_default=False)] = "",
) -> None:
    """Give a step that is yours to somebody else."""
    from models.answers import HandOver  # noqa: PLC0415

    session.write(session.stream(incident), HandOver, step=step, person=session.person(person), reason=reason)


def step_refuse(session: Session, incident: Incident, step: Step, reason: Reason) -> None:
    """Do not take a step that was handed to you."""
    from models.answers import RefuseHandOver  # noqa: PLC0415

    session.write(session.stream(incident), RefuseHandOver, step=step, reason=reason)
