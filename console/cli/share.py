"""share …: packages for those who warn others, and to whom they were given. Nothing is sent."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.cli.arguments import Incident, Instant
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from models.state import Incident as State

Opt = typer.Option
LABELS = ("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR")
OLD_LABELS = {"WHITE": "CLEAR"}
FORMATS = ("all", "stix", "csv", "md")
PARTS = ("technical", "damage")
Many = Annotated[list[str], Opt("--allow", metavar="NAME", show_default=False)]
Without = Annotated[list[str], Opt("--without", metavar="ID", show_default=False)]
Malware = Annotated[list[str], Opt("--malware", metavar="NAME", show_default=False)]
SHOWN_DIGEST = 12


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True)
    writes(group, "prepare")(share_prepare)
    writes(group, "sent")(share_sent)
    reads(group, "list")(share_list)
    app.add_typer(group, name="share")


def share_prepare(  # noqa: PLR0913 - one option for each thing that its maker decides
    session: Session,
    *,
    incident: Incident,
    tlp: Annotated[str, Opt("--tlp", metavar="LABEL")],
    out: Annotated[Path, Opt("--out", metavar="FOLDER|FILE.zip")],
    part: Annotated[str, Opt("--part", metavar="technical|damage")] = "technical",
    format_: Annotated[str, Opt("--format", metavar="all|stix|csv|md")] = "all",
    note: Annotated[str, Opt("--note", metavar="TEXT", show_default=False)] = "",
    malware: Malware = [],  # noqa: B006 - typer reads it, and nobody changes it
    without: Without = [],  # noqa: B006 - as above
    allow: Many = [],  # noqa: B006 - as above
) -> None:
    """Make a package: technical (indicators, techniques; no name of ours) or damage (what happened here)."""
    from console import sharing  # noqa: PLC0415
    from models.sharing import PrepareSharing  # noqa: PLC0415

    label = OLD_LABELS.get(tlp.upper().removeprefix("TLP:"), tlp.upper().removeprefix("TLP:"))
    session.one_of(label, LABELS, "--tlp")
    session.one_of(part, PARTS, "--part")
    session.one_of(format_, FORMATS, "--format")
    session.known_actor()
    state = session.incident(incident)
    if out.exists():
        session.wrong(session.texts("scope.usage.exists", path=out))
    if part == "technical":
        files, count = _technical(session, state, label, format_, note, malware, without)
        found = _leaks(session, state, files, allow)
    else:
        files, count, found = _damage(session, state, label), 0, ()
    digest, each = sharing.digest_of(files)
    fields: dict[str, Any] = {
        "part": part,
        "tlp": label,
        "digest": digest,
        "files": each,
        "indicators": count,
    }
    with ExitStack() as stack:
        # On record before it lies under its name: what is not on record must not lie about.
        made = _packed(session, stack, files, out) if not found else None
        outcome = session.ask(state.stream, PrepareSharing, allowed=tuple(allow), leaks=found, **fields)
        if made is not None:
            made.rename(out)
    _said(session, outcome, out, digest)


def _technical(  # noqa: PLR0913, PLR0917 - what its maker decided, as given
    session: Session, state: State, tlp: Any, form: str, note: str, malware: list[str], without: list[str]
) -> tuple[dict[str, str], int]:
    from console import sharing  # noqa: PLC0415

    left_out = frozenset(one.upper() for one in without)
    session_ids = ", ".join(sorted(left_out - set(state.scope)))
    if session_ids:
        session.wrong(session.texts("scope.usage.no_item", id=session_ids))
    plans = session.desk.world(state).plans.values()
    techniques = dict.fromkeys(one for plan in plans for one in plan.playbook.attack)
    package = sharing.Technical(
        tlp=tlp,
        made_at=session.now,
        indicators=sharing.shared_items(state.scope.values(), session.desk.texts(state.stream), left_out),
        techniques=tuple(techniques),
        malware=tuple(malware),
        note=note,
    )
    forms = sharing.FORMATS if form == "all" else (form,)
    return sharing.technical_files(package, forms), len(package.indicators)


def _leaks(session: Session, state: State, files: dict[str, str], allow: list[str]) -> tuple[str, ...]:
    from console.leaks import leaks, names  # noqa: PLC0415

    beside = session.desk.texts(state.stream)
    known = names(session.house.institution.organisation, state, beside)
    return tuple(
        session.texts(
            "scope.leak", file=file, line=line, name=name, what=session.texts(f"scope.leaks.{what}")
        )
        for file, line, what, name in leaks(files, known, allow)
    )


def _damage(session: Session, state: State, tlp: str) -> dict[str, str]:
    """What happened here and what was done: for those whom a person decides to tell it."""
    from console.export import escape  # noqa: PLC0415
    from console.views import incident as screen  # noqa: PLC0415
    from console.views import scope as view  # noqa: PLC0415
    from console.views.sheet import Line  # noqa: PLC0415

    naming = session.naming(state)
    lines = [f"TLP:{tlp}", "", f"# {escape(state.stream)} {escape(naming.text(state.title))}", ""]
    for name in ("instants", "services", "impact"):
        section = screen.part(name, state, naming)
        lines += [f"## {escape(section.title)}", ""]
        lines += [f"- {escape(one.text)}" for one in section.parts if isinstance(one, Line)] + [""]
    assets = [one for one in state.scope.values() if one.kind != "indicator"]
    lines += [f"## {escape(session.texts('words.title.scope'))}", ""]
    lines += [f"- {escape(one.text)}" for one in view.lines(assets, naming)]
    text = "\n".join([*lines, "", f"TLP:{tlp}", ""])
    return {"damage.md": text, "assets.csv": view.as_csv(assets, naming)}


def _packed(session: Session, stack: ExitStack, files: dict[str, str], out: Path) -> Path:
    from console import sharing  # noqa: PLC0415

    try:
        return stack.enter_context(sharing.packed(files, out))
    except OSError as wrong:
        session.wrong(session.texts("words.usage.unwritable", option="--out", path=out, why=wrong.strerror))


def _said(session: Session, outcome: Any, out: Path, digest: str) -> None:
    from console.cli import report  # noqa: PLC0415

    report.recorded(session, outcome)
    if not session.given.json:
        shown = digest.removeprefix("sha256:")[:SHOWN_DIGEST]
        session.say(session.texts("scope.made", path=out, digest=shown, incident=outcome.stream), "good")


def share_sent(  # noqa: PLR0913 - one option for each thing that is said of it
    session: Session,
    *,
    incident: Incident,
    number: Annotated[str, typer.Argument(metavar="SHR")],
    to: Annotated[str, Opt("--to", metavar="PARTY|TEXT")],
    via: Annotated[str, Opt("--via", metavar="TEXT")],
    message: Annotated[str, Opt("--message", metavar="MSG", show_default=False)] = "",
    at: Instant = None,
) -> None:
    """A package was given to somebody, with which approved letter; Hikeshi itself sends nothing."""
    from models.sharing import RecordShared  # noqa: PLC0415

    state = session.incident(incident)
    _must_name(session, state, number.upper(), message.upper())
    session.write(
        state.stream,
        RecordShared,
        sharing=number.upper(),
        to=to,
        via=via,
        message=message.upper(),
        instant=session.instant(at, "--at"),
    )


def _must_name(session: Session, state: State, number: str, message: str) -> None:
    """The letter names the package by its digest: its approval is then one of this very package."""
    from console.composing import read_text  # noqa: PLC0415

    sharing, letter = state.sharings.get(number), state.outgoing.get(message)
    if sharing is None or letter is None:
        return  # the rule says what is wrong
    shown = sharing.digest.removeprefix("sha256:")[:SHOWN_DIGEST]
    if not all(shown in (read_text(session.house, one.document) or "") for one in letter.versions.values()):
        session.wrong(session.texts("scope.usage.other_package", message=message, digest=shown))


def share_list(session: Session, incident: Incident) -> None:
    """The packages of an incident, and to whom they were given."""
    session.part(incident, "sharings")
