"""audit, monitoring: what the auditor finds now, and what Prometheus and Grafana are given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli.given import reads
from console.cli.session import REFUSED, Session

STREAMS, SECONDS = 200, 5.0


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    reads(app, "audit")(audit)
    reads(app, "monitoring")(monitoring)


def audit(session: Session) -> None:
    """What was due and has not happened, and what does not fit the facts; exit 1 if there is something."""
    from console.auditor import Auditor  # noqa: PLC0415
    from console.cli import output  # noqa: PLC0415
    from console.web.figures import lateness  # noqa: PLC0415

    report = Auditor(session.house).round(STREAMS, SECONDS)
    with session.house.record.read() as tx:
        late = lateness(tx)
    if session.given.json:
        findings = [{"kind": one.kind, "detail": one.detail} for one in report.found.values()]
        output.json({"findings": findings, "streams": report.streams, "lateness": late})
    else:
        for one in report.found.values():
            what = session.texts(f"monitoring.finding.{one.kind}")
            session.say(session.texts("monitoring.found", what=what, detail=one.detail), "bad")
        if not report.found:
            session.say(session.texts("monitoring.clean", streams=report.streams), "good")
        for kind, known in late.items():
            what = session.texts(f"monitoring.due.{kind}")
            session.say(session.texts("monitoring.lateness", what=what, **known))
    if report.found:
        raise typer.Exit(REFUSED)


def monitoring(session: Session, directory: Annotated[str, typer.Argument(metavar="DIR")]) -> None:
    """Write the alert rules for Prometheus and the dashboards for Grafana."""
    from console.cli import output  # noqa: PLC0415
    from console.monitoring.writing import write  # noqa: PLC0415

    try:
        written = write(Path(directory))
    except OSError as wrong:
        session.wrong(session.texts("words.usage.file", option="DIR", path=directory, why=wrong.strerror))
    if session.given.json:
        output.json({"files": [str(one) for one in written]})
    else:
        for one in written:
            session.say(str(one), "good")
