"""A small exercise at the small bank: one inject at STARTEX, its record made by ordinary commands."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from models.commands import Actor
from models.exercise import Delivered, Exercise, Participant
from models.scenario import Scenario
from models.scoring.played import Case, Played
from tests.models.small import AMY, BEN, CHO, EVE, NIGHT, Scene

PLAYERS = {AMY: ["csirt-duty"], BEN: ["csirt-lead"], CHO: ["ciso"], EVE: ["pay-owner"]}
TEXT = {"ja": "-", "en": "-"}


def minutes(count: float) -> datetime:
    """So many minutes of the story after STARTEX."""
    return NIGHT + timedelta(minutes=count)


def script(person: str) -> Actor:
    """The scripted responder for whoever holds the role."""
    return Actor(person=person, name=person, via="script")


def expected(step: str | None = "unknown/look", **fields: Any) -> dict[str, Any]:
    """What is expected upon the inject `call`: the duty officer looks, within ten minutes."""
    shape: dict[str, Any] = {"text": TEXT, "role": "csirt-duty", "within": "10m"}
    if step is not None:
        shape["step"] = step
    return {name: value for name, value in (shape | fields).items() if value is not None}


def inject(*expect: dict[str, Any], name: str = "call", **fields: Any) -> dict[str, Any]:
    """An inject at STARTEX for the objective `look`."""
    shape = {"id": name, "kind": "call", "channel": "telephone", "from": "control", "to": ["csirt-duty"]}
    timed = {} if {"after", "when"} & fields.keys() else {"at": "0m"}
    return shape | timed | {"title": TEXT, "text": TEXT, "objectives": ["look"], "expect": expect} | fields


def scenario(*injects: dict[str, Any], **fields: Any) -> Scenario:
    """A scenario of these injects with one objective; `objective` changes it."""
    objective = {"id": "look", "text": {"ja": "見る", "en": "Look"}, "guideline": ["FSA-2.5.2.1-B1"]}
    shape = {
        "scenario": "quiet-night",
        "version": "1.0.0",
        "title": {"ja": "静かな夜", "en": "A quiet night"},
        "summary": TEXT,
        "reviewed": "2026-11-01",
        "playbooks": ["unknown"],
        "guideline": ["FSA-2.2.5-B1"],
        "plausibility": TEXT,
        "customer_impact": TEXT,
        "threats": [{"text": TEXT, "confidence": "G"}],
        "duration": "60m",
        "start": {"day": TEXT, "time": "03:00"},
        "briefing": TEXT,
        "truth": TEXT,
        "roles": [{"role": role, "task": TEXT} for role in ("csirt-duty", "csirt-lead", "ciso")],
        "objectives": [objective | fields.pop("objective", {})],
        "injects": injects or [inject(expected())],
    }
    return Scenario.model_validate(shape | fields)


def exercise(script_: Scenario, **fields: Any) -> Exercise:
    """An exercise in which every inject came in at its planned time; `came` says otherwise (minutes)."""
    came = {one.id: 0.0 for one in script_.injects} | fields.pop("came", {})
    enrolled = fields.pop("players", PLAYERS)
    absent = fields.pop("absent", {})
    shape: dict[str, Any] = {
        "stream": "exercise",
        "seq": 1,
        "drill": "DRL-2026-0001",
        "scenario": script_.scenario,
        "version": script_.version,
        "digest": "sha256:00",
        "status": "ended",
        "startex": NIGHT,
        "staff": {"gus": "facilitator"},
        "participants": {
            name: Participant(person=name, roles=roles, absent=absent.get(name))
            for name, roles in enrolled.items()
        },
        "injects": {
            name: Delivered(id=name, how="planned", at=minutes(at), played_ms=int(at * 60_000))
            for name, at in came.items()
            if at is not None
        },
        "ended_at": minutes(60),
    }
    return Exercise(**(shape | fields))


def played(
    made: Scene | None = None, script_: Scenario | None = None, *, ends: float = 60, **fields: Any
) -> Played:
    """What is scored: the incident of the scene, if there is one, and the exercise around it."""
    script_ = script_ or scenario()
    cases = []
    if made is not None:
        with made.desk.record.read() as tx:
            cases.append(Case(state=made.incident, facts=list(tx.facts(made.stream))))
            others = list(tx.facts("intake"))
    return Played(
        scenario=script_,
        exercise=exercise(script_, **fields),
        cases=cases,
        ends=minutes(ends),
        others=others if made is not None else (),
    )
