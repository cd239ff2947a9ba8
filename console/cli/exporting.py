"""export: an incident as a report, as data, or as an archive that proves itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.given import reads
from console.cli.session import Session

if TYPE_CHECKING:
    from console.archive import Exported, Wanted

Opt = typer.Option
FORMATS = ("md", "json")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    reads(app, "export")(export)


def export(  # noqa: PLR0913 - one option for each way to take it along
    session: Session,
    *,
    incidents: Annotated[list[str] | None, typer.Argument(metavar="INC", show_default=False)] = None,
    format_: Annotated[str, Opt("--format", metavar="md|json")] = "md",
    out: Annotated[str | None, Opt("--out", metavar="FILE", show_default=False)] = None,
    archive: Annotated[str | None, Opt("--archive", metavar="FILE", show_default=False)] = None,
    everything: Annotated[bool, Opt("--all")] = False,
    without_texts: Annotated[bool, Opt("--without-texts")] = False,
    with_evidence: Annotated[bool, Opt("--with-evidence")] = False,
) -> None:
    """The incident as a report to read, as data, or as an archive that can be verified without Hikeshi."""
    session.one_of(format_, FORMATS, "--format")
    named = incidents or []
    if archive is not None:
        if bool(named) is everything:
            session.wrong(session.texts("archive.which"))
        if without_texts and with_evidence:
            session.wrong(session.texts("archive.contrary"))
        streams = tuple(dict.fromkeys(session.incident(one).stream for one in named))
        _archive(session, Path(archive), streams, texts=not without_texts, objects=with_evidence)
        return
    if len(named) != 1 or everything or without_texts or with_evidence:
        session.wrong(session.texts("archive.one"))
    _report(session, named[0], format_, out)


def _report(session: Session, incident: str, format_: str, out: str | None) -> None:
    from console import export as exports  # noqa: PLC0415

    stream = session.incident(incident).stream
    if format_ == "json" or session.given.json:
        text = exports.as_json(session.desk, stream, session.given.lang)
    else:
        text = exports.markdown(session.desk, stream, session.given.lang)
    if out is None:
        session.echo(text + "\n")
        return
    session.save(Path(out), text)
    session.say(session.texts("words.written", path=out), "good", stderr=True)


def _archive(session: Session, path: Path, streams: tuple[str, ...], *, texts: bool, objects: bool) -> None:
    from console.archive import Wanted, incidents_of, streams_of, write  # noqa: PLC0415
    from models.exporting import NoteExport  # noqa: PLC0415

    if path.exists():
        session.wrong(session.texts("archive.exists", path=path))
    if not path.parent.is_dir():
        session.wrong(session.texts("archive.no_folder", path=path.parent))
    everything = not streams
    if everything:
        _must_know_all(session)
    wanted = Wanted(
        incidents=streams or incidents_of(session.house),
        everything=everything,
        house=everything or not session.reader.hidden(),
        texts=texts,
        objects=objects,
        lang=session.given.lang,
    )
    # Before it is written: the archive holds the fact that says who took it.
    session.ask(
        "house",
        NoteExport,
        streams=tuple(streams_of(wanted)),
        everything=everything,
        texts=texts,
        objects=objects,
    )
    try:
        _tell(session, wanted, write(session.house, wanted, path))
    except OSError as wrong:
        session.wrong(
            session.texts("words.usage.unwritable", option="--archive", path=path, why=wrong.strerror)
        )


def _must_know_all(session: Session) -> None:
    """Everything holds the incidents, too, that only some may know of."""
    from console.cli import account, report  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    if session.reader.hidden():
        account.record_refusal(session.desk, session.actor, Reason.NOT_NAMED, session.surface)
        report.refused(session, None, Reason.NOT_NAMED, {"who": session.actor.person or ""})


def _tell(session: Session, wanted: Wanted, done: Exported) -> None:
    from console.cli import output  # noqa: PLC0415

    if session.given.json:
        output.json(done.as_json())
        return
    size = done.path.stat().st_size
    session.say(
        session.texts("archive.done", path=done.path, streams=len(done.streams), facts=done.facts, size=size),
        "good",
    )
    session.say(session.texts("archive.digest", sha256=done.sha256))
    if not done.key:
        session.say(session.texts("archive.unsigned"), "warn", stderr=True)
    for name in done.missing:
        session.say(session.texts("archive.missing", name=name), "bad", stderr=True)
    if wanted.texts:
        session.say(session.texts("archive.personal"), "warn", stderr=True)
