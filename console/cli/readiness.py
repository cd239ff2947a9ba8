"""Readiness: communication checks, and the Slack app's manifest."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from console.cli.given import reads, writes
from console.cli.session import Session

Opt = typer.Option
START = "start"


class _StartsByRoute(TyperGroup):
    """`hikeshi comcheck main` is `hikeshi comcheck start main`: the name of a route starts its test."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = [START, *args]
        return super().resolve_command(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    comcheck = typer.Typer(no_args_is_help=True, cls=_StartsByRoute)
    writes(comcheck, START)(comcheck_start)
    reads(comcheck, "show")(comcheck_show)
    reads(comcheck, "list")(comcheck_list)
    app.add_typer(comcheck, name="comcheck")
    slack = typer.Typer(no_args_is_help=True)
    reads(slack, "manifest")(slack_manifest)
    app.add_typer(slack, name="slack")


# -- communication checks -----------------------------------------------------------------------------------


def comcheck_start(
    session: Session,
    route: Annotated[str, typer.Argument(metavar="ROUTE")],
    level: Annotated[str, Opt("--level", metavar="N|last", show_default=False)] = "all",
    within: Annotated[str, Opt("--within", metavar="SPAN", show_default=False)] = "10m",
    reason: Annotated[str, Opt("--reason", metavar="TEXT", show_default=False)] = "",
) -> None:
    """Page a whole route as a test."""
    from console.views.comchecks import STREAM  # noqa: PLC0415
    from models.comcheck import StartComcheck  # noqa: PLC0415

    span = timedelta(seconds=session.seconds(within, "--within") or 0)
    session.write(STREAM, StartComcheck, route=route, level=level, within=span, reason=reason)


def comcheck_show(
    session: Session,
    number: Annotated[str | None, typer.Argument(metavar="N", show_default=False)] = None,
) -> None:
    """One communication check: who answered when, by which channel, and who did not."""
    from console.cli import output  # noqa: PLC0415
    from console.views import comchecks as view  # noqa: PLC0415

    state = view.programme(session.desk)
    naming, found = session.naming(state), view.find(state, number)
    if found is None and number is not None:
        session.wrong(session.texts("readiness.comcheck.unknown", number=number))
    if session.given.json:
        output.json(view.as_json(found, naming) if found is not None else None)
    elif found is None:
        output.show([view.listing(state, naming)])
    else:
        output.show(view.sections(found, naming))


def comcheck_list(session: Session) -> None:
    """Communication checks, the latest first."""
    from console.cli import output  # noqa: PLC0415
    from console.views import comchecks as view  # noqa: PLC0415

    state = view.programme(session.desk)
    naming = session.naming(state)
    if session.given.json:
        output.json([view.as_json(one, naming) for one in reversed(state.comchecks.values())])
    else:
        output.show([view.listing(state, naming)])


# -- the Slack app ------------------------------------------------------------------------------------------


def slack_manifest(
    session: Session,
    http: Annotated[str | None, Opt("--http", metavar="URL", show_default=False)] = None,
    out: Annotated[str | None, Opt("--out", metavar="FILE", show_default=False)] = None,
) -> None:
    """Write the manifest of the Slack app that is needed, and no more."""
    import orjson  # noqa: PLC0415

    from notifiers.slack.manifest import is_address, manifest  # noqa: PLC0415

    if http is not None and not is_address(http):
        known = "https://hikeshi.example.jp"
        session.wrong(session.texts("words.usage.choice", option="--http", value=http, known=known))
    text = orjson.dumps(manifest(session.given.lang, http), option=orjson.OPT_INDENT_2).decode() + "\n"
    if out is None:
        session.echo(text)
        return
    session.save(Path(out), text)
    session.say(session.texts("words.written", path=out), "good", stderr=True)
