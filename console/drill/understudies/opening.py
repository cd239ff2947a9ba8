"""The incident of a drill: declared upon the first inject that asks for something, with its playbooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from console.drill.understudies.seen import Act, Seen, actor, first
from models.commands import Declare, UsePlaybook
from models.scenario import Inject
from models.state import Incident

DUTY = "csirt-duty"
LEADS = ("csirt-lead", "commander", "ciso")


def declared(seen: Seen, cases: Sequence[Incident]) -> Iterator[Act]:
    """Nothing once there is an incident, or while whoever would declare it is played."""
    prompt = first_prompt(seen)
    if cases or prompt is None:
        return
    inject, role = prompt
    person = first(seen.understudies(role))
    came = seen.delivered(inject.id)
    if person is None or came is None:
        return
    about = f"declare {inject.id}"
    command = Declare(
        actor=actor(person),
        text=inject.title.lang("en" if seen.words.lang == "en" else "ja"),
        playbooks=seen.scenario.playbooks[:1],
        severity=seen.scenario.start.severity,
        services=tuple(one.service for one in seen.scenario.start.services if one.state != "normal"),
    )
    at = came + seen.after(seen.times.notice, person, about)
    yield Act(at=at, person=person, command=command, stream=None, about=about)


def first_prompt(seen: Seen) -> tuple[Inject, str] | None:
    """The inject that came in first and asks for a step, and the role that it asks."""
    came = [one for one in seen.scenario.injects if seen.delivered(one.id) is not None]
    came.sort(key=lambda one: (seen.delivered(one.id), one.id))
    for inject in came:
        for one in inject.expect:
            if one.step is not None:
                return inject, one.role or DUTY
    return None


def carried(seen: Seen, cases: Iterable[Incident]) -> Iterator[Act]:
    """A further playbook of the scenario, once an inject asks for a step of it."""
    state = seen.incident
    if state.status != "open" or any(state.stream > one.stream for one in cases):
        return  # the first incident is the one that is played
    for name in seen.scenario.playbooks[1:]:
        came = [at for one in _asking(seen, name) if (at := seen.delivered(one.id)) is not None]
        person = first(seen.understudies(*LEADS))
        if name in state.playbooks or name in state.dropped or not came or person is None:
            continue
        about = f"playbook {name}"
        since = max(min(came), state.declared_at or min(came))
        command = UsePlaybook(actor=actor(person), how="add", playbook=name, reason=seen.words("playbook"))
        yield seen.act(since + seen.after(seen.times.notice, person, about), command, about)


def _asking(seen: Seen, playbook: str) -> list[Inject]:
    return [
        one
        for one in seen.scenario.injects
        if any(e.step is not None and e.step.partition("/")[0] == playbook for e in one.expect)
    ]
