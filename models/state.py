"""What a record says now: the fold of its facts.

These are the builders that the fold changes as it goes; rules read them and never write. Free text is held as
its digest (`t:…`), so that a snapshot holds none.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from models.answers import Declined, HandedOver, Opinion, ProposedDecision, SentBack
from models.comcheck import Comcheck, Unreached
from models.communication import Outgoing, Situation
from models.distrust import Distrusted, Proposal
from models.entering import Token
from models.evidence import Evidence, Hold
from models.policy import ClockKind
from models.programme import Entry, Finding
from models.reopening import Reopening
from models.restriction import Inspector, Restriction
from models.rooms import Room
from models.scope import PartyNotice, ScopeItem
from models.sharing import Sharing
from models.shifts import ShiftState, Tenure
from models.sources import Unreachable
from models.upkeep import Upkeep
from models.voting import Vote

StepStatus = Literal[
    "waiting", "held", "ready", "started", "done", "failed", "unknown", "skipped", "not-applicable"
]
SETTLED = frozenset({"done", "skipped", "not-applicable"})
IncidentStatus = Literal["open", "resolved", "closed", "dismissed", "cancelled", "merged"]
ENDED = frozenset({"dismissed", "cancelled", "merged"})
OVER = ENDED | {"closed"}
"""When no step is due any more; obligations, improvements, notes and corrections go on after closing."""


class Recipient(msgspec.Struct, kw_only=True):
    """Who a level reached: the person, the role they were asked for, and whom they stand in for."""

    person: str
    role: str
    deputy_for: str | None = None
    channels: list[str] = []


class Page(msgspec.Struct, kw_only=True):
    """One call for an acknowledgement. `id` is the seq of the fact that asked for it.

    `round` counts calls of the last resort since `base`, `calls` all of them: keys never come twice.
    """

    id: int
    event: str
    subject: str
    route: str
    asked_at: datetime
    base: datetime
    within: list[int]
    repeat: list[int]
    all_of: list[bool]
    every: int
    renew: int = 0
    base_level: int = 0
    level: int = 0
    level_at: datetime
    attempt: int = 1
    round: int = 0
    calls: int = 0
    state: Literal["open", "acknowledged", "stopped"] = "open"
    acks: dict[str, datetime] = {}
    heard_at: datetime | None = None
    acked_by: str | None = None
    acked_at: datetime | None = None
    worked_at: datetime | None = None
    delegated_to: str | None = None
    delegated_by: str | None = None
    delegated_until: datetime | None = None
    delegated_as: int = 0
    delegated_levels: list[int] = []
    ended_at: datetime | None = None
    reached: dict[str, list[Recipient]] = {}
    failed: list[str] = []
    sent: int = 0
    delayed_by: list[str] = []
    declined: dict[str, Declined] = {}
    detail: dict[str, Any] = {}


class StreamState(msgspec.Struct, kw_only=True):
    """What every record has: its place, and the pages it asked for."""

    stream: str
    seq: int = 0
    at: datetime | None = None
    pages: dict[int, Page] = {}

    def open_pages(self) -> list[Page]:
        """Pages that somebody may still be paged for."""
        return [page for page in self.pages.values() if page.state == "open"]


class StepState(msgspec.Struct, kw_only=True):
    """A step of this incident; `key` is playbook/step."""

    key: str
    status: StepStatus = "waiting"
    round: int = 1
    attempt: int = 0
    begun: int = 0
    """The attempt with which what is done now was begun: a crash in its middle does not begin it anew."""
    owner: str | None = None
    ready_at: datetime | None = None
    limit_at: datetime | None = None
    overdue: bool = False
    started_at: datetime | None = None
    started_by: str | None = None
    node: str | None = None
    epoch: int = 0
    lease_until: datetime | None = None
    look_first: bool = False
    done_at: datetime | None = None
    done_by: str | None = None
    outputs: dict[str, Any] = {}
    choice: str | None = None
    decided_seq: int = 0
    factors: dict[str, Any] = {}
    reason: str | None = None
    held: list[str] = []
    drafted: str | None = None
    error: str | None = None
    unconfirmed: bool = False
    added: dict[str, Any] | None = None
    proposed: ProposedDecision | None = None
    sent_back: SentBack | None = None
    opinions: list[Opinion] = []
    votes: dict[str, Vote] = {}
    handed: HandedOver | None = None


class PhaseState(msgspec.Struct, kw_only=True):
    """A phase of this incident."""

    status: Literal["waiting", "open", "ended"] = "waiting"
    opened_at: datetime | None = None
    ended_at: datetime | None = None
    times: int = 0


class Targets(msgspec.Struct, kw_only=True):
    """What the register asked of a service when it was affected; spans in seconds. `levels` rise."""

    rto: int
    rto_from: Literal["outage", "decision"]
    rpo: int
    mtpd: int
    rlo: str
    levels: list[str]
    needs: list[str] = []
    order: int = 1
    owner: str = ""


class Forecast(msgspec.Struct, kw_only=True):
    """When somebody expects a service back."""

    at: datetime
    by: str
    said_at: datetime


class DataLoss(msgspec.Struct, kw_only=True):
    """What restoring would lose of a service's data, as far as it is known; `loss` in seconds."""

    status: Literal["unknown", "within", "beyond"]
    point: str | None = None
    loss: int | None = None
    why: str = ""
    compromised: datetime | None = None


