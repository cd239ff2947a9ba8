"""A record as the script of an exercise: each recorded decision is asked for anew, with what was known then.

Pure. Expected is what was decided then, by which role and how soon; the scoring of drills compares with it.
Long waits are left out of play: the story leaps over them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from models.directory import Directory
from models.errors import BadInput
from models.fact import Fact
from models.plan import PlannedStep
from models.playbook import Step
from models.replay.past import DISPOSED, is_digest
from models.replay.recorded import Recorded
from models.scenario import MAX_PLAYED, Scenario
from models.values import write_duration

LEAST, MOST = timedelta(minutes=5), timedelta(minutes=30)
"""Between two injects at least and at most so much is played."""
AFTER = timedelta(minutes=5)
"""So much is left after the time that a decision took then."""
END = timedelta(minutes=20)
MAX_LEAPS = 20
MAX_WORDS = 3_000
MINUTE = timedelta(minutes=1)
OPENING = "opening"
_HAPPENED = {"ja": "当組織で実際に起きた。", "en": "It has happened here."}
_DRILLED = {"ja": "当組織の演習で起きた。", "en": "It has happened in a drill of this institution."}


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a script is made from. `spoken` puts roles in the place of names; `day` is the day it is made."""

    recorded: Recorded
    texts: Mapping[str, str | None]
    steps: Mapping[str, PlannedStep]
    directory: Directory
    zone: str
    day: date
    spoken: Callable[[str], str]
    origin: str
    """What the record is called: the incident, or the drill whose record it is of."""
    drill: bool = False


@dataclass(kw_only=True)
class _Asked:
    """A decision of the record: when it was asked for and made, and what had become known before."""

    step: str
    at: datetime
    made: Fact
    known: list[tuple[str, str]] = field(default_factory=list)
    """In Japanese and in English; what was written down is the same in both."""

    @property
    def took(self) -> timedelta:
        """Whole minutes from the asking to the choice, at least one."""
        return _whole(self.made.at - self.at)


def script_of(sources: Sources) -> dict[str, Any]:
    """The scenario as its file holds it. Raises BadInput if there is no decision to be made anew."""
    asked = list(_decisions(sources))
    if not asked:
        raise BadInput(
            f"{sources.recorded.stream}: no decision of its playbooks is in the record; an exercise needs one"
        )
    played, leaps, used = _times(asked, sources.recorded.facts[0].at)
    content = _frame(sources, used) | {
        "duration": write_duration(max(played[-1] + END, END)),
        "objectives": [
            {"id": OPENING, "text": {"ja": "初動にあたる", "en": "Respond to what begins"}, "since": OPENING},
            *(_objective(sources, number, one) for number, one in enumerate(used, start=1)),
        ],
        "injects": [
            _opening(sources, used[0]),
            *(
                _inject(sources, number, one, at)
                for number, (one, at) in enumerate(zip(used, played, strict=True), start=1)
            ),
        ],
        "leaps": leaps,
    }
    Scenario.model_validate(content)
    return content


def _decisions(sources: Sources) -> Iterator[_Asked]:
    """Each decision once, with what was told since the one before."""
    ready: dict[str, datetime] = {}
    known: list[tuple[datetime, tuple[str, str]]] = []
    found: dict[str, _Asked] = {}
    for fact in sources.recorded.facts:
        if fact.kind == "step.ready":
            ready[fact.data["step"]] = fact.at
        known += ((fact.at, words) for words in _told(sources, fact))
        if fact.kind != "decision.made" or fact.data["step"] in found:
            continue
        step = sources.steps.get(fact.data["step"])
        if step is None or fact.data["choice"] not in [option.id for option in step.step.options]:
            continue
        key = fact.data["step"]
        found[key] = _Asked(step=key, at=ready.get(key, fact.at), made=fact)
    for one in sorted(found.values(), key=lambda asked: asked.at):
        one.known = [words for at, words in known if at <= one.at]
        known = [told for told in known if told[0] > one.at]
        yield one


