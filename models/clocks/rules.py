"""What follows for clocks: at once from new facts (`clock_facts`), and from time alone (`clocks_due`)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from models.clock import iso
from models.clocks.loss import data_loss
from models.clocks.others import other_clocks
from models.clocks.owed import holds, obligations, report_clocks, what_is_known
from models.clocks.planned import Planned
from models.clocks.retention import retention_clocks
from models.clocks.services import service_clocks
from models.clocks.stages import stages_of
from models.fact import Draft
from models.reason import Reason
from models.routing import ask, choose_route, level_recipients
from models.state import ENDED, ClockState, Incident, Page
from models.world import World

SUBJECT = "clock"
BREACHED, FORECAST, WARNING = "clock-breached", "clock-forecast", "clock-warning"


def plan(state: Incident, world: World) -> list[Planned]:
    """Every clock of the incident as the record has it now, those that have not started among them."""
    reports, others = report_clocks(state, world), other_clocks(state, world)
    return [*service_clocks(state), *reports, *others, *retention_clocks(state, world)]


# -- at once ------------------------------------------------------------------------------------------------


def clock_facts(state: Incident, world: World) -> list[Draft]:
    """Clocks that start, move, stop or end, and forecasts that break; empty when all of it is on record."""
    planned = plan(state, world)
    drafts = [draft for one in planned for draft in _changes(state, one, world)]
    current = {one.id for one in planned if one.due_at is not None}
    for known in state.clocks.values():
        if known.id not in current and known.status != "ended":
            data = {"clock": known.id, "reason": Reason.NO_LONGER_OWED.value}
            drafts.append(Draft(kind="clock.ended", data=data))
    return drafts


def _changes(state: Incident, planned: Planned, world: World) -> Iterator[Draft]:
    if planned.started_at is None or planned.due_at is None:
        return
    known = state.clocks.get(planned.id)
    if known is None or _moved(known, planned):
        yield Draft(kind="clock.set", data=_setting(state, planned, world))
        return
    if planned.stopped_at is not None:
        yield from _stop(state, known, planned.stopped_at, world)
    elif known.status != "running":
        yield Draft(kind="clock.set", data=_setting(state, planned, world))
    else:
        yield from _forecast(state, known, planned, world)


def _moved(known: ClockState, planned: Planned) -> bool:
    return (known.started_at, known.due_at) != (planned.started_at, planned.due_at)


def _setting(state: Incident, planned: Planned, world: World) -> dict[str, Any]:
    """All that defends the due time later: rule, anchor, calendar with its version, skipped days."""
    assert planned.started_at is not None and planned.due_at is not None  # noqa: S101 - `_changes` has looked
    data: dict[str, Any] = {
        "clock": planned.id,
        "kind": planned.kind,
        "owner": planned.owner,
        "started_at": iso(planned.started_at),
        "due_at": iso(planned.due_at),
        "stages": [
            {"at": iso(one.at), "what": one.what, "share": one.share}
            for one in stages_of(state, planned, world)
        ],
        "basis": dict(planned.basis),
    }
    if planned.internal:
        data["internal"] = True
    return data


def _stop(state: Incident, known: ClockState, stopped: datetime, world: World) -> Iterator[Draft]:
    status = "met" if stopped <= known.due_at else "missed"
    if known.status == status and known.stopped_at == stopped:
        return
    data = {"clock": known.id, "due_at": iso(known.due_at), "stopped_at": iso(stopped)}
    yield Draft(kind=f"clock.{status}", data=data)
    if status == "missed" and not known.breached:
        # A correction, or word that came late: nobody has been told that it broke. The truth first.
        yield from _page(state, BREACHED, known, {"late": True}, world)


def _forecast(state: Incident, known: ClockState, planned: Planned, world: World) -> Iterator[Draft]:
    """A forecast past the target escalates now, not when the target breaks."""
    outlook = planned.outlook
    if outlook is None or (outlook.at is None and known.forecast is None):
        return
    breaks = outlook.at is not None and outlook.at > known.due_at
    if (known.forecast, known.breaks) == (outlook.at, breaks):
        return
    data: dict[str, Any] = {
        "clock": known.id,
        "due_at": iso(known.due_at),
        "breaks": breaks,
        "path": list(outlook.path),
    }
    if outlook.at is not None:
        data["forecast"] = iso(outlook.at)
    yield Draft(kind="clock.forecast", data=data)
    if breaks and not known.breached:
        yield from _page(state, FORECAST, known, {}, world)


def _page(
    state: Incident, event: str, clock: ClockState, detail: dict[str, Any], world: World
) -> Iterator[Draft]:
    """Call people out for a clock; a page that is open for the same thing goes on climbing instead."""
    subject = f"{SUBJECT}:{clock.id}"
    if any(page.event == event and page.subject == subject for page in state.open_pages()):
        return
    asked = ask(world, state, event, subject, detail)
    yield from _once(asked) if detail.get("late") else asked


def _once(asked: list[Draft]) -> Iterator[Draft]:
    """A page about what cannot be mended: whoever has it has it, no work that starts would end it."""
    for one in asked:
        yield Draft(kind=one.kind, data={**one.data, "renew": 0}) if one.kind == "page.asked" else one


# -- what time makes true -----------------------------------------------------------------------------------


def clocks_due(state: Incident, world: World) -> Iterator[Draft]:
    """The latest stage that has come, for each running clock; those before it are passed over."""
    for clock in state.clocks.values():
        if (at := clock.next_at) is None or at > world.now:
            continue
        stage = max(n for n, one in enumerate(clock.stages) if one.at <= world.now)
        yield from _speak(state, clock, stage, world)


def _speak(state: Incident, clock: ClockState, number: int, world: World) -> Iterator[Draft]:
    stage = clock.stages[number]
    kinds = {"breach": "clock.breached", "over": "clock.over"}
    data = {
        "clock": clock.id,
        "stage": number,
        "what": stage.what,
        "share": stage.share,
        "due_at": iso(clock.due_at),
    }
    yield Draft(kind=kinds.get(stage.what, "clock.warned"), data=data)
    if stage.what == "breach":
        yield from _page(state, BREACHED, clock, {}, world)
        return
    share = stage.share if stage.what == "share" else None
    routed = choose_route(world, WARNING, state, clock=clock.kind, share=share) is not None
    if routed and stage.what in {"share", "warning"}:
        yield from _page(state, WARNING, clock, {"share": share} if share else {}, world)
    else:
        yield _notice(state, clock, world)


def _notice(state: Incident, clock: ClockState, world: World) -> Draft:
    subject = f"{SUBJECT}:{clock.id}"
    people = level_recipients(world, state, ("owner",), (), subject)
    data = {"template": "notice.clock", "subject": subject, "recipients": people}
    return Draft(kind="message.requested", data=data)


def clock_instants(state: Incident) -> Iterator[datetime | None]:
    """When each clock speaks next."""
    for clock in state.clocks.values():
        yield clock.next_at


def clock_counts(state: Incident) -> tuple[int, int, int]:
    """How many clocks run, are forecast to break, and have broken; none once the incident was none."""
    if state.status in ENDED:
        return 0, 0, 0
    running = [clock for clock in state.clocks.values() if clock.status == "running"]
    return len(running), sum(one.breaks for one in running), sum(one.breached for one in running)


def clock_waits(state: Incident, page: Page, name: str) -> bool:
    """Whether a page about this clock still has to be answered."""
    if page.event == BREACHED and name.startswith("rpo:"):
        loss = state.services[name.removeprefix("rpo:")].loss
        return loss is not None and loss.status == "beyond"
    clock = state.clocks.get(name)
    if clock is None:
        return False
    if page.event == BREACHED:
        return clock.breached and (clock.status == "running" or bool(page.detail.get("late")))
    if clock.status != "running" or clock.breached:
        return False
    return clock.breaks if page.event == FORECAST else clock.fired > 0


# -- reports, recovery points, severity ---------------------------------------------------------------------


def matter_facts(state: Incident, world: World) -> list[Draft]:
    """What follows from what is known: reports that may be owed, points of the register, loss, severity."""
    for rule in (_proposals, _registered_points, _losses, _severity):
        if drafts := list(rule(state, world)):
            return drafts
    return []


def _proposals(state: Incident, world: World) -> Iterator[Draft]:
    """Which reports apply is proposed; only a change of the answer is a fact."""
    fresh = []
    about = what_is_known(state, world)
    for one in obligations(state, world):
        owed = state.obligations.get(one.id)
        before = owed is not None and owed.proposed
        now = holds(one.applies_if, about) is True
        if now == before:
            continue
        edition = one.edition.isoformat()
        data = {"obligation": one.id, "edition": edition, "applies": now, "confidence": one.confidence}
        yield Draft(kind="obligation.proposed", data=data)
        if now and (owed is None or owed.judged is None):
            fresh.append(one)
    for owner in dict.fromkeys(one.owner for one in fresh):
        people = level_recipients(world, state, (owner,), (), "incident")
        named = ",".join(one.id for one in fresh if one.owner == owner)
        data = {"template": "notice.reports", "subject": f"reports:{named}", "recipients": people}
        yield Draft(kind="message.requested", data=data)


def _registered_points(state: Incident, world: World) -> Iterator[Draft]:
    """Recovery points that the register knows join the record when their service is affected."""
    for name, known in state.services.items():
        service = world.directory.service(name)
        if service is None or known.down_since is None:
            continue
        for point in service.recovery_points:
            if point.id not in state.recovery_points and point.at <= world.now:
                data = {
                    "id": point.id,
                    "service": name,
                    "instant": iso(point.at),
                    "kind": point.kind,
                    "tamper": point.tamper,
                    "malware": point.malware,
                    "tested": point.tested.isoformat() if point.tested else "",
                    "source": "register",
                }
                yield Draft(kind="recovery_point.set", data=data)


def _losses(state: Incident, world: World) -> Iterator[Draft]:
    for name, service in state.services.items():
        found = data_loss(state, name)
        if found is None or found == service.loss:
            continue
        data: dict[str, Any] = {"service": name, "status": found.status}
        if found.point is not None:
            data["point"] = found.point
        if found.loss is not None:
            data["loss"] = str(found.loss)
        if found.why:
            data["why"] = found.why
        if found.compromised is not None:
            data["compromised"] = iso(found.compromised)
        yield Draft(kind="service.loss", data=data)
        before = service.loss.status if service.loss is not None else "unknown"
        if found.status == "beyond" and before != "beyond":
            yield from _once(ask(world, state, BREACHED, f"{SUBJECT}:rpo:{name}"))


def _severity(state: Incident, world: World) -> Iterator[Draft]:
    """The gravest severity that what is known suggests, if it is graver than what is set and was proposed."""
    policy = world.policy.severity
    if state.status != "open" or not policy.proposals:
        return
    about = what_is_known(state, world)
    fitting = [one for one in policy.proposals if holds(one.when, about) is True]
    worst = max(fitting, key=lambda one: policy.rank(one.severity), default=None)
    if worst is None or policy.rank(worst.severity) <= max(state.severity_rank, state.proposed_rank):
        return
    rank = policy.rank(worst.severity)
    number = policy.proposals.index(worst)
    data = {"severity": worst.severity, "rank": rank, "proposal": number}
    yield Draft(kind="severity.proposed", data=data)
    people = level_recipients(world, state, ("commander", "csirt-lead", "csirt-duty"), (), "incident")
    yield Draft(
        kind="message.requested",
        data={"template": "notice.severity", "subject": "severity", "recipients": people},
    )