class ServiceState(msgspec.Struct, kw_only=True):
    """What is known of one service in this incident.

    `down_since` begins the present disruption, `spells` are earlier ones: downtime adds up. `was_below` says
    that the service was below its recovery level at some time, so that its clocks run.
    """

    since: datetime | None = None
    level: str = ""
    note: str = ""
    level_at: datetime | None = None
    was_below: bool = False
    down_since: datetime | None = None
    spells: list[list[datetime]] = []
    targets: Targets | None = None
    forecast: Forecast | None = None
    loss: DataLoss | None = None
    stopped_at: datetime | None = None
    restored_at: datetime | None = None
    works_at: datetime | None = None
    confirmed: dict[str, str] = {}
    confirmed_at: dict[str, datetime] = {}
    recorders: dict[str, str] = {}
    resumed_at: datetime | None = None


class RecoveryPoint(msgspec.Struct, kw_only=True):
    """A backup that could be restored."""

    id: str
    service: str
    at: datetime
    tamper: Literal["unknown", "clean", "tampered"] = "unknown"
    malware: Literal["unknown", "clean", "infected"] = "unknown"
    kind: str = "backup"
    tested: str = ""
    source: str = "person"


class Impact(msgspec.Struct, kw_only=True):
    """One thing that is known of the harm; `value` as models.impact stores it."""

    kind: str
    value: str | list[str]
    confidence: Literal["confirmed", "likely", "suspected"]
    source: str
    at: datetime
    by: str


class ClockStage(msgspec.Struct, kw_only=True):
    """An instant on the way of a clock; `share` of its time in percent, 100 at the end.

    A `share` is told along the route that asked for it, a `warning` along the first for such clocks.
    """

    at: datetime
    what: Literal["notice", "share", "warning", "breach", "over"]
    share: int


class ClockState(msgspec.Struct, kw_only=True):
    """A clock that has started, as its facts say: due times are in the record, with how they came about."""

    id: str
    kind: ClockKind
    owner: str = ""
    status: Literal["running", "met", "missed", "ended"] = "running"
    started_at: datetime
    due_at: datetime
    stages: list[ClockStage] = []
    fired: int = 0
    breached: bool = False
    forecast: datetime | None = None
    breaks: bool = False
    path: list[str] = []
    stopped_at: datetime | None = None
    internal: bool = False
    basis: dict[str, Any] = {}

    @property
    def next_at(self) -> datetime | None:
        """When this clock has something to say next; None if never."""
        if self.status != "running" or self.fired >= len(self.stages):
            return None
        return self.stages[self.fired].at


class Submission(msgspec.Struct, kw_only=True):
    """A report that somebody sent, or a correction or update of it."""

    at: datetime
    by: str
    receipt: str = ""
    update: bool = False


class ReportState(msgspec.Struct, kw_only=True):
    """One stage of an obligation: judged, drafted, submitted and corrected are separate facts."""

    drafted: str | None = None
    drafted_at: datetime | None = None
    submitted: list[Submission] = []


class ObligationState(msgspec.Struct, kw_only=True):
    """A report that may be owed: what the rule proposes, what a person judged, what was sent."""

    id: str
    edition: str
    proposed: bool = False
    judged: Literal["applicable", "not-applicable"] | None = None
    judged_by: str | None = None
    judged_at: datetime | None = None
    reason: str = ""
    reports: dict[str, ReportState] = {}


class VendorAsk(msgspec.Struct, kw_only=True):
    """What a third party owes us by contract, since when; `within` in seconds, 0 for no agreed time."""

    party: str
    what: str
    asked_at: datetime
    within: int = 0
    answered_at: datetime | None = None


class Confirmation(msgspec.Struct, kw_only=True):
    """Something a scribe wrote for somebody, who has not confirmed it yet."""

    seq: int
    person: str
    by: str
    what: str


class PlaybookUse(msgspec.Struct, kw_only=True):
    """A playbook that the incident carries, at the version it was frozen at."""

    name: str
    version: str
    digest: str
    added_at: datetime