def _told(sources: Sources, fact: Fact) -> list[tuple[str, str]]:
    """What a fact lets people know, in the words that were written down then; Japanese and English."""
    names = {"incident.declared": "title", "note.added": "text", "scope.added": "name"}
    name = names.get(fact.kind)
    if name is not None:
        words = _words(sources, fact.data[name])
        return [(words, words)]
    if fact.kind == "service.impacted":
        service = sources.directory.service(fact.data["service"])
        name = fact.data["service"]
        return [(service.name.ja, service.name.en) if service is not None else (name, name)]
    return []


def _words(sources: Sources, value: Any) -> str:
    body = sources.texts.get(value) if is_digest(value) else str(value)
    return sources.spoken(body or DISPOSED)


def _times(
    asked: list[_Asked], opened: datetime
) -> tuple[list[timedelta], list[dict[str, Any]], list[_Asked]]:
    """When each is given in play, and the leaps between; what lies beyond the longest exercise is left."""
    played: list[timedelta] = []
    leaps: list[dict[str, Any]] = []
    end = timedelta(0)
    for before, one in pairwise([None, *asked]):
        assert one is not None  # noqa: S101 - only the first is not one
        # Before the first decision the incident is declared and looked at, in the time that this took.
        since, least = (before.at, before.took + AFTER) if before is not None else (opened, MOST)
        gap = -(-(one.at - since) // MINUTE) * MINUTE
        kept = min(max(LEAST, least), MOST)
        if gap > kept and len(leaps) < MAX_LEAPS:
            at, by = end + kept, gap - kept
            text = {"ja": f"{write_duration(by)} が過ぎた。", "en": f"{write_duration(by)} have passed."}
            leaps.append({"at": write_duration(at), "by": write_duration(by), "text": text})
            gap = kept
        end += gap
        played.append(end)
    last = sum(1 for at in played if at <= MAX_PLAYED - END)
    end = played[last - 1]
    return played[:last], [leap for leap in leaps if _within(leap, played[:last], end)], asked[:last]


def _within(leap: Mapping[str, Any], played: list[timedelta], end: timedelta) -> bool:
    return any(write_duration(at) == leap["at"] for at in played if timedelta(0) < at <= end)


def _objective(sources: Sources, number: int, one: _Asked) -> dict[str, Any]:
    step = sources.steps[one.step].step
    return {
        "id": f"decision-{number}",
        "text": {"ja": f"判断する：{step.title.ja}", "en": f"Decide: {step.title.en}"},
        "guideline": list(step.guideline),
        "within": write_duration(one.took),
        "since": f"asked-{number}",
    }


def _opening(sources: Sources, first: _Asked) -> dict[str, Any]:
    """What the incident began with, told to the role that took it then."""
    title = _words(sources, sources.recorded.facts[0].data["title"])
    return {
        "id": OPENING,
        "kind": "call",
        "channel": "telephone",
        "from": "control",
        "to": [_taken_by(sources) or _role(sources, first)],
        "at": "0m",
        "title": {"ja": title, "en": title},
        "text": {"ja": title, "en": title},
        "objectives": [OPENING],
        "expect": [
            {
                "text": {"ja": f"初動：{step.title.ja}", "en": f"First response: {step.title.en}"},
                "step": key,
                "within": write_duration(took),
                "objective": OPENING,
            }
            for key, step, took in _first_done(sources)
        ],
    }


def _first_done(sources: Sources) -> Iterator[tuple[str, Step, timedelta]]:
    """The first step that was done, and how long after the declaration."""
    facts = sources.recorded.facts
    for fact in facts:
        planned = sources.steps.get(fact.data["step"]) if fact.kind == "step.done" else None
        if planned is not None and planned.step.kind == "manual":
            yield fact.data["step"], planned.step, _whole(fact.at - facts[0].at)
            return


def _whole(took: timedelta) -> timedelta:
    """Whole minutes, at least one."""
    return max(MINUTE, -(-took // MINUTE) * MINUTE)


def _taken_by(sources: Sources) -> str | None:
    """A role of whoever took the first call, if the directory knows them."""
    takers = (fact.data["by"] for fact in sources.recorded.facts if fact.kind == "page.acknowledged")
    person = sources.directory.person(next(takers, ""))
    return person.roles[0] if person is not None and person.roles else None


def _inject(sources: Sources, number: int, one: _Asked, at: timedelta) -> dict[str, Any]:
    step = sources.steps[one.step].step
    ja, en = ("\n".join(told)[:MAX_WORDS] for told in zip(*one.known, strict=True)) if one.known else ("", "")
    option = next(option for option in step.options if option.id == one.made.data["choice"])
    role = _role(sources, one)
    expected = {
        "text": {"ja": f"当時の判断：{option.title.ja}", "en": f"Decided then: {option.title.en}"},
        "step": one.step,
        "option": option.id,
        "within": write_duration(one.took),
        "objective": f"decision-{number}",
    }
    return {
        "id": f"asked-{number}",
        "kind": "call",
        "channel": "telephone",
        "from": "control",
        "to": [role],
        "at": write_duration(at) if at else "0m",
        "title": {"ja": step.title.ja, "en": step.title.en},
        "text": {
            "ja": f"{ja}\n{step.title.ja}".strip(),
            "en": f"{en}\n{step.title.en}".strip(),
        },
        "objectives": [f"decision-{number}"],
        "expect": [expected | ({"role": role} if role in {step.authority, step.approver} else {})],
        "note": _words(sources, one.made.data.get("reason", "")) or None,
    }


def _role(sources: Sources, one: _Asked) -> str:
    return str(one.made.data["authority"]["role"] or sources.steps[one.step].step.deciders[0])


def _frame(sources: Sources, asked: list[_Asked]) -> dict[str, Any]:
    """All that stands around the script."""
    facts, origin = sources.recorded.facts, sources.origin
    title = _words(sources, facts[0].data["title"])
    resolved = next((fact for fact in facts if fact.kind == "incident.resolved"), None)
    cause = _words(sources, resolved.data["cause"]) if resolved is not None else title
    taker = _taken_by(sources)
    roles = dict.fromkeys([*([taker] if taker else []), *(_role(sources, one) for one in asked)])
    down = [fact.data["service"] for fact in facts[:50] if fact.kind == "service.impacted"]
    playbooks = dict.fromkeys(one.step.split("/", 1)[0] for one in asked)
    local = facts[0].at.astimezone(ZoneInfo(sources.zone))
    return {
        "scenario": f"replay-{origin.lower()}",
        "version": "1.0.0",
        "title": {"ja": f"再現：{title}", "en": f"Replay: {title}"},
        "summary": {
            "ja": f"{origin} の記録から作成。当時の判断をあらためて行い、実際の判断と比べる。",
            "en": f"Made from the record of {origin}: players decide anew, beside what was decided.",
        },
        "reviewed": sources.day.isoformat(),
        "playbooks": list(playbooks)[:10],
        "guideline": ["FSA-2.2.5-B1"],
        "plausibility": _DRILLED if sources.drill else _HAPPENED,
        "customer_impact": {"ja": title, "en": title},
        "threats": [
            {
                "text": {"ja": f"{origin} の記録", "en": f"The record of {origin}"},
                "confidence": "C1",
            }
        ],
        "start": {
            "day": {"ja": f"{local:%Y-%m-%d} と同じ曜日", "en": f"A day such as {local:%Y-%m-%d}"},
            "time": f"{local:%H:%M}",
            "services": [{"service": one, "state": "degraded"} for one in dict.fromkeys(down)],
        },
        "briefing": {"ja": title, "en": title},
        "truth": {"ja": cause, "en": cause},
        "roles": [_card(sources, role) for role in roles],
    }


def _card(sources: Sources, role: str) -> dict[str, Any]:
    known = sources.directory.role(role)
    title = known.title if known is not None else None
    return {
        "role": role,
        "task": {
            "ja": f"{title.ja if title else role}として判断する。",
            "en": f"Decide as {title.en if title else role}.",
        },
    }
