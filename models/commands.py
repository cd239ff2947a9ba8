"""What people, machines and time may ask of a record. A command carries who asks; a rule answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from models import actor as actors
from models.evidence import Particulars

Actor = actors.Actor
"""Of every command; on its own in `models.actor`."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """`for_` is the person on whose behalf a scribe writes; `at` when it happened, if not now."""

    actor: Actor
    for_: str | None = None
    at: datetime | None = None

    @property
    def who(self) -> str:
        """The person whose act it is."""
        return self.for_ or self.actor.person or ""


@dataclass(frozen=True, kw_only=True)
class Declare(Command):
    """Open an incident. One text is enough."""

    text: str
    source: str = "person"
    playbooks: tuple[str, ...] = ()
    severity: str | None = None
    impact: str | None = None
    urgency: str | None = None
    alerts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    occurred: datetime | None = None
    detected: datetime | None = None
    restricted: bool = False
    bar: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EndIncident(Command):
    """Dismiss (it was none) or cancel (declared by mistake)."""

    how: Literal["dismissed", "cancelled"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Merge(Command):
    """Go on with this matter in another incident."""

    into: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Absorb(Command):
    """The other side of a merge."""

    other: str
    alerts: tuple[str, ...] = ()
    severity: str | None = None
    restricted: bool = False


@dataclass(frozen=True, kw_only=True)
class Link(Command):
    """Say that another incident has to do with this one."""

    to: str
    relation: str = "related"


@dataclass(frozen=True, kw_only=True)
class Resolve(Command):
    """The response is over; the review begins."""

    cause: str
    entry_route: str
    watch: int | None = None


@dataclass(frozen=True, kw_only=True)
class Close(Command):
    """The review is over (FSA-2.5.2.6-B6)."""

    assessment: str
    spread: str = ""


@dataclass(frozen=True, kw_only=True)
class Reopen(Command):
    """Take an incident up again, or one of its phases."""

    reason: str
    phase: str | None = None


@dataclass(frozen=True, kw_only=True)
class UsePlaybook(Command):
    """Add a playbook, move it to the version of today, or drop it."""

    how: Literal["add", "move", "drop"]
    playbook: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class AddStep(Command):
    """A step that no playbook foresaw."""

    step: str
    phase: str
    title: str
    owner: str
    reason: str
    within: int | None = None


@dataclass(frozen=True, kw_only=True)
class SettleStep(Command):
    """Skip a step, or say that it does not apply."""

    step: str
    how: Literal["skipped", "not-applicable"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class AssignStep(Command):
    """Give a step to a person."""

    step: str
    person: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class StartStep(Command):
    """A person takes a manual step up; `take` also from somebody who has begun it."""

    step: str
    take: bool = False


@dataclass(frozen=True, kw_only=True)
class Done(Command):
    """A manual step or notice is done, with what had to be recorded."""

    step: str
    values: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class RetryStep(Command):
    """Run a failed machine step, or one of unknown outcome, again; or say that it took effect."""

    step: str
    how: Literal["again", "done"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Decide(Command):
    """A choice with its reason, by somebody entitled to make it."""

    step: str
    choice: str
    reason: str
    factors: Mapping[str, str] = field(default_factory=dict)
    supersede: bool = False


@dataclass(frozen=True, kw_only=True)
class WithdrawDecision(Command):
    """Take a decision back, so that it is asked for again."""

    step: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class OverrideGate(Command):
    """Pass a closed gate, by its authority."""

    gate: str
    step: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Acknowledge(Command):
    """I have it. Without `page`, the one open page that asks this person."""

    page: int | None = None


@dataclass(frozen=True, kw_only=True)
class Delegate(Command):
    """Somebody else has it until a time."""

    page: int
    to: str
    until: datetime


@dataclass(frozen=True, kw_only=True)
class SetSeverity(Command):
    """Judge the severity, directly or by impact and urgency."""

    severity: str | None = None
    impact: str | None = None
    urgency: str | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SetInstant(Command):
    """Say when something happened; never inferred from anything else."""

    name: str
    instant: datetime
    source: str


@dataclass(frozen=True, kw_only=True)
class AssignRole(Command):
    """Name the commander or the scribe of this incident."""

    role: str
    person: str


@dataclass(frozen=True, kw_only=True)
class Note(Command):
    """Something for the timeline."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Confirm(Command):
    """Confirm what a scribe wrote for me."""

    fact: int


@dataclass(frozen=True, kw_only=True)
class ServiceFact(Command):
    """What is known of a service: impacted, at a level, restored, works, fails, or confirmed by a side.

    `level` is one of the service's own; `instant` when it was reached, or since when it is affected.
    """

    service: str
    what: Literal[
        "impacted", "level", "restored", "works", "fails", "confirmed-by-csirt", "confirmed-by-owner"
    ]
    instant: datetime | None = None
    level: str = ""
    note: str = ""
    source: str = "person"
    confidence: Literal["confirmed", "likely", "suspected"] = "confirmed"


