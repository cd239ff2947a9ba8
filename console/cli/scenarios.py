"""Drill scenarios: which there are, and one of them as a handbook or as the participants' sheet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import Name
from console.cli.given import reads
from console.cli.session import Session

if TYPE_CHECKING:
    from console.views.handbook import Book
    from models.scenario import Scenario

Opt = typer.Option
AUDIENCES = ("facilitator", "players")
FORMATS = ("text", "md", "html")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    scenario = typer.Typer(no_args_is_help=True)
    reads(scenario, "list")(scenario_list)
    reads(scenario, "show")(scenario_show)
    app.add_typer(scenario, name="scenario")


def scenario_list(session: Session) -> None:
    """The scenarios there are."""
    from console.cli import output  # noqa: PLC0415
    from console.views import scenarios as view  # noqa: PLC0415

    entries = session.house.institution.scenarios.entries
    if session.given.json:
        output.json([view.as_json(one) for one in entries.values()])
    else:
        output.show([view.listing(entries.values(), session.texts)])


def scenario_show(
    session: Session,
    name: Name,
    for_whom: Annotated[str, Opt("--for", metavar="facilitator|players")] = "facilitator",
    format_: Annotated[str, Opt("--format", metavar="text|md|html")] = "text",
    out: Annotated[str | None, Opt("--out", metavar="FILE", show_default=False)] = None,
) -> None:
    """One scenario: the facilitator's handbook, or what the players get."""
    from console.cli import output  # noqa: PLC0415
    from console.views import handbook_html, handbook_md  # noqa: PLC0415
    from console.views import scenarios as view  # noqa: PLC0415

    session.one_of(for_whom, AUDIENCES, "--for")
    session.one_of(format_, FORMATS, "--format")
    scenario = _found(session, name)
    if session.given.json:
        secret = for_whom == "facilitator"
        output.json(view.whole_json(scenario) if secret else view.players_json(scenario))
        return
    book = _book(session, scenario, for_whom)
    if format_ != "text":
        _write(session, (handbook_html.html if format_ == "html" else handbook_md.markdown)(book), out)
    elif out is not None:
        session.wrong(session.texts("scenarios.text_to_screen"))
    else:
        output.show(handbook_md.sections(book))


def _found(session: Session, name: str) -> Scenario:
    """The scenario with what every exercise has; refused if there is none."""
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415
    from playbooks.scenarios import whole  # noqa: PLC0415

    scenarios = session.house.institution.scenarios
    found = scenarios.get(name)
    if found is None:
        detail = {"scenario": name, "known": sorted(scenarios)}
        report.refused(session, None, Reason.NO_SUCH_SCENARIO, detail)
    return whole(found)


def _book(session: Session, scenario: Scenario, for_whom: str) -> Book:
    from console.views.handbook import Wording, participants  # noqa: PLC0415
    from console.views.handbook_control import facilitator  # noqa: PLC0415

    plans = {one: session.desk.library[one].plan for one in scenario.playbooks if one in session.desk.library}
    say = Wording(
        texts=session.texts,
        directory=session.desk.directory,
        steps={key: step for plan in plans.values() for key, step in plan.steps.items()},
        titles={name: plan.playbook.title for name, plan in plans.items()},
    )
    return facilitator(scenario, say) if for_whom == "facilitator" else participants(scenario, say)


def _write(session: Session, text: str, out: str | None) -> None:
    if out is None:
        session.echo(text)
        return
    session.save(Path(out), text)
    session.say(session.texts("words.written", path=out), "good", stderr=True)
