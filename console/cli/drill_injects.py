"""drill: what control does with the script, and the injects as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.cli.arguments import Name, Text
from console.cli.drilling import STREAM, exercise, staff_only, told
from console.cli.given import reads, writes
from console.cli.session import WRONG_USAGE, Session

if TYPE_CHECKING:
    from console.views.drill import Told
    from models.exercise import Exercise
    from models.scenario import Inject

Opt = typer.Option
Why = Annotated[str, Opt("--reason", metavar="TEXT", show_default=False)]
File = Annotated[str, typer.Argument(metavar="FILE")]


def add(drill: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(drill, "fire")(fire)
    writes(drill, "skip")(skip)
    writes(drill, "edit")(edit)
    writes(drill, "add")(add_inject)
    writes(drill, "say")(say)
    inject = typer.Typer(no_args_is_help=True)
    reads(inject, "list")(inject_list)
    reads(inject, "show")(inject_show)
    drill.add_typer(inject, name="inject")


def fire(session: Session, name: Name) -> None:
    """Give an inject now."""
    from models.exercise import FireInject  # noqa: PLC0415

    exercise(session)
    session.write(STREAM, FireInject, inject=name)


def skip(session: Session, name: Name, reason: Annotated[str, Opt("--reason", metavar="TEXT")]) -> None:
    """Leave an inject out."""
    from models.exercise import SkipInject  # noqa: PLC0415

    exercise(session)
    session.write(STREAM, SkipInject, inject=name, reason=reason)


def edit(
    session: Session,
    name: Name,
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", show_default=False)] = None,
    text: Annotated[str | None, Opt("--text", metavar="TEXT", show_default=False)] = None,
    reason: Why = "",
) -> None:
    """Change an inject that has not come in: by a file, or its text alone."""
    from models.exercise import PutInject  # noqa: PLC0415
    from models.values import Text as Wording  # noqa: PLC0415

    known = _known(session, name)
    if (file is None) == (text is None):
        session.wrong(session.texts("playing.edit_how"))
    if file is not None:
        inject = _read(session, file)
        if inject.id != name:
            session.wrong(session.texts("playing.edit_other", name=name, other=inject.id))
    else:
        inject = known.model_copy(update={"text": Wording(ja=text or "-", en=text or "-")})
    session.write(STREAM, PutInject, inject=document(inject), reason=reason)


def add_inject(  # noqa: PLR0913 - each is an option of the command
    session: Session,
    *,
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", show_default=False)] = None,
    title: Annotated[str, Opt("--title", metavar="TEXT", show_default=False)] = "",
    text: Annotated[str, Opt("--text", metavar="TEXT", show_default=False)] = "",
    party: Annotated[str, Opt("--party", metavar="PARTY")] = "control",
    to: Annotated[list[str] | None, Opt("--to", metavar="ROLE", show_default=False)] = None,
    later: Annotated[str, Opt("--in", metavar="SPAN")] = "0s",
    reason: Why = "",
) -> None:
    """Add an inject: written in a file as in a scenario, or by its title, its text and to whom it goes."""
    from models.exercise import PutInject  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    state = exercise(session)
    given = bool(title and text and to)
    if (file is None) != given:
        session.wrong(session.texts("playing.add_how"))
    if file is not None:
        inject = _read(session, file)
        if inject.id in state.lines:
            from console.cli.drilling import no  # noqa: PLC0415

            no(session, Reason.ALREADY, what=inject.id)
        new = document(inject)
    else:
        played = timedelta(seconds=session.seconds(later, "--in") or 0) + _played(session)
        new = _written(state, title=title, text=text, to=to or [], at=played)
        new["from"] = party
    session.write(STREAM, PutInject, inject=new, reason=reason)


def _played(session: Session) -> timedelta:
    """How much has been played; nothing before STARTEX."""
    from models.exercise_script import Script  # noqa: PLC0415

    state = exercise(session)
    if state.status != "running":
        return timedelta(0)
    return Script(session.desk.premises.scenario, state).played_of(session.now)


def _written(state: Exercise, *, title: str, text: str, to: Sequence[str], at: timedelta) -> dict[str, Any]:
    """An inject of control's own, in one language: whoever writes it in play has no time for two."""
    from models.values import write_duration  # noqa: PLC0415

    number = next(n for n in count(1) if f"control-{n}" not in state.lines)
    return {
        "id": f"control-{number}",
        "kind": "call",
        "channel": "telephone",
        "to": list(to),
        "at": write_duration(at),
        "title": {"ja": title, "en": title},
        "text": {"ja": text, "en": text},
    }


def document(inject: Inject) -> dict[str, Any]:
    """An inject as a scenario writes it."""
    found: dict[str, Any] = inject.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


def _read(session: Session, file: str) -> Inject:
    """The inject in a file; exit 2 with every defect, each with its line and field."""
    from console.cli import output  # noqa: PLC0415
    from console.views.sheet import Line  # noqa: PLC0415
    from models.scenario import Inject as Model  # noqa: PLC0415
    from playbooks.reading import read_yaml  # noqa: PLC0415

    path = Path(file)
    session.read(path, "FILE")
    found, defects = read_yaml(path, Model)
    if found is None or defects:
        output.show([Line(text=str(one), style="bad") for one in defects], stderr=True)
        raise typer.Exit(WRONG_USAGE)
    return found


def say(
    session: Session,
    party: Annotated[str, typer.Argument(metavar="PARTY")],
    text: Text,
    to: Annotated[list[str], Opt("--to", metavar="ROLE")],
) -> None:
    """Say something as a party outside, or as a role that nobody plays."""
    from models.exercise import SpeakFor  # noqa: PLC0415

    exercise(session)
    session.write(STREAM, SpeakFor, party=party, to=tuple(to), text=text)


# -- looking ----------------------------------------------------------------------------------------------


def inject_list(session: Session) -> None:
    """The script as it stands: what has come in, what is to come and when. For the staff."""
    from console.cli import output  # noqa: PLC0415
    from console.views import drill as view  # noqa: PLC0415

    sheet = _sheet(session)
    if session.given.json:
        output.json(view.injects_json(sheet))
    else:
        output.show([view.injects(sheet)])


def inject_show(session: Session, name: Name) -> None:
    """One inject with what is expected of it. For the staff."""
    from console.cli import output  # noqa: PLC0415
    from console.views import drill as view  # noqa: PLC0415

    sheet, inject = _sheet(session), _known(session, name)
    if session.given.json:
        output.json(view.inject_json(inject, sheet))
    else:
        output.show([view.inject(inject, sheet)])


def _sheet(session: Session) -> Told:
    staff_only(session)
    return told(session)


def _known(session: Session, name: str) -> Inject:
    """The inject as it stands now, with its texts; refused if there is none."""
    from console.cli.drilling import no  # noqa: PLC0415
    from console.views.drill import whole_inject  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    state = staff_only(session)
    found = whole_inject(name, state, session.desk.premises.scenario, session.desk.texts(STREAM))
    if found is None:
        no(session, Reason.NO_SUCH_ITEM, item=name, known=sorted(state.lines))
    return found
