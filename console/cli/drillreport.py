"""After an exercise: its report, its signed result, and the findings that its improvement plan is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import Reason
from console.cli.given import reads, writes
from console.cli.groups import group
from console.cli.session import REFUSED, Session

if TYPE_CHECKING:
    from console.drill.aftermath import Aftermath

Opt = typer.Option
FORMATS = ("text", "md", "html", "json")
STREAM = "exercise"
Number = Annotated[str, typer.Argument(metavar="F-N")]
Title = Annotated[str, typer.Argument(metavar="TITLE", show_default=False)]
NewTitle = Annotated[str | None, Opt("--title", metavar="TEXT", show_default=False)]
English = Annotated[str | None, Opt("--title-en", metavar="TEXT", show_default=False)]
Capability = Annotated[str | None, Opt("--capability", metavar="NAME", show_default=False)]
Objective = Annotated[str | None, Opt("--objective", metavar="ID", show_default=False)]
Cause = Annotated[str | None, Opt("--cause", metavar="TEXT", show_default=False)]
Advice = Annotated[str | None, Opt("--recommendation", metavar="TEXT", show_default=False)]
Owner = Annotated[str | None, Opt("--owner", metavar="PERSON", show_default=False)]
Due = Annotated[str | None, Opt("--due", metavar="YYYY-MM-DD", show_default=False)]
Playbook = Annotated[str | None, Opt("--playbook", metavar="NAME", show_default=False)]
Revision = Annotated[str | None, Opt("--revision", metavar="VERSION", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    drill = group(app, "drill")
    reads(drill, "report")(drill_report)
    reads(drill, "result")(drill_result)
    finding = group(drill, "finding")
    reads(finding, "list")(finding_list)
    writes(finding, "add")(finding_add)
    writes(finding, "edit")(finding_edit)
    writes(finding, "drop")(finding_drop)


# -- report and result --------------------------------------------------------------------------------------


def drill_report(
    session: Session,
    format_: Annotated[str, Opt("--format", metavar="text|md|html|json")] = "text",
    out: Annotated[str | None, Opt("--out", metavar="FILE", show_default=False)] = None,
) -> None:
    """The after-action report, as far as the exercise has come."""
    from console.cli import output  # noqa: PLC0415
    from console.views import aar, aar_json, handbook_html, handbook_md  # noqa: PLC0415

    session.one_of(format_, FORMATS, "--format")
    if session.given.json:
        format_ = "json"
    made = _told(session)
    if format_ == "json":
        _write(session, aar_json.written(made, session.desk.directory, session.texts), out)
        return
    book = aar.report(made, session.desk.directory, session.texts)
    if format_ != "text":
        _write(session, (handbook_html.html if format_ == "html" else handbook_md.markdown)(book), out)
    elif out is not None:
        session.wrong(session.texts("scenarios.text_to_screen"))
    else:
        output.show(handbook_md.sections(book))


def drill_result(session: Session, out: Annotated[str, Opt("--out", metavar="FILE")]) -> None:
    """The signed result, for `hikeshi drill import` in production."""
    from console.cli import output  # noqa: PLC0415
    from console.drill.aftermath import aftermath  # noqa: PLC0415
    from console.signing import noted, open_signer  # noqa: PLC0415
    from models.drillresult import sign  # noqa: PLC0415
    from models.errors import BadInput  # noqa: PLC0415
    from models.scoring.result import result_of  # noqa: PLC0415

    _must_be_staff(session)
    signer = open_signer(session.house)
    # The record knows the key before its heads are taken: whoever keeps it can show whose signature it is.
    noted(session.house, signer)
    made = aftermath(session.house, session.actor)
    try:
        result = result_of(made.played, made.score, made.around)
    except BadInput as early:
        session.say(str(early), "bad", stderr=True)
        raise typer.Exit(REFUSED) from None
    session.save(Path(out), sign(result, signer).decode())
    if session.given.json:
        output.json(
            {
                "drill": result.drill,
                "written": out,
                "key": signer.id,
                "confirmed": result.confirmed(),
                "signed_off": result.signed_off is not None,
            }
        )
        return
    say = session.texts
    session.say(say("words.written", path=out), "good")
    session.say(say("aar.result.key", key=signer.id), "strong")
    if not result.confirmed():
        open_ = [one.id for one in result.objectives if one.rating is None]
        session.say(say("aar.result.unconfirmed", objectives=say("words.comma").join(open_)), "warn")
    if result.signed_off is None:
        session.say(say("aar.result.not_signed_off"), "warn")
    unowned = [one.id for one in result.findings if one.owner is None or one.due is None]
    if unowned:
        session.say(say("aar.result.unowned", findings=say("words.comma").join(unowned)), "warn")


def _write(session: Session, text: str, out: str | None) -> None:
    if out is None:
        session.echo(text)
        return
    session.save(Path(out), text)
    session.say(session.texts("words.written", path=out), "good", stderr=True)


def _told(session: Session) -> Aftermath:
    """What is told: to the staff at any time, to others of the institution once it is over and gives nothing
    away any more; to third parties only if they are of the staff."""
    from console.cli import report  # noqa: PLC0415
    from console.drill.aftermath import aftermath  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    made = aftermath(session.house, session.actor)
    outsider = session.is_vendor and (session.actor.person or "") not in made.exercise.staff
    if outsider:
        # What an exercise found is where the institution is weak.
        report.refused(session, None, Reason.THIRD_PARTY_LIMIT, {"who": session.actor.person or ""})
    if made.exercise.status not in {"ended", "aborted"}:
        _must_be_staff(session)
    return made


def _must_be_staff(session: Session) -> None:
    from console.cli import report  # noqa: PLC0415
    from models.exercise import Exercise  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    state = session.desk.state(STREAM) if session.desk.premises.drill else None
    if not isinstance(state, Exercise) or not state.seq:
        report.refused(session, None, Reason.NOT_A_DRILL, {})
    if (session.actor.person or "") not in state.staff:
        detail = {"who": session.actor.person or session.account, "needs": sorted({*state.staff.values()})}
        report.refused(session, None, Reason.NOT_STAFF, detail)


# -- findings -----------------------------------------------------------------------------------------------


def finding_list(session: Session) -> None:
    """The improvement plan, and what is proposed for it."""
    from console.cli import output  # noqa: PLC0415
    from console.views import aar, aar_json  # noqa: PLC0415

    made = _told(session)
    tell = aar.Telling(texts=session.texts, directory=session.desk.directory, made=made)
    if session.given.json:
        output.json({"findings": aar_json.findings(made), "proposals": aar_json.proposals(tell)})
    else:
        output.show(aar.listing(tell))


def finding_add(  # noqa: PLR0913 - one option for each field of a finding
    session: Session,
    *,
    title: Title = "",
    source: Annotated[str, Opt("--from", metavar="PROPOSAL", show_default=False)] = "",
    title_en: English = None,
    capability: Capability = None,
    objective: Objective = None,
    cause: Cause = None,
    recommendation: Advice = None,
    owner: Owner = None,
    due: Due = None,
    playbook: Playbook = None,
    revision: Revision = None,
) -> None:
    """A line of the improvement plan, from a proposal or anew."""
    from console.texts import texts  # noqa: PLC0415
    from console.views import aar  # noqa: PLC0415
    from models.drillfinding import AddFinding  # noqa: PLC0415

    if not source and not title:
        session.wrong(session.texts("aar.title_or_source"))
    if source:
        made = _told(session)
        found = next((one for one in made.proposals if one.source == source), None)
        if found is None:
            known = ", ".join(one.source for one in made.proposals) or session.texts("words.none")
            session.wrong(session.texts("words.usage.choice", option="--from", value=source, known=known))
        capability, objective = capability or found.capability, objective or found.objective
        if not title:
            ja, en = (
                aar.Telling(texts=texts(lang), directory=session.desk.directory, made=made).proposal(found)
                for lang in ("ja", "en")
            )
            title, title_en = ja[:300], title_en or en[:300]
    session.write(
        STREAM,
        AddFinding,
        title=title,
        title_en=title_en or "",
        capability=capability or "planning",
        objective=objective,
        cause=cause or "",
        recommendation=recommendation or "",
        owner=session.person(owner) if owner else None,
        due=session.instant(due, "--due", whole_day=True),
        playbook=playbook,
        revision=revision,
        source=source,
    )


def finding_edit(  # noqa: PLR0913 - one option for each field of a finding
    session: Session,
    *,
    number: Number,
    title: NewTitle = None,
    title_en: English = None,
    capability: Capability = None,
    objective: Objective = None,
    cause: Cause = None,
    recommendation: Advice = None,
    owner: Owner = None,
    due: Due = None,
    playbook: Playbook = None,
    revision: Revision = None,
) -> None:
    """Owner, day, cause, or what else is known of it by now."""
    from models.drillfinding import EditFinding  # noqa: PLC0415

    session.write(
        STREAM,
        EditFinding,
        finding=number,
        title=title,
        title_en=title_en,
        capability=capability,
        objective=objective,
        cause=cause,
        recommendation=recommendation,
        owner=session.person(owner) if owner else None,
        due=session.instant(due, "--due", whole_day=True),
        playbook=playbook,
        revision=revision,
    )


def finding_drop(session: Session, *, number: Number, reason: Reason) -> None:
    """It was none after all."""
    from models.drillfinding import DropFinding  # noqa: PLC0415

    session.write(STREAM, DropFinding, finding=number, reason=reason)
