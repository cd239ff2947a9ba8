"""evidence …: what was preserved, and by whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import At, Incident
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from flows.actions.store import Writer

Opt = typer.Option
PIECE_BYTES = 1 << 20
MAX_BYTES = 2**53 - 1
"""What every reader of JSON holds exactly: eight million gigabytes."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True)
    writes(group, "add")(evidence_add)
    reads(group, "list")(evidence_list)
    app.add_typer(group, name="evidence")


def evidence_add(  # noqa: PLR0913 - one option for each thing that is known of the object
    session: Session,
    *,
    incident: Incident,
    source: Annotated[str, typer.Argument(metavar="SOURCE")],
    description: Annotated[str, Opt("--description", metavar="TEXT")],
    file: Annotated[str | None, Opt("--file", metavar="FILE", show_default=False)] = None,
    digest: Annotated[str | None, Opt("--digest", metavar="sha256:HEX", show_default=False)] = None,
    size: Annotated[int, Opt("--size", metavar="BYTES", min=0, max=MAX_BYTES, show_default=False)] = 0,
    name: Annotated[str, Opt("--name", metavar="TEXT", show_default=False)] = "",
    step: Annotated[str | None, Opt("--step", metavar="STEP", show_default=False)] = None,
    partial: Annotated[bool, Opt("--partial")] = False,
    at: At = None,
) -> None:
    """Something was preserved; a file given is copied into the evidence folder with its digest."""
    from models.commands import AddEvidence  # noqa: PLC0415

    stored = ""
    # Nothing is copied for somebody who may not record it.
    session.known_actor()
    if file is not None:
        digest, size, stored = _keep(session, Path(file))
        name = name or _readable(Path(file).name)
    session.write(
        session.stream(incident),
        AddEvidence,
        source=source,
        description=description,
        digest=digest,
        size=size,
        name=name,
        stored=stored,
        step=step,
        partial=partial,
        at=session.instant(at, "--at"),
    )


def _readable(name: str) -> str:
    """A file's name as text: nobody chooses what an attacker calls his files."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _keep(session: Session, path: Path) -> tuple[str, int, str]:
    """Copy a file into the evidence folder: digest, size, and where it lies there."""
    from flows.actions.store import Writer  # noqa: PLC0415

    try:
        with Writer(session.house.evidence) as writer:
            _copy(path, writer)
            return writer.digest, writer.size, writer.keep()
    except OSError as wrong:
        session.wrong(session.texts("words.usage.file", option="--file", path=path, why=wrong.strerror))


def _copy(path: Path, writer: Writer) -> None:
    with path.open("rb") as source:
        while piece := source.read(PIECE_BYTES):
            writer.write(piece)


def evidence_list(session: Session, incident: Incident) -> None:
    """Everything that was preserved, with digests."""
    session.part(incident, "evidence")
