"""A bank of seven people with short routes and playbooks made of a few lines, for the tests of the rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.clock import ExerciseClock
from models.commands import Actor, Command, Declare
from models.decide import decide
from models.desk import Desk
from models.errors import Refused
from models.fact import Fact
from models.organisation import Organisation
from models.playbook import Playbook
from models.policy import Policy
from models.premises import Outcome, Premises
from models.record import OUTBOX, Record
from models.state import Incident, Page, StepState
from tests.records import fresh

NIGHT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
AMY, BEN, CHO, DAN, EVE, FAY, GUS = "amy", "ben", "cho", "dan", "eve", "fay", "gus"
ROLES = {
    AMY: ["csirt-duty"],
    BEN: ["csirt-lead"],
    CHO: ["ciso"],
    DAN: ["cio"],
    EVE: ["pay-owner"],
    FAY: ["pr"],
    GUS: ["scribe"],
}
MACHINE = Actor.machine("conductor")


def organisation(**changes: Any) -> Organisation:
    """Seven people, a role each; `absent={"cho": ...}` sends people away for ever."""
    absent = changes.pop("absent", ())
    away = [{"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}]
    people = [
        {
            "id": name,
            "name": name,
            "roles": roles,
            "channels": changes.get("channels", {}).get(name, ["console", "file"]),
            "deputies": {CHO: [DAN], AMY: [BEN]}.get(name, []),
            "absences": away if name in absent else [],
        }
        for name, roles in ROLES.items()
    ]
    roles = [*dict.fromkeys(role for held in ROLES.values() for role in held), "commander", "president"]
    service = {"owner": "pay-owner", "tier": 1, "rto": "2h", "rpo": "1h", "rlo": "-", "mtpd": "9h"}
    return Organisation.model_validate(
        {
            "name": "Bank",
            "people": people,
            "roles": [{"id": role, "title": role} for role in roles],
            "services": [
                {"id": name, "name": name, "recovery_order": number, **service}
                for number, name in enumerate(("payments", "cards"), start=1)
            ],
        }
        | changes.get("fields", {})
    )


def route(name: str, *events: str, levels: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A route for some events, with the CISO as the last resort."""
    return {
        "id": name,
        "title": name,
        "applies": {"events": list(events)},
        "levels": levels,
        "exhausted": {"to": ["ciso"], "every": "5m"},
        **changes,
    }


ROUTES = [
    route(
        "main",
        "declared",
        "severity-raised",
        levels=[
            {"to": ["csirt-duty"], "within": "5m"},
            {"to": ["csirt-lead"], "within": "5m"},
            {"to": ["ciso"], "within": "10m", "repeat": "4m"},
        ],
        renew="30m",
    ),
    route(
        "decision",
        "decision",
        levels=[{"to": ["authority"], "within": "10m", "repeat": "4m"}, {"to": ["cio"], "within": "10m"}],
    ),
    route(
        "house",
        "step-overdue",
        "step-unknown",
        "timers-stopped",
        "impaired",
        "triage-overdue",
        "alert-unreadable",
        levels=[{"to": ["owner", "csirt-duty"], "within": "10m"}],
    ),
    route("confirm", "confirm", "improvement-overdue", levels=[{"to": ["owner"], "within": "4h"}]),
]
SEVERITY = {
    "severities": [
        {"id": name, "title": name, "nisc": rank, "fire": fire}
        for rank, (name, fire) in enumerate((("low", "low"), ("medium", "medium"), ("high", "high")))
    ],
    "impacts": [{"id": "little", "title": "-"}, {"id": "much", "title": "-"}],
    "urgencies": [{"id": "calm", "title": "-"}, {"id": "spreading", "title": "-"}],
    "matrix": {
        "little": {"calm": "low", "spreading": "medium"},
        "much": {"calm": "medium", "spreading": "high"},
    },
    "default": "low",
}


def policy(**changes: Any) -> Policy:
    """The routes above, three severities, everything else as shipped."""
    return Policy.model_validate({"routes": ROUTES, "severity": SEVERITY} | changes)


def step(name: str, **fields: Any) -> dict[str, Any]:
    """A manual triage step of the duty officer that waits for nothing, unless `fields` say otherwise."""
    made = {"id": name, "phase": "triage", "kind": "manual", "title": name, "after": []} | fields
    if made["kind"] in {"manual", "notice"}:
        made.setdefault("owner", "csirt-duty")
    return made


