"""Alerts on the table, the house's own matters, and the programme of improvements."""

from __future__ import annotations

from typing import Any

from models.clock import iso
from models.commands import (
    Actor,
    AttachAlert,
    CountAlert,
    Declare,
    EndImprovement,
    Impair,
    NodeFact,
    OpenImprovement,
    Quarantined,
    ReceiveAlert,
    RecordRefusal,
    SettleAlert,
)
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.reason import Reason
from models.routing import ask, choose_route, level_recipients
from models.rules.common import Decided, Then, text
from models.rules.pages import DELIVERY
from models.state import House, Intake, Programme
from models.world import World


def receive(state: Intake, command: ReceiveAlert, world: World) -> Decided:
    """An alert arrives: declared by rule, proposed for triage, or kept. Never dropped."""
    data: dict[str, Any] = {
        "id": command.id,
        "source": command.source,
        "key": command.key,
        "document": command.document,
        "readable": command.readable,
    }
    texts = {"title": command.title[:300] or "-", "level": command.level[:40] or "-"}
    if command.problem:
        texts["problem"] = command.problem[:500]
    if command.services:
        data["services"] = list(command.services)
    if command.playbook:
        data["proposed"] = command.playbook
    if command.severity:
        data["severity"] = command.severity
    if command.do == "propose" or not command.readable:
        data["overdue_at"] = iso(world.now + world.policy.limits.triage_limit(command.severity))
    received = Draft(kind="alert.received", data=data, texts=texts, at=command.at)
    return [received, *_next_for(state, command, world)]


def _next_for(state: Intake, command: ReceiveAlert, world: World) -> list[Draft | Then]:
    subject = f"alert:{command.id}"
    if not command.readable:
        return list(ask(world, state, "alert-unreadable", subject))
    if command.incident:
        attached = Draft(kind="alert.attached", data={"id": command.id, "incident": command.incident})
        attach = AttachAlert(actor=command.actor, alert=command.id)
        return [attached, Then(stream=command.incident, command=attach)]
    if command.do == "declare":
        return _declare(command, world, Actor.machine("alert"))
    if command.do == "keep":
        return [Draft(kind="alert.kept", data={"id": command.id})]
    return [_propose(state, subject, world)]


def _propose(state: Intake, subject: str, world: World) -> Draft:
    """Whoever would be paged if nobody looked is told at once."""
    route = choose_route(world, "triage-overdue", state)
    people = level_recipients(world, state, route.levels[0].to, (), subject) if route else []
    data = {"template": "notice.alert_proposed", "subject": subject, "recipients": people}
    return Draft(kind="message.requested", data=data)


def _declare(command: ReceiveAlert, world: World, actor: Actor) -> list[Draft | Then]:
    declared = Draft(kind="alert.declared", data={"id": command.id, "incident": world.next_incident})
    declare = Declare(
        actor=actor,
        text=command.title,
        source=f"alert:{command.source}",
        playbooks=(command.playbook,) if command.playbook else (),
        severity=command.severity,
        alerts=(command.id,),
        services=command.services,
        detected=command.occurred or command.at,
    )
    return [declared, Then(stream=None, command=declare)]


def count(state: Intake, command: CountAlert, world: World) -> Decided:
    """The same alert again: facts at 2, 10, 100, …, so that a storm does not fill the record."""
    return [Draft(kind="alert.repeated", data={"id": command.id, "count": command.count})]


