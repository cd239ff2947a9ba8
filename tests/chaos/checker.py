"""The one checker: what was left behind, held against the model. A promise that was broken is a Fault.

It folds the facts one by one, and judges each by the state before it. It takes nothing from snapshots, from
caches or from what the processes say about themselves.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson

from models.errors import HikeshiError
from models.fact import SYSTEM, Fact
from models.fold import empty, fold
from models.messages import ASKING
from models.page import due_at, page_next_due
from models.playbook import FACTORS
from models.state import Incident, Page, StepState, StreamState
from tests.chaos.seen import Acted, Received, Seen


@dataclass(frozen=True, kw_only=True, order=True)
class Fault:
    """A promise that did not hold, and where."""

    promise: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise} {self.where}: {self.what}"


@dataclass(kw_only=True)
class Judged:
    """What the facts came to, and what was wrong on the way."""

    seen: Seen
    states: dict[str, StreamState] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    """incident/step/round of what is done, with the attempt that did it."""
    claims: set[str] = field(default_factory=set)
    """incident/step/round/attempt of all that was ever claimed."""

    def fault(self, promise: str, where: str, what: str) -> None:
        self.faults.append(Fault(promise=promise, where=where, what=what))


def check(seen: Seen) -> list[Fault]:
    """Every promise that was broken; none of what was seen from outside is believed without its fact."""
    judged = Judged(seen=seen)
    for stream, facts in seen.facts.items():
        _stream(judged, stream, facts)
    for look in _LOOKS:
        look(judged)
    return sorted(judged.faults)


def _stream(judged: Judged, stream: str, facts: Iterable[Fact]) -> None:
    state = empty(stream)
    for number, fact in enumerate(facts, 1):
        where = f"{stream}#{fact.seq}"
        if fact.seq != number:
            judged.fault("P5", where, f"#{number} is not there")
            return
        judge = _JUDGES.get(fact.kind)
        if judge is not None:
            for promise, what in judge(judged, state, fact):
                judged.fault(promise, where, f"{fact.kind} {what}")
        try:
            fold(state, [fact])
        except (KeyError, HikeshiError) as wrong:
            judged.fault("P5", where, f"{fact.kind} cannot be folded: {wrong!r}")
            return
        _note(judged, state, fact)
    judged.states[stream] = state


def _note(judged: Judged, state: StreamState, fact: Fact) -> None:
    """What was claimed, and what is done, by the keys that actions have."""
    if fact.kind not in {"step.started", "step.done"} or not isinstance(state, Incident):
        return
    known = state.steps[fact.data["step"]]
    key = f"{state.stream}/{known.key}/{known.round}"
    if fact.kind == "step.done":
        judged.done[key] = known.attempt
    else:
        judged.claims.add(f"{key}/{known.attempt}")


Found = Iterator[tuple[str, str]]
Judge = Callable[[Judged, StreamState, Fact], Found]


# -- steps: P1, P2, gates -----------------------------------------------------------------------------------


def _known(state: StreamState, fact: Fact) -> StepState | None:
    return state.steps.get(fact.data["step"]) if isinstance(state, Incident) else None


def _step(judged: Judged, state: StreamState, key: str) -> dict[str, Any]:
    """The step as its frozen playbook has it; empty if a person added it."""
    assert isinstance(state, Incident)
    book, _, name = key.partition("/")
    playbook = state.playbooks.get(book)
    body = judged.seen.documents.get(playbook.digest if playbook else "")
    steps = orjson.loads(body)["playbook"]["steps"] if body else []
    return next((one for one in steps if one["id"] == name.rpartition("/")[2].partition("#")[0]), {})


def _started(judged: Judged, state: StreamState, fact: Fact) -> Found:
    known = _known(state, fact)
    if "epoch" not in fact.data or known is None:
        return
    if known.status == "done":
        yield "P1", f"runs {known.key} again, which is done"
    elif known.status != "ready":
        yield "P1", f"claims {known.key}, which is {known.status}"
    yield from _gated(judged, state, fact, known)


def _gated(judged: Judged, state: StreamState, fact: Fact, known: StepState) -> Found:
    """Behind its gates, by the playbook and the facts alone."""
    assert isinstance(state, Incident)
    if known.held:
        yield "gates", f"{known.key} passes {known.held} closed"
    step = _step(judged, state, known.key)
    passed = {one.partition("@")[2] for one in state.override_causes}
    if known.key in passed:
        return
    if step.get("stops") and step.get("kind") == "action":
        decision = state.steps.get(f"{known.key.partition('/')[0]}/{step.get('decided_by')}")
        if decision is None or decision.choice is None:
            yield "gates", f"{known.key} stops a service and nobody has decided it"
        elif not set(FACTORS) <= set(decision.factors):
            yield "gates", f"{known.key} stops a service without its decision factors"
    if step.get("phase") == "analysis":
        secured = {source for item in state.evidence.values() if item.secures for source in item.sources}
        for source in set(step.get("sources") or ()) - secured:
            yield "gates", f"{known.key} analyses {source}, which is not preserved"


def _finished(judged: Judged, state: StreamState, fact: Fact) -> Found:
    known = _known(state, fact)
    if known is None:
        return
    if known.status == "done":
        yield "P1", f"ends {known.key} a second time"
    if "attempt" in fact.data and fact.data["attempt"] != known.attempt:
        yield "P1", f"ends {known.key} by a claim that is out of date"


def _reset(judged: Judged, state: StreamState, fact: Fact) -> Found:
    known = _known(state, fact)
    if known is None or fact.actor != SYSTEM or "look_first" not in fact.data:
        return
    if known.status == "done":
        yield "P1", f"takes {known.key} back, which is done"
    means = _step(judged, state, known.key).get("on_crash")
    if means not in {"idempotent", "probe"}:
        yield "P2", f"runs {known.key} again, whose class is {means}"
    elif fact.data["look_first"] is not (means == "probe"):
        yield "P2", f"does with {known.key} what is not for {means}"


def _decided(judged: Judged, state: StreamState, fact: Fact) -> Found:
    if fact.actor == SYSTEM:
        yield "P9", f"of {fact.data['step']} by nobody"
        return
    roles = judged.seen.entitled.get(fact.for_ or fact.actor)
    wanted = {one["role"] for one in _seats(fact.data.get("authority")) if "role" in one}
    if roles is not None and wanted and not wanted & roles:
        yield "gates", f"by {fact.actor}, who is none of {sorted(wanted)}"
    known = _known(state, fact)
    if known is not None and known.held:
        yield "gates", f"of {known.key} passes {known.held} closed"


def _seats(authority: Any) -> list[dict[str, Any]]:
    if isinstance(authority, list):
        return authority
    return [authority] if isinstance(authority, dict) else []


# -- pages: P3, P9 ------------------------------------------------------------------------------------------


def _page_of(state: StreamState, fact: Fact) -> Page | None:
    return state.pages.get(fact.data["page"])


def _not_before(page: Page, fact: Fact, level: int) -> Found:
    if page.state != "open":
        yield "P9", f"of page {page.id}, which is {page.state}"
    elif due_at(page, level) > fact.at:
        yield "P9", f"of page {page.id} {due_at(page, level) - fact.at} before its time"


def _escalated(judged: Judged, state: StreamState, fact: Fact) -> Found:
    page = _page_of(state, fact)
    if page is not None:
        if fact.data["level"] <= page.level and not page.round:
            yield "P3", f"goes back from level {page.level} to {fact.data['level']}"
        yield from _not_before(page, fact, fact.data["level"])


def _exhausted(judged: Judged, state: StreamState, fact: Fact) -> Found:
    page = _page_of(state, fact)
    if page is not None:
        yield from _not_before(page, fact, len(page.within))


def _repeated(judged: Judged, state: StreamState, fact: Fact) -> Found:
    page = _page_of(state, fact)
    if page is not None and page.state != "open":
        yield "P9", f"of page {page.id}, which is {page.state}"


def _lapsed(judged: Judged, state: StreamState, fact: Fact) -> Found:
    page = _page_of(state, fact)
    if page is None or fact.actor != SYSTEM or page.acked_at is None or "taken_from" in fact.data:
        return
    if page.worked_at is not None:
        yield "P9", f"of page {page.id}, on which work has begun"
    elif page.acked_at + timedelta(seconds=page.renew) > fact.at:
        yield "P9", f"of page {page.id} before its time"


_JUDGES: dict[str, Judge] = {
    "step.started": _started,
    "step.done": _finished,
    "step.failed": _finished,
    "step.unknown": _finished,
    "step.reset": _reset,
    "decision.made": _decided,
    "page.escalated": _escalated,
    "page.exhausted": _exhausted,
    "page.repeated": _repeated,
    "page.lapsed": _lapsed,
}


# -- what is left at the end --------------------------------------------------------------------------------


def _nothing_started_is_left(judged: Judged) -> None:
    for stream, state in judged.states.items():
        if not judged.seen.settled or not isinstance(state, Incident):
            continue
        for known in state.steps.values():
            if known.status == "started" and known.node:
                judged.fault(
                    "P2", stream, f"{known.key} was begun by a machine, and nobody says how it ended"
                )
            if known.status == "unknown" and not any(
                page.subject == f"step:{known.key}" for page in state.pages.values()
            ):
                judged.fault("P2", stream, f"{known.key} is unknown, and nobody was asked")


def _answers(judged: Judged) -> None:
    for one in judged.seen.answered:
        facts = judged.seen.facts.get(one.stream, ())
        if len(facts) < one.seq or facts[one.seq - 1].kind != one.kind:
            judged.fault("P4", f"{one.stream}#{one.seq}", f"{one.kind} was answered and is not on record")


def _effects(judged: Judged) -> None:
    for key, times in Counter(one.key for one in judged.seen.acted).items():
        if times > 1:
            judged.fault("P1", key, f"one claim acted {times} times")
        if key not in judged.claims:
            judged.fault("P1", key, "acted without a claim on record")
    for one in judged.seen.acted:
        attempt = judged.done.get(one.key.rpartition("/")[0])
        if attempt is not None and _attempt(one) > attempt:
            judged.fault("P1", one.key, f"acted after attempt {attempt} had done it")


def _attempt(acted: Acted) -> int:
    return int(acted.key.rpartition("/")[2])


# -- messages: P3 -------------------------------------------------------------------------------------------


def _messages(judged: Judged) -> None:
    seen = judged.seen
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for facts in seen.facts.values():
        for fact in facts:
            if fact.kind in {"message.sent", "message.given_up"}:
                told[fact.data["key"]][fact.kind] += 1
    arrived = {one.key for one in seen.received}
    for row in seen.outbox:
        for what in _row(judged, row, told[row["key"]], row["key"] in arrived):
            judged.fault("P3", row["key"], what)
    queued = {(row["stream"], row["cause"], row["person"]) for row in seen.outbox}
    for stream, facts in seen.facts.items():
        for fact, person in _asked(facts):
            if (stream, fact.seq, person) not in queued:
                judged.fault("P3", f"{stream}#{fact.seq}", f"asks {person}, and nothing was queued")


def _asked(facts: Iterable[Fact]) -> Iterator[tuple[Fact, str]]:
    for fact in facts:
        if fact.kind in ASKING:
            for one in fact.data.get("recipients", ()):
                if one.get("channels"):
                    yield fact, one["person"]


def _row(judged: Judged, row: Any, told: Counter[str], arrived: bool) -> Iterator[str]:
    seen = judged.seen
    if row["state"] in {"queued", "sending"} and seen.settled:
        yield f"is {row['state']} and stays so"
    if (row["state"] == "sent") is not (told["message.sent"] == 1):
        yield f"is {row['state']}, and {told['message.sent']} facts say that it was sent"
    if (row["state"] == "given_up") is not (told["message.given_up"] > 0):
        yield f"is {row['state']}, and {told['message.given_up']} facts say that it was given up"
    if row["state"] == "sent" and row["channel"] in seen.heard and not arrived:
        yield "is sent, and its receiver never had it"
    if row["state"] == "withdrawn" and row["kind"] == "page" and not _may_be_withdrawn(judged, row):
        yield "was withdrawn though the page is open and the person has not answered"


def _may_be_withdrawn(judged: Judged, row: Any) -> bool:
    state = judged.states.get(row["stream"])
    page = state.pages.get(row["page"]) if state is not None else None
    over = isinstance(state, Incident) and state.status != "open"
    if page is None or page.state != "open" or over:
        return True
    lapsed = {fact.data["page"] for fact in judged.seen.facts[row["stream"]] if fact.kind == "page.lapsed"}
    return row["person"] in {*page.acks, *page.declined} or page.id in lapsed


def _copies(judged: Judged) -> None:
    """Every copy has the key of a row, goes where the first went, and says that it is a repeat."""
    rows = {row["key"]: row for row in judged.seen.outbox}
    first: dict[str, Received] = {}
    for one in judged.seen.received:
        if one.key not in rows:
            judged.fault("P3", one.key, "arrived, and nobody asked for it")
        before = first.setdefault(one.key, one)
        if before is one:
            continue
        if before.to != one.to:
            judged.fault("P3", one.key, f"went to {before.to}, and again to {one.to}")
        if not one.repeat:
            judged.fault("P3", one.key, "came again, and does not say that it is a repeat")


def _order(judged: Judged) -> None:
    """Within a destination: pages as they were asked for, notices as they were asked for."""
    places = {row["key"]: row["id"] for row in judged.seen.outbox}
    last: dict[tuple[str, str, str], tuple[int, str]] = {}
    had: set[str] = set()
    for one in judged.seen.received:
        if one.key in had or one.key not in places:
            continue
        had.add(one.key)
        line = (one.channel, one.to, one.kind)
        place, before = last.get(line, (0, ""))
        if places[one.key] < place:
            judged.fault("P3", one.key, f"reached {one.to} after {before}, which was asked for later")
        last[line] = max((place, before), (places[one.key], one.key))


def _pages(judged: Judged) -> None:
    """No page ends silently: an open one has a time at which somebody is asked next."""
    for stream, state in judged.states.items():
        if isinstance(state, Incident) and state.status != "open":
            continue
        for page in state.pages.values():
            if page.state == "open" and page_next_due(page) is None:
                judged.fault("P3", stream, f"page {page.id} waits for nobody and nothing")


# -- P10, and what is derived -------------------------------------------------------------------------------


def _frozen(judged: Judged) -> None:
    for digest, body in judged.seen.documents.items():
        if digest != f"sha256:{hashlib.sha256(body).hexdigest()}":
            judged.fault("P10", digest, "the document is not what its digest says")
    for stream, state in judged.states.items():
        if not isinstance(state, Incident) or not judged.seen.facts[stream]:
            continue
        if state.policy != judged.seen.facts[stream][0].data["policy"]:
            judged.fault("P10", stream, "the policy is not the one of its declaration")
        wanted = [state.policy, *(one.digest for one in state.playbooks.values())]
        for digest in wanted:
            if digest not in judged.seen.documents:
                judged.fault("P10", stream, f"{digest} is not kept")


def _derived(judged: Judged) -> None:
    """What is kept beside the facts says the same as they do."""
    for stream, row in judged.seen.streams.items():
        state = judged.states.get(stream)
        if state is None or row["seq"] != state.seq:
            judged.fault("P4", stream, f"its row says #{row['seq']}, its facts #{state.seq if state else 0}")


_LOOKS: tuple[Callable[[Judged], None], ...] = (
    _nothing_started_is_left,
    _answers,
    _effects,
    _messages,
    _copies,
    _order,
    _pages,
    _frozen,
    _derived,
)
