"""Playbooks: those of an incident (add, move, drop), and reading them (list, show, diff, read, coverage)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from console.cli.arguments import Incident, Name, Reason
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from models.frozen import FrozenPlaybook
    from models.state import Programme

Opt = typer.Option
FORMATS = ("md", "html", "svg")
PROGRAMME = "programme"
Out = Annotated[str | None, Opt("--out", metavar="FILE", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    playbook = typer.Typer(no_args_is_help=True)
    writes(playbook, "add")(playbook_add)
    writes(playbook, "move")(playbook_move)
    writes(playbook, "drop")(playbook_drop)
    reads(playbook, "list")(playbook_list)
    reads(playbook, "show")(playbook_show)
    reads(playbook, "diff")(playbook_diff)
    writes(playbook, "announce")(playbook_announce)
    writes(playbook, "read")(playbook_read)
    reads(playbook, "readers")(playbook_readers)
    app.add_typer(playbook, name="playbook")
    reads(app, "coverage")(coverage)


def playbook_add(session: Session, incident: Incident, name: Name, reason: Reason) -> None:
    """Run a further playbook in this incident."""
    _use(session, incident, "add", name, reason)


def playbook_move(session: Session, incident: Incident, name: Name, reason: Reason) -> None:
    """Take today's version of a playbook."""
    _use(session, incident, "move", name, reason)


def playbook_drop(session: Session, incident: Incident, name: Name, reason: Reason) -> None:
    """Take a playbook out; what was done stays in the record."""
    _use(session, incident, "drop", name, reason)


def _use(session: Session, incident: str, how: str, name: str, reason: str) -> None:
    from models.commands import UsePlaybook  # noqa: PLC0415

    session.write(session.stream(incident), UsePlaybook, how=how, playbook=name, reason=reason)


def playbook_list(session: Session) -> None:
    """The playbooks there are."""
    from console.cli import output  # noqa: PLC0415
    from console.views import library  # noqa: PLC0415

    institution = session.house.institution
    if session.given.json:
        output.json([library.as_json(one, institution) for one in institution.playbooks.values()])
    else:
        output.show([library.listing(institution, session.texts)])


# -- reading one --------------------------------------------------------------------------------------------


def playbook_show(
    session: Session,
    name: Name,
    format_: Annotated[str | None, Opt("--format", metavar="md|html|svg", show_default=False)] = None,
    out: Out = None,
) -> None:
    """One playbook: its steps by phase; whole for reading and printing, or as a graph."""
    from console.cli import output  # noqa: PLC0415
    from console.views import library  # noqa: PLC0415

    if format_ is not None:
        session.one_of(format_, FORMATS, "--format")
    frozen = _frozen(session, name)
    if format_ is not None:
        _write(session, _drawn(session, frozen, format_), out)
    elif session.given.json:
        output.json(frozen.plan.playbook.model_dump(mode="json", by_alias=True))
    else:
        output.show(library.whole(frozen.plan.playbook, session.texts))


def _drawn(session: Session, frozen: FrozenPlaybook, format_: str) -> str:
    from console.views import graph_svg, leaflet_html, leaflet_md  # noqa: PLC0415
    from console.views.leaflet import leaflet  # noqa: PLC0415

    origin = session.house.institution.origins[frozen.name]
    made = leaflet(frozen.plan, origin, session.desk.directory, session.texts)
    if format_ == "svg":
        return graph_svg.svg(made, frozen.plan, session.texts)
    render = leaflet_html.html if format_ == "html" else leaflet_md.markdown
    return render(made, session.texts)


def _write(session: Session, text: str, out: str | None) -> None:
    if out is None:
        session.echo(text)
        return
    session.save(Path(out), text)
    session.say(session.texts("words.written", path=out), "good", stderr=True)


def _frozen(session: Session, name: str) -> FrozenPlaybook:
    """Today's playbook with all that it calls; refused if there is none."""
    found = session.desk.library.get(name)
    if found is None:
        _no_such(session, name)
    return found


