"""scope …: what is affected, where it comes from, what was done about it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from console.cli.arguments import All, At, Incident, Name, Number, Reason
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from datetime import datetime

Opt = typer.Option
Type = Annotated[str, Opt("--type", metavar="TYPE", show_default=False)]
Kind = Annotated[str, Opt("--kind", metavar="KIND", show_default=False)]
First = Annotated[str | None, Opt("--first-seen", metavar="TIME", show_default=False)]
Last = Annotated[str | None, Opt("--last-seen", metavar="TIME", show_default=False)]
Sure = Annotated[str, Opt("--confidence", metavar="WORD|0-100", show_default=False)]
From = Annotated[str, Opt("--source", metavar="TEXT", show_default=False)]
Shown = Annotated[str, Opt("--evidence", metavar="EV", show_default=False)]
Party = Annotated[str, Opt("--party", metavar="PARTY", show_default=False)]
Words = Annotated[str, Opt("--note", metavar="TEXT", show_default=False)]
Step = Annotated[str, Opt("--step", metavar="STEP", show_default=False)]
Some = Annotated[str, typer.Argument(metavar="[ID,…]", show_default=False)]
Dry = Annotated[bool, Opt("--dry-run")]
FORMATS = ("csv", "stix")
MAX_SHOWN = 200


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True)
    writes(group, "add")(scope_add)
    writes(group, "import")(scope_import)
    writes(group, "update")(scope_update)
    writes(group, "fix")(scope_fix)
    writes(group, "accept")(scope_accept)
    writes(group, "retract")(scope_retract)
    reads(group, "list")(scope_list)
    reads(group, "export")(scope_export)
    app.add_typer(group, name="scope")


def scope_add(  # noqa: PLR0913 - one option for each thing that is known of it
    session: Session,
    *,
    incident: Incident,
    kind: Annotated[str, typer.Argument(metavar="KIND")],
    name: Name,
    type_: Type = "",
    first_seen: First = None,
    last_seen: Last = None,
    confidence: Sure = "",
    source: From = "",
    evidence: Shown = "",
    party: Party = "",
    note: Words = "",
    at: At = None,
) -> None:
    """Something is affected; the same again updates the item that there is."""
    from models.scope import AddScope, NewItem  # noqa: PLC0415

    first, last = _span(session, first_seen, last_seen)
    item = NewItem(
        kind=kind,
        name=name,
        type=type_,
        first_seen=first,
        last_seen=last,
        confidence=confidence,
        source=source,
        evidence=evidence,
        party=party,
        note=note,
    )
    session.write(session.stream(incident), AddScope, items=(item,), at=session.instant(at, "--at"))


def _span(session: Session, first: str | None, last: str | None) -> tuple[datetime | None, datetime | None]:
    return session.instant(first, "--first-seen"), session.instant(last, "--last-seen")


def scope_import(
    session: Session,
    *,
    incident: Incident,
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    format_: Annotated[str, Opt("--format", metavar="csv|stix", show_default=False)] = "",
    dry_run: Dry = False,
) -> None:
    """All of a file in one transaction, or nothing; what is wrong with it is said at once."""
    import hashlib  # noqa: PLC0415

    from console import scopefile  # noqa: PLC0415
    from models.scope import AddScope  # noqa: PLC0415

    form = format_ or {".csv": "csv", ".json": "stix", ".stix": "stix"}.get(file.suffix.lower(), "")
    if form not in FORMATS:
        session.wrong(session.texts("scope.usage.format"))
    session.known_actor()
    body = _whole(session, file)
    found = (
        scopefile.from_csv(body, lambda text: _read(session, text))
        if form == "csv"
        else scopefile.from_stix(body, file.name)
    )
    stream = session.stream(incident)
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    command = {"items": tuple(found.items), "origin": form, "digest": digest}
    _say_left_out(session, found.left_out)
    if not dry_run and not found.defects:
        _take(session, stream, AddScope, command, file)
        return
    # Whatever the rules would refuse is said together with what the file itself has wrong.
    found.defects += _would_refuse(session, session.incident(incident), AddScope, command)
    if found.defects:
        _bad(session, file, found.defects)
    if session.given.json:
        from console.cli import output  # noqa: PLC0415

        output.json({"dry_run": True, "items": len(found.items), "left_out": found.left_out})
        return
    session.say(session.texts("scope.would", n=len(found.items)), "good")


def _whole(session: Session, file: Path) -> bytes:
    """The file, and one byte more than may be in it: what is cut off must not pass for the whole."""
    from console.scopefile import MAX_BYTES  # noqa: PLC0415

    if str(file) == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as wrong:
        session.wrong(session.texts("words.usage.file", option="FILE", path=file, why=wrong.strerror))


def _read(session: Session, text: str) -> datetime:
    from console.views.times import read_instant  # noqa: PLC0415

    return read_instant(text, session.zone, whole_day=False)


def _take(session: Session, stream: str, kind: Any, command: dict[str, Any], file: Path) -> None:
    """Record it; a refusal lists every line that is wrong, not the first dozen."""
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason as Why  # noqa: PLC0415

    for_ = session.person(session.given.for_) if session.given.for_ else None
    outcome = session.desk.handle(stream, kind(actor=session.actor, for_=for_, **command))
    fields = outcome.detail.get("fields")
    if outcome.refused is not None and isinstance(fields, list):
        _bad(session, file, [str(one) for one in fields])
    if outcome.refused is Why.ALREADY and command.get("origin"):
        # The same file again, as a script or a tired person gives it: nothing is new, and nothing is wrong.
        _nothing_new(session, stream)
    elif outcome.refused is not None:
        report.refused(session, stream, outcome.refused, outcome.detail)
    else:
        report.recorded(session, outcome)


def _nothing_new(session: Session, stream: str) -> None:
    from console.cli import output  # noqa: PLC0415

    if session.given.json:
        output.json({"accepted": True, "stream": stream, "facts": [], "text": session.texts("scope.no_news")})
    else:
        session.say(session.texts("scope.no_news"), "good")


def _would_refuse(session: Session, state: Any, kind: Any, command: dict[str, Any]) -> list[str]:
    from models.decide import decide  # noqa: PLC0415
    from models.errors import Refused  # noqa: PLC0415

    try:
        decide(state, kind(actor=session.actor, **command), session.desk.world(state))
    except Refused as no:
        fields = no.detail.get("fields")
        return [str(one) for one in fields] if isinstance(fields, list) else [no.reason.value]
    return []


def _say_left_out(session: Session, names: list[str]) -> None:
    from console.views.sheet import harmless  # noqa: PLC0415

    if names:
        session.say(session.texts("scope.left_out", n=len(names)), "warn", stderr=True)
        for one in names[:MAX_SHOWN]:
            session.say(f"  {harmless(one)}", "dim", stderr=True)


def _bad(session: Session, file: Path, defects: list[str]) -> NoReturn:
    """Each defect on a line of its own; exit 1, nothing recorded."""
    from console.cli import output  # noqa: PLC0415
    from console.cli.session import REFUSED  # noqa: PLC0415
    from console.views.sheet import harmless  # noqa: PLC0415

    if session.given.json:
        output.json({"accepted": False, "defects": defects})
    else:
        session.say(session.texts("scope.bad", path=file, n=len(defects)), "bad", stderr=True)
        for one in defects:
            session.say(f"  {harmless(one)}", stderr=True)
    raise typer.Exit(REFUSED)


def scope_update(  # noqa: PLR0913 - as above
    session: Session,
    *,
    incident: Incident,
    number: Number,
    first_seen: First = None,
    last_seen: Last = None,
    confidence: Sure = "",
    source: From = "",
    evidence: Shown = "",
    party: Party = "",
    note: Words = "",
) -> None:
    """Seen again, surer, whose it is; what is seen after its fix is open once more."""
    from models.scope import UpdateScope  # noqa: PLC0415

    first, last = _span(session, first_seen, last_seen)
    session.write(
        session.stream(incident),
        UpdateScope,
        id=number.upper(),
        first_seen=first,
        last_seen=last,
        confidence=confidence,
        source=source,
        evidence=evidence,
        party=party,
        note=note,
    )


def scope_fix(  # noqa: PLR0913 - one option for each way to choose items and to say what was done
    session: Session,
    *,
    incident: Incident,
    number: Some = "",
    text: Annotated[str, typer.Argument(metavar="[TEXT]", show_default=False)] = "",
    fix: Annotated[str, Opt("--fix", metavar="TEXT", show_default=False)] = "",
    step: Step = "",
    evidence: Shown = "",
    kind: Kind = "",
    type_: Type = "",
    all_: All = False,
) -> None:
    """What was done about it: in words, by a step, or shown by evidence; of one, several or all of a kind."""
    from models.scope import FixScope  # noqa: PLC0415

    session.write(
        session.stream(incident),
        FixScope,
        ids=_numbers(session, number, all_=all_),
        every=all_,
        kind=kind,
        type=type_,
        text=fix or text,
        step=step,
        evidence=evidence,
    )


def _numbers(session: Session, given: str, *, all_: bool) -> tuple[str, ...]:
    """The items named, or none for `--all`; exit 2 if it is neither or both."""
    numbers = tuple(one.strip().upper() for one in given.split(",") if one.strip())
    if bool(numbers) == all_:
        session.wrong(session.texts("scope.usage.which"))
    return numbers


def scope_accept(  # noqa: PLR0913 - as above
    session: Session,
    *,
    incident: Incident,
    number: Some = "",
    reason: Reason,
    kind: Kind = "",
    type_: Type = "",
    all_: All = False,
) -> None:
    """Its risk is accepted, and why."""
    from models.scope import AcceptScope  # noqa: PLC0415

    session.write(
        session.stream(incident),
        AcceptScope,
        ids=_numbers(session, number, all_=all_),
        every=all_,
        kind=kind,
        type=type_,
        reason=reason,
    )


def scope_retract(session: Session, incident: Incident, number: Some, reason: Reason) -> None:
    """It was a false alarm, and why that is known."""
    from models.scope import RetractScope  # noqa: PLC0415

    ids = _numbers(session, number, all_=False)
    session.write(session.stream(incident), RetractScope, ids=ids, reason=reason)


def scope_list(
    session: Session,
    incident: Incident,
    kind: Kind = "",
    open_: Annotated[bool, Opt("--open")] = False,
) -> None:
    """Everything affected, and what was done about it."""
    from console.cli import output  # noqa: PLC0415
    from console.views import scope as view  # noqa: PLC0415
    from console.views.sheet import Line, Section  # noqa: PLC0415
    from models.scope import KINDS  # noqa: PLC0415

    if kind:
        session.one_of(kind, KINDS, "--kind")
    state = session.incident(incident)
    naming = session.naming(state)
    items = view.chosen(state, kind, open_only=open_)
    if session.given.json:
        output.json(view.as_json(items, naming))
        return
    lines = tuple(view.lines(items, naming)) or (Line(text=session.texts("words.none")),)
    output.show([Section(title=session.texts("words.title.scope"), parts=lines)])


def scope_export(
    session: Session,
    incident: Incident,
    out: Annotated[Path, Opt("--out", metavar="FILE")],
    kind: Kind = "",
    open_: Annotated[bool, Opt("--open")] = False,
) -> None:
    """The scope as a table (CSV) that no spreadsheet takes for formulas."""
    from console.cli import output  # noqa: PLC0415
    from console.views import scope as view  # noqa: PLC0415

    state = session.incident(incident)
    items = view.chosen(state, kind, open_only=open_)
    session.save(out, view.as_csv(items, session.naming(state)))
    if session.given.json:
        output.json({"file": str(out), "items": len(items)})
    else:
        session.say(session.texts("scope.exported", n=len(items), path=out), "good")
