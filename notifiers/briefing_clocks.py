"""What a message says of a clock, of reports that may be owed, and of a severity that is proposed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from models.clocks.others import commander
from models.clocks.owed import find_obligation
from models.clocks.rules import plan
from models.clocks.services import outlook
from models.obligation import Obligation
from models.state import ClockState, DataLoss, Incident
from models.world import World
from notifiers.briefing_names import Matter, at, due, person_name, text_of
from notifiers.clockwords import clock_title, find_stage, service_name, span, what_stops
from notifiers.phrases import PHRASES


def brief_clock(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """The clock `rto:core-banking` as somebody woken up has to see it."""
    state, world = matter.state, matter.world
    if not isinstance(state, Incident):
        return {}
    title = clock_title(name, state, world, lang)
    found: dict[str, Any] = {
        "what": title,
        "command": what_stops(name, state),
        "extra": {"clock": title, "owner": _owner(name, state, world, lang), "lines": []},
    }
    clock = state.clocks.get(name)
    if clock is not None:
        found["extra"] |= _times(clock, world, lang)
    found["extra"]["lines"] = [*_about(name, clock, matter, lang)]
    return found


def _owner(name: str, state: Incident, world: World, lang: str) -> str:
    """The role that answers for it, with who holds it now."""
    known = state.clocks.get(name)
    service = state.services.get(name.partition(":")[2])
    role = (
        known.owner if known else service.targets.owner if service and service.targets else commander(state)
    )
    title = world.directory.role(role)
    people = ", ".join(one.person.name.lang(lang) for one in world.holders(state, role))
    label = title.title.lang(lang) if title is not None else role
    return f"{label} ({people})" if people and people != label else label


def _times(clock: ClockState, world: World, lang: str) -> dict[str, Any]:
    zone = world.organisation.zone
    left = clock.due_at - (clock.stopped_at or world.now)
    words = PHRASES[lang]
    share = clock.stages[clock.fired - 1].share if clock.fired else 0
    return {
        "due": due(clock.due_at, zone, lang),
        "left": words["over" if left < timedelta(0) else "left"].format(span=span(left, lang)),
        "share": str(share) if share else "",
        "late": at(clock.stopped_at, zone, lang) if clock.status == "missed" and clock.stopped_at else "",
        "internal": words["internal"] if clock.internal else "",
    }


def _about(name: str, clock: ClockState | None, matter: Matter, lang: str) -> list[str]:
    kind, _, rest = name.partition(":")
    state, world = matter.state, matter.world
    assert isinstance(state, Incident)  # noqa: S101 - `brief_clock` has looked
    if kind in {"rto", "mtpd"}:
        return [*_forecast(rest, state, world, lang), *_level(rest, state, world, lang)]
    if kind == "rpo":
        loss = state.services[rest].loss if rest in state.services else None
        return _loss(loss, rest, state, world, lang) if loss is not None else []
    if kind == "report":
        return _report(rest, state, world, lang)
    del clock
    return []


def _forecast(name: str, state: Incident, world: World, lang: str) -> list[str]:
    """The forecast with its author and the worst way through what the service needs."""
    if name not in state.services:
        return []
    words, zone = PHRASES[lang], world.organisation.zone
    service, seen = state.services[name], outlook(state, name)
    if seen.at is None:
        return [words["no-forecast"]]
    by = person_name(world, service.forecast.by if service.forecast else None, lang)
    said = words["forecast"].format(at=at(seen.at, zone, lang), by=by or "-")
    lines = [said]
    if len(seen.path) > 1:
        lines.append(
            words["path"].format(path=" > ".join(service_name(world, one, lang) for one in seen.path))
        )
    if seen.silent:
        named = ", ".join(service_name(world, one, lang) for one in seen.silent)
        lines.append(words["silent"].format(services=named))
    return lines


def _level(name: str, state: Incident, world: World, lang: str) -> list[str]:
    known, service = state.services.get(name), world.directory.service(name)
    if known is None or known.targets is None or service is None:
        return []
    titles = {level.id: level.title.lang(lang) for level in service.levels}
    goal = f"{titles.get(known.targets.rlo, known.targets.rlo)} ({service.rlo.lang(lang)})"
    return [PHRASES[lang]["level"].format(now=titles.get(known.level, known.level), goal=goal)]


def _loss(loss: DataLoss, name: str, state: Incident, world: World, lang: str) -> list[str]:
    """The usable point and the loss against the target; unknown is said as unknown."""
    words, zone = PHRASES[lang], world.organisation.zone
    targets = state.services[name].targets
    rpo = span(timedelta(seconds=targets.rpo), lang) if targets is not None else "-"
    lost = span(timedelta(seconds=loss.loss), lang) if loss.loss is not None else words["unknown"]
    lines = [words["loss"].format(lost=lost, rpo=rpo)]
    point = state.recovery_points.get(loss.point or "")
    lines.append(
        words["point"].format(id=point.id, at=at(point.at, zone, lang)) if point else words["no-point"]
    )
    since = at(loss.compromised, zone, lang) if loss.compromised else words["unknown"]
    return [*lines, words["compromised"].format(at=since)]


def _report(name: str, state: Incident, world: World, lang: str) -> list[str]:
    found = find_stage(state, world, name)
    if found is None:
        return []
    one, _ = found
    words = PHRASES[lang]
    known = state.obligations.get(one.id)
    lines = [words["recipient"].format(recipient=one.recipient.lang(lang))]
    judged = known is not None and known.judged is not None
    lines.append(words["judged" if judged else "proposed"])
    if one.confidence == "G":
        lines.append(words["to-check"])
    return [*lines, words["law"].format(law=one.law.lang(lang))]


def brief_reports(names: str, matter: Matter, lang: str) -> dict[str, Any]:
    """Reports that the rules propose, each with its first deadline or what that waits for."""
    state, world = matter.state, matter.world
    if not isinstance(state, Incident):
        return {}
    lines = []
    for name in names.split(","):
        one = find_obligation(state, world, name)
        if one is not None:
            lines.append(f"{one.title.lang(lang)} [{one.id}] {_first(one, state, world, lang)}")
    judge = (
        f"hikeshi report judge {state.stream} {names.split(',', maxsplit=1)[0]} --applicable yes --reason …"
    )
    return {"extra": {"lines": lines}, "command": judge}


def _first(one: Obligation, state: Incident, world: World, lang: str) -> str:
    """The deadline that comes first, or what the clocks wait for."""
    words, zone = PHRASES[lang], world.organisation.zone
    own = [clock for clock in plan(state, world) if clock.id.startswith(f"report:{one.id}/")]
    first = sorted(clock.due_at for clock in own if clock.due_at is not None)
    if first:
        return words["first-due"].format(at=due(first[0], zone, lang))
    needs = sorted({need for clock in own for need in clock.needs})
    if needs:
        named = ", ".join(words.get(f"instant.{need}", need) for need in needs)
        return words["waits"].format(needs=named)
    return words["voluntary"]


def brief_severity(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """Which severity is proposed, and why."""
    del name
    state, policy = matter.state, matter.world.policy.severity
    if not isinstance(state, Incident):
        return {}
    title = next((one.title.lang(lang) for one in policy.severities if one.id == state.proposed_severity), "")
    why = [one.because.lang(lang) for one in policy.proposals if one.severity == state.proposed_severity]
    return {
        "extra": {"proposed": title, "lines": why[:3]},
        "command": f"hikeshi severity {state.stream} {state.proposed_severity} --reason …",
        "what": text_of(matter, state.title),
    }