@dataclass(frozen=True, kw_only=True)
class AddEvidence(Command):
    """Something was preserved."""

    source: str
    description: str
    digest: str | None = None
    size: int = 0
    name: str = ""
    stored: str = ""
    step: str | None = None
    partial: bool = False
    about: Particulars = field(default_factory=Particulars)


@dataclass(frozen=True, kw_only=True)
class ScopeFact(Command):
    """An affected thing: added, fixed, or its risk accepted."""

    what: Literal["add", "fix", "accept"]
    id: str | None = None
    kind: str = ""
    name: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class SetRecoveryPoint(Command):
    """A backup and what was found when it was checked (FSA-2.5.2.6-B3)."""

    id: str
    service: str
    instant: datetime
    tamper: Literal["unknown", "clean", "tampered"] = "unknown"
    malware: Literal["unknown", "clean", "infected"] = "unknown"
    kind: Literal["backup", "replica", "snapshot"] = "backup"
    tested: str = ""


@dataclass(frozen=True, kw_only=True)
class AddImprovement(Command):
    """Something to do better, with an owner and a date."""

    title: str
    owner: str
    due: datetime


@dataclass(frozen=True, kw_only=True)
class OpenImprovement(Command):
    """The other side of AddImprovement, in the programme."""

    id: str
    incident: str
    title: str
    owner: str
    due: datetime


@dataclass(frozen=True, kw_only=True)
class EndImprovement(Command):
    """An improvement is done, or its risk accepted by management (FSA-2.2.5-Dc)."""

    id: str
    how: Literal["done", "accepted"]
    reason: str


# -- machines -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ClaimStep(Command):
    """A conductor takes a machine step; refused if another has it."""

    step: str
    node: str
    epoch: int
    lease: int


@dataclass(frozen=True, kw_only=True)
class FinishStep(Command):
    """What a machine step came to. `attempt` and `epoch` are those of its claim."""

    step: str
    node: str
    epoch: int
    attempt: int
    outcome: Literal["done", "failed", "unknown"]
    outputs: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[Mapping[str, Any], ...] = ()
    error: str = ""
    engine: str = ""
    unreachable: bool = False


@dataclass(frozen=True, kw_only=True)
class Reclaim(Command):
    """Take back the steps that `node` had in hand when it died: its class says what follows."""

    node: str
    epoch: int


@dataclass(frozen=True, kw_only=True)
class DraftNotice(Command):
    """The machine has drafted what a notice step sends."""

    step: str
    document: str


@dataclass(frozen=True, kw_only=True)
class DraftReview(Command):
    """The machine has drafted the review."""

    document: str


@dataclass(frozen=True, kw_only=True)
class Impair(Command):
    """Some part of Hikeshi does not work; `mended` says it does again."""

    what: str
    detail: str = ""
    mended: bool = False


@dataclass(frozen=True, kw_only=True)
class MarkDelivery(Command):
    """What became of a message. `further` are channels still to try; `reached`: another one has taken it."""

    key: str
    outcome: Literal["sent", "failed", "given_up"]
    page: int = 0
    level: int = 0
    channel: str = ""
    person: str | None = None
    tries: int = 1
    detail: str = ""
    further: tuple[str, ...] = ()
    reached: bool = False


@dataclass(frozen=True, kw_only=True)
class ReceiveAlert(Command):
    """An alert as read from its source, or as it could not be read."""

    id: str
    source: str
    key: str
    title: str
    level: str = ""
    document: str = ""
    readable: bool = True
    problem: str = ""
    do: Literal["declare", "propose", "keep"] = "propose"
    playbook: str | None = None
    severity: str | None = None
    services: tuple[str, ...] = ()
    occurred: datetime | None = None
    incident: str | None = None


@dataclass(frozen=True, kw_only=True)
class CountAlert(Command):
    """The same alert came again."""

    id: str
    count: int


@dataclass(frozen=True, kw_only=True)
class SettleAlert(Command):
    """A person deals with an alert: declares it, attaches it to an incident, or dismisses it."""

    id: str
    how: Literal["declared", "attached", "dismissed"]
    reason: str = ""
    incident: str | None = None
    playbook: str | None = None


@dataclass(frozen=True, kw_only=True)
class AttachAlert(Command):
    """An alert belongs to this incident."""

    alert: str


@dataclass(frozen=True, kw_only=True)
class RecordRefusal(Command):
    """Somebody was refused; `count` sums up what a rate limit held back."""

    refused: str
    command: str
    reason: str
    detail: str = ""
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class NodeFact(Command):
    """A node starts, stops, or finds that nobody watched for a while."""

    what: Literal["started", "stopped", "outage"]
    node: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Quarantined(Command):
    """A stream's timers are stopped after failures, or run again."""

    stream: str
    failures: int
    released: bool = False
    detail: str = ""
