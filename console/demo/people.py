"""The scripted people: what each does about what is asked of them, and when."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from console.demo.matters import Matters
from models.clock import iso
from models.commands import (
    Actor,
    AddEvidence,
    AddImprovement,
    Close,
    Command,
    Decide,
    Done,
    OverrideGate,
    Resolve,
    ScopeFact,
    ServiceFact,
    SetInstant,
    SetRecoveryPoint,
)
from models.evidence import Particulars
from models.page import due_at
from models.plan import PlannedStep
from models.playbook import FACTORS, SUBMITTED, RecordField
from models.policy import PHASES
from models.state import Incident, Page
from models.values import parse_duration
from models.world import World

SCRIPT = Path(__file__).parent / "script.yaml"


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something a scripted person does at an instant. `page` is acknowledged on its signed page."""

    at: datetime
    person: str
    command: Command | None = None
    page: int | None = None


Wanted = tuple[str, Callable[[], Act | None]]
"""Something that is asked for, by name, and how it is planned when it is first seen."""


class People:
    """Everybody at the bank. What they do follows from the script and the record, from nothing else."""

    def __init__(self, lang: str, declared_at: datetime, folder: Path) -> None:
        self.folder = folder
        self.script: Mapping[str, Any] = YAML(typ="safe").load(SCRIPT.read_text(encoding="utf-8"))
        self.lang = lang
        self.declared_at = declared_at
        self.busy_until: dict[str, datetime] = {}
        self._planned: dict[str, Act | None] = {}
        self.matters = Matters(self.script, declared_at, self.say)

    def say(self, value: Any) -> str:
        """A text of the script in the demo's language."""
        return str(value[self.lang]) if isinstance(value, Mapping) else str(value)

    def next_act(self, state: Incident, world: World) -> Act | None:
        """The next thing that somebody does; None if nobody has anything to do."""
        # What is no longer asked for is dropped; what was planned keeps its time.
        wanted = dict(self._wanted(state, world))
        self._planned = {key: self._planned.get(key) or plan() for key, plan in wanted.items()}
        acts = [act for act in self._planned.values() if act is not None]
        return min(acts, key=lambda act: act.at, default=None)

    def _wanted(self, state: Incident, world: World) -> Iterator[Wanted]:
        for page in state.open_pages():
            yield f"page {page.id} {page.level}", partial(self._answer, page, world)
        for planned in world.steps(state).values():
            known = state.steps.get(planned.key)
            if known is not None and known.status == "ready" and planned.step.kind != "action":
                yield f"step {planned.key} {known.round}", partial(self._work, planned, state, world)
        yield from self._open_gates(state, world)
        yield from self._said(state, world)
        yield from self._end(state, world)

    def _said(self, state: Incident, world: World) -> Iterator[Wanted]:
        """What is said about services, harm and reports; nobody says anything before the call is heard."""
        if not any(page.acked_at for page in state.pages.values() if page.event == "declared"):
            return

        def owner(name: str) -> str:
            service = world.directory.service(name)
            return world.holders(state, service.owner if service else "csirt-lead")[0].person.id

        lead = world.holders(state, "csirt-lead")[0].person.id
        for name, at, who, command in self.matters.said(state, lead, owner):
            yield name, _plan(Act(at=max(at, world.now), person=who, command=command))

    # -- pages and decisions --------------------------------------------------------------------------------

    def _answer(self, page: Page, world: World) -> Act | None:
        rule = self.script["answers"].get(page.event)
        if rule is None:
            return None
        level = page.level if page.round == 0 else len(page.within)
        if level < int(rule["levels_silent"]):
            return None
        people = page.reached.get(str(page.level), [])
        if not people:
            return None
        at = page.level_at + parse_duration(rule["after"])
        if at >= due_at(page, page.level + 1):
            at = due_at(page, page.level + 1) - timedelta(seconds=10)
        return Act(at=max(at, world.now), person=people[0].person, page=page.id)

    def _work(self, planned: PlannedStep, state: Incident, world: World) -> Act | None:
        """Nobody works before somebody has heard the call."""
        heard = next((page.acked_at for page in state.pages.values() if page.event == "declared"), None)
        if heard is None:
            return None
        name = planned.key.split("/", 1)[1]
        known = state.steps[planned.key]
        role = (planned.step.authority if planned.step.kind == "decision" else planned.step.owner) or ""
        able = self._able(state, known.owner or role, world)
        person = min(able, key=self._free) if planned.step.kind != "decision" else able[0]
        if planned.step.kind == "decision":
            return self._decision(planned, name, person, known.ready_at or world.now)
        rule = self.script["steps"].get(name, {})
        begin = max(known.ready_at or world.now, self._free(person), heard)
        at = begin + parse_duration(str(rule.get("takes", self.script["takes"])))
        if at - begin < timedelta(hours=2):
            self.busy_until[person] = at
        values = self._values(planned, rule, known.round, at)
        done = Done(actor=_actor(person), step=planned.key, values=values)
        return Act(at=at, person=person, command=done)

    def _able(self, state: Incident, role: str, world: World) -> list[str]:
        """Who may take the step; the CSIRT shares what falls to whoever is on duty."""
        roles = (role, "csirt-lead", "scribe") if role == "csirt-duty" else (role,)
        return [holder.person.id for one in roles for holder in world.holders(state, one)]

    def _free(self, person: str) -> datetime:
        asleep = self.script["asleep"].get(person)
        awake = self.declared_at + parse_duration(asleep) if asleep else self.declared_at
        return max(awake, self.busy_until.get(person, awake))

    def _decision(self, planned: PlannedStep, name: str, person: str, asked: datetime) -> Act:
        rule = self.script["decisions"].get(name, {})
        needed = dict.fromkeys((*planned.step.factors, *(FACTORS if planned.step.stops else ())), "unknown")
        factors = {one: self.say(rule.get("factors", {}).get(one, "unknown")) for one in needed}
        decide = Decide(
            actor=_actor(person),
            step=planned.key,
            choice=planned.step.recommend or planned.step.options[0].id,
            reason=self.say(rule.get("reason", self.script["reason"])),
            factors=factors,
        )
        after = parse_duration(str(rule.get("after", self.script["decision"])))
        return Act(at=asked + after, person=person, command=decide)

    def _values(
        self, planned: PlannedStep, rule: Mapping[str, Any], round_: int, at: datetime
    ) -> dict[str, str]:
        given = rule.get("values", {})
        rounds = rule.get("rounds", {})
        values: dict[str, str] = {}
        for field in planned.step.record:
            if field.id in rounds:
                series = rounds[field.id]
                values[field.id] = str(series[min(round_, len(series)) - 1])
            elif field.id in given:
                values[field.id] = self.say(given[field.id])
            elif field.type == "instant":
                values[field.id] = iso(self._instant(rule, field, at))
            elif field.required:
                values[field.id] = self.say(self.script["fields"][field.type])
        return values

    def _instant(self, rule: Mapping[str, Any], field: RecordField, at: datetime) -> datetime:
        """What is sent is sent now; what happened before is told as the script has it."""
        if field.instant in {SUBMITTED, "restored"}:
            return at
        before = rule.get("before", {}).get(field.id)
        return self.declared_at - parse_duration(before) if before else min(at, self.declared_at)

    # -- gates ----------------------------------------------------------------------------------------------

    def _open_gates(self, state: Incident, world: World) -> Iterator[Wanted]:
        """What holds a step is done by whom it concerns, a few minutes after it showed."""
        lead = world.holders(state, "csirt-lead")[0].person.id
        for key, causes in state.gates_held.items():
            for cause in causes:
                command = self._for_cause(cause, key, state, world, lead)
                if command is not None:
                    at = world.now + timedelta(minutes=6)
                    one_step = key if isinstance(command, OverrideGate) else ""
                    act = Act(at=at, person=command.actor.person or lead, command=command)
                    yield f"gate {cause} {one_step}", _plan(act)

    def _for_cause(self, cause: str, key: str, state: Incident, world: World, lead: str) -> Command | None:
        name, _, what = cause.partition(":")
        csirt = _actor(lead)
        override = self.script["override"]
        if cause == override["cause"]:
            by = _actor(world.holders(state, override["by"])[0].person.id)
            reason = self.say(override["reason"])
            return OverrideGate(actor=by, gate=override["gate"], step=key, reason=reason)
        if name == "not-preserved":
            return self._preserve(what, csirt)
        if name == "no-fix":
            return self._fix(what, csirt)
        return self._about_services(name, what, state, world, csirt)

    def _preserve(self, source: str, csirt: Actor) -> Command:
        """Somebody copies it to a file and records the file's digest."""
        described = self.say(self.script["evidence"].get(source, self.script["fields"]["text"]))
        copy = self.folder / f"{source}.txt"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(f"{described}\n", encoding="utf-8")
        body = copy.read_bytes()
        return AddEvidence(
            actor=csirt,
            source=source,
            description=described,
            digest=f"sha256:{hashlib.sha256(body).hexdigest()}",
            size=len(body),
            name=copy.name,
            about=Particulars(referenced=True, words=(("storage", str(copy.resolve())),)),
        )

    def _fix(self, item: str, csirt: Actor) -> Command:
        number = int(item.rsplit("-", 1)[1]) - 1
        return ScopeFact(actor=csirt, what="fix", id=item, text=self.say(self.script["scope"][number]["fix"]))

    def _about_services(
        self, name: str, what: str, state: Incident, world: World, csirt: Actor
    ) -> Command | None:
        compromised = self.declared_at - timedelta(hours=52)
        service = world.directory.service(what)
        owner = _actor(world.holders(state, service.owner)[0].person.id) if service else csirt
        checked = SetRecoveryPoint(
            actor=owner,
            id=f"{what}-1120",
            service=what,
            instant=compromised - timedelta(hours=20),
            tamper="clean",
            malware="clean",
        )
        commands: dict[str, Command] = {
            "no-instant": SetInstant(
                actor=csirt,
                name=what,
                instant=compromised if what == "compromised" else world.now,
                source="VPN log",
            ),
            "no-checked-backup": checked,
            "backup-after-compromise": checked,
            "not-working": ServiceFact(actor=owner, service=what, what="works"),
            "not-confirmed-by-csirt": ServiceFact(actor=csirt, service=what, what="confirmed-by-csirt"),
            "not-confirmed-by-owner": ServiceFact(actor=owner, service=what, what="confirmed-by-owner"),
        }
        return commands.get(name)

    # -- the incident as a whole ----------------------------------------------------------------------------

    def scope(self, state: Incident, world: World) -> Iterator[Act]:
        """What analysis finds to be affected, told once by the lead."""
        lead = world.holders(state, "csirt-lead")[0].person.id
        for item in self.script["scope"]:
            command = ScopeFact(
                actor=_actor(lead), what="add", kind=item["kind"], name=self.say(item["name"])
            )
            yield Act(at=world.now, person=lead, command=command)

    def _end(self, state: Incident, world: World) -> Iterator[Wanted]:
        ended = {name for name, phase in state.phases.items() if phase.status == "ended"}
        commander = _actor(world.holders(state, "csirt-lead")[0].person.id)
        script = self.script
        soon = world.now + timedelta(minutes=10)
        if state.status == "open" and set(PHASES[:-1]) <= ended:
            resolve = Resolve(
                actor=commander, cause=self.say(script["cause"]), entry_route=self.say(script["entry_route"])
            )
            yield "resolve", _plan(Act(at=soon, person=commander.person or "", command=resolve))
        elif state.status == "resolved" and not state.improvements:
            improve = AddImprovement(
                actor=commander,
                title=self.say(script["improvement"]),
                owner=world.holders(state, "it-ops")[0].person.id,
                due=world.now + timedelta(days=60),
            )
            yield "improve", _plan(Act(at=soon, person=commander.person or "", command=improve))
        elif state.status == "resolved" and set(PHASES) <= ended:
            at = max(soon, (state.watch_until or soon) + timedelta(minutes=5))
            close = Close(actor=commander, assessment=self.say(script["assessment"]))
            yield "close", _plan(Act(at=at, person=commander.person or "", command=close))


def _plan(act: Act) -> Callable[[], Act | None]:
    return lambda: act


def _actor(person: str) -> Actor:
    return Actor(person=person, name=person, via="cli")