def action(name: str, **fields: Any) -> dict[str, Any]:
    """A machine step that may run again after a crash."""
    shape = {"kind": "action", "use": "http.request", "target": "firewall", "on_crash": "idempotent"}
    return step(name, **(shape | fields))


def decision(name: str, **fields: Any) -> dict[str, Any]:
    """A choice of the CISO between yes and no."""
    options = [{"id": "yes", "title": "yes"}, {"id": "no", "title": "no"}]
    shape = {"kind": "decision", "authority": "ciso", "options": options, "otherwise": "-"}
    return step(name, **(shape | fields))


def playbook(name: str, *steps: dict[str, Any], **fields: Any) -> Playbook:
    """A playbook of these steps."""
    shape = {"playbook": name, "version": "1.0.0", "title": name, "reviewed": "2026-11-01", "priority": 1}
    return Playbook.model_validate(shape | {"steps": list(steps)} | fields)


PLAIN = playbook("unknown", step("look"))


@dataclass(kw_only=True)
class Scene:
    """One desk and one incident on a clock that the test moves."""

    desk: Desk
    clock: ExerciseClock
    stream: str = ""
    told: list[Outcome] = field(default_factory=list)

    @property
    def incident(self) -> Incident:
        return self.desk.incident(self.stream)

    def step(self, name: str) -> StepState:
        """The step of the playbook `unknown`, or by its whole key."""
        return self.incident.steps[name if "/" in name else f"unknown/{name}"]

    def page(self, subject: str = "incident", event: str | None = None) -> Page:
        """The last page about a subject."""
        found = [one for one in self.incident.pages.values() if one.subject == subject]
        return [one for one in found if event in {None, one.event}][-1]

    def do(self, command: Command, stream: str | None = None) -> tuple[str, ...]:
        """Have it done; the kinds of the facts that came of it."""
        outcome = self.desk.handle(stream or self.stream, command)
        assert outcome.accepted, (outcome.refused, outcome.detail)
        return outcome.kinds()

    def says(self, command: Command, stream: str | None = None) -> Refused:
        """The refusal; fails if there is none."""
        state = self.desk.state(stream or self.stream)
        with pytest.raises(Refused) as refused:
            decide(state, command, self.desk.world(state))
        return refused.value

    def wait(self, minutes: float, stream: str | None = None) -> tuple[str, ...]:
        """Let time pass and look once; the kinds of what it brought."""
        self.clock.advance(timedelta(minutes=minutes))
        return self.desk.tick(stream or self.stream).kinds()

    def facts(self, kind: str, stream: str | None = None) -> list[Fact]:
        """All stored facts of a kind."""
        with self.desk.record.read() as tx:
            return [fact for fact in tx.facts(stream or self.stream) if fact.kind == kind]

    def outbox(self, **where: Any) -> list[dict[str, Any]]:
        """The rows of the outbox that hold these values, oldest first."""
        with self.desk.record.read() as tx:
            rows = [dict(row) for row in tx.connection.execute(OUTBOX.select()).mappings()]
        return [row for row in rows if all(row[name] == value for name, value in where.items())]


def by(person: str | None) -> Actor:
    """Somebody at the command line."""
    return Actor(person=person, name=person or "mallory")


def open_desk(
    *playbooks: Playbook, record: Record | None = None, clock: ExerciseClock | None = None, **premises: Any
) -> Desk:
    """A desk of the small bank."""
    known = {one.playbook: one for one in (PLAIN, *playbooks)}
    shape: dict[str, Any] = {"organisation": organisation(), "policy": policy(), "playbooks": known}
    return Desk(record or fresh(), Premises(**(shape | premises)), clock or ExerciseClock(NIGHT))


def scene(*playbooks: Playbook, declare: bool = True, **premises: Any) -> Scene:
    """An incident declared by Amy at three in the morning in Tokyo, on the playbook `unknown`."""
    clock = ExerciseClock(NIGHT)
    desk = open_desk(*playbooks, clock=clock, **premises)
    made = Scene(desk=desk, clock=clock)
    if declare:
        made.stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
    return made


def scene_of(*steps: dict[str, Any], **fields: Any) -> Scene:
    """An incident whose playbook has these steps."""
    return scene(playbook("unknown", *steps, **fields))
