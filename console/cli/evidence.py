"""evidence …: what was preserved, where it came from, and how it lies there now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.cli import collect, custody
from console.cli.arguments import At, Incident, Number
from console.cli.given import reads, writes
from console.cli.session import REFUSED, Session

if TYPE_CHECKING:
    from console.cli.keeping import Kept
    from models.evidence import Particulars

Opt = typer.Option
MAX_BYTES = 2**53 - 1
"""What every reader of JSON holds exactly: eight million gigabytes."""
KINDS = ("file", "device", "medium", "paper", "photo", "other")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True)
    writes(group, "add")(evidence_add)
    reads(group, "list")(evidence_list)
    reads(group, "show")(evidence_show)
    custody.register(group)
    collect.register(group)
    app.add_typer(group, name="evidence")


def _text(name: str) -> Any:
    return Opt(name, metavar="TEXT", show_default=False)


def evidence_add(  # noqa: PLR0913 - one option for each field of a custody form
    session: Session,
    *,
    incident: Incident,
    source: Annotated[str, typer.Argument(metavar="SOURCE")],
    description: Annotated[str, Opt("--description", metavar="TEXT")],
    file: Annotated[str | None, Opt("--file", metavar="FILE", show_default=False)] = None,
    reference: Annotated[str | None, Opt("--reference", metavar="FILE", show_default=False)] = None,
    digest: Annotated[str | None, Opt("--digest", metavar="sha256:HEX", show_default=False)] = None,
    size: Annotated[int, Opt("--size", metavar="BYTES", min=0, max=MAX_BYTES, show_default=False)] = 0,
    name: Annotated[str, _text("--name")] = "",
    step: Annotated[str | None, Opt("--step", metavar="STEP", show_default=False)] = None,
    partial: Annotated[bool, Opt("--partial")] = False,
    item_kind: Annotated[str, Opt("--kind", metavar="|".join(KINDS))] = "file",
    make: Annotated[str, _text("--make")] = "",
    model: Annotated[str, _text("--model")] = "",
    serial: Annotated[str, _text("--serial")] = "",
    item_owner: Annotated[str, _text("--owner")] = "",
    host: Annotated[str, _text("--host")] = "",
    source_account: Annotated[str, _text("--account")] = "",
    location: Annotated[str, _text("--location")] = "",
    collected_by: Annotated[str, _text("--collected-by")] = "",
    clock_offset: Annotated[int | None, Opt("--clock-offset", metavar="MS", show_default=False)] = None,
    tool: Annotated[str, _text("--tool")] = "",
    tool_command: Annotated[str, _text("--command")] = "",
    why: Annotated[str, _text("--reason")] = "",
    volatility: Annotated[int | None, Opt("--volatility", metavar="1-7", show_default=False)] = None,
    storage: Annotated[str, _text("--storage")] = "",
    seal: Annotated[str, _text("--seal")] = "",
    witness: Annotated[str, _text("--witness")] = "",
    at: At = None,
) -> None:
    """Something was preserved; a file given is copied into the evidence folder with its digest."""
    from console.cli import report  # noqa: PLC0415
    from models.commands import AddEvidence  # noqa: PLC0415
    from models.evidence import Particulars  # noqa: PLC0415

    session.one_of(item_kind, KINDS, "--kind")
    if file is not None and reference is not None:
        session.wrong(session.texts("evidence.usage_both"))
    # Nothing is copied for somebody who may not record it.
    session.known_actor()
    words = {
        "make": make, "model": model, "serial": serial, "owner": item_owner, "host": host,
        "account": source_account, "location": location, "collected_by": collected_by, "tool": tool,
        "command": tool_command, "reason": why, "storage": storage, "seal": seal, "witness": witness,
    }  # fmt: skip
    fields: dict[str, Any] = {
        "source": source, "description": description, "digest": digest, "size": size, "name": name,
        "step": step, "partial": partial, "at": session.instant(at, "--at"),
    }  # fmt: skip
    about = Particulars(
        kind=item_kind,  # type: ignore[arg-type]
        words=tuple((key, value) for key, value in words.items() if value.strip()),
        clock_offset_ms=clock_offset,
        volatility=volatility,
    )
    path = file if file is not None else reference
    if path is None:
        session.write(session.stream(incident), AddEvidence, about=about, **fields)
        return
    if digest is not None or size:
        session.wrong(session.texts("evidence.usage_computed"))
    _must_be_allowed(session, incident, fields, about)
    kept = _take(session, Path(path), referenced=reference is not None)
    fields |= _of_file(kept, Path(path), fields)
    # Where a file lay that came over the network, nobody here knows.
    found = None if session.given.visitor is not None else Path(path)
    about = _with_file(about, kept, found, referenced=reference is not None)
    outcome = session.ask(session.stream(incident), AddEvidence, about=about, **fields)
    kept.recorded()
    report.recorded(session, outcome)


def _must_be_allowed(session: Session, incident: str, fields: dict[str, Any], about: Particulars) -> None:
    """Refuse before a file is copied what would be refused after it; the refusal is recorded."""
    from models.commands import AddEvidence  # noqa: PLC0415
    from models.decide import decide  # noqa: PLC0415
    from models.errors import Refused  # noqa: PLC0415

    state = session.incident(incident)
    for_ = session.person(session.given.for_) if session.given.for_ else None
    command = AddEvidence(actor=session.actor, for_=for_, about=about, **fields)
    try:
        decide(state, command, session.desk.world(state))
    except Refused:
        session.ask(state.stream, AddEvidence, about=about, **fields)


def _take(session: Session, path: Path, *, referenced: bool) -> Kept:
    """Read a file through, into the evidence folder unless it stays where it lies; says how far it is."""
    from console.cli.keeping import keep, reference, size_of  # noqa: PLC0415
    from console.cli.progress import Progress  # noqa: PLC0415
    from models.errors import ActionFailed  # noqa: PLC0415

    option = "--reference" if referenced else "--file"
    progress = Progress(_readable(path.name), size_of(path))
    try:
        if referenced:
            return reference(path, progress)
        seal_to = session.house.institution.settings.evidence.seal_to
        return keep(path, session.house.evidence, seal_to, progress)
    except ActionFailed as failed:
        session.say(str(failed), "bad", stderr=True)
        raise typer.Exit(REFUSED) from failed
    except OSError as wrong:
        session.wrong(session.texts("words.usage.file", option=option, path=path, why=wrong.strerror))
    finally:
        progress.over()


def _of_file(kept: Kept, path: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """What the file itself says, over what was given by hand."""
    return {
        "digest": kept.digest,
        "size": kept.size,
        "stored": kept.stored,
        "name": fields["name"] or _readable(path.name),
        "partial": fields["partial"] or bool(kept.problem),
    }


def _with_file(about: Particulars, kept: Kept, path: Path | None, *, referenced: bool) -> Particulars:
    from dataclasses import replace  # noqa: PLC0415

    given = dict(about.words)
    if path is not None:
        given.setdefault("location", _readable(str(path.absolute())))
    given.setdefault("tool", "hikeshi evidence add")
    if referenced and path is not None:
        given["storage"] = _readable(str(path.absolute()))
    return replace(
        about,
        words=tuple(given.items()),
        stored_digest=kept.stored_digest,
        stored_size=kept.stored_size,
        sealed_to=kept.sealed_to,
        referenced=referenced,
        problem=kept.problem,
    )


def _readable(name: str) -> str:
    """A file's name as text: nobody chooses what an attacker calls his files."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def evidence_list(
    session: Session,
    incident: Incident,
    phases: Annotated[bool, Opt("--by-phase")] = False,
) -> None:
    """Everything that was preserved, with digests; `--by-phase` in the order of the phases."""
    from console.cli import output  # noqa: PLC0415
    from console.evidence_list import listed  # noqa: PLC0415
    from console.views import evidence as view  # noqa: PLC0415
    from console.views import preserving  # noqa: PLC0415

    state = session.incident(incident)
    naming = session.naming(state)
    if session.given.json:
        whole = listed(state, naming.world, dict(naming.beside))
        output.json(whole if phases else whole["items"])
        return
    output.show(view.by_phase(state, naming) if phases else [view.section(state, naming)])
    output.show(preserving.waiting(state, naming))


def evidence_show(session: Session, incident: Incident, item: Number) -> None:
    """One item: all that is known of it, and its whole chain of custody."""
    from console.cli import output  # noqa: PLC0415
    from console.evidence_list import listed  # noqa: PLC0415
    from console.views import evidence as view  # noqa: PLC0415

    state = session.incident(incident)
    known = custody.one_of(session, state, item)
    naming = session.naming(state)
    if session.given.json:
        items = listed(state, naming.world, dict(naming.beside))["items"]
        output.json(next(one for one in items if one["id"] == known.id))
    else:
        output.show([view.item_section(known, state, naming)])
