"""approve, reject, opinion: what a second person says about a decision."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.arguments import Incident, Person, Reason, Step
from console.cli.given import writes
from console.cli.session import Session

Opt = typer.Option


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(app, "approve")(approve)
    writes(app, "reject")(reject)
    opinion = typer.Typer(no_args_is_help=True)
    writes(opinion, "ask")(opinion_ask)
    writes(opinion, "give")(opinion_give)
    app.add_typer(opinion, name="opinion")


def approve(
    session: Session,
    incident: Incident,
    step: Step,
    reason: Annotated[str, Opt("--reason", metavar="TEXT", show_default=False)] = "",
    proposal: Annotated[int | None, Opt("--proposal", metavar="N", show_default=False)] = None,
) -> None:
    """As the second person, approve what was proposed."""
    from models.answers import ApproveDecision  # noqa: PLC0415

    session.write(session.stream(incident), ApproveDecision, step=step, reason=reason, proposal=proposal)


def reject(session: Session, incident: Incident, step: Step, reason: Reason) -> None:
    """As the second person, do not approve it."""
    from models.answers import RejectDecision  # noqa: PLC0415

    session.write(session.stream(incident), RejectDecision, step=step, reason=reason)


def opinion_ask(
    session: Session,
    incident: Incident,
    step: Step,
    person: Person,
    question: Annotated[str, Opt("--question", metavar="TEXT")],
) -> None:
    """Ask somebody what they think; nothing waits for it."""
    from models.answers import AskOpinion  # noqa: PLC0415

    session.write(
        session.stream(incident), AskOpinion, step=step, person=session.person(person), question=question
    )


def opinion_give(
    session: Session, incident: Incident, step: Step, text: Annotated[str, Opt("--text", metavar="TEXT")]
) -> None:
    """What you think, to everybody who asked."""
    from models.answers import GiveOpinion  # noqa: PLC0415

    session.write(session.stream(incident), GiveOpinion, step=step, text=text)