def _no_such(session: Session, name: str) -> NoReturn:
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason as Why  # noqa: PLC0415

    known = sorted(session.desk.library)
    report.refused(session, None, Why.NO_SUCH_PLAYBOOK, {"playbook": name, "known": known})


def playbook_diff(
    session: Session,
    name: Name,
    from_: Annotated[str | None, Opt("--from", metavar="VERSION|FILE|INC", show_default=False)] = None,
    to: Annotated[str | None, Opt("--to", metavar="VERSION|FILE|INC", show_default=False)] = None,
) -> None:
    """What changed between two versions of a playbook: steps added, removed, moved, and their fields."""
    from console.cli import output  # noqa: PLC0415
    from console.cli.versions import find  # noqa: PLC0415
    from console.views import differences as view  # noqa: PLC0415
    from console.views.sheet import Line  # noqa: PLC0415

    before = find(session, name, from_, "--from")
    after = find(session, name, to, "--to")
    found = view.differences(before.plan, after.plan, session.given.lang)
    if session.given.json:
        changes = [view.as_json(one) for one in found]
        output.json({"playbook": name, "from": before.words, "to": after.words, "changes": changes})
        return
    head = session.texts("reading.diff.from_to", name=name, before=before.words, after=after.words)
    output.show([Line(text=head, style="strong"), *view.sections(found, session.texts)])


# -- who has read what --------------------------------------------------------------------------------------


def playbook_announce(session: Session, name: Name) -> None:
    """Ask those who have to know a playbook to read today's version; their time begins."""
    from console.cli import report  # noqa: PLC0415
    from models.readers import AnnouncePlaybook  # noqa: PLC0415

    outcome = session.ask(PROGRAMME, AnnouncePlaybook, playbook=name)
    if not outcome.facts and not session.given.json:
        session.say(session.texts("reading.readers.announced_already"))
        return
    report.recorded(session, outcome)


def playbook_read(session: Session, name: Name) -> None:
    """I have read today's version of a playbook."""
    from models.readers import ReadPlaybook  # noqa: PLC0415

    session.write(PROGRAMME, ReadPlaybook, playbook=name)


def playbook_readers(
    session: Session, name: Annotated[str | None, typer.Argument(metavar="NAME", show_default=False)] = None
) -> None:
    """Who has read today's version, role by role; without NAME all playbooks at a glance."""
    from console.cli import output  # noqa: PLC0415
    from console.views import readers as view  # noqa: PLC0415

    state = _programme(session)
    naming = session.naming(state)
    names = [name] if name is not None else _names_to_read(session)
    found = [view.look(_frozen(session, one), state, naming) for one in names]
    if session.given.json:
        made = [view.as_json(one) for one in found]
        output.json(made if name is None else made[0])
    elif name is None:
        output.show([view.listing(found, naming)])
    else:
        output.show(view.sections(found[0], naming))


def _programme(session: Session) -> Programme:
    from models.state import Programme as State  # noqa: PLC0415

    state = session.desk.state(PROGRAMME)
    assert isinstance(state, State)  # noqa: S101 - what the stream of this name folds to
    return state


def _names_to_read(session: Session) -> list[str]:
    """Playbooks that are run by themselves; their parts are read with them."""
    from playbooks.library import parts  # noqa: PLC0415

    entries = session.house.institution.playbooks.entries
    called = parts(entries)
    return [one for one in entries if one not in called]


# -- the guideline ------------------------------------------------------------------------------------------


def coverage(session: Session) -> None:
    """Which item of the guideline is covered by which step, which are empty, and why."""
    from console.cli import output  # noqa: PLC0415
    from console.views import coverage as view  # noqa: PLC0415
    from playbooks.library import parts  # noqa: PLC0415

    institution = session.house.institution
    plans = {one: frozen.plan for one, frozen in session.desk.library.items()}
    called = parts(institution.playbooks.entries)
    found = view.coverage(plans, institution.catalogue, institution.origins, called)
    if session.given.json:
        output.json(view.as_json(found))
    else:
        output.show(view.sections(found, session.texts))
