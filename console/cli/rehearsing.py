"""rehearse: many simulated runs of a playbook with this institution's people, rotas, routes and clocks."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.given import reads
from console.cli.session import Session

if TYPE_CHECKING:
    from console.rehearsing import Rehearsed

Opt = typer.Option
FIT = "fit"
MAX_RUNS, MAX_PROCESSES = 100_000, 64
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
TELL_EVERY = 50
Playbook = Annotated[str, typer.Argument(metavar="PLAYBOOK|fit")]
Runs = Annotated[int, Opt("--runs", min=1, max=MAX_RUNS)]
Hours = Annotated[int, Opt("--hours", min=1, max=720)]
Seed = Annotated[int, Opt("--seed", min=0)]
From = Annotated[str | None, Opt("--from", metavar="HH:MM", show_default=False)]
Severity = Annotated[str | None, Opt("--severity", metavar="SEVERITY", show_default=False)]
Processes = Annotated[int, Opt("--processes", min=1, max=MAX_PROCESSES)]
Out = Annotated[str | None, Opt("--out", metavar="DIR", show_default=False)]
Year = Annotated[int | None, Opt("--year", min=2000, max=2100, show_default=False)]
NoCompare = Annotated[bool, Opt("--no-compare")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    reads(app, "rehearse")(rehearse)


def rehearse(  # noqa: PLR0913, PLR0917 - each is an option of the command
    session: Session,
    playbook: Playbook,
    runs: Runs = 1_000,
    seed: Seed = 7,
    hours: Hours = 72,
    from_: From = None,
    severity: Severity = None,
    year: Year = None,
    processes: Processes = 1,
    no_compare: NoCompare = False,
    out: Out = None,
    keep: Annotated[bool, Opt("--keep")] = False,
) -> None:
    """Simulate a playbook many times and say what it can be expected to reach."""
    from console.rehearsing import premises_for  # noqa: PLC0415
    from console.rehearsing import rehearse as play_all  # noqa: PLC0415
    from models.rehearsal.plan import Plan  # noqa: PLC0415
    from playbooks.rehearsing import assumptions  # noqa: PLC0415

    institution = session.house.institution
    if playbook == FIT:
        _fit(session)
        return
    session.one_of(playbook, tuple(institution.playbooks), "PLAYBOOK")
    if severity is not None:
        session.one_of(
            severity, tuple(one.id for one in institution.policy.severity.severities), "--severity"
        )
    if from_ is not None and not _HOUR.fullmatch(from_):
        session.wrong(f"--from: {session.texts('rehearsal.unknown_hour', value=from_)}")
    plan = Plan(
        playbook=playbook,
        seed=seed,
        assumptions=assumptions(institution.directory),
        year=year or session.desk.clock.now().year,
        severity=severity,
        start=from_,
        horizon=timedelta(hours=hours),
    )
    premises = premises_for(institution, playbook)
    one = play_all(
        premises,
        plan,
        runs,
        processes,
        compare=not no_compare,
        tell=lambda done, all_: _tell(session, done, all_),
    )
    if keep:
        _keep(session, one)
    _show(session, one, out)


def _keep(session: Session, one: Rehearsed) -> None:
    """Beside the record, for the pages of the war room."""
    from console import rehearsed  # noqa: PLC0415
    from console.views import rehearsal as view  # noqa: PLC0415
    from models.clock import SystemClock  # noqa: PLC0415

    data = session.house.data
    try:
        path = rehearsed.keep(data, one, view.as_json(one), SystemClock().now())
    except OSError as wrong:
        why = session.texts("words.usage.unwritable", option="--keep", path=data, why=wrong.strerror)
        session.wrong(why)
    if not session.given.json:
        session.say(session.texts("words.written", path=path), "good", stderr=True)


def _tell(session: Session, done: int, all_: int) -> None:
    if done % TELL_EVERY == 0 and not session.given.json:
        session.say(session.texts("rehearsal.progress", done=done, all=all_), "dim", stderr=True)


def _show(session: Session, one: Rehearsed, out: str | None) -> None:
    from console.cli import output  # noqa: PLC0415
    from console.views import rehearsal as view  # noqa: PLC0415

    if out is not None:
        _write(session, one, Path(out))
    if session.given.json:
        output.json(view.as_json(one))
    else:
        output.show(view.sections(one, session.texts))
        if out is not None:
            session.say(session.texts("rehearsal.written", path=Path(out) / "report.md"), "good")


def _write(session: Session, one: Rehearsed, folder: Path) -> None:
    import orjson  # noqa: PLC0415

    from console.views import rehearsal as view  # noqa: PLC0415
    from console.views import rehearsal_md, rehearsal_svg  # noqa: PLC0415

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        session.wrong(
            session.texts("words.usage.unwritable", option="--out", path=folder, why=wrong.strerror)
        )
    for name, drawing in rehearsal_svg.charts(one, session.texts).items():
        session.save(folder / f"{name}.svg", drawing)
    session.save(folder / "report.md", rehearsal_md.markdown(one, session.texts))
    found = orjson.dumps(view.as_json(one), option=orjson.OPT_INDENT_2).decode()
    session.save(folder / "rehearsal.json", f"{found}\n")


def _fit(session: Session) -> None:
    """Work the times out of this institution's own record."""
    from console.cli import output  # noqa: PLC0415
    from console.fitting import LEAST, fitted, lines  # noqa: PLC0415

    found = fitted(session.house.record, session.desk, session.house.institution)
    if session.given.json:
        output.json(found.as_json())
    else:
        nothing = {} if found.parts or found.missing else {"answer": 0}
        for what, number in (found.missing or nothing).items():
            say = session.texts("rehearsal.not_fitted", what=what, n=number, least=LEAST)
            session.say(say, "warn", stderr=True)
        if found.parts:
            session.say(f"# {session.texts('rehearsal.fitted')}", "dim")
            for line in lines(found):
                session.say(line)
    if not found.parts:
        raise typer.Exit(1)
