"""gates: what the guideline asks for before the next steps, told before it holds anybody up."""

from __future__ import annotations

import typer

from console.cli.arguments import Incident
from console.cli.given import reads
from console.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    reads(app, "gates")(gates)


def gates(session: Session, incident: Incident) -> None:
    """Every gate ahead: what is missing, and what mends it."""
    from console.cli import output  # noqa: PLC0415
    from console.views import gates as view  # noqa: PLC0415

    state = session.incident(incident)
    naming = session.naming(state)
    if session.given.json:
        output.json(view.as_json(state, naming))
    else:
        output.show(view.sections(state, naming))
