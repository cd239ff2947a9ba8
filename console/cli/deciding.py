"""decide, withdraw, override: choices by those entitled to make them."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.arguments import At, Incident, Reason, Step
from console.cli.given import writes
from console.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for name, function in (("decide", decide), ("withdraw", withdraw), ("override", override)):
        writes(app, name)(function)


def decide(  # noqa: PLR0913 - one option for each thing that may be said
    session: Session,
    *,
    incident: Incident,
    step: Step,
    option: Annotated[str, typer.Argument(metavar="OPTION")],
    reason: Reason,
    factor: Annotated[
        list[str] | None, typer.Option("--factor", metavar="NAME=VALUE", show_default=False)
    ] = None,
    at: At = None,
    supersede: Annotated[bool, typer.Option("--supersede")] = False,
) -> None:
    """Record a choice with its reason."""
    from models.commands import Decide  # noqa: PLC0415

    session.write(
        session.stream(incident),
        Decide,
        step=step,
        choice=option,
        reason=reason,
        factors=session.pairs(factor or [], "--factor"),
        at=session.instant(at, "--at"),
        supersede=supersede,
    )


def withdraw(
    session: Session,
    incident: Incident,
    step: Step,
    reason: Reason,
    vote: Annotated[bool, typer.Option("--vote")] = False,
) -> None:
    """Take a decision back, so that it is asked for again; or one's own vote."""
    from models.commands import WithdrawDecision  # noqa: PLC0415
    from models.voting import WithdrawVote  # noqa: PLC0415

    command = WithdrawVote if vote else WithdrawDecision
    session.write(session.stream(incident), command, step=step, reason=reason)


def override(
    session: Session,
    incident: Incident,
    gate: Annotated[str, typer.Argument(metavar="GATE")],
    step: Step,
    reason: Reason,
    withdraw: Annotated[bool, typer.Option("--withdraw")] = False,
) -> None:
    """Pass a closed gate for one step, by its authority; or take that back."""
    from models.commands import OverrideGate  # noqa: PLC0415
    from models.overriding import WithdrawOverride  # noqa: PLC0415

    command = WithdrawOverride if withdraw else OverrideGate
    session.write(session.stream(incident), command, gate=gate, step=step, reason=reason)