class Incident(StreamState, kw_only=True):
    """One case, folded from its record."""

    status: IncidentStatus = "open"
    title: str = ""
    source: str = ""
    drill: bool = False
    declared_at: datetime | None = None
    declared_by: str = ""
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    policy: str = ""
    playbooks: dict[str, PlaybookUse] = {}
    dropped: list[str] = []
    phases: dict[str, PhaseState] = {}
    steps: dict[str, StepState] = {}
    severity: str = ""
    severity_rank: int = -1
    severity_at: datetime | None = None
    paged_rank: int = -2
    impact: str | None = None
    urgency: str | None = None
    instants: dict[str, datetime] = {}
    services: dict[str, ServiceState] = {}
    evidence: dict[str, Evidence] = {}
    evidence_holds: list[Hold] = []
    scope: dict[str, ScopeItem] = {}
    recovery_points: dict[str, RecoveryPoint] = {}
    variables: dict[str, str | int | bool] = {}
    variables_by: dict[str, dict[str, str | int | bool]] = {}
    assigned: dict[str, str] = {}
    overrides: dict[str, int] = {}
    override_causes: dict[str, list[str]] = {}
    override_scope: dict[str, int] = {}
    links: dict[str, str] = {}
    merged_into: str | None = None
    alerts: list[str] = []
    confirmations: dict[int, Confirmation] = {}
    unasked: list[Confirmation] = []
    watch_until: datetime | None = None
    review: dict[str, str] = {}
    improvements: list[str] = []
    impaired: dict[str, str] = {}
    wanted: int = 0
    gates_held: dict[str, list[str]] = {}
    impacts: dict[str, Impact] = {}
    clocks: dict[str, ClockState] = {}
    obligations: dict[str, ObligationState] = {}
    vendors: dict[str, VendorAsk] = {}
    rooms: dict[str, Room] = {}
    situation_at: datetime | None = None
    situations: int = 0
    proposed_rank: int = -1
    proposed_severity: str = ""
    outgoing: dict[str, Outgoing] = {}
    situation_reports: list[Situation] = []
    inquiries: dict[str, int] = {}
    shifts: dict[str, ShiftState] = {}
    shifts_numbered: int = 0
    tenures: dict[str, Tenure] = {}
    reopenings: dict[str, Reopening] = {}
    party_notices: dict[str, PartyNotice] = {}
    sharings: dict[str, Sharing] = {}
    unreachable: dict[str, Unreachable] = {}
    restriction: Restriction = msgspec.field(default_factory=Restriction)


class Alert(msgspec.Struct, kw_only=True):
    """An alert that nobody has dealt with yet."""

    id: str
    source: str
    key: str
    at: datetime
    title: str
    level: str = ""
    count: int = 1
    proposed: str | None = None
    severity: str | None = None
    services: list[str] = []
    problem: str | None = None
    readable: bool = True
    overdue_at: datetime | None = None


class Intake(StreamState, kw_only=True):
    """Alerts on the table. What was dealt with leaves the state and stays in the record."""

    alerts: dict[str, Alert] = {}
    numbered: int = 0


class Quarantine(msgspec.Struct, kw_only=True):
    """A stream whose timers are not running."""

    stream: str
    since: datetime
    failures: int


class House(StreamState, kw_only=True):
    """The installation itself."""

    quarantined: dict[str, Quarantine] = {}
    outages: list[list[datetime]] = []
    refused: dict[str, int] = {}
    impaired: dict[str, str] = {}
    distrusted: dict[str, Distrusted] = {}
    evidence_round_at: datetime | None = None
    proposal: Proposal | None = None
    replies: list[str] = []
    upkeep: Upkeep = Upkeep()
    inspectors: dict[str, Inspector] = {}
    tokens: dict[str, Token] = {}


class Improvement(msgspec.Struct, kw_only=True):
    """Something to do better, with an owner and a date (FSA-2.5.2.6-B6)."""

    id: str
    incident: str
    title: str
    owner: str
    due: datetime
    remind_at: datetime
    opened_at: datetime
    status: Literal["open", "done", "accepted"] = "open"
    reminded: bool = False
    overdue: bool = False


class Receipt(msgspec.Struct, kw_only=True):
    """Somebody says that they have read a version of a playbook."""

    version: str
    digest: str
    at: datetime
    recorded_by: str | None = None


class Reading(msgspec.Struct, kw_only=True):
    """A playbook's readers. `due` is when those of `roles` must have read it; None once that is settled."""

    playbook: str
    version: str
    digest: str
    roles: list[str] = []
    asked_at: datetime | None = None
    due: datetime | None = None
    overdue: bool = False
    readers: dict[str, Receipt] = {}


class Programme(StreamState, kw_only=True):
    """Improvements, who has read which playbook, communication checks, exercises and what they found."""

    improvements: dict[str, Improvement] = {}
    readings: dict[str, Reading] = {}
    numbered: int = 0
    comchecks: dict[str, Comcheck] = {}
    comchecks_numbered: int = 0
    unreached: dict[str, Unreached] = {}
    entries: dict[str, Entry] = {}
    entries_numbered: int = 0
    findings: dict[str, Finding] = {}
