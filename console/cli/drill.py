"""Drills: prepare one from the institution's directory, and run it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.cli import drill_control, drill_injects, drill_people, drill_watching
from console.cli.arguments import Name
from console.cli.given import reads
from console.cli.groups import group
from console.cli.session import Session

if TYPE_CHECKING:
    from console.drill.making import Prepared

Opt = typer.Option
Hour = Annotated[str | None, Opt("--hour", metavar="HH:MM", show_default=False)]
Seed = Annotated[int | None, Opt("--seed", metavar="N", min=0, show_default=False)]
To = Annotated[str | None, Opt("--to", metavar="DIR", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    drill = group(app, "drill")
    for module in (drill_control, drill_injects, drill_people, drill_watching):
        module.add(drill)
    reads(drill, "prepare")(drill_prepare)
    reads(drill, "run")(drill_run)


def drill_prepare(  # noqa: PLR0913 - each is an option of the command
    session: Session,
    *,
    name: Name,
    to: To = None,
    hour: Hour = None,
    seed: Seed = None,
    by: Annotated[str, Opt("--by", metavar="WHO")] = "internal",
    organiser: Annotated[str, Opt("--organiser", metavar="NAME", show_default=False)] = "",
) -> None:
    """A directory for a drill of this scenario."""
    from console.cli import output  # noqa: PLC0415
    from models.programme import ORGANISERS  # noqa: PLC0415

    session.one_of(by, ORGANISERS, "--by")
    made = prepared(session, name, to, hour, seed, by=by, organiser=organiser)
    if session.given.json:
        output.json(as_json(made))
        return
    say = session.texts
    session.say(say("drillnode.prepared", drill=made.drill, directory=made.directory), "good")
    session.say(say("drillnode.prepared_story", scenario=made.scenario, startex=made.startex, seed=made.seed))
    for one in made.warnings:
        session.say(str(one), "warn")
    session.say(say("drillnode.next_run", directory=made.directory))


def prepared(
    session: Session, name: str, to: str | None, hour: str | None, seed: int | None, **held: Any
) -> Prepared:
    """Prepare it as this person, who is its facilitator."""
    from console.drill.making import prepare  # noqa: PLC0415

    session.known_actor()
    place = Path(to) if to else None
    return prepare(session.house, name, session.actor, to=place, hour=hour, seed=seed, **held)


def drill_run(  # noqa: PLR0913, PLR0917 - each is an option of the command
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="[DIR|SCENARIO]", show_default=False)] = None,
    speed: Annotated[int, Opt("--speed", metavar="N", min=1, max=600)] = 1,
    start: Annotated[bool, Opt("--start")] = False,
    port: Annotated[int | None, Opt("--port", metavar="N", min=0, max=65535, show_default=False)] = None,
    to: To = None,
    hour: Hour = None,
    seed: Seed = None,
) -> None:
    """Run a drill's processes until Ctrl-C; of a scenario, prepare one first."""
    from console.cli import drill_running  # noqa: PLC0415
    from console.opening import find_directory  # noqa: PLC0415
    from playbooks.drillfiles import is_drill  # noqa: PLC0415

    directory = Path(name).resolve() if name is not None else find_directory(session.given.directory)
    if name is not None and not is_drill(directory):
        made = prepared(session, name, to, hour, seed)
        session.say(session.texts("drillnode.prepared", drill=made.drill, directory=made.directory), "good")
        directory = made.directory
    elif not is_drill(directory):
        session.wrong(session.texts("drillnode.which", directory=directory))
    raise typer.Exit(drill_running.run(session, directory, port, speed, start=start))


def as_json(made: Prepared) -> dict[str, object]:
    """What was prepared, for machines."""
    return {
        "drill": made.drill,
        "directory": str(made.directory),
        "scenario": made.scenario,
        "startex": made.startex,
        "seed": made.seed,
        "port": made.port,
        "warnings": [str(one) for one in made.warnings],
    }
