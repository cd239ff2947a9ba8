"""Every kind of fact as one sentence in Japanese and in English."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from console.views import harm, scopefacts
from console.views.causes import cause, gate
from console.views.machine import from_machine, output_title
from console.views.naming import Naming
from console.views.sheet import Style, harmless
from models.evidence import BROKEN
from models.fact import Fact
from models.reason import Reason

MAX_VALUE = 200
_SITUATION = ("situation", "clock:situation")
SHORT_DIGEST = 19
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_NAMED_ACCOUNT = re.compile(r"cli:as=[^;]*;uid=(?P<uid>\d+)(?:;sudo=(?P<sudo>\d+))?")
"""How an act came about for which the process took on another account than its own."""
_REASONS = {reason.value: reason.name for reason in Reason}

_VARIANTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "page.acknowledged": lambda data: "" if data.get("complete") else ".partly",
    "service.checked": lambda data: "" if data.get("works") else ".fails",
    "alert.received": lambda data: "" if data.get("readable", True) else ".unreadable",
    "step.ready": lambda data: "" if data.get("limit_at") else ".unlimited",
    "service.confirmed": lambda data: ".owner" if data.get("side") == "owner" else "",
    "clock.forecast": lambda data: ".breaks" if data.get("breaks") else "",
    "service.level": lambda data: ".fell" if data.get("fell") else "",
    "service.impacted": lambda data: {"again": ".again", "corrected": ".corrected"}.get(
        data.get("how", ""), ""
    ),
    "service.loss": lambda data: (
        ""
        if data.get("status") == "unknown"
        else f".{data.get('status')}"
        if data.get("point")
        else ".unusable"
    ),
    "obligation.proposed": lambda data: "" if data.get("applies") else ".withdrawn",
    "decision.made": lambda data: (
        ".approved" if data.get("approved_by") else ".quorum" if data.get("votes") else ""
    ),
    "decision.superseded": lambda data: ".followed" if data.get("followed") else "",
    "step.started": lambda data: ".taken" if data.get("taken_from") else "",
    "page.delegated": lambda data: ".deputy" if data.get("absent") else "",
    "page.declined": lambda data: ".back" if data.get("gave_back") else "",
    "page.hurried": lambda data: ".declined" if data.get("reason") == Reason.DECLINED.value else "",
    "note.added": lambda data: ".said" if data.get("said_by") else ".source" if data.get("source") else "",
    "role.handed_over": lambda data: (
        ".standing"
        if data.get("deputy")
        else ".deputy"
        if data.get("absent")
        else ""
        if data.get("outgoing")
        else ".first"
    ),
    "obligation.judged": lambda data: "" if data.get("applicable") else ".not",
    "outgoing.drafted": lambda data: ".corrects" if data.get("corrects") else "",
    "outgoing.approved": lambda data: ".deputy" if data.get("deputy_for") else "",
    "outgoing.sent": lambda data: ".early" if data.get("before_approval") else "",
    "outgoing.withdrawn": lambda data: ".sent" if data.get("sent") else "",
    "situation.reported": lambda data: (
        ".partly" if data.get("unreached") else ".sent" if data.get("people") else ""
    ),
    "token.issued": lambda data: ".looks" if data.get("looks") else "",
    "session.opened": lambda data: ".inspector" if data.get("inspector") else "",
    "session.ended": lambda data: ".by" if data.get("how") == "ended" else "",
    "reader.removed": lambda data: ".barred" if data.get("barred") else "",
    "page.exhausted": lambda data: ".away" if data.get("away") else "",
    "evidence.transferred": lambda data: {"same": ".same", "different": ".different"}.get(
        data.get("result", ""), ""
    ),
    "evidence.held": lambda data: "" if data.get("ids") else ".all",
    "evidence.released": lambda data: "" if data.get("ids") else ".all",
    "evidence.round": lambda data: ".unrecorded" if data.get("unrecorded") else "",
    "evidence.verified": lambda data: ".broken" if set(data) & BROKEN else "",
    "scope.seen": lambda data: ".reopens" if data.get("reopens") else "",
    "sharing.shared": lambda data: ".unapproved" if data.get("unapproved") else "",
    "programme.held": lambda data: ".imported" if data.get("imported") else "",
    "finding.retested": lambda data: "" if data.get("passed") else ".failed",
    "finding.reopened": lambda data: ".review" if data.get("review") else "",
    "exercise.staffed": lambda data: "" if data.get("role") else ".none",
    "timing.set": lambda data: f".{data['what']}" if data.get("what") else "",
    "inject.delivered": lambda data: (
        ".unreached" if data.get("unreached") else ".fired" if data.get("how") == "fired" else ""
    ),
    "inject.skipped": lambda data: ".not_needed" if data.get("how") == "not-needed" else "",
    "inject.put": lambda data: ".changed" if data.get("changed") else "",
    "ending.reached": lambda data: ".time" if data.get("told") == "ending:time" else "",
    "observation.written": lambda data: "" if data.get("kind") == "observation" else f".{data.get('kind')}",
    "comcheck.started": lambda data: ".exercise" if data.get("exercise") else "",
}
"""Kinds that say one of several things, by what they hold."""


def variants() -> tuple[str, ...]:
    """The texts that stand beside those of the kinds themselves."""
    return (
        "page.acknowledged.partly",
        "service.checked.fails",
        "alert.received.unreadable",
        "step.ready.unlimited",
        "service.confirmed.owner",
        "clock.forecast.breaks",
        "service.level.fell",
        "service.impacted.again",
        "service.impacted.corrected",
        "service.loss.within",
        "service.loss.beyond",
        "service.loss.unusable",
        "obligation.proposed.withdrawn",
        "obligation.judged.not",
        "decision.made.approved",
        "decision.made.quorum",
        "step.started.taken",
        "page.delegated.deputy",
        "page.declined.back",
        "page.hurried.declined",
        "note.added.said",
        "note.added.source",
        "outgoing.drafted.corrects",
        "comcheck.started.exercise",
        "outgoing.approved.deputy",
        "outgoing.sent.early",
        "outgoing.withdrawn.sent",
        "situation.reported.sent",
        "situation.reported.partly",
        "page.exhausted.away",
        "scope.seen.reopens",
        "sharing.shared.unapproved",
        "programme.held.imported",
        "finding.retested.failed",
        "finding.reopened.review",
        "reader.removed.barred",
        "token.issued.looks",
        "session.opened.inspector",
        "session.ended.by",
        "role.handed_over.first",
        "role.handed_over.deputy",
        "role.handed_over.standing",
        "evidence.transferred.same",
        "evidence.transferred.different",
        "evidence.verified.broken",
        "evidence.held.all",
        "evidence.released.all",
        "exercise.staffed.none",
        "timing.set.pause",
        "timing.set.resume",
        "timing.set.speed",
        "timing.set.step",
        "timing.set.time-up",
        "inject.delivered.fired",
        "inject.delivered.unreached",
        "inject.skipped.not_needed",
        "inject.put.changed",
        "ending.reached.time",
        "observation.written.strength",
        "observation.written.improvement",
    )


def line(fact: Fact, naming: Naming) -> str:
    """When, which, who, what: one line of the log."""
    who = naming.who(fact.for_ or fact.actor)
    if fact.for_:
        who = naming.texts("words.recorded_by", name=who, scribe=naming.who(fact.actor))
    if (real := _NAMED_ACCOUNT.fullmatch(fact.via)) is not None:
        uids = " < ".join(one for one in (real["uid"], real["sudo"]) if one)
        who = naming.texts("words.by_account", name=who, uid=uids)
    return f"{naming.times.at(fact.at, seconds=True)}  #{fact.seq}  {who}: {sentence(fact, naming)}"


def sentence(fact: Fact, naming: Naming) -> str:
    """What the fact says."""
    suffix = _VARIANTS[fact.kind](fact.data) if fact.kind in _VARIANTS else ""
    key = f"facts.{fact.kind}{suffix}"
    short = {name: value for name, value in fact.data.items() if name not in scopefacts.LONG}
    values = {name: _value(naming, name, value) for name, value in short.items()}
    values |= _special(naming, fact.data)
    if fact.kind == "service.loss":
        values["why"] = harm.why_unknown(fact.data.get("why", ""), naming)
    if fact.kind.startswith(("scope.", "party.", "sharing.")):
        values |= scopefacts.values(naming, fact.kind, fact.data, values)
    if not naming.texts.has(key):
        return fact.kind
    said = naming.texts(key, **values).strip()
    extra = [values[name] for name in ("outputs", "factors", "note") if values.get(name)]
    if fact.kind != "note.added" and extra:
        said += naming.texts("words.brackets", text=naming.texts("words.comma").join(extra))
    return said.strip()


_NOBODY = {"reached", "silent", "nowhere", "failed"}
"""The lists of a communication check: an empty one reads as nobody, and not as a word left out."""


def _special(naming: Naming, data: Mapping[str, Any]) -> dict[str, str]:
    """Values whose words hang on another field: a service's level, a loss in seconds, what a vendor owes."""
    found: dict[str, str] = {}
    if "service" in data and "level" in data:
        found["level"] = naming.level(data["service"], data["level"])
    if data.get("loss"):
        found["loss"] = naming.times.span(timedelta(seconds=int(data["loss"])))
    if data.get("organisation"):
        said = naming.text(data["organisation"], MAX_VALUE)
        found["organisation"] = naming.texts("words.brackets", text=said)
    # Their number is that of the next one now, not of the one that was spoken of then.
    found |= {
        name: naming.texts("aar.clock.situation")
        for name in ("clock", "subject")
        if data.get(name) in _SITUATION
    }
    if data.get("imported"):
        found |= {name: str(data["imported"][name]) for name in ("drill", "key", "trust")}
        found["trust"] = naming.texts.word("programme.trust", found["trust"])
    if "played_ms" in data:
        found["played"] = naming.times.span(timedelta(milliseconds=data["played_ms"]))
    if "step" in data:
        found |= _of_step(naming, str(data["step"]), data)
    if "line" in data:
        found["id"] = str(data["line"]["id"])
    if set(data) >= _NOBODY:
        found |= dict.fromkeys((name for name in _NOBODY if not data[name]), "–")
    return found | _broken(naming, data)


