"""Single changes that might help, and assumptions made worse and better: the same plan but for one thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from models.casework import Setting
from models.organisation import Organisation, Rota, Shift
from models.policy import Route
from models.premises import Premises
from models.rehearsal.assumptions import Assumptions, Chance, Share, Spread
from models.rehearsal.plan import Plan
from models.rehearsal.study import Study

MAX_LIMITS, MAX_AUTHORITIES = 3, 3
SHORTEST = timedelta(minutes=2)
HALF, MORE, WHOLE = 50, 150, 100
ON_CALL = "rehearsed-on-call"


@dataclass(frozen=True, kw_only=True)
class Variation:
    """The plan with one thing changed. `about` fills the sentence that names it."""

    name: str
    kind: str
    about: dict[str, str]
    premises: Premises
    plan: Plan


def candidates(setting: Setting, plan: Plan, found: Study) -> Iterator[Variation]:
    """Changes that an institution could make tomorrow, of what this study shows to be slow."""
    premises = setting.premises
    yield from _shorter_limits(premises, plan, found)
    yield from _second_on_duty(premises, plan)
    yield from _authorities(setting, plan)
    yield _second_channel(premises, plan)


def _shorter_limits(premises: Premises, plan: Plan, found: Study) -> Iterator[Variation]:
    """The levels that were silent most often get half the time before the next one is called."""
    silent = sorted(found.levels, key=lambda one: (-sum(one.silent), one.route, one.level))
    routes = {route.id: route for route in premises.policy.routes}
    changed = [one for one in silent if one.route in routes and sum(one.silent) > 0][:MAX_LIMITS]
    for one in changed:
        route = routes[one.route]
        if one.level >= len(route.levels):
            continue
        level = route.levels[one.level]
        within = max(level.within / 2, SHORTEST)
        about = {"route": route.id, "level": str(one.level + 1), "to": ", ".join(level.to)}
        policy = premises.policy.model_copy(
            update={
                "routes": tuple(_halved(one_, route, one.level, within) for one_ in premises.policy.routes)
            }
        )
        yield _varied(
            f"limit:{route.id}/{one.level + 1}",
            "shorter-limit",
            about,
            replace(premises, policy=policy),
            plan,
        )


def _halved(one: Route, route: Route, level: int, within: timedelta) -> Route:
    if one.id != route.id:
        return one
    levels = list(one.levels)
    levels[level] = levels[level].model_copy(update={"within": within, "repeat": None})
    return one.model_copy(update={"levels": tuple(levels)})


def _second_on_duty(premises: Premises, plan: Plan) -> Iterator[Variation]:
    """Another person of the same group is on duty in each shift."""
    organisation = premises.organisation
    for rota in organisation.rotas:
        twice = [other for shift in rota.shifts for other in (shift, _next_in_turn(shift))]
        rotas = [
            one if one.id != rota.id else one.model_copy(update={"shifts": tuple(twice)})
            for one in organisation.rotas
        ]
        changed = organisation.model_copy(update={"rotas": tuple(rotas)})
        yield _varied(f"duty:{rota.id}", "second-on-duty", {"rota": rota.id}, _with(premises, changed), plan)


def _next_in_turn(shift: Shift) -> Shift:
    return shift.model_copy(update={"people": (*shift.people[1:], shift.people[0])})


def _authorities(setting: Setting, plan: Plan) -> Iterator[Variation]:
    """Who decides alone gets a deputy with the same authority, or an on-call rota with that deputy."""
    premises = setting.premises
    steps = setting.library[plan.playbook].plan.steps.values()
    roles = dict.fromkeys(role for one in steps if one.step.kind == "decision" for role in one.step.deciders)
    alone = []
    for role in roles:
        people = [one for one in premises.organisation.people if role in one.roles]
        if len(people) == 1 and people[0].deputies:
            alone.append((role, people[0].id, people[0].deputies[0]))
    for role, holder, deputy in alone[:MAX_AUTHORITIES]:
        about = {"role": role, "holder": holder, "deputy": deputy}
        shared = _given(premises.organisation, role, deputy)
        yield _varied(f"deputy:{role}", "deputy-with-authority", about, _with(premises, shared), plan)
        on_call = _on_call(shared, role, (holder, deputy))
        yield _varied(f"on-call:{role}", "on-call", about, _with(premises, on_call), plan)


def _given(organisation: Organisation, role: str, person: str) -> Organisation:
    people = [
        one if one.id != person else one.model_copy(update={"roles": (*one.roles, role)})
        for one in organisation.people
    ]
    return organisation.model_copy(update={"people": tuple(people)})


def _on_call(organisation: Organisation, role: str, people: tuple[str, ...]) -> Organisation:
    """The two take turns by the week, by day and night."""
    shift = Shift.model_validate(
        {"rule": "FREQ=DAILY", "starts": "09:00", "lasts": "24h", "people": people, "rotate": "weekly"}
    )
    rota = Rota(id=f"{ON_CALL}-{role}", zone=organisation.zone, shifts=(shift,))
    roles = [
        one if one.id != role else one.model_copy(update={"rota": rota.id}) for one in organisation.roles
    ]
    return organisation.model_copy(update={"rotas": (*organisation.rotas, rota), "roles": tuple(roles)})


def _second_channel(premises: Premises, plan: Plan) -> Variation:
    """A message is lost only if it is lost on both ways at once."""
    channels = plan.assumptions.channels

    def both(one: Chance) -> Chance:
        return one.model_copy(update={"percent": one.percent * one.percent // WHOLE})

    lost = channels.model_copy(update={"message": both(channels.message), "outage": both(channels.outage)})
    assumed = plan.assumptions.model_copy(update={"channels": lost})
    return _varied("channel", "second-channel", {}, premises, replace(plan, assumptions=assumed))


def _with(premises: Premises, organisation: Organisation) -> Premises:
    return replace(premises, organisation=organisation)


def _varied(name: str, kind: str, about: dict[str, str], premises: Premises, plan: Plan) -> Variation:
    return Variation(name=name, kind=kind, about=about, premises=premises, plan=plan)


# -- assumptions --------------------------------------------------------------------------------------------

PARTS = (
    "answer.duty", "answer.working", "answer.off", "answer.night", "away.night", "channels.message",
    "work.of_limit", "work.decide", "machine.fails", "growth.more",
)  # fmt: skip


def variations(setting: Setting, plan: Plan) -> Iterator[tuple[Variation, Variation]]:
    """Each assumption half as large, and half as large again."""
    for path in PARTS:
        yield _supposed(setting, plan, path, HALF), _supposed(setting, plan, path, MORE)


def _supposed(setting: Setting, plan: Plan, path: str, percent: int) -> Variation:
    group, _, field = path.partition(".")
    part = getattr(plan.assumptions, group)
    changed = part.model_copy(update={field: scaled(getattr(part, field), percent)})
    assumed: Assumptions = plan.assumptions.model_copy(update={group: changed})
    about = {"assumption": path, "percent": str(percent)}
    return _varied(
        f"{path}:{percent}", "assumption", about, setting.premises, replace(plan, assumptions=assumed)
    )


def scaled(value: Any, percent: int) -> Any:
    """A time, share or chance of so many per cent of what it was; what never comes about grows with it."""
    if isinstance(value, Chance):
        return value.model_copy(update={"percent": min(_part(value.percent, percent), WHOLE)})
    if isinstance(value, Share):
        update = {name: max(getattr(value, name) * percent // WHOLE, 1) for name in ("p50", "p90")}
        return value.model_copy(update=update)
    assert isinstance(value, Spread)  # noqa: S101 - PARTS names these three kinds alone
    never = min(_part(value.never, percent), WHOLE)
    if value.values:
        return value.model_copy(
            update={"values": tuple(one * percent / WHOLE for one in value.values), "never": never}
        )
    assert value.p50 is not None and value.p90 is not None  # noqa: S101 - the model has checked
    return value.model_copy(
        update={"p50": value.p50 * percent / WHOLE, "p90": value.p90 * percent / WHOLE, "never": never}
    )


def _part(value: int, percent: int) -> int:
    """So many per cent of a small number, rounded away from it: a change of one has to change something."""
    return -(-value * percent // WHOLE) if percent > WHOLE else value * percent // WHOLE
