"""What an incident's channel is told: which facts, under which root message, in which words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from console.slack.blocks import said, words
from console.views import facts as sentences
from console.views.naming import Naming
from console.views.pages import next_of
from models.fact import Fact
from models.state import Incident, Page
from notifiers.acts import page_acts, subject_acts
from notifiers.slack import escape
from notifiers.slack.buttons import actions_block
from notifiers.standing import page_standing, step_standing

MAIN = "main"
IN_MAIN = frozenset(
    {
        "incident.declared", "incident.dismissed", "incident.cancelled", "incident.merged",
        "incident.absorbed", "incident.linked", "incident.resolved", "incident.closed", "incident.reopened",
        "alert.attached", "playbook.added", "playbook.moved", "playbook.dropped", "phase.opened",
        "phase.reopened", "phase.ended", "severity.set", "severity.proposed", "instant.set",
        "role.assigned", "note.added", "decision.made", "decision.withdrawn", "gate.overridden",
        "service.impacted", "service.stopped", "service.restored", "service.checked", "service.confirmed",
        "service.resumed", "service.level", "service.forecast", "evidence.added", "scope.added",
        "scope.imported", "scope.retracted", "scope.fixed_many", "scope.accepted_many", "party.owed",
        "sharing.prepared", "sharing.shared",
        "scope.fixed", "scope.accepted", "clock.warned", "clock.breached", "clock.missed",
        "impact.recorded", "obligation.proposed", "obligation.judged", "report.submitted",
        "situation.reported", "improvement.added", "page.unanswerable", "machine.impaired",
        "machine.recovered", "timeline.added", "source.unreachable",
    }
)  # fmt: skip
IN_THREADS = (
    "page.asked", "page.escalated", "page.exhausted", "page.lapsed", "page.acknowledged", "page.seen",
    "page.delegated", "page.declined", "page.stopped", "step.ready", "step.assigned", "step.started",
    "step.done", "step.failed", "step.unknown", "step.skipped", "step.not_applicable", "step.overdue",
    "step.reset", "step.handed_over", "step.hand_over_refused", "gate.held", "gate.passed",
    "decision.proposed", "decision.approved", "decision.rejected", "opinion.asked", "opinion.given",
    "notice.drafted",
)  # fmt: skip
PEOPLE_DO = frozenset({"manual", "decision", "notice"})
MAX_LINES = 15
Block = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Facts for one root: `main`, `page:12` or `step:ransomware/isolate`, from `first` to `last` (seq)."""

    root: str
    facts: tuple[Fact, ...]

    @property
    def first(self) -> int:
        """Number of its first fact."""
        return self.facts[0].seq

    @property
    def last(self) -> int:
        """Number of its last fact."""
        return self.facts[-1].seq


def batches(facts: Iterable[Fact], naming: Naming) -> list[Batch]:
    """The facts that the channel is told, by root, in the order in which the roots have news."""
    found: dict[str, list[Fact]] = {}
    for fact in facts:
        for root in _roots(fact, naming):
            found.setdefault(root, []).append(fact)
    return [Batch(root=root, facts=tuple(many)) for root, many in found.items()]


def _roots(fact: Fact, naming: Naming) -> list[str]:
    roots = [MAIN] if fact.kind in IN_MAIN else []
    if fact.kind.startswith("page.") and fact.kind in IN_THREADS:
        page = fact.seq if fact.kind == "page.asked" else fact.data.get("page")
        return [*roots, f"page:{page}"]
    step = fact.data.get("step")
    if isinstance(step, str) and (fact.kind in IN_THREADS or fact.kind.startswith("decision.")):
        planned = naming.planned(step)
        if planned is not None and planned.step.kind in PEOPLE_DO:
            return [*roots, f"step:{step}"]
    return roots


def lines(batch: Batch, naming: Naming) -> list[str]:
    """One harmless line a fact: who, and what."""
    found = []
    for fact in batch.facts[-MAX_LINES:]:
        who = naming.who(fact.for_ or fact.actor)
        at = naming.times.at(fact.at)[11:16]
        found.append(f"{at} {escape.bold(words(who, 60))} {words(sentences.sentence(fact, naming), 600)}")
    left_out = len(batch.facts) - MAX_LINES
    return ([words(naming.texts("words.more", n=left_out))] if left_out > 0 else []) + found


def root(name: str, naming: Naming) -> list[Block]:
    """The message over a thread: what it is about, how it stands now, its buttons."""
    kind, _, rest = name.partition(":")
    state = naming.state
    if not isinstance(state, Incident):
        return []
    if kind == "page":
        return _page_root(state, int(rest), naming)
    return _step_root(state, rest, naming)


def _page_root(state: Incident, number: int, naming: Naming) -> list[Block]:
    page = state.pages.get(number)
    if page is None:
        return []
    title = naming.texts("slack.room.page", id=number, subject=naming.subject(page.subject))
    standing = page_standing(state, page, naming.world, naming.lang)
    people = naming.people(page.reached.get(str(page.level), []))
    head = said(
        f"📟 {escape.bold(words(title, 300))}",
        words(people, 200),
        words(_otherwise(page, naming), 300),
        words(standing, 500),
    )
    buttons = actions_block(page_acts(state, page, naming.world), naming.lang)
    return [head, buttons] if buttons else [head]


def _otherwise(page: Page, naming: Naming) -> str:
    """By when an open page wants an answer, and who is called if none comes."""
    if page.state != "open":
        return ""
    following = next_of(page, naming)
    at = naming.times.at(following.at)
    return naming.texts("slack.room.otherwise", at=at, people=following.people)


def _step_root(state: Incident, key: str, naming: Naming) -> list[Block]:
    planned, known = naming.planned(key), state.steps.get(key)
    if planned is None or known is None:
        return []
    sign = "⚖" if planned.step.kind == "decision" else "▫"
    owner = known.owner or planned.step.acts
    limit = naming.texts("slack.until") + " " + naming.times.at(known.limit_at) if known.limit_at else ""
    standing = step_standing(state, key, naming.world, naming.lang)
    head = said(
        f"{sign} {escape.bold(words(naming.title(planned), 300))}",
        words(f"{naming.phase(planned.step.phase)} / {naming.holders(owner)}", 300),
        words(limit),
        words(standing, 500),
    )
    buttons = actions_block(subject_acts(state, f"step:{key}", naming.world), naming.lang)
    return [head, buttons] if buttons else [head]
