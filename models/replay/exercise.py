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


@dataclass(kw_only=True)
class _Asked:
    """A decision of the record: when it was asked for and made, and what had become known before."""

    step: str
    at: datetime
    made: Fact
    known: list[str] = field(default_factory=list)

    @property
    def took(self) -> timedelta:
        """Whole minutes from the asking to the choice, at least one."""
        return max(MINUTE, -(-(self.made.at - self.at) // MINUTE) * MINUTE)


def script_of(sources: Sources) -> dict[str, Any]:
    """The scenario as its file holds it. Raises BadInput if there is no decision to be made anew."""
    asked = list(_decisions(sources))
    if not asked:
        raise BadInput(
            f"{sources.recorded.stream}: no decision of its playbooks is in the record; an exercise needs one"
        )
    played, leaps, used = _times(asked)
    content = _frame(sources, used) | {
        "duration": write_duration(max(played[-1] + END, END)),
        "objectives": [_objective(sources, number, one) for number, one in enumerate(used, start=1)],
        "injects": [
            _inject(sources, number, one, at)
            for number, (one, at) in enumerate(zip(used, played, strict=True), start=1)
        ],
        "leaps": leaps,
    }
    Scenario.model_validate(content)
    return content


def _decisions(sources: Sources) -> Iterator[_Asked]:
    """Each decision once, with what was told since the one before."""
    ready: dict[str, datetime] = {}
    known: list[tuple[datetime, str]] = []
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


def _told(sources: Sources, fact: Fact) -> list[str]:
    """What a fact lets people know, in the words that were written down then."""
    names = {"incident.declared": "title", "note.added": "text", "scope.added": "name"}
    name = names.get(fact.kind)
    if name is not None:
        return [_words(sources, fact.data[name])]
    if fact.kind == "service.impacted":
        service = sources.directory.service(fact.data["service"])
        return [service.name.en if service is not None else fact.data["service"]]
    return []


def _words(sources: Sources, value: Any) -> str:
    body = sources.texts.get(value) if is_digest(value) else str(value)
    return sources.spoken(body or DISPOSED)


def _times(
    asked: list[_Asked],
) -> tuple[list[timedelta], list[dict[str, Any]], list[_Asked]]:
    """When each is given in play, and the leaps between; what lies beyond the longest exercise is left."""
    played: list[timedelta] = [timedelta(0)]
    leaps: list[dict[str, Any]] = []
    for before, one in pairwise(asked):
        gap = -(-(one.at - before.at) // MINUTE) * MINUTE
        kept = min(max(LEAST, before.took + AFTER), MOST)
        if gap > kept and len(leaps) < MAX_LEAPS:
            at, by = played[-1] + kept, gap - kept
            text = {"ja": f"{write_duration(by)} が過ぎた。", "en": f"{write_duration(by)} have passed."}
            leaps.append({"at": write_duration(at), "by": write_duration(by), "text": text})
            gap = kept
        played.append(played[-1] + gap)
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


def _inject(sources: Sources, number: int, one: _Asked, at: timedelta) -> dict[str, Any]:
    step = sources.steps[one.step].step
    told = "\n".join(one.known)[:MAX_WORDS]
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
            "ja": f"{told}\n{step.title.ja}" if told else step.title.ja,
            "en": f"{told}\n{step.title.en}" if told else step.title.en,
        },
        "objectives": [f"decision-{number}"],
        "expect": [expected | ({"role": role} if role in {step.authority, step.approver} else {})],
        "note": _words(sources, one.made.data.get("reason", "")) or None,
    }


def _role(sources: Sources, one: _Asked) -> str:
    return str(one.made.data["authority"]["role"] or sources.steps[one.step].step.deciders[0])


def _frame(sources: Sources, asked: list[_Asked]) -> dict[str, Any]:
    """All that stands around the script."""
    facts, stream = sources.recorded.facts, sources.recorded.stream
    title = _words(sources, facts[0].data["title"])
    resolved = next((fact for fact in facts if fact.kind == "incident.resolved"), None)
    cause = _words(sources, resolved.data["cause"]) if resolved is not None else title
    roles = dict.fromkeys(_role(sources, one) for one in asked)
    down = [fact.data["service"] for fact in facts[:50] if fact.kind == "service.impacted"]
    playbooks = dict.fromkeys(one.step.split("/", 1)[0] for one in asked)
    local = asked[0].at.astimezone(ZoneInfo(sources.zone))
    return {
        "scenario": f"replay-{stream.lower()}",
        "version": "1.0.0",
        "title": {"ja": f"再現：{title}", "en": f"Replay: {title}"},
        "summary": {
            "ja": f"{stream} の記録から作成。当時の判断をあらためて行い、実際の判断と比べる。",
            "en": f"Made from the record of {stream}: players decide anew, beside what was decided.",
        },
        "reviewed": sources.day.isoformat(),
        "playbooks": list(playbooks)[:10],
        "guideline": ["FSA-2.2.5-B1"],
        "plausibility": {"ja": "当組織で実際に起きた。", "en": "It has happened here."},
        "customer_impact": {"ja": title, "en": title},
        "threats": [
            {
                "text": {"ja": f"{stream} の記録", "en": f"The record of {stream}"},
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
