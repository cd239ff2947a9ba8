"""Situation reports and inquiries: situation draft, send, show; inquiry add, show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import At, Incident
from console.cli.given import reads, writes
from console.cli.session import Session
from console.cli.writing import text_given

if TYPE_CHECKING:
    from models.state import Incident as State

Opt = typer.Option
MAX_TEXT = 8_000
ASKERS = ("customers", "press", "authority", "branch", "third-party", "staff", "other")
From = Annotated[Path | None, Opt("--from", metavar="FILE", show_default=False)]
Edit = Annotated[bool, Opt("--edit")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    situation = typer.Typer(no_args_is_help=True)
    reads(situation, "draft")(situation_draft)
    writes(situation, "send")(situation_send)
    reads(situation, "show")(situation_show)
    app.add_typer(situation, name="situation")
    inquiry = typer.Typer(no_args_is_help=True)
    writes(inquiry, "add")(inquiry_add)
    reads(inquiry, "show")(inquiry_show)
    app.add_typer(inquiry, name="inquiry")


def situation_draft(
    session: Session,
    incident: Incident,
    since: Annotated[str | None, Opt("--since", metavar="TIME", show_default=False)] = None,
    edit: Edit = False,
    out: Annotated[Path | None, Opt("--out", metavar="FILE", show_default=False)] = None,
) -> None:
    """Draft a situation report from the record. Nothing is sent."""
    from console.cli import output  # noqa: PLC0415
    from console.views.sheet import Line, printable  # noqa: PLC0415

    state = session.incident(incident)
    text = _draft(session, state, since)
    if edit:
        text = text_given(session, None, text, MAX_TEXT)
    if out is not None:
        session.save(out, text)
    if session.given.json:
        output.json({"incident": state.stream, "number": state.situations + 1, "text": text})
        return
    if out is None:
        output.show([Line(text=line) for line in printable(text, 40_000)])
    else:
        session.say(session.texts("communication.kept", path=out), "good")
    session.say(session.texts("communication.draft_note"), "warn")


def _draft(session: Session, state: State, since: str | None) -> str:
    from console.composing import draft_situation, facts_since  # noqa: PLC0415

    told = facts_since(session.house, state, session.instant(since, "--since"))
    return draft_situation(state, session.naming(state), told)


def situation_send(
    session: Session,
    incident: Incident,
    to: Annotated[list[str], Opt("--to", metavar="ROLE|PERSON|LIST")],
    from_: From = None,
    edit: Edit = False,
) -> None:
    """Send a situation report to people over their channels."""
    from models.communication import SendSituation  # noqa: PLC0415

    state = session.incident(incident)
    session.known_actor()
    draft = _draft(session, state, None) if edit else None
    text = text_given(session, from_, draft, MAX_TEXT)
    session.write(state.stream, SendSituation, text=text, to=tuple(session.person(one) for one in to))


def situation_show(
    session: Session,
    incident: Incident,
    report: Annotated[int, typer.Argument(metavar="[N]", show_default=False)] = 0,
) -> None:
    """The reports that were given, or one of them."""
    from console.cli import output  # noqa: PLC0415
    from console.views import communication as view  # noqa: PLC0415
    from console.views.sheet import Line, Section, printable  # noqa: PLC0415

    state = session.incident(incident)
    naming = session.naming(state)
    found = [one for one in state.situation_reports if report in {0, one.number}]
    if report and not found:
        known = ", ".join(str(one.number) for one in state.situation_reports) or session.texts("words.none")
        session.wrong(session.texts("communication.usage.no_report", number=report, known=known))
    texts = {one.number: naming.beside.get(one.text) for one in found}
    if session.given.json:
        output.json(
            [
                {"number": one.number, "at": one.at, "by": one.by, "to": one.to, "text": texts[one.number]}
                for one in found
            ]
        )
        return
    parts = [Line(text=view.situation_line(one, naming), style="strong") for one in found]
    if report:
        said = texts[report] or session.texts("communication.situation_disposed")
        parts += [Line(text=line) for line in printable(said, 40_000)]
    empty = [Line(text=session.texts("words.none"))]
    output.show([Section(title=session.texts("communication.title.situations"), parts=tuple(parts or empty))])


# -- inquiries ----------------------------------------------------------------------------------------------


def inquiry_add(  # noqa: PLR0913 - one option for each thing that may be said
    session: Session,
    *,
    incident: Incident,
    asker: Annotated[str, Opt("--from", metavar="WHO")],
    count: Annotated[int, Opt("--count", metavar="N", min=1)] = 1,
    topic: Annotated[str, Opt("--topic", metavar="ID", show_default=False)] = "",
    note: Annotated[str, Opt("--note", metavar="TEXT", show_default=False)] = "",
    at: At = None,
) -> None:
    """Count inquiries that came in."""
    from models.communication import AddInquiry  # noqa: PLC0415

    session.one_of(asker, ASKERS, "--from")
    session.write(
        session.stream(incident),
        AddInquiry,
        asker=asker,
        count=count,
        topic=topic,
        note=note,
        at=session.instant(at, "--at"),
    )


def inquiry_show(
    session: Session,
    incident: Incident,
    by: Annotated[str, Opt("--by", metavar="hour|day")] = "hour",
) -> None:
    """Inquiries over time, by who asked and about what."""
    from console.cli import output  # noqa: PLC0415
    from console.views import communication as view  # noqa: PLC0415

    session.one_of(by, ("hour", "day"), "--by")
    state = session.incident(incident)
    naming = session.naming(state)
    if session.given.json:
        rows = view.inquiry_rows(state, naming, by)
        counts = [{"when": at, "from": who, "topic": topic, "count": n} for at, who, topic, n in rows]
        output.json({"total": view.total(state), "by": view.by_asker(state), "counts": counts})
    else:
        output.show([view.inquiry_table(state, naming, by)])
