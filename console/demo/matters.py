"""What the scripted people find out and report about services, harm and authorities, as the clocks run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from models.commands import Actor, Command, ServiceFact, SetRecoveryPoint
from models.fold.matter import at_target
from models.impact import ForecastService, RecordImpact
from models.reports import ReportSituation, SubmitReport, VendorFact
from models.state import Incident
from models.values import parse_duration

Said = tuple[str, datetime, str, Command]
"""A name for what is said, when, by whom, and the command."""
BEFORE_DUE = timedelta(minutes=10)


class Matters:
    """What is said beside the steps: each entry once, and what clocks ask for."""

    def __init__(self, script: Mapping[str, Any], declared_at: datetime, say: Callable[[Any], str]) -> None:
        self.entries = script["matters"]
        self.declared_at = declared_at
        self.say = say

    def said(self, state: Incident, lead: str, owner: Callable[[str], str]) -> Iterator[Said]:
        """All that is still to be said; `owner` names who answers for a service."""
        yield from self._script(state, owner)
        yield from self._resumed(state, owner)
        yield from self._due(state, lead)

    def _script(self, state: Incident, owner: Callable[[str], str]) -> Iterator[Said]:
        for number, entry in enumerate(self.entries):
            if not self._done(entry, state):
                at = self.declared_at + parse_duration(entry["after"])
                who = entry.get("by") or owner(entry["service"])
                yield f"matter {number}", at, who, self._command(entry, who)

    def _done(self, entry: Mapping[str, Any], state: Incident) -> bool:
        """Whether the record has it already."""
        if "impact" in entry:
            return entry["impact"] in state.impacts
        if "vendor" in entry:
            return f"{entry['vendor']}/notice" in state.vendors and (
                not entry.get("answered")
                or state.vendors[f"{entry['vendor']}/notice"].answered_at is not None
            )
        service = state.services.get(entry["service"])
        if "point" in entry:
            point = state.recovery_points.get(entry["point"])
            return service is None or point is None or point.tamper != "unknown"
        said = self.declared_at + parse_duration(entry["eta"])
        known = service.forecast if service is not None else None
        return service is None or at_target(service) or (known is not None and known.at >= said)

    def _command(self, entry: Mapping[str, Any], who: str) -> Command:
        actor = Actor(person=who, name=who, via="cli")
        if "impact" in entry:
            source = self.say(entry["source"])
            return RecordImpact(actor=actor, kind=entry["impact"], value=entry["value"], source=source)
        if "vendor" in entry:
            answered = bool(entry.get("answered"))
            return VendorFact(actor=actor, party=entry["vendor"], what="notice", answered=answered)
        if "point" in entry:
            return SetRecoveryPoint(
                actor=actor,
                id=entry["point"],
                service=entry["service"],
                instant=self.declared_at - parse_duration(entry["taken"]),
                tamper="clean",
                malware="clean",
                kind="replica",
            )
        eta = self.declared_at + parse_duration(entry["eta"])
        return ForecastService(actor=actor, service=entry["service"], eta=eta)

    def _resumed(self, state: Incident, owner: Callable[[str], str]) -> Iterator[Said]:
        """Once business is taken up again, the owner says at which level the service runs."""
        for name, known in state.services.items():
            if known.resumed_at is not None and known.targets is not None and not at_target(known):
                who = owner(name)
                actor = Actor(person=who, name=who, via="cli")
                restored = ServiceFact(actor=actor, service=name, what="restored")
                yield f"restored {name}", known.resumed_at + timedelta(minutes=3), who, restored

    def _due(self, state: Incident, lead: str) -> Iterator[Said]:
        """Situation reports in time; reports to others that no step of the playbook sends."""
        actor = Actor(person=lead, name=lead, via="cli")
        for clock in state.clocks.values():
            if clock.status != "running":
                continue
            at = max(clock.due_at - BEFORE_DUE, clock.started_at)
            if clock.kind == "situation":
                text = self.say({"ja": "定時の状況報告（記録のとおり）", "en": "situation as in the record"})
                yield f"situation {state.situations}", at, lead, ReportSituation(actor=actor, text=text)
            elif clock.id.startswith("report:ZENGIN-NOTICE/") or clock.id.endswith("/data-subjects"):
                owed, _, stage = clock.id.partition(":")[2].partition("/")
                sent = SubmitReport(actor=actor, obligation=owed, stage=stage)
                yield f"send {clock.id}", at, lead, sent
