"""replay: a past record run again, side by side with what was done."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from console.cli.arguments import Incident
from console.cli.given import reads
from console.cli.session import Session

if TYPE_CHECKING:
    from console.drill.making import Prepared
    from console.replaying import Told
    from console.views.veil import Veil

Opt = typer.Option
RULES = ("today", "frozen")
DRILLS = "drills"
_DRILL = re.compile(r"DRL-\d{4}-\d{4,}")
FORMATS = ("text", "md", "html")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    reads(app, "replay")(replay)


def replay(  # noqa: PLR0913 - one option for each way to run it
    session: Session,
    incident: Incident,
    *,
    as_recorded: Annotated[bool, Opt("--as-recorded/--shifted")] = False,
    rules: Annotated[str, Opt("--rules", metavar="today|frozen")] = "today",
    with_: Annotated[str | None, Opt("--with", metavar="FILE|DIR", show_default=False)] = None,
    roles_for_names: Annotated[bool, Opt("--roles-for-names")] = False,
    format_: Annotated[str, Opt("--format", metavar="text|md|html")] = "text",
    out: Annotated[str | None, Opt("--out", metavar="FILE", show_default=False)] = None,
    as_exercise: Annotated[bool, Opt("--as-exercise")] = False,
    to: Annotated[str | None, Opt("--to", metavar="DIR", show_default=False)] = None,
) -> None:
    """A past incident or drill run again, side by side with what was done."""
    from console.cli import output  # noqa: PLC0415
    from console.replaying import Asked  # noqa: PLC0415
    from console.replaying import replay as run  # noqa: PLC0415

    session.one_of(rules, RULES, "--rules")
    session.one_of(format_, FORMATS, "--format")
    if out is not None and format_ == "text" and not session.given.json:
        session.wrong(session.texts("replay.text_to_screen"))
    if to is not None and not as_exercise:
        session.wrong(session.texts("replay.to_of_exercise"))
    laid_over = _given(session, with_)
    own = session
    session, incident = _of_drill(session, incident)
    stream = session.incident(incident).stream
    if as_exercise:
        _as_exercise(own, session, stream, to)
        return
    told = run(
        session.house,
        Asked(
            stream=stream,
            manner="as-recorded" if as_recorded else "shifted",
            rules=_rules(rules),
            laid_over=laid_over,
        ),
        session.given.lang,
    )
    if session.given.json:
        output.json(_as_json(session, told, roles_for_names))
    else:
        _show(session, told, roles_for_names, format_, out)


def _of_drill(session: Session, reference: str) -> tuple[Session, str]:
    """A drill has a directory and a record of its own: its first incident is meant."""
    from playbooks.drillfiles import is_drill  # noqa: PLC0415

    if not reference.upper().startswith("DRL-"):
        return session, reference
    opened = session.house.drill
    if opened is not None and opened.drill == reference.upper():
        return session, _first_incident(session, reference)
    folder = session.house.institution.directory.parent / DRILLS
    directory = folder / reference.upper()
    if not _DRILL.fullmatch(reference.upper()) or not is_drill(directory):
        session.wrong(session.texts("replay.no_such_drill", drill=reference, folder=folder))
    drill = Session(replace(session.given, directory=str(directory), house=None), session.surface)
    return drill, _first_incident(drill, reference)


def _first_incident(drill: Session, reference: str) -> str:
    """The incident that the drill began with."""
    from console.cli.looking import incident_ids  # noqa: PLC0415

    found = sorted(incident_ids(drill.house.record))
    if not found:
        drill.wrong(drill.texts("replay.no_incident", drill=reference))
    return found[0]


def _as_exercise(own: Session, session: Session, stream: str, to: str | None) -> None:
    """The record as a scenario of the institution (`own`), roles for names; with `to` as a drill too."""
    from console.cli import output  # noqa: PLC0415
    from console.cli.drill import as_json  # noqa: PLC0415
    from console.replayscript import write  # noqa: PLC0415

    if own.house.drill is not None:
        own.wrong(own.texts("replay.exercise_of_institution", drill=own.house.drill.drill))
    path = write(session.house, stream, _veil(session).text, own.house)
    made = _prepared(own, path, to) if to is not None else None
    if own.given.json:
        found = {"incident": stream, "scenario": path.stem, "file": str(path)}
        output.json(found | ({"drill": as_json(made)} if made is not None else {}))
        return
    say = own.texts
    own.say(say("words.written", path=path), "good")
    if made is None:
        own.say(say("replay.exercise", scenario=path.stem))
    else:
        own.say(say("drillnode.prepared", drill=made.drill, directory=made.directory), "good")
        own.say(say("drillnode.next_run", directory=made.directory))
    own.say(say("replay.veiled"), "warn", stderr=True)


def _prepared(session: Session, path: Path, to: str) -> Prepared:
    """The drill of the scenario just written; neither is left where it cannot be prepared."""
    from console.drill.making import prepare  # noqa: PLC0415
    from models.errors import HikeshiError  # noqa: PLC0415

    # What was read of the scenarios before this one was written does not hold it.
    house = replace(session.house, institution=replace(session.house.institution))
    try:
        session.known_actor()
        return prepare(house, path.stem, session.actor, to=Path(to))
    except (HikeshiError, typer.Exit):
        path.unlink()
        raise


def _rules(name: str) -> Literal["today", "frozen"]:
    return "frozen" if name == "frozen" else "today"


def _given(session: Session, with_: str | None) -> Path | None:
    if with_ is None:
        return None
    path = Path(with_)
    if not path.exists():
        session.wrong(session.texts("replay.no_such_file", path=with_))
    return path


def _as_json(session: Session, told: Told, roles: bool) -> object:
    from console.views import replay as view  # noqa: PLC0415

    content = view.as_json(told)
    return _veil(session, told).value(content) if roles else content


def _show(session: Session, told: Told, roles: bool, format_: str, out: str | None) -> None:
    from console.cli import output  # noqa: PLC0415
    from console.views import replay as view  # noqa: PLC0415
    from console.views import sheetfile  # noqa: PLC0415

    sections = view.sections(told)
    title = session.texts("replay.title", incident=told.asked.stream)
    if roles:
        sections = _veil(session, told).sections(sections)
        session.say(session.texts("replay.veiled"), "warn", stderr=True)
    if format_ == "text":
        output.show(sections)
        return
    mark = session.texts("words.drill") if told.naming.world.drill else ""
    write = sheetfile.html if format_ == "html" else sheetfile.markdown
    text = write(f"{mark} {title}".strip(), sections, session.given.lang)
    if out is None:
        session.echo(text)
        return
    session.save(Path(out), text)
    session.say(session.texts("words.written", path=out), "good", stderr=True)


def _veil(session: Session, told: Told | None = None) -> Veil:
    """Over everybody whom the directory knows, whom one that is laid over brings, and who is in neither."""
    from console.views.veil import Veil  # noqa: PLC0415

    return Veil(
        session.desk.directory,
        session.given.lang,
        session.texts("replay.somebody"),
        others=told.naming.world.organisation.people if told is not None else (),
        gone=told.comparison.gone if told is not None else (),
    )
