"""Reports that are owed, and what third parties owe us: report …, vendor …, instants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import Incident, Instant, Reason, Text
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from models.obligation import Obligation as Owed
    from models.state import Incident as State

Opt = typer.Option
Obligation = Annotated[str, typer.Argument(metavar="ID")]
StageName = Annotated[str, typer.Argument(metavar="STAGE")]
Receipt = Annotated[str, Opt("--receipt", metavar="TEXT", show_default=False)]
WHAT = ("notice", "logs")
ANSWERS = ("yes", "no")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    report = typer.Typer(no_args_is_help=True)
    reads(report, "list")(report_list)
    reads(report, "show")(report_show)
    writes(report, "judge")(report_judge)
    writes(report, "draft")(report_draft)
    writes(report, "submit")(report_submit)
    writes(report, "correct")(report_correct)
    writes(report, "situation")(report_situation)
    app.add_typer(report, name="report")
    vendor = typer.Typer(no_args_is_help=True)
    writes(vendor, "asked")(vendor_asked)
    writes(vendor, "answered")(vendor_answered)
    writes(vendor, "not-due")(vendor_not_due)
    reads(vendor, "list")(vendor_list)
    app.add_typer(vendor, name="vendor")
    reads(app, "instants")(instants)


def report_list(session: Session, incident: Incident) -> None:
    """Every report that may be owed: judged or not, its deadlines, what was submitted."""
    session.part(incident, "reports")


def report_show(session: Session, incident: Incident, obligation: Obligation) -> None:
    """How each deadline of a report came about: rule, anchor, counting, calendar, days passed over."""
    from console.cli import output  # noqa: PLC0415
    from console.views import reports as view  # noqa: PLC0415

    state = session.incident(incident)
    naming = session.naming(state)
    one = _find(session, state, obligation)
    if session.given.json:
        output.json(view.as_json(one, state, naming))
    else:
        output.show([view.section([one], state, naming), view.basis(one, state, naming)])


def _find(session: Session, state: State, name: str, stage: str | None = None) -> Owed:
    """The obligation in force of this name, which has this stage; refused with what there is instead."""
    from console.cli import report  # noqa: PLC0415
    from models.clocks.owed import find_obligation, obligations  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    world = session.desk.world(state)
    one = find_obligation(state, world, name.upper())
    if one is None:
        known = [each.id for each in obligations(state, world)]
        report.refused(session, state.stream, Reason.NO_SUCH_OBLIGATION, {"obligation": name, "known": known})
    if stage is not None and one.stage(stage) is None:
        stages = [each.id for each in one.stages]
        detail = {"item": f"{one.id}/{stage}", "known": stages}
        report.refused(session, state.stream, Reason.NO_SUCH_ITEM, detail)
    return one


def report_judge(
    session: Session,
    incident: Incident,
    obligation: Obligation,
    applicable: Annotated[str, Opt("--applicable", metavar="yes|no")],
    reason: Reason,
) -> None:
    """Judge whether a report is owed; the rule only proposes."""
    from models.reports import JudgeObligation  # noqa: PLC0415

    session.one_of(applicable, ANSWERS, "--applicable")
    session.write(
        session.stream(incident),
        JudgeObligation,
        obligation=obligation.upper(),
        applicable=applicable == "yes",
        reason=reason,
    )


def report_draft(
    session: Session,
    incident: Incident,
    obligation: Obligation,
    stage: StageName,
    out: Annotated[Path | None, Opt("--out", metavar="FILE", show_default=False)] = None,
) -> None:
    """Draft a report from the record, gaps marked. Nothing is ever sent."""
    from console.cli import output  # noqa: PLC0415
    from console.reporting import MEDIA, make_draft  # noqa: PLC0415
    from console.views.sheet import Line, printable  # noqa: PLC0415
    from models.reports import DraftReport  # noqa: PLC0415

    state = session.incident(incident)
    session.known_actor()
    one = _find(session, state, obligation, stage)
    made = make_draft(session.house, state, one.id, stage, session.given.lang)
    text, digest = made.body.decode(), made.digest
    outcome = session.ask(
        state.stream, DraftReport, beside=[(made, MEDIA)], obligation=one.id, stage=stage, document=digest
    )
    if out is not None:
        session.save(out, text)
    if session.given.json:
        output.json({"incident": state.stream, "document": digest, "text": text, "facts": len(outcome.facts)})
        return
    if out is None:
        output.show([Line(text=line) for line in printable(text, 40_000)])
    else:
        session.say(session.texts("clocks.report.kept", path=out), "good")
    session.say(session.texts("clocks.report.draft_note"), "warn")


def report_submit(
    session: Session,
    incident: Incident,
    obligation: Obligation,
    stage: StageName,
    at: Instant = None,
    receipt: Receipt = "",
) -> None:
    """A report was sent: when, by whom, with which receipt."""
    _submit(session, incident, obligation, stage, at, receipt, update=False)


def report_correct(
    session: Session,
    incident: Incident,
    obligation: Obligation,
    stage: StageName,
    at: Instant = None,
    receipt: Receipt = "",
) -> None:
    """A correction or update of a report was sent; the earlier one stays."""
    _submit(session, incident, obligation, stage, at, receipt, update=True)


def _submit(  # noqa: PLR0913 - the fields of the command
    session: Session,
    incident: str,
    obligation: str,
    stage: str,
    at: str | None,
    receipt: str,
    *,
    update: bool,
) -> None:
    from models.reports import SubmitReport  # noqa: PLC0415

    session.write(
        session.stream(incident),
        SubmitReport,
        obligation=obligation.upper(),
        stage=stage,
        instant=session.instant(at, "--at"),
        receipt=receipt,
        update=update,
    )


def report_situation(session: Session, incident: Incident, text: Text) -> None:
    """A situation report was given; the clock of the next one starts."""
    from models.reports import ReportSituation  # noqa: PLC0415

    session.write(session.stream(incident), ReportSituation, text=text)


# -- third parties ------------------------------------------------------------------------------------------

Party = Annotated[str, typer.Argument(metavar="PARTY")]
What = Annotated[str, typer.Argument(metavar="notice|logs")]


def vendor_asked(session: Session, incident: Incident, party: Party, what: What, at: Instant = None) -> None:
    """A third party was asked for what its contract promises; its clock starts."""
    _vendor(session, incident, party, what, at, answered=False)


def vendor_answered(
    session: Session, incident: Incident, party: Party, what: What, at: Instant = None
) -> None:
    """It has answered."""
    _vendor(session, incident, party, what, at, answered=True)


def _vendor(
    session: Session, incident: str, party: str, what: str, at: str | None, *, answered: bool
) -> None:
    from models.reports import VendorFact  # noqa: PLC0415

    session.one_of(what, WHAT, "notice|logs")
    session.write(
        session.stream(incident),
        VendorFact,
        party=party,
        what=what,
        answered=answered,
        instant=session.instant(at, "--at"),
    )


def vendor_not_due(session: Session, incident: Incident, party: Party, reason: Reason) -> None:
    """No notice is due to a third party whose asset is affected, and why."""
    from models.scope import SettleParty  # noqa: PLC0415

    session.write(session.stream(incident), SettleParty, party=party, reason=reason)


def vendor_list(session: Session, incident: Incident) -> None:
    """What third parties were asked for, and what came."""
    session.part(incident, "vendors")


def instants(session: Session, incident: Incident) -> None:
    """Every instant of the incident; one that is not known says so."""
    session.part(incident, "instants")
