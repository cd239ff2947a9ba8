"""drill: what control does with the script, and the injects as they stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.cli.arguments import Name, Text
from console.cli.drilling import STREAM, exercise, staff_only, told
from console.cli.given import reads, writes
from console.cli.session import WRONG_USAGE, Session

if TYPE_CHECKING:
    from console.views.drill import Told
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


def add_inject(session: Session, file: File, reason: Why = "") -> None:
    """Add an inject, written as in a scenario."""
    from models.exercise import PutInject  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    state = exercise(session)
    inject = _read(session, file)
    if inject.id in state.lines:
        from console.cli.drilling import no  # noqa: PLC0415

        no(session, Reason.ALREADY, what=inject.id)
    session.write(STREAM, PutInject, inject=document(inject), reason=reason)


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
