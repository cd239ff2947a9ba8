"""What each act of a record answered: the page that called, the step that became ready, the gate that held.

In a shifted replay an act comes as long after that as it did; an act that answered nothing keeps its instant.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from models import answers, commands, communication
from models.fact import SYSTEM, Fact
from models.replay.naming import Name, Names
from models.replay.past import Act
from models.scope import AcceptScope, FixScope

Anchor = Name
_REACHING = frozenset(
    {"page.asked", "page.escalated", "page.repeated", "page.exhausted", "page.lapsed", "page.delegated"}
)


class Anchors:
    """The anchors of one record, and which fact of a replay is which of them."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.facts = {fact.seq: fact for fact in facts}
        self._names, self._met = Names(), Names()
        self.seqs: dict[Anchor, int] = {}
        self._reached: dict[int, list[Fact]] = {}
        self._about: dict[tuple[str, str], list[Fact]] = {}
        self.heard: Fact | None = None
        """The first call that was heard: nobody works on an incident before."""
        for fact in facts:
            self.seqs[self._names.name(fact)] = fact.seq
            self._index(fact)
        self._chosen: dict[int, Fact] = {}

    def _index(self, fact: Fact) -> None:
        data = fact.data
        if fact.kind == "page.acknowledged" and self.heard is None and self._declared(data["page"]):
            self.heard = fact
        if fact.kind in _REACHING:
            self._reached.setdefault(data.get("page", fact.seq), []).append(fact)
        subject = (
            data.get("subject") if fact.kind == "page.asked" else data.get("step") or data.get("message")
        )
        for key in {(fact.kind, str(subject or "")), (fact.kind, "")}:
            self._about.setdefault(key, []).append(fact)

    def _declared(self, page: int) -> bool:
        asked = self.facts.get(page)
        return asked is not None and asked.data.get("event") == "declared"

    def of(self, act: Act) -> Anchor | None:
        """What the act answered; None if it stands by itself."""
        rule = _RULES.get(type(act.command), _gate)
        found = rule(self, act)
        if found is None:
            return None
        self._chosen[act.seq] = found
        return self._names.by_seq[found.seq]

    def delay(self, act: Act) -> timedelta:
        """How long after its anchor the act came."""
        return act.at - self._chosen[act.seq].recorded_at

    def meet(self, fact: Fact) -> Anchor:
        """The name of a fact of the replay. Facts are given in their order."""
        return self._met.name(fact)

    # -- looking back from an act ---------------------------------------------------------------------------

    def last(self, act: Act, kind: str, about: str = "") -> Fact | None:
        """The latest fact of a kind before the act, about one thing."""
        many = self._about.get((kind, about), [])
        place = bisect_left(many, act.seq, key=lambda fact: fact.seq)
        return many[place - 1] if place else None

    def call(self, act: Act, page: int | None) -> Fact | None:
        """The latest call of a page that reached whoever acted, or the latest at all."""
        calls = [fact for fact in self._reached.get(page or 0, ()) if fact.seq < act.seq]
        own = [fact for fact in calls if act.command.who in _people(fact)]
        return next(reversed(own or calls), None)

    def called_about(self, act: Act, *subjects: str) -> Fact | None:
        """The latest call about one of these subjects."""
        for subject in subjects:
            asked = self.last(act, "page.asked", subject)
            if asked is not None:
                return self.call(act, asked.seq)
        return None


def _people(fact: Fact) -> set[str]:
    levels = [fact.data, *fact.data.get("skipped", ())]
    return {one["person"] for level in levels for one in level.get("recipients", ())}


def _page(anchors: Anchors, act: Act) -> Fact | None:
    return anchors.call(act, act.refs.get("page"))


def _after(*kinds: str) -> Callable[[Anchors, Act], Fact | None]:
    """The latest fact of these kinds about the act's step or message."""

    def rule(anchors: Anchors, act: Act) -> Fact | None:
        command: Any = act.command
        about = str(getattr(command, "step", None) or getattr(command, "message", ""))
        found = [fact for kind in kinds if (fact := anchors.last(act, kind, about)) is not None]
        return max(found, key=lambda fact: fact.seq, default=None)

    return rule


def _anything(*kinds: str) -> Callable[[Anchors, Act], Fact | None]:
    """The latest fact of these kinds."""

    def rule(anchors: Anchors, act: Act) -> Fact | None:
        found = [fact for kind in kinds if (fact := anchors.last(act, kind)) is not None]
        return max(found, key=lambda fact: fact.seq, default=None)

    return rule


def _work(anchors: Anchors, act: Act) -> Fact | None:
    """A person's step is taken up when it is ready, or when the first call is heard, if that comes later."""
    ready = _after("step.ready")(anchors, act)
    heard = anchors.heard
    if ready is None or heard is None or act.facts[0].actor == SYSTEM:
        return ready
    return heard if ready.seq < heard.seq < act.seq else ready


