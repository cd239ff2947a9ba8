"""Reports: judged, drafted, submitted, corrected are facts of their own; nothing is sent by itself."""

from __future__ import annotations

from typing import Any

from models.clock import iso
from models.clocks.owed import find_obligation, obligations
from models.errors import Refused
from models.fact import Draft
from models.obligation import Obligation
from models.permission import require
from models.reason import Reason
from models.reports import DraftReport, JudgeObligation, ReportSituation, SubmitReport, VendorFact
from models.rules.common import (
    MAX_TITLE,
    Decided,
    earliest_report,
    must_be_open,
    must_not_have_ended,
    past,
    text,
)
from models.state import Incident
from models.world import World


def _find(state: Incident, world: World, name: str) -> Obligation:
    found = find_obligation(state, world, name)
    if found is None:
        known = [one.id for one in obligations(state, world)]
        raise Refused(Reason.NO_SUCH_OBLIGATION, {"obligation": name, "known": known})
    return found


def _stage(one: Obligation, name: str) -> str:
    stages = [stage.id for stage in one.stages]
    if name not in stages:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": f"{one.id}/{name}", "known": stages})
    return name


def _about(one: Obligation) -> dict[str, Any]:
    return {"obligation": one.id, "edition": one.edition.isoformat()}


def judge(state: Incident, command: JudgeObligation, world: World) -> Decided:
    """A person says whether the report is owed; allowed after closing too, and as often as more is known."""
    require(command, "report-judge", state, world)
    must_not_have_ended(state)
    one = _find(state, world, command.obligation)
    data = _about(one) | {"applicable": command.applicable}
    return [
        Draft(
            kind="obligation.judged",
            data=data,
            texts={"reason": text(command.reason, "reason")},
            at=command.at,
        )
    ]


def draft(state: Incident, command: DraftReport, world: World) -> Decided:
    """A draft was made from the record; a person checks and sends it."""
    require(command, "report-draft", state, world)
    must_not_have_ended(state)
    one = _find(state, world, command.obligation)
    data = _about(one) | {"stage": _stage(one, command.stage), "document": command.document}
    return [Draft(kind="report.drafted", data=data)]


def submit(state: Incident, command: SubmitReport, world: World) -> Decided:
    """A report reached its recipient: when, by whom, with which receipt. Earlier ones stay unchanged."""
    require(command, "report-submit", state, world)
    must_not_have_ended(state)
    one = _find(state, world, command.obligation)
    stage = _stage(one, command.stage)
    instant = past(command.instant or command.at or world.now, "instant", world)
    known = state.obligations.get(one.id)
    report = known.reports.get(stage) if known is not None else None
    sent = report.submitted if report is not None else []
    if command.update and not sent:
        raise Refused(Reason.NOTHING_TO_CORRECT, {"obligation": one.id, "stage": stage})
    if not command.update and sent:
        raise Refused(Reason.ALREADY, {"what": f"{one.id}/{stage}"})
    if instant < (sent[-1].at if sent else earliest_report(state)):
        raise Refused(Reason.BEFORE_START, {"field": "instant", "instant": instant.isoformat()})
    data = _about(one) | {"stage": stage, "instant": iso(instant)}
    texts = {"receipt": text(command.receipt, "receipt", MAX_TITLE)} if command.receipt.strip() else {}
    return [Draft(kind="report.updated" if command.update else "report.submitted", data=data, texts=texts)]


def situation(state: Incident, command: ReportSituation, world: World) -> Decided:
    """A situation report was given; the clock of the next one starts."""
    require(command, "situation", state, world)
    must_be_open(state, "resolved")
    data = {"number": state.situations + 1}
    return [
        Draft(kind="situation.reported", data=data, texts={"text": text(command.text, "text")}, at=command.at)
    ]


def vendor(state: Incident, command: VendorFact, world: World) -> Decided:
    """We asked a third party for what its contract promises, or it answered (FSA-2.6-B8)."""
    require(command, "vendor", state, world, "vendor-desk")
    must_not_have_ended(state)
    party = world.directory.third_party(command.party)
    if party is None:
        known = sorted(one.id for one in world.organisation.third_parties)
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.party, "known": known})
    instant = past(command.instant or command.at or world.now, "instant", world)
    data: dict[str, Any] = {"party": party.id, "what": command.what, "instant": iso(instant)}
    asked = state.vendors.get(f"{party.id}/{command.what}")
    if command.answered:
        if asked is None:
            raise Refused(
                Reason.NO_SUCH_ITEM, {"item": f"{party.id}/{command.what}", "known": sorted(state.vendors)}
            )
        if asked.answered_at is not None:
            raise Refused(Reason.ALREADY, {"what": f"{party.id}/{command.what}"})
        if instant < asked.asked_at:
            raise Refused(Reason.BEFORE_START, {"field": "instant", "instant": instant.isoformat()})
        return [Draft(kind="vendor.answered", data=data)]
    if asked is not None and asked.answered_at is None and command.instant is None and command.at is None:
        # Asked once more, they owe it no later; a time that is given corrects when they were asked.
        raise Refused(Reason.ALREADY, {"what": f"{party.id}/{command.what}"})
    contract = party.contract
    agreed = {
        "notice": contract.notification_within if contract else None,
        "logs": contract.logs_within if contract else None,
    }[command.what]
    if agreed is not None:
        data["within"] = str(int(agreed.total_seconds()))
    return [Draft(kind="vendor.asked", data=data)]
