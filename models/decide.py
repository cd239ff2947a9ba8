"""`decide`: a command meets its rule. `due`: what time alone makes true. `next_due`: when to look again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import datetime
from typing import Any

from models import answers, commands, custody, integrity, rooms
from models.access import as_known, must_act
from models.clocks.rules import clock_instants, clocks_due
from models.codes import AskCode, ask_code
from models.collecting import BeginCollection, EndCollection
from models.comcheck import StartComcheck
from models.communication import (
    AddInquiry,
    ApproveMessage,
    DraftMessage,
    EditMessage,
    RecordSending,
    RejectMessage,
    SendSituation,
    SubmitMessage,
    WithdrawMessage,
)
from models.drillfinding import AddFinding, DropFinding, EditFinding
from models.entering import EndSession, IssueToken, NoteLogin, NoteLogout, OfferLogin, RevokeToken
from models.errors import Refused
from models.exercise import (
    AbortExercise,
    AnswerQuestions,
    ConfirmAddress,
    EndExercise,
    Enrol,
    Exercise,
    FireInject,
    HotWash,
    MarkAbsent,
    Observe,
    PrepareDrill,
    PutInject,
    Rate,
    SetTiming,
    SignOff,
    SkipInject,
    SpeakFor,
    Staff,
    StartExercise,
)
from models.exporting import NoteExport, note_export
from models.fact import Draft
from models.impact import ForecastService, RecordImpact
from models.outofband import (
    ConfirmTrust,
    OpenLink,
    ProposeTrust,
    TakeReply,
    confirm,
    open_link,
    propose,
    take_reply,
)
from models.overriding import WithdrawOverride
from models.page import page_next_due
from models.programme import (
    AcceptFinding,
    CancelExercise,
    FixFinding,
    OpenFinding,
    PlanExercise,
    RecordExercise,
    ReopenFinding,
    RetestFinding,
    SignOffExercise,
)
from models.readers import AnnouncePlaybook, ReadPlaybook
from models.reason import Reason
from models.reckoning import NoteRules, note_rules
from models.reopening import DeclineReopening
from models.reports import DraftReport, JudgeObligation, ReportSituation, SubmitReport, VendorFact
from models.restoring import MoveRecord, RestoreRecord, move, restore
from models.restriction import (
    BreakGlass,
    EndGlass,
    GrantInspector,
    RecordRead,
    Restrict,
    RevokeInspector,
)
from models.routing import ask
from models.rules import (
    access,
    approving,
    collecting,
    comcheck,
    communication,
    decisions,
    declining,
    drillfinding,
    entering,
    evidence,
    exercise,
    exercise_due,
    exercise_injects,
    exercise_people,
    exercise_watching,
    findings,
    handing,
    incident,
    inspectors,
    machine,
    matter,
    others,
    overriding,
    owed,
    pages,
    playbooks,
    programme,
    readers,
    reopening,
    scope,
    services,
    sharing,
    shifts,
    steps,
    voting,
)
from models.rules.common import Decided, past, within_reach
from models.scope import AcceptScope, AddScope, FixScope, RetractScope, SettleParty, UpdateScope
from models.sharing import PrepareSharing, RecordShared
from models.shifts import SetShifts
from models.state import ENDED, OVER, House, Incident, Intake, Programme, StreamState
from models.voting import WithdrawVote
from models.world import World

Rule = Callable[[Any, Any, World], Decided]
_INCIDENT: dict[type[commands.Command], Rule] = {
    commands.Declare: incident.declare,
    commands.EndIncident: incident.end,
    commands.Merge: incident.merge,
    commands.Absorb: incident.absorb,
    commands.Link: incident.link,
    commands.Resolve: incident.resolve,
    commands.Close: incident.close,
    commands.Reopen: reopening.reopen,
    DeclineReopening: reopening.decline,
    commands.SetSeverity: incident.set_severity,
    commands.SetInstant: incident.set_instant,
    commands.AssignRole: incident.assign_role,
    commands.Note: incident.note,
    commands.Confirm: incident.confirm,
    commands.AttachAlert: incident.attach_alert,
    commands.Impair: incident.impair,
    commands.DraftReview: incident.draft_review,
    BeginCollection: collecting.begin,
    EndCollection: collecting.end,
    rooms.OpenRoom: rooms.open_room,
    commands.UsePlaybook: playbooks.use_playbook,
    commands.AddStep: steps.add_step,
    commands.SettleStep: steps.settle,
    commands.AssignStep: steps.assign,
    commands.StartStep: steps.start,
    commands.Done: steps.done,
    commands.RetryStep: steps.retry,
    commands.OverrideGate: overriding.override,
    WithdrawOverride: overriding.withdraw,
    commands.Decide: decisions.decide_step,
    commands.WithdrawDecision: decisions.withdraw,
    WithdrawVote: voting.withdraw_vote,
    answers.ApproveDecision: approving.approve,
    answers.RejectDecision: approving.reject,
    answers.AskOpinion: approving.ask_opinion,
    answers.GiveOpinion: approving.give_opinion,
    answers.HandOver: handing.hand_over,
    answers.RefuseHandOver: handing.refuse,
    answers.TimelineEntry: incident.timeline_entry,
    AskCode: ask_code,
    commands.ServiceFact: services.service_fact,
    ForecastService: services.forecast,
    RecordImpact: services.record_impact,
    JudgeObligation: owed.judge,
    DraftReport: owed.draft,
    SubmitReport: owed.submit,
    ReportSituation: owed.situation,
    VendorFact: owed.vendor,
    DraftMessage: communication.draft,
    EditMessage: communication.edit,
    SubmitMessage: communication.submit,
    ApproveMessage: communication.approve,
    RejectMessage: communication.reject,
    RecordSending: communication.record_sending,
    WithdrawMessage: communication.withdraw,
    SendSituation: communication.send_situation,
    AddInquiry: communication.add_inquiry,
    SetShifts: shifts.set_shifts,
    commands.AddEvidence: evidence.add_evidence,
    custody.TransferEvidence: evidence.transfer,
    custody.VerifyEvidence: evidence.verify,
    custody.HoldEvidence: evidence.hold,
    custody.DisposeEvidence: evidence.dispose,
    custody.RecordRemoval: evidence.removal,
    custody.DisposeTexts: evidence.dispose_texts,
    commands.ScopeFact: scope.scope_fact,
    AddScope: scope.add,
    UpdateScope: scope.update,
    FixScope: scope.fix,
    AcceptScope: scope.accept,
    RetractScope: scope.retract,
    SettleParty: scope.settle_party,
    PrepareSharing: sharing.prepare,
    RecordShared: sharing.record_shared,
    Restrict: access.restrict,
    BreakGlass: access.break_glass,
    EndGlass: access.end_glass,
    RecordRead: access.record_read,
    commands.SetRecoveryPoint: matter.set_recovery_point,
    commands.AddImprovement: matter.add_improvement,
    commands.ClaimStep: machine.claim,
    commands.FinishStep: machine.finish,
    commands.Reclaim: machine.reclaim,
    commands.DraftNotice: machine.draft_notice,
}
_PAGES: dict[type[commands.Command], Rule] = {
    commands.Acknowledge: pages.acknowledge,
    commands.Delegate: pages.delegate,
    answers.Decline: declining.decline,
    commands.MarkDelivery: pages.mark_delivery,
}
_INTAKE: dict[type[commands.Command], Rule] = {
    commands.ReceiveAlert: others.receive,
    commands.CountAlert: others.count,
    commands.SettleAlert: others.settle,
}
_HOUSE: dict[type[commands.Command], Rule] = {
    commands.RecordRefusal: others.refuse,
    commands.NodeFact: others.node,
    commands.Quarantined: others.quarantine,
    commands.Impair: others.impair,
    custody.RecordRound: evidence.record_round,
    ProposeTrust: propose,
    ConfirmTrust: confirm,
    OpenLink: open_link,
    TakeReply: take_reply,
    integrity.NoteKey: integrity.note_key,
    integrity.AcceptKey: integrity.accept_key,
    integrity.NoteAnchor: integrity.note_anchor,
    integrity.NoteClock: integrity.note_clock,
    RestoreRecord: restore,
    MoveRecord: move,
    NoteExport: note_export,
    NoteRules: note_rules,
    GrantInspector: inspectors.grant,
    RevokeInspector: inspectors.revoke,
    IssueToken: entering.issue,
    RevokeToken: entering.revoke,
    OfferLogin: entering.offer,
    NoteLogin: entering.note_login,
    NoteLogout: entering.note_logout,
    EndSession: entering.end_session,
}
_PROGRAMME: dict[type[commands.Command], Rule] = {
    commands.OpenImprovement: others.open_improvement,
    commands.EndImprovement: others.end_improvement,
    AnnouncePlaybook: readers.announce,
    ReadPlaybook: readers.read,
    StartComcheck: comcheck.start,
    PlanExercise: programme.plan,
    RecordExercise: programme.record,
    CancelExercise: programme.cancel,
    SignOffExercise: programme.sign_off,
    OpenFinding: findings.open_finding,
    FixFinding: findings.fix,
    RetestFinding: findings.retest,
    AcceptFinding: findings.accept,
    ReopenFinding: findings.reopen,
}
_EXERCISE: dict[type[commands.Command], Rule] = {
    PrepareDrill: exercise.prepare,
    Staff: exercise_people.staff,
    Enrol: exercise_people.enrol,
    ConfirmAddress: exercise_people.confirm,
    MarkAbsent: exercise_people.mark_absent,
    StartExercise: exercise.start,
    SetTiming: exercise.set_timing,
    FireInject: exercise_injects.fire,
    SkipInject: exercise_injects.skip,
    PutInject: exercise_injects.put,
    SpeakFor: exercise_injects.speak,
    Observe: exercise_watching.observe,
    Rate: exercise_watching.rate,
    HotWash: exercise_watching.hot_wash,
    AnswerQuestions: exercise_watching.answer,
    EndExercise: exercise.end,
    AbortExercise: exercise.abort,
    SignOff: exercise.sign_off,
    AddFinding: drillfinding.add_finding,
    EditFinding: drillfinding.edit_finding,
    DropFinding: drillfinding.drop_finding,
}
_RULES: dict[type[StreamState], dict[type[commands.Command], Rule]] = {
    Incident: _INCIDENT | _PAGES,
    Intake: _INTAKE | _PAGES,
    House: _HOUSE | _PAGES,
    Programme: _PROGRAMME | _PAGES,
    Exercise: _EXERCISE | _PAGES,
}


def decide(state: StreamState, command: commands.Command, world: World) -> Decided:
    """The facts that answer the command. Raises Refused with the named reason; nothing is written then."""
    rule = _RULES[type(state)].get(type(command))
    if rule is None:
        raise Refused(Reason.NO_SUCH_INCIDENT, {"incident": state.stream})
    if isinstance(state, Incident) and state.seq == 0 and not isinstance(command, commands.Declare):
        raise Refused(Reason.NO_SUCH_INCIDENT, {"incident": state.stream})
    must_act(state, command, world)
    _check_times(command, world)
    return rule(as_known(state, command, world), command, world)


def _check_times(command: commands.Command, world: World) -> None:
    """Every time that somebody gives has a zone, and what happened did not happen in the future."""
    for name in _names_of(command):
        value = getattr(command, name)
        if isinstance(value, datetime) and value.tzinfo is None:
            wrong = f"{name}: {value.isoformat()} has no zone; write it with an offset, such as +09:00"
            raise Refused(Reason.FIELD_WRONG, {"fields": [wrong]})
        if isinstance(value, datetime) and not within_reach(value, world.now):
            wrong = f"{name}: {value.isoformat()} is out of this century's reach; check the year"
            raise Refused(Reason.FIELD_WRONG, {"fields": [wrong]})
    if command.at is not None:
        past(command.at, "at", world)


_FIELDS: dict[type[commands.Command], tuple[str, ...]] = {}


def _names_of(command: commands.Command) -> tuple[str, ...]:
    """The names of its fields, kept for its type: there are some hundred types."""
    found = _FIELDS.get(type(command))
    if found is None:
        found = _FIELDS[type(command)] = tuple(field.name for field in fields(command))
    return found


def due(state: StreamState, world: World) -> list[Draft]:
    """What time alone makes true at `world.now`; the caller advances, then asks again until it is empty."""
    drafts = [draft for page in state.pages.values() for draft in pages.page_due(state, page, world)]
    if isinstance(state, Incident):
        drafts += _steps_due(state, world) if state.status not in OVER else ()
        drafts += clocks_due(state, world) if state.status not in ENDED else ()
        drafts += [*shifts.shifts_due(state, world), *access.glass_due(state, world)]
    elif isinstance(state, Intake):
        drafts += _alerts_due(state, world)
    elif isinstance(state, Programme):
        drafts += [*_improvements_due(state, world), *readers.reading_due(state, world)]
        drafts += [*comcheck.comchecks_due(state, world), *findings.findings_due(state, world)]
    elif isinstance(state, Exercise):
        drafts += exercise_due.exercise_due(state, world)
    return drafts


def _steps_due(state: Incident, world: World) -> Iterator[Draft]:
    for known in state.steps.values():
        late = known.limit_at is not None and known.limit_at <= world.now and not known.overdue
        if late and known.status in {"ready", "started"}:
            yield Draft(kind="step.overdue", data={"step": known.key, "reason": Reason.LIMIT_PASSED.value})
            yield from ask(world, state, "step-overdue", f"step:{known.key}")
            yield from _vote_again(state, known.key, world)
        if known.status == "started" and known.lease_until is not None and known.lease_until <= world.now:
            yield from machine.crashed(state, known, world)


def _vote_again(state: Incident, key: str, world: World) -> Iterator[Draft]:
    """A vote that is late pages everybody who has not voted, also those who said that they have it."""
    planned = world.step(state, key)
    if planned is not None and planned.step.quorum is not None:
        yield from ask(world, state, "decision", f"step:{key}")


def _alerts_due(state: Intake, world: World) -> Iterator[Draft]:
    for alert in state.alerts.values():
        if alert.overdue_at is not None and alert.overdue_at <= world.now:
            yield Draft(kind="alert.overdue", data={"id": alert.id})
            yield from ask(world, state, "triage-overdue", f"alert:{alert.id}")


def _improvements_due(state: Programme, world: World) -> Iterator[Draft]:
    for one in state.improvements.values():
        if one.status != "open":
            continue
        if one.due <= world.now and not one.overdue:
            yield Draft(kind="improvement.overdue", data={"id": one.id})
            yield from ask(world, state, "improvement-overdue", f"improvement:{one.id}")
        elif not one.reminded and one.remind_at <= world.now < one.due:
            yield Draft(kind="improvement.reminded", data={"id": one.id})
            yield findings.reminder(state, f"improvement:{one.id}", one.owner, world)


def next_due(state: StreamState) -> datetime | None:
    """The next instant at which `due` says something; an indexed column, so that a tick costs what is due."""
    # Most pages of a long record are over, and this is asked after every command.
    instants = [page_next_due(page) for page in state.pages.values() if page.state != "stopped"]
    if isinstance(state, Incident):
        for known in state.steps.values() if state.status not in OVER else ():
            if known.status in {"ready", "started"} and not known.overdue:
                instants.append(known.limit_at)
            if known.status == "started":
                instants.append(known.lease_until)
        instants += clock_instants(state) if state.status not in ENDED else ()
        instants += [*shifts.shift_instants(state), *access.glass_instants(state)]
    elif isinstance(state, Intake):
        instants += [alert.overdue_at for alert in state.alerts.values()]
    elif isinstance(state, Programme):
        instants += [*_improvement_instants(state), *readers.reading_instants(state)]
        instants += [*comcheck.comcheck_instants(state), *findings.finding_instants(state)]
    elif isinstance(state, Exercise):
        instants += exercise_due.exercise_instants(state)
    return min((one for one in instants if one is not None), default=None)


def _improvement_instants(state: Programme) -> Iterator[datetime]:
    for one in state.improvements.values():
        if one.status == "open" and not one.overdue:
            yield one.due if one.reminded else min(one.remind_at, one.due)
