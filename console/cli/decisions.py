"""decisions: who was entitled that day, when it was decided, why, and on what evidence."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.arguments import Incident
from console.cli.given import reads
from console.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    reads(app, "decisions")(decisions)


def decisions(
    session: Session,
    incident: Incident,
    step: Annotated[str | None, typer.Argument(metavar="[STEP]", show_default=False)] = None,
) -> None:
    """Each decision: who was entitled then, who was called, what was chosen, why, on what evidence."""
    from console.cli import output, report  # noqa: PLC0415
    from console.views import decisions as view  # noqa: PLC0415
    from models.errors import Refused  # noqa: PLC0415
    from models.rules.common import find_step  # noqa: PLC0415

    state = session.incident(incident)
    naming = session.naming(state)
    try:
        key = find_step(state, naming.world, step)[0].key if step is not None else None
    except Refused as wrong:
        report.refused(session, state.stream, wrong.reason, wrong.detail)
    with session.house.record.read() as tx:
        facts = tx.facts(state.stream)
    found = view.accounts(facts, key)
    if session.given.json:
        output.json([view.as_json(one, naming) for one in found])
    else:
        output.show(view.sections(found, naming))
