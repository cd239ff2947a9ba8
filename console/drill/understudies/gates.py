"""What closed gates want, done by whom it concerns: nothing is overridden, and no tampered backup is used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from console.drill.understudies.seen import Act, Seen, actor, first
from models.commands import AddEvidence, Command, ScopeFact, ServiceFact, SetInstant, SetRecoveryPoint
from models.scenario import BackupAtStart

LEADING = ("csirt-lead", "csirt-duty")
INVENTED = timedelta(days=1)
"""A service of which the scenario has no backup has one, made so long before the compromise."""

_Wanted = Iterator[Command]
"""What is done about a cause, in this order."""


def opened(seen: Seen) -> Iterator[Act]:
    """Each cause that holds a step, seen to some minutes after it showed; each cause once."""
    told: set[str] = set()
    for step, causes in seen.incident.gates_held.items():
        for cause in causes:
            name, _, what = cause.partition(":")
            wanted = _WANTED.get(name)
            if wanted is None or cause in told:
                continue
            told.add(cause)
            since = seen.noticed.gate(step, cause, seen.state.at or seen.world.now)
            for number, command in enumerate(wanted(seen, what)):
                about = f"gate {cause}"
                at = since + seen.after(seen.times.gate, command.actor.person or "", about)
                yield seen.act(at, command, f"{about} {number:03}")


def _preserve(seen: Seen, source: str) -> _Wanted:
    """A copy of the source, by whoever has it in hand."""
    kept = next((one for one in seen.world.organisation.evidence_sources if one.id == source), None)
    owner = kept.owner if kept is not None and kept.owner in {"it-ops", "csirt-lead"} else "it-ops"
    person = first(seen.understudies(owner, *LEADING))
    if person is not None:
        described = f"{seen.words('preserved')}: {source}"
        digest = hashlib.sha256(f"{seen.exercise.drill} {source}".encode()).hexdigest()
        yield AddEvidence(
            actor=actor(person),
            source=source,
            description=described,
            digest=f"sha256:{digest}",
            size=len(described.encode()),
        )


def _instant(seen: Seen, name: str) -> _Wanted:
    """What was before STARTEX as the scenario has it; that a cause has been dealt with is so now."""
    person = first(seen.understudies(*LEADING))
    if person is None:
        return
    known = next((one for one in seen.scenario.start.instants if one.instant == name), None)
    instant = seen.before(known.before) if known is not None else seen.world.now
    if known is None and name == "compromised":
        instant = _compromised(seen)
    yield SetInstant(actor=actor(person), name=name, instant=instant, source=seen.words("source"))


def _compromised(seen: Seen) -> datetime:
    """When it began at the latest, as the scenario has it: what happened is no later than STARTEX."""
    before = [
        one.before for one in seen.scenario.start.instants if one.instant in {"compromised", "occurred"}
    ]
    return seen.before(max(before, default=timedelta(0)))


def _backups(seen: Seen, service: str) -> _Wanted:
    """Every backup of the service that the scenario has, as it really is; the check finds what is wrong."""
    kept = [one for one in seen.scenario.start.backups if one.service == service]
    known = seen.world.directory.service(service)
    person = first(seen.understudies("it-ops", known.owner if known is not None else "it-ops", *LEADING))
    if person is None:
        return
    # What could be used comes last: with it the gate opens, and nobody looks at the others any more.
    for one in sorted(kept, key=lambda one: (_usable(seen, one), one.id)):
        if not _checked(seen, one):
            yield _point(seen, person, one)
    if not any(_usable(seen, one) for one in kept):
        yield SetRecoveryPoint(
            actor=actor(person),
            id=f"{service}-drill",
            service=service,
            instant=_compromised(seen) - INVENTED,
            tamper="clean",
            malware="clean",
        )


def _usable(seen: Seen, one: BackupAtStart) -> bool:
    return not one.tampered and not one.infected and seen.before(one.age) < _compromised(seen)


def _checked(seen: Seen, one: BackupAtStart) -> bool:
    point = seen.incident.recovery_points.get(one.id)
    return point is not None and "unknown" not in {point.tamper, point.malware}


def _point(seen: Seen, person: str, one: BackupAtStart) -> SetRecoveryPoint:
    return SetRecoveryPoint(
        actor=actor(person),
        id=one.id,
        service=one.service,
        instant=seen.before(one.age),
        tamper="tampered" if one.tampered else "clean",
        malware="infected" if one.infected else "clean",
        kind="replica" if one.kind == "replica" else "backup",
    )


def _service(what: str, *whose: str) -> Callable[[Seen, str], _Wanted]:
    """Something that is said of a service; `owner` stands for whoever owns it."""

    def wanted(seen: Seen, service: str) -> _Wanted:
        known = seen.world.directory.service(service)
        roles = [known.owner if known is not None and one == "owner" else one for one in whose]
        said = seen.incident.services.get(service)
        others = {*said.confirmed.values(), *said.recorders.values()} if said is not None else set()
        able = [one for one in seen.understudies(*roles) if one not in others]
        if able:
            yield ServiceFact(actor=actor(able[0]), service=service, what=what)  # type: ignore[arg-type]

    return wanted


def _affected(seen: Seen, _: str) -> _Wanted:
    """Nobody has said which service it is about: the first that the scenario names."""
    person = first(seen.understudies(*LEADING))
    if person is not None and seen.scenario.start.services:
        name = seen.scenario.start.services[0].service
        yield ServiceFact(actor=actor(person), service=name, what="impacted")


def _fix(seen: Seen, item: str) -> _Wanted:
    person = first(seen.understudies("it-ops", *LEADING))
    if person is not None:
        yield ScopeFact(actor=actor(person), what="fix", id=item, text=seen.words("fixed"))


_WANTED: Mapping[str, Callable[[Seen, str], _Wanted]] = {
    "not-preserved": _preserve,
    "no-instant": _instant,
    "no-checked-backup": _backups,
    "backup-after-compromise": _backups,
    "not-working": _service("works", "owner"),
    "not-confirmed-by-csirt": _service("confirmed-by-csirt", *LEADING),
    "not-confirmed-by-owner": _service("confirmed-by-owner", "owner"),
    "no-service": _affected,
    "no-fix": _fix,
}
