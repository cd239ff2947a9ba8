"""Facts of the course of an incident, read back as commands: pages, steps, decisions, opening and ending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models.answers import (
    ApproveDecision,
    AskOpinion,
    Decline,
    GiveOpinion,
    HandOver,
    RefuseHandOver,
    RejectDecision,
    TimelineEntry,
)
from models.commands import (
    Absorb,
    Acknowledge,
    AddStep,
    AssignRole,
    AssignStep,
    AttachAlert,
    ClaimStep,
    Close,
    Command,
    Confirm,
    Decide,
    Declare,
    Delegate,
    Done,
    DraftNotice,
    DraftReview,
    EndIncident,
    FinishStep,
    Impair,
    Link,
    MarkDelivery,
    Merge,
    Note,
    OverrideGate,
    Reclaim,
    Reopen,
    Resolve,
    RetryStep,
    SetInstant,
    SetSeverity,
    SettleStep,
    StartStep,
    UsePlaybook,
    WithdrawDecision,
)
from models.overriding import WithdrawOverride
from models.reopening import DeclineReopening
from models.replay.matter import items_of
from models.replay.past import Group, instant, seconds
from models.rooms import OpenRoom
from models.shifts import PlannedShift, SetShifts
from models.values import parse_duration
from models.voting import WithdrawVote
from models.world import ADDED

Build = Callable[[Group], Command]


# -- the incident as a whole --------------------------------------------------------------------------------


def _declare(g: Group) -> Command:
    severity = g.of("severity.set")[0].data
    by_matrix: dict[str, Any] = {name: severity[name] for name in ("impact", "urgency") if name in severity}
    instants = {one.data["name"]: instant(one.data["instant"]) for one in g.of("instant.set")}
    named = [one.data for one in g.of("incident.restricted")]
    for one in g.of("playbook.added"):
        g.freezes[one.data["playbook"]] = one.data["digest"]
    return Declare(
        **g.base,
        text=g.text("title"),
        source=g.data["source"],
        playbooks=tuple(one.data["playbook"] for one in g.of("playbook.added")),
        alerts=tuple(g.data.get("alerts", ())),
        services=tuple(one.data["service"] for one in g.of("service.impacted")),
        occurred=instants.get("occurred"),
        detected=instants.get("detected"),
        restricted=bool(named) and "playbook" not in named[0],
        bar=tuple(named[0]["barred"]) if named else (),
        **(by_matrix or {"severity": severity["severity"]}),
    )


def _ended(g: Group) -> Command:
    how: Any = g.main.kind.removeprefix("incident.")
    return EndIncident(**g.base, how=how, reason=g.text("reason"))


def _absorbed(g: Group) -> Command:
    graver = g.of("severity.set")
    return Absorb(
        **g.base,
        other=g.data["from"],
        alerts=tuple(g.data["alerts"]),
        severity=graver[0].data["severity"] if graver else None,
        restricted=g.past.restricted,
    )


def _severity(g: Group) -> Command:
    by_matrix: dict[str, Any] = {name: g.data[name] for name in ("impact", "urgency") if name in g.data}
    chosen = by_matrix or {"severity": g.data["severity"]}
    return SetSeverity(**g.base, reason=g.text("reason"), **chosen)


def _reopened(g: Group) -> Command:
    phase = next((one.data["phase"] for one in g.of("phase.reopened")), None)
    return Reopen(**g.base, reason=g.text("reason"), phase=phase)


def _note(g: Group) -> Command:
    said_by, source = g.text("said_by"), g.text("source")
    if said_by or source:
        return TimelineEntry(**g.base, text=g.text("text"), said_by=said_by, source=source)
    return Note(**g.base, text=g.text("text"))


def _confirmed(g: Group) -> Command:
    g.refs["fact"] = g.data["fact"]
    return Confirm(**g.base, fact=g.data["fact"])


def _impaired(g: Group) -> Command:
    mended = g.main.kind == "machine.recovered"
    return Impair(**g.base, what=g.data["what"], detail=g.data.get("detail", ""), mended=mended)


def _shifts(g: Group) -> Command:
    planned = tuple(
        PlannedShift(
            role=one["role"],
            person=one["person"],
            since=_instant(one["since"]),
            until=_instant(one["until"]),
        )
        for one in g.data["shifts"]
    )
    return SetShifts(**g.base, shifts=planned, roles=tuple(g.data["roles"]), rest=g.data["rest"])


def _instant(text: str) -> Any:
    return instant(text)


def _playbook(how: Any) -> Build:
    def build(g: Group) -> Command:
        # A playbook that only some may know of restricts first: that fact is about the same act.
        data = next(one for one in g.facts if one.kind.startswith("playbook.")).data
        if "digest" in data:
            g.freezes[data["playbook"]] = data["digest"]
        return UsePlaybook(**g.base, how=how, playbook=data["playbook"], reason=g.text("reason", data))

    return build


def _room(g: Group) -> Command:
    return OpenRoom(
        **g.base,
        via=g.data["via"],
        address=g.data["address"],
        name=g.data["name"],
        private=g.data["private"],
        replaces=g.data.get("replaces", ""),
    )


# -- pages --------------------------------------------------------------------------------------------------


def _acknowledged(g: Group) -> Command:
    g.refs["page"] = g.data["page"]
    return Acknowledge(**g.base, page=g.data["page"])


def _declined(g: Group) -> Command:
    g.refs["page"] = g.data["page"]
    return Decline(**g.base, page=g.data["page"], reason=g.text("reason"))


def _delegated(g: Group) -> Command:
    g.refs["page"] = g.data["page"]
    to, until = g.data.get("absent", g.data["to"]), _instant(g.data["until"])
    return Delegate(**g.base, page=g.data["page"], to=to, until=until)


def _delivery(g: Group) -> Command:
    """The key names the fact that asked for the message, and the level in a word of its own."""
    data = g.data
    cause, level = data["key"].split("/")[1:3]
    g.refs |= {"key": int(cause)} | ({"page": data["page"]} if data.get("page") else {})
    digits = level.removesuffix("-again")
    outcome: Any = g.main.kind.removeprefix("message.")
    return MarkDelivery(
        **g.base,
        key=data["key"],
        outcome=outcome,
        page=data.get("page", 0),
        level=int(digits) if digits.isdigit() else 0,
        channel=data["channel"],
        person=data.get("person"),
        tries=data["tries"],
        detail=data.get("detail", ""),
        further=tuple(data.get("further", ())),
        reached=data.get("reached", False),
    )


# -- steps --------------------------------------------------------------------------------------------------


def _started(g: Group) -> Command:
    if "node" not in g.data:
        return StartStep(**g.base, step=g.data["step"], take="taken_from" in g.data)
    lease = _instant(g.data["lease_until"]) - g.main.recorded_at
    return ClaimStep(
        **g.base,
        step=g.data["step"],
        node=g.data["node"],
        epoch=g.data["epoch"],
        lease=seconds(lease),
    )


def _done(g: Group) -> Command:
    if "engine" in g.data:
        return _finished(g)
    if "reason" in g.data:
        return RetryStep(**g.base, step=g.data["step"], how="done", reason=g.text("reason"))
    values = g.told(g.data["outputs"])
    return Done(**g.base, step=g.data["step"], values=values, note=g.text("note"))


def _finished(g: Group) -> Command:
    claim = g.past.claims.get(g.data["step"])
    outcome: Any = g.main.kind.removeprefix("step.")
    return FinishStep(
        **g.base,
        step=g.data["step"],
        node=claim.data["node"] if claim else "",
        epoch=claim.data["epoch"] if claim else 0,
        attempt=g.data["attempt"],
        outcome=outcome,
        outputs=g.told(g.data.get("outputs", {})),
        evidence=items_of(g),
        error=g.text("error"),
        engine=g.data["engine"],
        unreachable=g.has("source.unreachable"),
    )


def _failed(g: Group) -> Command:
    return _finished(g) if "engine" in g.data else _reclaimed(g)


def _reclaimed(g: Group) -> Command:
    claims = [
        g.past.claims[one.data["step"]].data for one in g.facts if one.data.get("step") in g.past.claims
    ]
    epoch = max((one["epoch"] for one in claims), default=0) + 1
    return Reclaim(**g.base, node=claims[0]["node"] if claims else "", epoch=epoch)


def _reset(g: Group) -> Command:
    if "look_first" in g.data:
        return _reclaimed(g)
    return RetryStep(**g.base, step=g.data["step"], how="again", reason=g.text("reason"))


def _settled(how: Any) -> Build:
    return lambda g: SettleStep(**g.base, step=g.data["step"], how=how, reason=g.text("reason"))


def _added(g: Group) -> Command:
    definition: Mapping[str, Any] = g.data["definition"]
    within = definition.get("within")
    return AddStep(
        **g.base,
        step=g.data["step"].removeprefix(f"{ADDED}/"),
        phase=definition["phase"],
        title=g.text("title", definition),
        owner=definition["owner"],
        reason=g.text("reason"),
        within=seconds(parse_duration(within)) if within else None,
    )


def _handed(g: Group) -> Command:
    return HandOver(**g.base, step=g.data["step"], person=g.data["to"], reason=g.text("reason"))


# -- decisions ----------------------------------------------------------------------------------------------


def _decided(g: Group) -> Command:
    made = next(
        one for one in g.facts if one.kind in {"decision.made", "decision.proposed", "decision.voted"}
    )
    return Decide(
        **g.base,
        step=made.data["step"],
        choice=made.data["choice"],
        reason=g.text("reason", made.data),
        factors={name: _factor(g, value) for name, value in made.data["factors"].items()},
        supersede="supersedes" in made.data,
    )


def _factor(g: Group, value: Any) -> str:
    """A window is one instant or two; services are several words."""
    if isinstance(value, list) and value and _is_instant(value[0]):
        return "..".join(value)
    return g.written(value)


def _is_instant(text: str) -> bool:
    try:
        instant(text)
    except ValueError:
        return False
    return True


def _approved(g: Group) -> Command:
    g.refs["proposal"] = g.data["proposal"]
    base = {**g.base, "step": g.data["step"], "proposal": g.data["proposal"], "reason": g.text("reason")}
    return ApproveDecision(**base) if g.main.kind == "decision.approved" else RejectDecision(**base)


def _overridden(g: Group) -> Command:
    base = {**g.base, "gate": g.data["gate"], "step": g.data["step"], "reason": g.text("reason")}
    return OverrideGate(**base) if g.main.kind == "gate.overridden" else WithdrawOverride(**base)


COURSE: dict[str, Build] = {
    "incident.declared": _declare,
    "incident.dismissed": _ended,
    "incident.cancelled": _ended,
    "incident.merged": lambda g: Merge(**g.base, into=g.data["into"], reason=g.text("reason")),
    "incident.absorbed": _absorbed,
    "incident.linked": lambda g: Link(**g.base, to=g.data["to"], relation=g.data["relation"]),
    "incident.resolved": lambda g: Resolve(
        **g.base, cause=g.text("cause"), entry_route=g.text("entry_route"), watch=g.data["watch"]
    ),
    "incident.closed": lambda g: Close(**g.base, assessment=g.text("assessment"), spread=g.text("spread")),
    "incident.reopened": _reopened,
    "phase.reopened": _reopened,
    "reopening.declined": lambda g: DeclineReopening(
        **g.base, phase=g.data["phase"], reason=g.text("reason")
    ),
    "severity.set": _severity,
    "instant.set": lambda g: SetInstant(
        **g.base, name=g.data["name"], instant=_instant(g.data["instant"]), source=g.text("source")
    ),
    "role.assigned": lambda g: AssignRole(**g.base, role=g.data["role"], person=g.data["person"]),
    "note.added": _note,
    "confirmed": _confirmed,
    "alert.attached": lambda g: AttachAlert(**g.base, alert=g.data["alert"]),
    "machine.impaired": _impaired,
    "machine.recovered": _impaired,
    "review.drafted": lambda g: DraftReview(**g.base, document=g.data["document"]),
    "room.opened": _room,
    "shifts.set": _shifts,
    "playbook.added": _playbook("add"),
    "playbook.moved": _playbook("move"),
    "playbook.dropped": _playbook("drop"),
    "page.acknowledged": _acknowledged,
    "page.seen": _acknowledged,
    "page.declined": _declined,
    "page.delegated": _delegated,
    "message.sent": _delivery,
    "message.failed": _delivery,
    "message.given_up": _delivery,
    "step.added": _added,
    "step.skipped": _settled("skipped"),
    "step.not_applicable": _settled("not-applicable"),
    "step.assigned": lambda g: AssignStep(
        **g.base, step=g.data["step"], person=g.data["person"], reason=g.text("reason")
    ),
    "step.handed_over": _handed,
    "step.refused": lambda g: RefuseHandOver(**g.base, step=g.data["step"], reason=g.text("reason")),
    "step.started": _started,
    "step.done": _done,
    "step.failed": _failed,
    "step.unknown": _failed,
    "step.reset": _reset,
    "notice.drafted": lambda g: DraftNotice(**g.base, step=g.data["step"], document=g.data["document"]),
    "decision.made": _decided,
    "decision.proposed": _decided,
    "decision.voted": _decided,
    "decision.superseded": _decided,
    "decision.approved": _approved,
    "decision.rejected": _approved,
    "decision.withdrawn": lambda g: WithdrawDecision(**g.base, step=g.data["step"], reason=g.text("reason")),
    "vote.withdrawn": lambda g: WithdrawVote(**g.base, step=g.data["step"], reason=g.text("reason")),
    "gate.overridden": _overridden,
    "override.withdrawn": _overridden,
    "opinion.asked": lambda g: AskOpinion(
        **g.base, step=g.data["step"], person=g.data["person"], question=g.text("question")
    ),
    "opinion.given": lambda g: GiveOpinion(**g.base, step=g.data["step"], text=g.text("text")),
}
"""Builders by the kind that a command's facts begin with (its main fact, where evidence goes before)."""
