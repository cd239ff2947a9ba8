"""The record's integrity: verify, checkpoints to keep elsewhere, and the key that signs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.cli.given import reads, writes
from console.cli.session import REFUSED, Session

if TYPE_CHECKING:
    from console.checkpoints import Made
    from console.verify import Verification

Opt = typer.Option
Several = list[str] | None
SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    reads(app, "verify")(verify)
    checkpoint = typer.Typer(no_args_is_help=True)
    reads(checkpoint, "now")(checkpoint_now)
    reads(checkpoint, "list")(checkpoint_list)
    reads(checkpoint, "export")(checkpoint_export)
    app.add_typer(checkpoint, name="checkpoint")
    key = typer.Typer(no_args_is_help=True)
    reads(key, "show")(key_show)
    reads(key, "rotate")(key_rotate)
    writes(key, "accept")(key_accept)
    app.add_typer(key, name="key")


# -- verifying ----------------------------------------------------------------------------------------------


def verify(
    session: Session,
    *,
    record: Annotated[str | None, typer.Argument(metavar="PATH", show_default=False)] = None,
    checkpoint: Annotated[Several, Opt("--checkpoint", metavar="FILE", show_default=False)] = None,
    key: Annotated[Several, Opt("--key", metavar="HEX|FILE", show_default=False)] = None,
    tsa: Annotated[str | None, Opt("--tsa", metavar="PEM", show_default=False)] = None,
    all_: Annotated[bool, Opt("--all")] = False,
) -> None:
    """Recompute every chain from the stored bytes, and hold it against checkpoints."""
    from console.cli import output  # noqa: PLC0415
    from console.verify import Unreadable, keep  # noqa: PLC0415

    try:
        tsa = tsa or (_authority(session) if record is None else None)
        kept = keep(checkpoint or (), key or (), tsa=tsa, every=all_)
        found = _verified(session, record, kept)
    except (Unreadable, OSError) as wrong:
        session.wrong(session.texts("integrity.verify.unreadable", why=wrong))
    if session.given.json:
        output.json(found.as_json())
    else:
        _show(session, found)
    if not found.ok:
        raise typer.Exit(REFUSED)


def _authority(session: Session) -> str | None:
    """The certificate of the time-stamp authority that is set up."""
    settings = session.house.institution.settings.integrity.timestamp
    if settings is None or settings.certificate is None:
        return None
    path = session.house.institution.directory / settings.certificate
    return str(path) if path.is_file() else None


def _verified(session: Session, record: str | None, kept: Any) -> Verification:
    """Another record at a path; else our own, by the same statements on whatever database holds it."""
    from sqlalchemy import text  # noqa: PLC0415

    from console import snapshots  # noqa: PLC0415
    from console import verify as verifier  # noqa: PLC0415

    if record is not None:
        return verifier.verify_path(Path(record), kept)
    path = session.house.data / "hikeshi.db"
    if session.house.record.url == f"sqlite:///{path}":
        found = verifier.verify_path(path, kept)
    else:
        with session.house.record.read() as tx:
            found = verifier.verify(lambda sql, given={}: iter(tx.connection.execute(text(sql), given)), kept)
    for stream, seq in snapshots.altered(session.house.record):
        found.problem(
            f"{stream}: its snapshot at #{seq}, from which pages are shown, is not what its facts say"
        )
    return found


def _show(session: Session, found: Verification) -> None:
    texts = session.texts
    for note in found.notes:
        session.say(note, "warn")
    for problem in found.problems:
        session.say(problem, "bad")
    if found.ok:
        session.say(texts("words.verify_ok", **found.counts()), "good")
        session.say(
            texts("integrity.verify.checkpoints", **found.counts()), "good" if found.held else "plain"
        )
        if not found.held:
            session.say(texts("integrity.verify.none_held"), "warn")
        return
    first = found.first_bad
    if first is not None:
        key = "first" if first["seq"] == first["to"] else "first_within"
        session.say(texts(f"integrity.verify.{key}", **first), "bad")
    session.say(texts("words.verify_bad"), "bad")


# -- checkpoints --------------------------------------------------------------------------------------------


def checkpoint_now(session: Session) -> None:
    """Make a checkpoint, to be printed or read out; the last one if nothing is new."""
    from console.checkpoints import Checkpoints, find_made  # noqa: PLC0415
    from console.signing import noted, open_signer  # noqa: PLC0415

    session.known_actor()
    house = session.house
    signer = open_signer(house)
    noted(house, signer)
    made = Checkpoints(record=house.record, clock=house.desk.clock, node="cli").now(signer)
    if made is None:
        with house.record.read() as tx:
            made = find_made(tx)
    _say(session, made)


def _say(session: Session, made: Made) -> None:
    """Number, instant and digest, so that somebody can write them down."""
    from console.cli import output  # noqa: PLC0415
    from console.views.times import Times  # noqa: PLC0415
    from models.checkpoint import aloud, digest  # noqa: PLC0415
    from models.clock import iso  # noqa: PLC0415

    name = digest(made.body)
    if session.given.json:
        output.json({"number": made.number, "at": iso(made.at), "digest": name, "key": made.key})
        return
    at = Times(zone=session.zone, texts=session.texts).at(made.at, seconds=True)
    session.say(session.texts("integrity.checkpoint.made", number=made.number, at=at), "strong")
    for line in aloud(name).splitlines():
        session.say(f"  {line}")
    session.say(session.texts("integrity.checkpoint.key", key=made.key), "dim")


def checkpoint_list(
    session: Session,
    last: Annotated[int, Opt("--last", metavar="N", min=1, max=100_000)] = SHOWN,
) -> None:
    """The last checkpoints, and where each lies elsewhere."""
    from console.cli import output  # noqa: PLC0415
    from console.views import checkpoints as view  # noqa: PLC0415

    found = view.latest(session.house.record, last)
    if session.given.json:
        output.json([view.as_json(one) for one in found])
    elif not found:
        session.say(session.texts("integrity.checkpoint.none"))
    else:
        output.show([view.table(found, session.naming(session.desk.state("house")))])


def checkpoint_export(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE")],
    number: Annotated[int | None, Opt("--number", metavar="N", min=1, show_default=False)] = None,
) -> None:
    """Write a checkpoint to a file that somebody keeps elsewhere."""
    from console.checkpoints import find_made, kept_form  # noqa: PLC0415

    with session.house.record.read() as tx:
        made = find_made(tx, number)
        body = kept_form(tx, made)
    session.save(Path(file), body.decode())
    _say(session, made)
    if not session.given.json:
        session.say(session.texts("words.written", path=file), "good", stderr=True)


# -- the key ------------------------------------------------------------------------------------------------


def key_show(
    session: Session,
    out: Annotated[str | None, Opt("--out", metavar="FILE", show_default=False)] = None,
) -> None:
    """The public key of checkpoints, to be kept with them, and those before it."""
    from console.cli import output  # noqa: PLC0415
    from console.signing import open_signer  # noqa: PLC0415
    from models.checkpoint import aloud  # noqa: PLC0415
    from models.state import House  # noqa: PLC0415

    signer = open_signer(session.house)
    state = session.desk.state("house")
    keys = state.upkeep.keys if isinstance(state, House) else {}
    if out is not None:
        session.save(Path(out), signer.public.hex() + "\n")
    if session.given.json:
        output.json({"key": signer.id, "public": signer.public.hex(), "keys": keys})
        return
    session.say(session.texts("integrity.key.now", key=signer.id), "strong")
    for line in aloud(signer.public.hex()).splitlines():
        session.say(f"  {line}")
    for name in keys:
        if name != signer.id:
            session.say(session.texts("integrity.key.before", key=name, public=keys[name]), "dim")
    if out is not None:
        session.say(session.texts("words.written", path=out), "good", stderr=True)


def key_rotate(
    session: Session,
    reason: Annotated[str, Opt("--reason", metavar="TEXT")],
    lost: Annotated[bool, Opt("--lost")] = False,
) -> None:
    """Another key takes over; the one before signs for it, unless it is lost."""
    from console.cli import report  # noqa: PLC0415
    from console.signing import rotate  # noqa: PLC0415

    session.known_actor()
    outcome = rotate(session.house, session.actor, reason, lost=lost)
    if outcome.refused is not None:
        report.refused(session, "house", outcome.refused, dict(outcome.detail))
    report.recorded(session, outcome)


def key_accept(session: Session, reason: Annotated[str, Opt("--reason", metavar="TEXT")]) -> None:
    """Somebody has looked into a key that nothing signed for: it is the right one."""
    from models.integrity import AcceptKey  # noqa: PLC0415

    session.write("house", AcceptKey, reason=reason)
