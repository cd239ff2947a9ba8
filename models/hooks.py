"""Webhooks out: which fact goes to which of the institution's other systems, and what it says there.

What leaves names the fact and how the incident stood; never a person, and no text of anybody's but the title,
where the hook asks for that. A restricted incident leaves only where the settings say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, field_validator, model_validator

from models.clock import iso, micros
from models.fact import Fact
from models.policy import SeverityPolicy
from models.state import Incident
from models.targets import is_loopback
from models.values import Duration, Frozen, Id, SecretRef

VERSION = 1
PREFIX = "webhook "
"""What a hook is called where the house says that it is impaired, before its name."""
PING = "ping"
"""The type of what `hikeshi check --live` sends."""
KINDS_MOST = 50
BACK_OFF = (1, 2, 5, 15, 60, 300)
"""Seconds until the next try; the last of them from then on."""
POISON_TRIES = 5
WAITING_MOST = 10_000
"""More events than this wait for no hook: the oldest are given up."""
MAX_WAIT_SECONDS = 3_600
REFUSING = frozenset({400, 413, 415, 422})
"""Statuses about this one event: it may not hold up those behind it for long."""
Kinds = Annotated[str, Field(pattern=r"^(\*|[a-z_]+\.(\*|[a-z_]+)|confirmed)$", max_length=60)]
Why = Literal["", "kind", "severity", "restricted"]


class Webhook(Frozen):
    """A system of the institution's that is told what happens, signed after Standard Webhooks."""

    name: Id
    url: str = Field(pattern=r"^https?://[^\s]+$", max_length=2_000)
    secret: SecretRef = Field(description="`whsec_` and at least 24 bytes in base64; signs each event")
    secret_before: SecretRef | None = Field(
        default=None, description="the secret before, which signs as well while receivers change over"
    )
    kinds: tuple[Kinds, ...] = Field(
        min_length=1,
        max_length=KINDS_MOST,
        description="kinds of fact: `incident.declared`, `page.*`, or `*` for all",
    )
    from_severity: Id | None = Field(
        default=None, alias="from", description="only of incidents that are, or were paged as, this grave"
    )
    restricted: bool = Field(default=False, description="whether restricted incidents leave as well")
    title: bool = Field(default=False, description="whether the incident's title leaves as well")
    timeout: Duration = Field(default="10s", validate_default=True)
    late_after: Duration = Field(
        default="15m", validate_default=True, description="failing for longer than this pages somebody"
    )
    give_up_after: Duration = Field(
        default="1d", validate_default=True, description="an event is tried for so long, and no longer"
    )

    @model_validator(mode="after")
    def _not_in_clear(self) -> Webhook:
        if self.url.startswith("http://") and not is_loopback(self.url):
            raise ValueError("url: expected https (http only to this machine)")
        return self

    @field_validator("timeout")
    @classmethod
    def _is_short(cls, value: timedelta) -> timedelta:
        if value > timedelta(minutes=1):
            raise ValueError("expected at most 1m: what hangs holds up the events behind it")
        return value


def fits(pattern: str, kind: str) -> bool:
    """Whether a kind of fact is meant by `*`, `page.*` or its own name."""
    return pattern in {"*", kind} or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))


def why_not(hook: Webhook, kind: str, incident: Incident, policy: SeverityPolicy) -> Why:
    """Why a fact does not go to a hook; empty if it does.

    An incident that has been grave enough once is told to its end: who was alarmed hears that it is over.
    """
    if incident.restriction.on and not hook.restricted:
        return "restricted"
    if not any(fits(pattern, kind) for pattern in hook.kinds):
        return "kind"
    if hook.from_severity is None:
        return ""
    grave = max(incident.severity_rank, incident.paged_rank)
    return "" if grave >= policy.rank(hook.from_severity) else "severity"


def calls(
    facts: Iterable[Fact], incident: Incident, policy: SeverityPolicy, hooks: Sequence[Webhook]
) -> list[dict[str, Any]]:
    """The rows for what has just been recorded; `incident` has all of it folded in."""
    return [
        _row(hook, fact, incident)
        for fact in facts
        for hook in hooks
        if not why_not(hook, fact.kind, incident, policy)
    ]


def _row(hook: Webhook, fact: Fact, incident: Incident) -> dict[str, Any]:
    return {
        "key": f"{fact.stream}/{fact.seq}/webhook/{hook.name}",
        "hook": hook.name,
        "stream": fact.stream,
        "seq": fact.seq,
        "body": orjson.dumps(_event(fact, incident)).decode(),
        "state": "queued",
        "tries": 0,
        # At once. Not an instant: in a drill the record's time is not that of the machine, which sends.
        "next_try_at": 0,
        "created_at": micros(fact.recorded_at),
    }


def _event(fact: Fact, incident: Incident) -> dict[str, Any]:
    """What is known when it is recorded; words and link are added when it leaves."""
    return {
        "type": fact.kind,
        "at": iso(fact.at),
        "recorded_at": iso(fact.recorded_at),
        "incident": fact.stream,
        "seq": fact.seq,
        "status": incident.status,
        "severity": incident.severity,
        "phases": [name for name, phase in incident.phases.items() if phase.status == "open"],
        "drill": incident.drill,
    }


def next_try(tries: int, now: datetime, asked_seconds: float = 0) -> datetime:
    """When an event that has failed so often goes again; never before the receiver asked for it."""
    waits = BACK_OFF[min(tries, len(BACK_OFF)) - 1]
    return now + timedelta(seconds=max(waits, min(asked_seconds, MAX_WAIT_SECONDS)))


def hopeless(hook: Webhook, row: Mapping[str, Any], status: int, now: datetime) -> str:
    """Why an event is given up after a failure; empty if it goes again. `row` counts this try."""
    if status in REFUSING and row["tries"] >= POISON_TRIES:
        return "refused"
    tried = micros(now) - row["tried_at"]
    return "tried too long" if tried >= hook.give_up_after / timedelta(microseconds=1) else ""