def _decision(anchors: Anchors, act: Act) -> Fact | None:
    command: Any = act.command
    if command.supersede:
        return None
    ready = anchors.last(act, "step.ready", command.step)
    called = anchors.called_about(act, f"step:{command.step}")
    known = [one for one in (ready, called) if one is not None]
    return max(known, key=lambda fact: fact.seq, default=None)


def _answer(anchors: Anchors, act: Act) -> Fact | None:
    command: Any = act.command
    called = anchors.called_about(act, f"approval:{command.step}")
    return called or anchors.last(act, "approval.asked", command.step)


def _message(anchors: Anchors, act: Act) -> Fact | None:
    main = next(fact for fact in act.facts if fact.kind.startswith("outgoing."))
    subject = f"{communication.SUBJECT}:{main.data['message']}/{main.data['role']}"
    return anchors.called_about(act, subject) or _after("outgoing.submitted")(anchors, act)


def _confirm(anchors: Anchors, act: Act) -> Fact | None:
    return anchors.called_about(act, f"confirm:{act.refs['fact']}")


def _delivery(anchors: Anchors, act: Act) -> Fact | None:
    """The fact that asked for the message: of a page that of the level and attempt in its key."""
    cause = anchors.facts.get(act.refs["key"])
    command: Any = act.command
    if cause is None or cause.kind != "page.asked":
        return cause
    level, attempt, address = command.key.split("/", 4)[2:5]
    person = address.partition(":")[2]
    calls = [one for one in anchors._reached.get(cause.seq, ()) if one.seq < act.seq]
    fits = [one for one in calls if person in _people(one)] or calls
    return next((one for one in fits if _is_place(one, level, attempt)), fits[-1] if fits else cause)


def _is_place(fact: Fact, level: str, attempt: str) -> bool:
    data = fact.data
    levels = {str(data.get("level", 0)), *(str(one["level"]) for one in data.get("skipped", ()))}
    if fact.kind == "page.exhausted":
        return level == "last" and attempt == str(data["call"])
    if fact.kind == "page.delegated":
        return level == "delegate" and attempt == str(fact.seq)
    if fact.kind == "page.lapsed":
        return level == f"{data['level']}-again" and attempt == str(data["attempt"])
    return level in levels and attempt == str(data.get("attempt", 1))


def _gate(anchors: Anchors, act: Act) -> Fact | None:
    """The gate that held for want of what the act says; most acts answer nothing."""
    held = anchors.last(act, "gate.held")
    wanted = set(_subjects(act.command))
    if held is None or not wanted:
        return None
    for fact in reversed(anchors._about.get(("gate.held", ""), ())):
        if fact.seq < act.seq and wanted & {cause.partition(":")[2] for cause in fact.data["why"]}:
            passed = anchors.last(act, "gate.passed", fact.data["step"])
            return None if passed is not None and passed.seq > fact.seq else fact
    return None


def _subjects(command: Any) -> Iterator[str]:
    """What a command would open a gate for."""
    if isinstance(command, commands.AddEvidence):
        yield command.source
    elif isinstance(command, commands.SetInstant):
        yield command.name
    elif isinstance(command, (commands.SetRecoveryPoint, commands.ServiceFact)):
        yield command.service
    elif isinstance(command, (FixScope, AcceptScope)):
        yield from command.ids


def _override(anchors: Anchors, act: Act) -> Fact | None:
    return anchors.last(act, "gate.held", act.command.step)  # type: ignore[attr-defined]


def _none(_: Anchors, __: Act) -> Fact | None:
    return None


_RULES: dict[type[commands.Command], Callable[[Anchors, Act], Fact | None]] = {
    commands.Acknowledge: _page,
    commands.Delegate: _page,
    answers.Decline: _page,
    commands.MarkDelivery: _delivery,
    commands.StartStep: _work,
    commands.Done: _work,
    commands.ClaimStep: _after("step.ready"),
    commands.FinishStep: _after("step.started"),
    commands.RetryStep: _after("step.failed", "step.unknown"),
    commands.SettleStep: _after("step.ready"),
    commands.DraftNotice: _after("step.ready"),
    answers.HandOver: _after("step.ready"),
    answers.RefuseHandOver: _after("step.handed_over"),
    commands.Decide: _decision,
    answers.ApproveDecision: _answer,
    answers.RejectDecision: _answer,
    answers.GiveOpinion: _after("opinion.asked"),
    commands.Confirm: _confirm,
    commands.OverrideGate: _override,
    communication.ApproveMessage: _message,
    communication.RejectMessage: _message,
    communication.RecordSending: _after("outgoing.approved"),
    commands.Resolve: _anything("phase.ended"),
    commands.AddImprovement: _anything("incident.resolved"),
    commands.Close: _anything("incident.resolved"),
    commands.Declare: _none,
}
"""What acts answer. Those that stand in no row keep their instant, unless a gate held for want of them."""
