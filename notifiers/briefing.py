"""What a message says, taken from the record as it stands when the message leaves.

The words around it are the templates'; here are only names, times and texts of the incident itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.access import is_vendor
from models.clock import iso
from models.comcheck import parts_of
from models.page import due_at
from models.policy import PHASES, Route
from models.readers import unread
from models.reason import Reason
from models.restriction import GLASS
from models.routing import level_recipients, route_of
from models.state import House, Incident, Intake, Page, Programme, StreamState
from models.world import World
from notifiers.briefing_access import brief_glass
from notifiers.briefing_answers import (
    brief_opinion,
    brief_proposal,
    brief_refusals,
    brief_step_answers,
    brief_tried,
    sent_back,
)
from notifiers.briefing_clocks import brief_clock, brief_reports, brief_severity
from notifiers.briefing_communication import brief_message, brief_situation
from notifiers.briefing_evidence import brief_evidence
from notifiers.briefing_exercise import (
    brief_ending,
    brief_exercise,
    brief_inject,
    brief_leap,
    brief_outcome,
    brief_said,
)
from notifiers.briefing_gates import brief_reopening
from notifiers.briefing_names import Matter, at, person_name, text_of
from notifiers.briefing_sources import brief_source
from notifiers.handover import brief_handover, brief_shift
from notifiers.message import blank_context
from notifiers.phrases import PHRASES

Brief = Callable[[str, Matter, str], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """The outbox row, as the message needs it."""

    key: str
    stream: str
    page: int
    cause: int
    level: str
    attempt: int
    kind: str
    template: str
    subject: str
    person: str | None
    deputy_for: str | None
    channel: str
    tries: int


def brief(envelope: Envelope, matter: Matter, lang: str) -> dict[str, Any]:
    """The context for the template, in `ja` or `en`."""
    context = blank_context()
    world, state = matter.world, matter.state
    context |= {
        "organisation": world.organisation.name.lang(lang),
        "bridge": world.organisation.bridge or "",
        "link": matter.link,
        "stream": state.stream,
        "recipient": person_name(world, envelope.person, lang),
        "deputy_for": person_name(world, envelope.deputy_for, lang),
        "repeat": envelope.attempt > 1 or envelope.tries > 1,
    }
    if isinstance(state, Incident):
        context |= _incident(state, matter, lang)
        if is_vendor(envelope.person, world):
            # A third party learns of its own step and of nothing else.
            context |= {"title": "", "what": "", "phase": ""}
    else:
        gravest = len(world.policy.severity.severities) - 1
        context |= {
            "incident": "Hikeshi",
            "rank": gravest,
            "severity_title": PHRASES[lang].get(f"stream.{state.stream}", ""),
        }
    page = state.pages.get(envelope.page) or _page_of(state, envelope.subject)
    if page is not None:
        context |= _page(page, envelope, matter, lang)
    extra = context["extra"]
    context |= _subject(envelope.subject, matter, lang, envelope.person)
    context["extra"] = extra | context["extra"]
    return context


def _page_of(state: StreamState, subject: str) -> Page | None:
    kind, _, number = subject.partition(":")
    return state.pages.get(int(number)) if kind == "page" and number.isdigit() else None


def _said(matter: Matter, text: str) -> str:
    """The text itself; of a step added by hand, the one that lies beside its fact."""
    return text_of(matter, text) if text.startswith("t:") else text


def _incident(state: Incident, matter: Matter, lang: str) -> dict[str, Any]:
    policy = matter.world.policy.severity
    severity = next((one for one in policy.severities if one.id == state.severity), None)
    phases = [name for name in (*PHASES, "communication") if _is_open(state, name)]
    services = [
        known.name.lang(lang)
        for name, service in state.services.items()
        if service.since is not None and (known := matter.world.directory.service(name))
    ]
    what = text_of(matter, state.title)
    if services:
        what += " / " + PHRASES[lang]["affected"].format(services=", ".join(services))
    return {
        "incident": state.stream,
        "title": text_of(matter, state.title),
        "severity": state.severity,
        "rank": state.severity_rank,
        "severity_title": severity.title.lang(lang) if severity else state.severity,
        "phase": ", ".join(PHRASES[lang][f"phase.{name}"] for name in phases[:3]),
        "what": what,
    }


def _is_open(state: Incident, name: str) -> bool:
    known = state.phases.get(name)
    return known is not None and known.status == "open"


def _page(page: Page, envelope: Envelope, matter: Matter, lang: str) -> dict[str, Any]:
    world = matter.world
    zone = world.organisation.zone
    route = route_of(world, matter.state, page)
    following = due_at(page, min(page.level + 1, len(page.within)))
    if page.round:
        following = due_at(page, len(page.within)) + timedelta(seconds=page.every * page.round)
    found: dict[str, Any] = {
        "route": route.title.lang(lang) if route else page.route,
        "level": page.level + 1,
        "levels": len(page.within),
        "until": at(following, zone, lang),
        "until_iso": iso(following),
        "then": _then(page, route, following, matter, lang),
        "extra": {
            "others": _others(page, envelope, world, lang),
            "tried": brief_tried(page, matter, lang),
            "by": person_name(world, page.acked_by, lang),
            "at": at(page.acked_at, zone, lang) if page.acked_at else "",
            "since": at(page.asked_at, zone, lang),
            "settled": page.state != "open",
            "part": str(page.detail.get("what", "")),
            "target": str(page.detail.get("target", "")),
            "said": text_of(matter, matter.state.title) if isinstance(matter.state, Incident) else "",
            **brief_refusals(page, matter, lang),
        },
    }
    if page.delayed_by:
        found["delayed_by"] = _span(page.delayed_by, zone)
    if page.acked_by is None and page.state == "open" and envelope.level.endswith("-again"):
        found["reason"] = PHRASES[lang]["lapsed"]
    return found


def _span(ends: list[str], zone: str) -> str:
    local = [datetime.fromisoformat(one).astimezone(ZoneInfo(zone)) for one in ends]
    return f"{local[0]:%H:%M}-{local[1]:%H:%M}"


def _others(page: Page, envelope: Envelope, world: World, lang: str) -> list[str]:
    people = page.reached.get(str(page.level), [])
    return [person_name(world, one.person, lang) for one in people if one.person != envelope.person]


def _then(page: Page, route: Route | None, following: datetime, matter: Matter, lang: str) -> str:
    """What follows if nobody answers: who is next, and when."""
    if route is None:
        return ""
    last = page.level + 1 >= len(route.levels)
    to = route.exhausted.to if last else route.levels[page.level + 1].to
    people = level_recipients(matter.world, matter.state, to, (), page.subject)
    names = ", ".join(person_name(matter.world, one["person"], lang) for one in people[:4])
    local = following.astimezone(ZoneInfo(matter.world.organisation.zone))
    phrase = PHRASES[lang]["then-last" if last else "then-next"]
    near = following - matter.world.now < timedelta(hours=20)
    time = f"{local:%H:%M}" if near else f"{local:%m/%d %H:%M}"
    return phrase.format(time=time, who=names or "-", every=page.every // 60)


def _subject(subject: str, matter: Matter, lang: str, person: str | None) -> dict[str, Any]:
    kind, _, name = subject.partition(":")
    about: dict[str, Brief] = {
        "step": _step,
        "approval": lambda name, matter, lang: _with(_step, brief_proposal, name, matter, lang),
        "opinion": lambda name, matter, lang: _with(_step, brief_opinion, name, matter, lang),
        "alert": _alert,
        "improvement": _improvement,
        "finding": _finding,
        "confirm": _confirm,
        "reading": _reading,
        "comcheck": _comcheck,
        "trust": _trust,
        "clock": brief_clock,
        "reports": brief_reports,
        "severity": brief_severity,
        "message": brief_message,
        "situation": brief_situation,
        "shift": brief_shift,
        "reopening": brief_reopening,
        "evidence": brief_evidence,
        "source": brief_source,
        GLASS: brief_glass,
        "inject": brief_inject,
        "said": brief_said,
        "leap": brief_leap,
        "outcome": brief_outcome,
        "ending": brief_ending,
        "exercise": lambda name, matter, lang: brief_exercise(name, matter, lang, person),
        "handover": lambda name, matter, lang: brief_handover(name, matter, lang, person),
        "quarantine": lambda name, matter, lang: {
            "extra": {"part": name},
            "what": PHRASES[lang]["quarantine"].format(stream=name),
        },
        "impaired": lambda name, matter, lang: {
            "extra": {"part": name},
            "what": _part(name, lang),
        },
    }
    return about[kind](name, matter, lang) if kind in about else {}


def _part(name: str, lang: str) -> str:
    """What it means that this part does not work; on one of several machines others have its work."""
    kind, _, machine = name.partition("@")
    key = f"part.{kind}@" if machine else f"part.{kind}"
    return PHRASES[lang].get(key, name).format(machine=machine)


def _with(first: Brief, then: Brief, name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """What a step says, and on top what is asked about it; the part after `#` is no part of its key."""
    found, more = first(name.partition("#")[0], matter, lang), then(name, matter, lang)
    return found | more | {"extra": found.get("extra", {}) | more.get("extra", {})}


def _step(key: str, matter: Matter, lang: str) -> dict[str, Any]:
    state, world = matter.state, matter.world
    planned = world.step(state, key) if isinstance(state, Incident) else None
    if planned is None or not isinstance(state, Incident):
        return {"step_title": key}
    step, known = planned.step, state.steps.get(key)
    found: dict[str, Any] = {
        "step_title": _said(matter, step.title.lang(lang)),
        "step_text": step.text.lang(lang) if step.text else "",
        "otherwise": step.otherwise.lang(lang) if step.otherwise else "",
        "options": [
            {
                "id": one.id,
                "title": one.title.lang(lang),
                "price": one.price.lang(lang) if one.price else "",
            }
            for one in step.options
        ],
        "recommend": next((one.title.lang(lang) for one in step.options if one.id == step.recommend), ""),
        "phase": PHRASES[lang][f"phase.{step.phase}"],
    }
    if known is not None:
        found["extra"] = brief_step_answers(known, matter, lang)
        if known.sent_back is not None:
            found["reason"] = sent_back(known.sent_back, matter, lang)
    if known is not None and known.limit_at is not None:
        found["limit"] = at(known.limit_at, world.organisation.zone, lang)
    found["command"] = f"hikeshi step show {state.stream} {key.rsplit('/', 1)[-1]}"
    if known is not None and known.status in {"failed", "unknown"}:
        found["reason"] = text_of(matter, known.error) or Reason.CRASHED_ASK.value
    if known is not None and known.overdue and known.limit_at is not None:
        found["reason"] = PHRASES[lang]["overdue"].format(
            time=at(known.limit_at, world.organisation.zone, lang)
        )
    return found


def _alert(number: str, matter: Matter, lang: str) -> dict[str, Any]:
    alert = matter.state.alerts.get(number) if isinstance(matter.state, Intake) else None
    title = text_of(matter, alert.title) if alert else number
    return {
        "title": title,
        "what": f"{number}: {title}",
        "extra": {
            "source": alert.source if alert else "",
            "error": text_of(matter, alert.problem) if alert else "",
        },
    }


def _improvement(number: str, matter: Matter, lang: str) -> dict[str, Any]:
    one = matter.state.improvements.get(number) if isinstance(matter.state, Programme) else None
    if one is None:
        return {}
    return {
        "title": text_of(matter, one.title),
        "incident": one.incident,
        "extra": {
            "improvement": f"{number} {text_of(matter, one.title)}",
            "owner": person_name(matter.world, one.owner, lang),
            "due": at(one.due, matter.world.organisation.zone, lang),
        },
    }


def _finding(number: str, matter: Matter, lang: str) -> dict[str, Any]:
    """A finding of an exercise; what it is about comes before any incident."""
    one = matter.state.findings.get(number) if isinstance(matter.state, Programme) else None
    if one is None:
        return {}
    return {
        "what": f"{number}: {text_of(matter, one.title)}",
        "incident": one.exercise,
        "extra": {
            "finding": f"{number} {text_of(matter, one.title)}",
            "owner": person_name(matter.world, one.owner, lang),
            "due": at(one.due, matter.world.organisation.zone, lang),
        },
    }


def _trust(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """Channels that somebody wants out of band, or back; nothing if that has been settled by now."""
    wanted = matter.state.proposal if isinstance(matter.state, House) else None
    if wanted is None:
        return {}
    return {
        "what": PHRASES[lang][f"trust.{wanted.way}"].format(channels=", ".join(wanted.channels)),
        "extra": {
            "by": person_name(matter.world, wanted.by, lang),
            "reason": text_of(matter, wanted.reason),
            "command": f"hikeshi route confirm {wanted.seq}",
        },
    }


def _reading(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """A playbook to be read; who has not is said as of when this message leaves."""
    one = matter.state.readings.get(name) if isinstance(matter.state, Programme) else None
    if one is None:
        return {}
    organisation = matter.world.organisation
    frozen = matter.world.library.get(name)
    title = frozen.plan.playbook.title.lang(lang) if frozen is not None else name
    missing = [person_name(matter.world, person, lang) for person in unread(organisation, one)]
    return {
        "what": f"{title} ({name} {one.version})",
        "incident": PHRASES[lang]["reading"],
        "extra": {
            "missing": ", ".join(missing),
            "due": at(one.due, organisation.zone, lang) if one.due else "",
            "command": f"hikeshi playbook read {name}",
        },
    }


def _comcheck(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """A test: nothing has happened, nobody else is asked on this page, and nothing climbs."""
    number, person, channel = parts_of(name)
    known = matter.state.comchecks.get(number) if isinstance(matter.state, Programme) else None
    if known is None:
        return {"incident": number}
    world = matter.world
    route = next((one for one in world.policy.routes if one.id == known.route), None)
    return {
        "incident": number,
        "severity": PHRASES[lang]["comcheck"],
        "severity_title": "",
        "what": PHRASES[lang]["comcheck-what" if known.route else "comcheck-exercise"].format(
            route=route.title.lang(lang) if route else known.route, channel=channel
        ),
        "until": at(known.ends_at, world.organisation.zone, lang),
        "until_iso": iso(known.ends_at),
        "then": PHRASES[lang]["comcheck-then" if known.route else "comcheck-exercise-then"],
        "command": "".join(
            f"hikeshi ack {matter.state.stream} {ask.page}"
            for ask in known.of(person)
            if ask.channel == channel
        ),
        "route": "",
        "reason": text_of(matter, known.reason),
    }


def _confirm(number: str, matter: Matter, lang: str) -> dict[str, Any]:
    state = matter.state
    known = state.confirmations.get(int(number)) if isinstance(state, Incident) else None
    if known is None:
        return {}
    what = PHRASES[lang].get(f"wrote.{known.what}", known.what)
    return {"extra": {"by": person_name(matter.world, known.by, lang), "said": what}, "reason": what}