def _of_step(naming: Naming, step: str, data: Mapping[str, Any]) -> dict[str, str]:
    """What was chosen in a decision, and what was recorded of a step, by their titles."""
    found = {
        name: naming.option(step, data[name])
        for name in ("choice", "changed_from")
        if isinstance(data.get(name), str)
    }
    if isinstance(old := data.get("old"), Mapping):
        found["old"] = f"{naming.option(step, old['choice'])} (#{old['fact']})"
    if isinstance(data.get("error"), str):
        found["error"] = from_machine(naming.text(data["error"], MAX_VALUE), naming.texts)
    if isinstance(outputs := data.get("outputs"), Mapping):
        found["outputs"] = naming.texts("words.comma").join(_outputs(naming, step, outputs))
    return found


def _outputs(naming: Naming, step: str, outputs: Mapping[str, Any]) -> Iterator[str]:
    planned = naming.planned(step)
    titles = {one.id: one.title.lang(naming.lang) for one in planned.step.record} if planned else {}
    for name, value in outputs.items():
        said = from_machine(_value(naming, name, value), naming.texts)
        yield f"{titles.get(name) or output_title(name, naming.texts)}: {said}"


def _broken(naming: Naming, data: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    if set(data) & BROKEN:
        found["results"] = _results(naming, data)
    if "party" in data:
        found["what"] = naming.texts.word("clocks.vendor", data.get("what", ""))
    if "kind" in data and "confidence" in data and "value" in data:
        found["kind"] = naming.texts.word("clocks.impact", data["kind"])
        found["confidence"] = naming.texts.word("clocks.confidence", data["confidence"])
    return found


def _results(naming: Naming, data: Mapping[str, Any]) -> str:
    """What a comparison of evidence found; of what it did not find nothing is said."""
    say = naming.texts
    shown = (
        say("evidence.found", result=say(f"evidence.sorted.{name}"), ids=say("words.comma").join(data[name]))
        for name in ("different", "missing", "unreadable", "same")
        if data.get(name)
    )
    return say("words.semicolon").join(shown)


def _value(naming: Naming, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return naming.texts("words.yes" if value else "words.no")
    if isinstance(value, Mapping):
        return _mapping(naming, name, value)
    if isinstance(value, (list, tuple)):
        return naming.texts("words.comma").join(_value(naming, name.removesuffix("s"), one) for one in value)
    if not isinstance(value, str):
        return str(value)
    return _text(naming, name, value)


def _mapping(naming: Naming, name: str, value: Mapping[str, Any]) -> str:
    said = _WHOLE.get(name)
    if said is not None:
        return said(naming, value)
    parts = (f"{key}={_value(naming, key, inner)}" for key, inner in value.items())
    return naming.texts("words.comma").join(parts)


def _factors(naming: Naming, value: Mapping[str, Any]) -> str:
    shown = (
        f"{naming.texts.word('words.factor', key)}: {naming.factor(key, inner)}"
        for key, inner in value.items()
    )
    return naming.texts("words.semicolon").join(shown)


def _versions(naming: Naming, value: Mapping[str, Any]) -> str:
    shown = (f"{lang} {digest[:SHORT_DIGEST]}…" for lang, digest in value.items())
    return naming.texts("words.comma").join(shown)


_Whole = Callable[[Naming, Mapping[str, Any]], str]
_WHOLE: Mapping[str, _Whole] = {
    "recipient": lambda naming, value: naming.who(str(value.get("person", ""))),
    "participant": lambda naming, value: naming.who(str(value.get("person") or value.get("role", ""))),
    "recipients": lambda naming, value: naming.who(str(value.get("person", ""))),
    "authority": lambda naming, value: naming.who(str(value.get("role", ""))),
    "seat": lambda naming, value: naming.who(str(value.get("role", ""))),
    "quorum": lambda naming, value: naming.texts(
        "gates.need", need=value["need"], of=_value(naming, "role", value["of"])
    ),
    "old": lambda naming, value: f"{value['choice']} (#{value['fact']})",
    "factors": _factors,
    "versions": _versions,
}
"""Fields whose whole value is said in one way."""
_NAMED: Mapping[str, Callable[[Naming, str], str]] = {
    "step": Naming.step,
    "followed": Naming.step,
    "service": Naming.service,
    "severity": Naming.severity,
    "playbook": Naming.playbook,
    "phase": Naming.phase,
    "clock": Naming.clock,
    "path": Naming.service,
    "party": Naming.who,
    "obligation": Naming.obligation,
    "subject": Naming.subject,
    "gate": gate,
    "why": cause,
    "cause": cause,
    "event": lambda naming, value: naming.texts.word("words.event", value),
    "choice": lambda naming, value: value,
    "name": lambda naming, value: naming.texts.word("words.instant", value),
    "level": lambda naming, value: value,
    "audience": lambda naming, value: naming.texts.word("communication.audience", value),
    "how": lambda naming, value: naming.texts.word("evidence.removed", value),
    "asker": lambda naming, value: naming.texts.word("communication.asker", value),
}
_PEOPLE = frozenset(
    {
        "deputy_for",
        "person",
        "people",
        "by",
        "to",
        "owner",
        "who",
        "role",
        "decided_by",
        "approved_by",
        "said_by",
        "taken_from",
        "reached",
        "silent",
        "nowhere",
        "open",
        "outgoing",
        "absent",
        "deputy",
        "unreached",
        "released_by",
        "received_by",
        "collected_by",
        "evaluator",
        "voted_for",
        "voted_against",
        "instead_of",
        "reader",
        "readers",
        "barred",
        "roles",
    }
)


def _text(naming: Naming, name: str, value: str) -> str:
    if value.startswith("t:"):
        return naming.text(value, MAX_VALUE)
    if _INSTANT.fullmatch(value):
        say = naming.times.due if name == "due_at" else naming.times.at
        return say(datetime.fromisoformat(value))
    if name == "reason" and value in _REASONS:
        # The sentence of a refusal wants values that a fact does not hold.
        return naming.texts.get(f"refused.short.{_REASONS[value]}", value)
    if name in _NAMED:
        return _NAMED[name](naming, value)
    if name in _PEOPLE:
        return naming.who(value)
    return harmless(value, MAX_VALUE)


_BAD = frozenset(
    {
        "page.exhausted", "page.unanswerable", "message.given_up", "step.failed", "step.unknown",
        "step.overdue", "gate.overridden", "machine.impaired", "alert.overdue", "quarantine.entered",
        "decision.rejected", "override.withdrawn", "decision.superseded",
        "improvement.overdue", "reading.overdue", "clock.breached", "clock.missed", "service.level.fell",
        "finding.overdue", "finding.retested.failed",
        "trust.withdrawn",
        "outgoing.voided", "outgoing.rejected", "evidence.verified.broken", "evidence.transferred.different",
        "shift.missed", "source.unreachable",
        "scope.seen.reopens", "sharing.shared.unapproved",
        "glass.broken",
    }
)  # fmt: skip
_STRONG = frozenset(
    {"incident.declared", "decision.made", "decision.proposed", "incident.resolved", "incident.closed"}
)
_DIM = frozenset({"message.requested", "message.sent", "step.not_applicable"})


def style(fact: Fact) -> Style:
    """How a fact stands out in the log."""
    whole = fact.kind + (_VARIANTS[fact.kind](fact.data) if fact.kind in _VARIANTS else "")
    if fact.kind in _BAD or whole in _BAD:
        return "bad"
    return "strong" if fact.kind in _STRONG else "dim" if fact.kind in _DIM else "plain"
