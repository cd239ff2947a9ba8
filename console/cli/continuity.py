"""relay …, restore: what leaves this host besides, and going on from it on another machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from console.cli.given import reads
from console.cli.session import REFUSED, Session

if TYPE_CHECKING:
    from console.restore.restoring import Restored
    from console.restore.staging import Found
    from models.relaying import RelaySink

Opt = typer.Option
Sink = Annotated[str | None, typer.Argument(metavar="SINK", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True)
    reads(group, "now")(relay_now)
    reads(group, "status")(relay_status)
    app.add_typer(group, name="relay")
    reads(app, "restore")(restore)
    reads(app, "move")(move)


def relay_now(session: Session, sink: Sink = None) -> None:
    """Send what waits to the second path, without a node; exit 1 if a sink did not take all of it."""
    from console.cli import output  # noqa: PLC0415
    from console.relay import RelayBusy, flush, sending  # noqa: PLC0415

    session.known_actor()
    chosen = _chosen(session, sink)
    answers: list[dict[str, Any]] = []
    try:
        with sending(session.house):
            for one in chosen:
                sent, error = flush(session.house, one)
                answers.append({"name": one.name, "sent": sent, "error": error})
    except RelayBusy:
        _show_status(session, chosen)
        session.say(session.texts("relay.busy"), "warn", stderr=True)
        raise typer.Exit(REFUSED) from None
    if session.given.json:
        output.json(answers)
    else:
        for answer in answers:
            key, style = ("relay.failed", "bad") if answer["error"] else ("relay.sent", "good")
            session.say(session.texts(key, **answer), style)
    if any(answer["error"] for answer in answers):
        raise typer.Exit(REFUSED)


def relay_status(session: Session, sink: Sink = None) -> None:
    """How far the second path has come; exit 1 if a sink fails."""
    if not _show_status(session, _chosen(session, sink)):
        raise typer.Exit(REFUSED)


def _chosen(session: Session, name: str | None) -> list[RelaySink]:
    """The sinks that are meant; exit 2 with advice if there are none."""
    sinks = session.house.institution.settings.relay
    if name is not None:
        session.one_of(name, tuple(one.name for one in sinks), "SINK")
    return [one for one in sinks if name in {None, one.name}]


def _show_status(session: Session, chosen: list[RelaySink]) -> bool:
    """Show it; whether all is well."""
    from console.cli import output  # noqa: PLC0415

    found = _sinks(session, chosen)
    if session.given.json:
        output.json([_as_json(one) for one in found])
    elif not found:
        session.say(session.texts("relay.none"), "warn")
    else:
        output.show([line for one in found for line in _lines(session, one)])
    return not any(one["error"] for one in found)


def _sinks(session: Session, chosen: Sequence[RelaySink]) -> list[dict[str, Any]]:
    from console.relay import place_of, status  # noqa: PLC0415

    directory = session.house.institution.directory
    places = {one.name: place_of(one, directory) for one in chosen}
    return [one | {"place": places[one["name"]]} for one in status(session.house) if one["name"] in places]


def sinks_json(session: Session) -> list[dict[str, Any]]:
    """How far each sink of the second path has come, for programs."""
    return [_as_json(one) for one in _sinks(session, session.house.institution.settings.relay)]


def sink_lines(session: Session) -> list[Any]:
    """The same for people."""
    found = _sinks(session, session.house.institution.settings.relay)
    return [line for one in found for line in _lines(session, one)]


def _as_json(one: dict[str, Any]) -> dict[str, Any]:
    from console.relay import instant  # noqa: PLC0415
    from models.clock import iso  # noqa: PLC0415

    at = instant(one["marked_at"])
    return one | {"marked_at": iso(at) if at else None}


def _lines(session: Session, one: dict[str, Any]) -> list[Any]:
    from console.relay import instant  # noqa: PLC0415
    from console.views.sheet import Line  # noqa: PLC0415
    from console.views.times import Times  # noqa: PLC0415

    say = session.texts
    at = instant(one["marked_at"])
    times = Times(zone=session.zone, texts=say)
    last = times.at(at, seconds=True) if at else say("relay.never")
    words = [say("relay.with_texts" if one["texts"] else "relay.without_texts")]
    words += [say("relay.sealed")] if one["sealed"] else []
    shown = one | {"last": last, "what": say("words.comma").join(words)}
    lines = [Line(text=say("relay.line", **shown), style="bad" if one["error"] else "good")]
    if one["error"]:
        lines.append(Line(text=say("relay.error", error=one["error"]), style="bad", indent=1))
    return lines


def restore(  # noqa: PLR0913 - one option for each thing that is brought from elsewhere
    session: Session,
    source: Annotated[str, typer.Argument(metavar="SOURCE")],
    *,
    take_over: Annotated[str, Opt("--take-over", metavar="REASON")],
    into: Annotated[str | None, Opt("--into", metavar="DIR", show_default=False)] = None,
    identity: Annotated[str | None, Opt("--identity", metavar="FILE", show_default=False)] = None,
    checkpoint: Annotated[list[str] | None, Opt("--checkpoint", metavar="FILE", show_default=False)] = None,
    key: Annotated[list[str] | None, Opt("--key", metavar="HEX|FILE", show_default=False)] = None,
) -> None:
    """Go on with a record from its second path or an archive: all of it is verified, then written at once."""
    from console.cli import output, report  # noqa: PLC0415
    from console.restore import restoring  # noqa: PLC0415
    from models.errors import BadInput, NotFound, Refused  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    if into is not None:
        session = Session(replace(session.given, directory=into, house=None))
    brought = restoring.Brought(
        unseal=_unseal(session, identity),
        kept=_kept(session, checkpoint or [], key or []),
        told=partial(_behind, session),
    )
    if session.actor.person is None:
        # Not recorded: a refusal in the new record would keep the old one out of it.
        report.refused(session, None, Reason.UNKNOWN_PERSON, {"who": session.account})
    try:
        done = restoring.restore(session.house, Path(source), session.actor, take_over, brought)
    except restoring.CannotRestore as wrong:
        _defects(session, wrong.defects)
    except (BadInput, NotFound) as wrong:
        _defects(session, [str(wrong)])
    except Refused as no:
        report.refused(session, None, no.reason, no.detail)
    if session.given.json:
        output.json(done.as_json())
    else:
        output.show(_told(session, done))


def _kept(session: Session, checkpoints: list[str], keys: list[str]) -> Any:
    """What lay elsewhere; None if nothing is given."""
    from console.verify import Unreadable, keep  # noqa: PLC0415

    if not checkpoints and not keys:
        return None
    try:
        return keep(checkpoints, keys)
    except (Unreadable, OSError) as wrong:
        session.wrong(str(wrong))


def _behind(session: Session, found: Found) -> None:
    """Before anything is written: what nothing but its own chain vouches for."""
    name = "behind" if found.signed_by else "never_signed"
    session.say(session.texts(f"relay.{name}", n=found.behind, key=found.signed_by), "warn", stderr=True)


def _unseal(session: Session, identity: str | None) -> Any:
    """What opens sealed segments; the key is read from a file and goes nowhere else."""
    from models.errors import BadInput  # noqa: PLC0415
    from notifiers.relay.sealing import opener  # noqa: PLC0415

    if identity is None:
        return None
    text = session.read(Path(identity), "--identity").decode("utf-8", "replace")
    keys = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        return opener(keys)
    except BadInput as wrong:
        session.wrong(f"--identity {identity}: {wrong}")


def _defects(session: Session, defects: list[str]) -> NoReturn:
    from console.cli import output  # noqa: PLC0415

    if session.given.json:
        output.json({"ok": False, "defects": defects})
    else:
        for one in defects:
            session.say(one, "bad", stderr=True)
        session.say(session.texts("relay.not_restored"), "bad", stderr=True)
    raise typer.Exit(REFUSED)


def _told(session: Session, done: Restored) -> list[Any]:
    from console.views.sheet import Line  # noqa: PLC0415
    from console.views.times import Times  # noqa: PLC0415

    say, figures = session.texts, done.as_json()
    last = Times(zone=session.zone, texts=say).at(done.last_at, seconds=True)
    lines = [Line(text=say("relay.restored", last=last, **figures), style="good")]
    lines += [Line(text=say("relay.queued", **figures), style="warn")] if done.queued else []
    for name in ("texts_missing", "documents_missing", "torn", "unsigned"):
        if figures[name]:
            lines.append(Line(text=say(f"relay.{name}", n=figures[name]), style="warn"))
    return [*lines, Line(text=say("relay.one_alone"), style="bad")]


def move(
    session: Session,
    *,
    to: Annotated[str, Opt("--to", metavar="URL")],
    reason: Annotated[str, Opt("--reason", metavar="TEXT")],
    password: Annotated[str | None, Opt("--password", metavar="SECRET", show_default=False)] = None,
) -> None:
    """Go on with the record in PostgreSQL: all of it is copied and verified there, then it counts."""
    from console.cli import output, report  # noqa: PLC0415
    from console.restore import moving  # noqa: PLC0415
    from models.errors import Refused  # noqa: PLC0415

    session.known_actor()
    try:
        done = moving.move(session.house, moving.Target(url=to, password=password), session.actor, reason)
    except moving.CannotMove as wrong:
        if session.given.json:
            output.json({"ok": False, "defects": wrong.defects})
        else:
            for one in wrong.defects:
                session.say(one, "bad", stderr=True)
            session.say(session.texts("moving.not_moved"), "bad", stderr=True)
        raise typer.Exit(REFUSED) from None
    except Refused as no:
        report.refused(session, None, no.reason, no.detail)
    if session.given.json:
        output.json(done.as_json())
        return
    session.say(session.texts("moving.moved", **done.as_json()), "good")
    session.say(session.texts("moving.next"), "warn")
    for line in done.settings:
        session.say(session.texts("moving.line", line=line))
    session.say(session.texts("moving.kept", path=done.source))