def settle(state: Intake, command: SettleAlert, world: World) -> Decided:
    """A person deals with an alert."""
    require(command, "alert", state, world)
    alert = state.alerts.get(command.id)
    if alert is None:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.id, "known": sorted(state.alerts)})
    if command.how == "dismissed":
        reason = text(command.reason, "reason")
        return [Draft(kind="alert.dismissed", data={"id": alert.id}, texts={"reason": reason})]
    if command.how == "attached":
        attached = Draft(kind="alert.attached", data={"id": alert.id, "incident": command.incident or ""})
        attach = AttachAlert(actor=command.actor, alert=alert.id)
        return [attached, Then(stream=command.incident or "", command=attach)]
    declare = Declare(
        actor=command.actor,
        text=command.reason,
        source=f"alert:{alert.source}",
        playbooks=tuple(one for one in (command.playbook or alert.proposed,) if one),
        severity=alert.severity,
        alerts=(alert.id,),
        services=tuple(alert.services),
        detected=alert.at,
    )
    declared = Draft(kind="alert.declared", data={"id": alert.id, "incident": world.next_incident})
    return [declared, Then(stream=None, command=declare)]


def refuse(state: House, command: RecordRefusal, world: World) -> Decided:
    """Somebody was refused; who, what and why stay on record."""
    data = {"who": command.refused[:80], "command": command.command, "reason": command.reason}
    texts = {"detail": command.detail[:500]} if command.detail else {}
    return [Draft(kind="refused", data=data | {"count": command.count}, texts=texts)]


def node(state: House, command: NodeFact, world: World) -> Decided:
    """A node starts, stops, or finds that nobody watched for a while."""
    data: dict[str, Any] = {"node": command.node}
    if command.since is not None and command.until is not None:
        data |= {"since": iso(command.since), "until": iso(command.until)}
    return [Draft(kind=f"node.{command.what}", data=data)]


def quarantine(state: House, command: Quarantined, world: World) -> Decided:
    """A sick incident's timers are stopped, and somebody is paged that they are (design, 15)."""
    if command.released:
        if command.stream not in state.quarantined:
            return []
        return [Draft(kind="quarantine.left", data={"stream": command.stream})]
    entered = Draft(
        kind="quarantine.entered",
        data={"stream": command.stream, "failures": command.failures},
        texts={"detail": command.detail[:500] or "-"},
    )
    if command.stream in state.quarantined:
        return [entered]
    detail = {"stream": command.stream}
    return [entered, *ask(world, state, "timers-stopped", f"quarantine:{command.stream}", detail)]


def impair(state: House, command: Impair, world: World) -> Decided:
    """Some part of Hikeshi does not work, or does again; said once, and somebody is paged."""
    if (command.what in state.impaired) is not command.mended:
        return []
    if command.mended:
        return [Draft(kind="machine.recovered", data={"what": command.what})]
    data = {"what": command.what, "detail": command.detail[:300]}
    event = "delivery-failed" if command.what == DELIVERY else "impaired"
    paged = ask(world, state, event, f"impaired:{command.what}", {"what": command.what})
    return [Draft(kind="machine.impaired", data=data), *paged]


def open_improvement(state: Programme, command: OpenImprovement, world: World) -> Decided:
    """An improvement begins its life."""
    data = {
        "id": command.id,
        "incident": command.incident,
        "owner": command.owner,
        "due": iso(command.due),
        "remind_at": iso(command.due - world.policy.limits.improvement_reminder),
    }
    return [Draft(kind="improvement.opened", data=data, texts={"title": command.title})]


def end_improvement(state: Programme, command: EndImprovement, world: World) -> Decided:
    """Done, or its risk accepted by management (FSA-2.2.5-Dc)."""
    known = state.improvements.get(command.id)
    if known is None or known.status != "open":
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.id, "known": sorted(state.improvements)})
    if command.actor.person != known.owner:
        require(command, "improvement-end", state, world)
    if command.how == "accepted":
        _management(command, world)
    reason = {"reason": text(command.reason, "reason")}
    return [Draft(kind=f"improvement.{command.how}", data={"id": command.id}, texts=reason)]


def _management(command: EndImprovement, world: World) -> None:
    roles = world.roles_of(None, command.who)
    needs = world.policy.permissions.get("improvement-accept", ("ciso", "cio", "president"))
    if not roles & set(needs):
        raise Refused(
            Reason.AUTHORITY_MISSING, {"who": command.who, "needs": list(needs), "what": command.id}
        )
