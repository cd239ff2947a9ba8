"""Each decision as an inspector asks about it: who was entitled that day, when, why, on what evidence.

Told from the facts alone, as they were written then; the directory of today supplies names, nothing else
(FSA-2.5.2.4-B1, FSA-2.5.2.6-B1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.views.facts import sentence
from console.views.naming import Naming
from console.views.sheet import Line, Section, Style
from models.clock import iso
from models.fact import Fact
from models.factors import UNKNOWN_WORDS

MAX_PEOPLE = 50
_WAY = frozenset(
    {
        "decision.proposed", "decision.approved", "decision.rejected", "decision.voted", "opinion.asked",
        "opinion.given", "approval.asked", "step.overdue", "gate.held", "gate.passed", "gate.overridden",
    }
)  # fmt: skip
_LATER = frozenset({"decision.withdrawn", "decision.superseded"})
_CALLS = frozenset({"page.asked", "page.escalated", "page.repeated", "page.lapsed", "page.exhausted"})


@dataclass(kw_only=True)
class Account:
    """One decision: `made` is None while it is asked for. `asked` are calls for it, `acks` their answers."""

    step: str
    ready: Fact | None = None
    made: Fact | None = None
    calls: list[Fact] = field(default_factory=list)
    acks: list[Fact] = field(default_factory=list)
    way: list[Fact] = field(default_factory=list)
    later: list[Fact] = field(default_factory=list)
    evidence: list[Fact] = field(default_factory=list)
    confirmed: Fact | None = None


def accounts(facts: Sequence[Fact], step: str | None = None) -> list[Account]:
    """Every decision that was made or asked for, in the order of their steps becoming ready."""
    teller = _Teller()
    for fact in facts:
        teller.hear(fact)
    found = [*teller.told, *(one for one in teller.open.values() if one.ready is not None)]
    return [one for one in found if step is None or one.step == step]


class _Teller:
    """Goes through a record once and puts what concerns a decision with it."""

    def __init__(self) -> None:
        self.told: list[Account] = []
        self.open: dict[str, Account] = {}
        self.last: dict[str, Account] = {}
        self.pages: dict[int, Account] = {}
        self.evidence: list[Fact] = []
        self.by_seq: dict[int, Account] = {}

    def hear(self, fact: Fact) -> None:
        if fact.kind == "evidence.added":
            self.evidence.append(fact)
        elif fact.kind == "confirmed" and fact.data["fact"] in self.by_seq:
            self.by_seq[fact.data["fact"]].confirmed = fact
        elif fact.kind in _CALLS or fact.kind == "page.acknowledged":
            self._call(fact)
        elif "step" in fact.data:
            self._step(fact, str(fact.data["step"]))

    def _call(self, fact: Fact) -> None:
        if fact.kind == "page.asked":
            kind, _, step = str(fact.data["subject"]).partition(":")
            if kind not in {"step", "approval"} or step.partition("#")[0] not in self.open:
                return
            self.pages[fact.seq] = self.open[step.partition("#")[0]]
            self.pages[fact.seq].calls.append(fact)
        elif (account := self.pages.get(fact.data["page"])) is not None:
            (account.acks if fact.kind == "page.acknowledged" else account.calls).append(fact)

    def _step(self, fact: Fact, step: str) -> None:
        if fact.kind == "step.ready" and fact.data.get("kind") == "decision":
            self._account(step).ready = fact
        elif fact.kind == "decision.made":
            account = self.open.pop(step, None) or Account(step=step)
            account.made, account.evidence = fact, list(self.evidence)
            self.told.append(account)
            self.last[step] = self.by_seq[fact.seq] = account
        elif fact.kind in _LATER and step in self.last and step not in self.open:
            self.last[step].later.append(fact)
        elif fact.kind in _WAY or fact.kind in _LATER:
            self._account(step).way.append(fact)

    def _account(self, step: str) -> Account:
        return self.open.setdefault(step, Account(step=step))


# -- as data ------------------------------------------------------------------------------------------------


def as_json(account: Account, naming: Naming) -> dict[str, Any]:
    """All of it for programs and for the archive; every instant in UTC, every fact by its number."""
    planned = naming.planned(account.step)
    made = account.made
    return {
        "step": account.step,
        "title": naming.step(account.step) if planned is None else naming.title(planned),
        "phase": planned.step.phase if planned else None,
        "guideline": list(planned.step.guideline) if planned else [],
        "options": [
            {"id": one.id, "title": one.title.lang(naming.lang) if one.title else one.id}
            for one in (planned.step.options if planned else ())
        ],
        "recommended": planned.step.recommend if planned else None,
        "asked": {"at": iso(account.ready.at), "fact": account.ready.seq} if account.ready else None,
        "called": list(_called(account, naming)),
        "entitled": _entitled(account, naming),
        "decision": _made(account, made, naming) if made is not None else None,
        "way": [_said(one, naming) for one in account.way],
        "evidence": [_item(one) for one in account.evidence],
        "later": [_said(one, naming) for one in account.later],
    }


def _said(fact: Fact, naming: Naming) -> dict[str, Any]:
    return {
        "fact": fact.seq,
        "at": iso(fact.at),
        "kind": fact.kind,
        "by": fact.for_ or fact.actor,
        "says": sentence(fact, naming),
    }


def _called(account: Account, naming: Naming) -> Iterator[dict[str, Any]]:
    """Who was called for it, on which level, and who answered."""
    answered = {(one.data["page"], one.data["by"]): one for one in account.acks}
    for call in account.calls:
        page = call.data.get("page", call.seq)
        for one in call.data.get("recipients", ())[:MAX_PEOPLE]:
            answer = answered.get((page, one["person"]))
            yield {
                "fact": call.seq,
                "at": iso(call.at),
                "person": one["person"],
                "name": naming.who(one["person"]),
                "role": one.get("role"),
                "deputy_for": one.get("deputy_for"),
                "acknowledged_at": iso(answer.at) if answer else None,
            }


def _entitled(account: Account, naming: Naming) -> list[dict[str, Any]]:
    """Who could have made it at that time: as the decision recorded it; else who was first called for it."""
    recorded = account.made.data.get("entitled") if account.made is not None else None
    first = account.calls[0].data.get("recipients", ()) if account.calls else ()
    return [
        {
            "person": one["person"],
            "name": naming.who(one["person"]),
            "role": one.get("role"),
            "deputy_for": one.get("deputy_for"),
        }
        for one in (recorded if recorded is not None else first)
    ]


def _made(account: Account, made: Fact, naming: Naming) -> dict[str, Any]:
    data = made.data
    authority: Mapping[str, Any] = data.get("authority", {})
    by = data.get("decided_by", made.for_ or made.actor)
    return {
        "fact": made.seq,
        "at": iso(made.at),
        "recorded_at": iso(made.recorded_at),
        "choice": data["choice"],
        "reason": naming.text(data.get("reason")),
        "factors": {name: _factor(value, naming) for name, value in data.get("factors", {}).items()},
        "factors_said": {name: naming.factor(name, one) for name, one in data.get("factors", {}).items()},
        "by": by,
        "name": naming.who(by),
        "as": authority.get("role"),
        "deputy_for": authority.get("deputy_for"),
        "directory": authority.get("directory"),
        "approved_by": data.get("approved_by"),
        "recorded_by": made.actor if made.for_ else None,
        "confirmed": account.confirmed is not None if made.for_ else None,
        "against_recommendation": data.get("against_recommendation"),
    }


def _factor(value: Any, naming: Naming) -> Any:
    if isinstance(value, str):
        return naming.text(value)
    if isinstance(value, list):
        return [_factor(one, naming) for one in value]
    return value


def _item(fact: Fact) -> dict[str, Any]:
    data = fact.data
    return {
        "id": data["id"],
        "source": data["source"],
        "digest": data.get("digest"),
        "partial": data.get("partial", False),
        "at": iso(fact.at),
        "fact": fact.seq,
    }


# -- for people ---------------------------------------------------------------------------------------------


def sections(many: Sequence[Account], naming: Naming) -> list[Section]:
    """One part for each decision, in the order in which they were asked for."""
    return [_section(one, naming) for one in many] or [
        Section(title=naming.texts("decisions.none"), parts=())
    ]


def _section(account: Account, naming: Naming) -> Section:
    content = as_json(account, naming)
    parts = [
        *_head(content, naming),
        *_choice(content, naming),
        *_people(content, naming),
        *_told("way", content, naming),
        *_evidence(content, naming),
        *_told("later", content, naming),
    ]
    return Section(title=naming.step(account.step), parts=tuple(parts))


def _head(content: Mapping[str, Any], naming: Naming) -> Iterator[Line]:
    say = naming.texts
    if content["guideline"]:
        yield Line(text=say("decisions.source", items=say("words.comma").join(content["guideline"])))
    if content["options"]:
        options = say("words.comma").join(f"{one['title']} [{one['id']}]" for one in content["options"])
        yield Line(text=say("decisions.options", options=options))
    if content["recommended"]:
        yield Line(text=say("decisions.recommended", option=content["recommended"]))
    if content["asked"]:
        at = _at(content["asked"], naming)
        yield Line(text=say("decisions.asked", at=at, fact=content["asked"]["fact"]))


def _titled(choice: str, content: Mapping[str, Any]) -> str:
    """What was chosen by its title and id; the id alone where no playbook of the record has it."""
    title = next((one["title"] for one in content["options"] if one["id"] == choice), choice)
    return choice if title == choice else f"{title} [{choice}]"


def _at(entry: Mapping[str, Any], naming: Naming, key: str = "at") -> str:
    return naming.times.at(datetime.fromisoformat(entry[key]), seconds=True)


def _choice(content: Mapping[str, Any], naming: Naming) -> Iterator[Line]:
    say, made = naming.texts, content["decision"]
    if made is None:
        yield Line(text=say("decisions.open"), style="bad")
        return
    chosen = _titled(made["choice"], content)
    yield Line(
        text=say("decisions.made", choice=chosen, at=_at(made, naming), fact=made["fact"]),
        style="strong",
    )
    key = "decisions.by_deputy" if made["deputy_for"] else "decisions.by"
    other, role = naming.who(made["deputy_for"]), naming.who(made["as"])
    yield Line(text=say(key, name=made["name"], role=role, other=other, directory=made["directory"] or "–"))
    if made["approved_by"]:
        yield Line(text=say("decisions.approved", name=naming.who(made["approved_by"])))
    if made["recorded_by"]:
        key = "decisions.recorded" if made["confirmed"] else "decisions.unconfirmed"
        yield Line(
            text=say(key, name=naming.who(made["recorded_by"])), style="plain" if made["confirmed"] else "bad"
        )
    yield Line(text=say("decisions.reason", reason=made["reason"]))
    for name, value in made["factors"].items():
        said, unknown = made["factors_said"][name], str(value).lower() in UNKNOWN_WORDS
        title = say.word("words.factor", name)
        yield Line(text=f"{title}: {said}", style="bad" if unknown else "plain", indent=1)
    if made["against_recommendation"]:
        yield Line(text=say("decisions.against", option=made["against_recommendation"]), style="warn")


def _person(one: Mapping[str, Any], naming: Naming) -> str:
    role = naming.who(one["role"]) if one["role"] else ""
    name = str(one["name"]) + (f" ({role})" if role and role != one["name"] else "")
    if one["deputy_for"]:
        return naming.texts("words.deputy", name=name, other=naming.who(one["deputy_for"]))
    return name


def _people(content: Mapping[str, Any], naming: Naming) -> Iterator[Line]:
    say = naming.texts
    entitled = [_person(one, naming) for one in content["entitled"]]
    if entitled:
        yield Line(text=say("decisions.entitled", people=say("words.comma").join(entitled)))
    else:
        yield Line(text=say("decisions.entitled_unknown"), style="warn")
    for one in content["called"]:
        who, answer = _person(one, naming), _answer(one, content["decision"], naming)
        yield Line(text=say("decisions.called", at=_at(one, naming), who=who, answer=answer), indent=1)


def _answer(call: Mapping[str, Any], made: Mapping[str, Any] | None, naming: Naming) -> str:
    if call["acknowledged_at"]:
        return naming.texts("decisions.answered", at=_at(call, naming, "acknowledged_at"))
    decided = made is not None and call["person"] in {made["by"], made["approved_by"]}
    return naming.texts("decisions.decided" if decided else "decisions.silent")


def _told(name: str, content: Mapping[str, Any], naming: Naming) -> Iterator[Line]:
    if content[name]:
        yield Line(text=naming.texts(f"decisions.{name}"))
    for one in content[name]:
        text = naming.texts("decisions.event", at=_at(one, naming), fact=one["fact"], says=one["says"])
        style: Style = "bad" if one["kind"] in {"gate.overridden", "decision.rejected"} else "plain"
        yield Line(text=text, indent=1, style=style)


def _evidence(content: Mapping[str, Any], naming: Naming) -> Iterator[Line]:
    say = naming.texts
    if content["decision"] is None:
        return
    if not content["evidence"]:
        yield Line(text=say("decisions.no_evidence"), style="warn")
        return
    yield Line(text=say("decisions.evidence", n=len(content["evidence"])))
    for one in content["evidence"]:
        digest = one["digest"] or say("decisions.no_digest")
        yield Line(text=f"{one['id']}  {one['source']}  {digest}  #{one['fact']}", indent=1)
