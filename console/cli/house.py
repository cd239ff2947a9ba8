"""The installation: check, init, health, up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.cli.given import reads
from console.cli.session import REFUSED, Session

if TYPE_CHECKING:
    from console.views.sheet import Line
    from playbooks.defect import Defect

Opt = typer.Option


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    reads(app, "check")(check)
    reads(app, "init")(init)
    reads(app, "health")(health)
    reads(app, "page-now")(page_now)
    reads(app, "up")(up)


def check(
    session: Session,
    directory: Annotated[str | None, typer.Argument(metavar="DIR", show_default=False)] = None,
    schemas: Annotated[bool, Opt("--schemas")] = False,
    live: Annotated[bool, Opt("--live")] = False,
) -> None:
    """Every defect of an institution's directory at once."""
    from console.cli import output  # noqa: PLC0415
    from console.cli.asking import Asked  # noqa: PLC0415
    from console.opening import find_directory  # noqa: PLC0415
    from playbooks import check as checks  # noqa: PLC0415
    from playbooks import schemas as schema_files  # noqa: PLC0415
    from playbooks.defect import errors_of  # noqa: PLC0415

    folder = Path(directory) if directory else find_directory(session.given.directory)
    try:
        written = schema_files.write(folder) if schemas else []
        found = checks.check(folder, session.now)
    except OSError as wrong:
        session.wrong(session.texts("words.usage.file", option="DIR", path=folder, why=wrong.strerror))
    errors = errors_of(found)
    # What the files say wrongly comes first: with defects in them nobody knows whom to ask for.
    asked = Asked.of(session, folder) if live and not errors else None
    ok = not errors and (asked is None or asked.live.ok)
    if session.given.json:
        answer: dict[str, object] = {"ok": ok, "defects": [_defect_json(one) for one in found]}
        output.json(answer | (asked.as_json() if asked is not None else {}))
    else:
        _show_defects(session, found, len(errors))
        if written:
            session.say(session.texts("words.schemas_written", n=len(written), folder=written[0].parent))
        if asked is not None:
            output.show(asked.lines())
    if not ok:
        raise typer.Exit(REFUSED)


def _show_defects(session: Session, found: list[Defect], errors: int) -> None:
    for one in found:
        session.say(str(one), "bad" if one.severity == "error" else "warn")
    warnings = len(found) - errors
    key, style = ("words.check_bad", "bad") if errors else ("words.check_ok", "good")
    session.say(session.texts(key, errors=errors, warnings=warnings), style)


def _defect_json(one: Defect) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__slots__}


def init(session: Session, directory: Annotated[str, typer.Argument(metavar="DIR")]) -> None:
    """Write a commented, working example to make one's own."""
    from console.cli import output  # noqa: PLC0415
    from playbooks import starter  # noqa: PLC0415

    folder = Path(directory)
    written = starter.write(folder, session.given.lang)
    if session.given.json:
        output.json({"directory": str(folder), "files": [str(one) for one in written]})
    else:
        session.say(session.texts("words.init_done", directory=folder, n=len(written)), "good")


def health(session: Session) -> None:
    """Whether everything runs: pager, conductor, messages, timers."""
    from console.cli import continuity, output  # noqa: PLC0415
    from console.hooks import status as hooks_of  # noqa: PLC0415
    from console.views import comchecks  # noqa: PLC0415
    from console.views import health as view  # noqa: PLC0415

    defects = session.house.institution.playbooks.left_out
    files = sorted({Path(one.file).name for one in defects})
    unreached = {one: known.comcheck for one, known in comchecks.unreached(session.desk).items()}
    failing = {f"relay {one['name']}": one["error"] for one in continuity.sinks_json(session) if one["error"]}
    hooks = hooks_of(session.house)
    failing |= {f"webhook {one['name']}": one["error"] for one in hooks if one["error"]}
    state = session.reader.without_hidden(session.desk.state("house"))
    found = view.look(
        session.house.record,
        state,
        session.now,
        files,
        unreached,
        not_working=failing,
        wall=session.house.wall.now(),
    )
    if session.given.json:
        output.json(found.as_json() | {"relay": continuity.sinks_json(session), "webhooks": hooks})
    else:
        lines = view.lines(found, session.naming(state))
        output.show([*lines, *_exercises(session), *continuity.sink_lines(session), *_lost(session, hooks)])
    if not found.ok:
        raise typer.Exit(REFUSED)


def _lost(session: Session, hooks: list[dict[str, Any]]) -> list[Line]:
    """What other systems were not told, and will not be."""
    from console.views.sheet import Line  # noqa: PLC0415

    lost = [one for one in hooks if one["given_up"]]
    key = "readiness.health.hook_lost"
    return [Line(text=session.texts(key, name=one["name"], n=one["given_up"]), style="warn") for one in lost]


def _exercises(session: Session) -> list[Line]:
    """What of the exercise programme is late; Hikeshi runs all the same."""
    from console.cli.exercises import programme  # noqa: PLC0415
    from console.views.exercises_coverage import summary  # noqa: PLC0415
    from models.exercised import waiting  # noqa: PLC0415

    if session.is_vendor:
        return []
    state = programme(session)
    said = summary(waiting(state, session.now), session.naming(state))
    return [said] if said is not None else []


def page_now(session: Session) -> None:
    """Deliver what waits in the outbox once, without a node; exit 3 if nothing got through."""
    from console.cli import output, report  # noqa: PLC0415
    from console.cli.session import NOBODY_PAGED  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    session.known_actor()
    if session.is_vendor:
        report.refused(session, None, Reason.THIRD_PARTY_LIMIT, {"who": session.actor.person or ""})
    delivered = report.deliver(session)
    if session.given.json:
        output.json({"sent": delivered.sent, "failed": delivered.failed})
    else:
        key = "words.page_now_failed" if delivered.failed and not delivered.sent else "words.delivered"
        style = "bad" if delivered.failed else "good"
        session.say(session.texts(key, sent=delivered.sent, failed=delivered.failed), style)
    if delivered.failed and not delivered.sent:
        raise typer.Exit(NOBODY_PAGED)


def up(
    session: Session,
    port: Annotated[int | None, Opt("--port", metavar="N", min=0, max=65535, show_default=False)] = None,
) -> None:
    """Start everything for one machine: pager, conductor, Prefect server."""
    from console.opening import find_directory  # noqa: PLC0415
    from console.up import up as start  # noqa: PLC0415
    from playbooks.drillfiles import is_drill  # noqa: PLC0415

    directory = find_directory(session.given.directory)
    if is_drill(directory):
        session.wrong(session.texts("drillnode.no_up", directory=directory))
    raise typer.Exit(start(directory, port, session.given.lang))
