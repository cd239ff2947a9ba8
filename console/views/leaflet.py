"""A playbook laid out for reading and printing: phase by phase, each step with everything that it asks.

Only what is said, not how it looks: Markdown, HTML and the graph are drawn from the same leaflet, so that
none of them leaves a step out. Called playbooks stand in their place, each step with the way to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from console.texts import Texts
from console.views.sheet import harmless, printable
from console.views.times import Times
from models.directory import Directory
from models.gate import AFFECTED, GATES
from models.plan import Plan, PlannedStep
from models.playbook import RecordField, Step
from models.policy import PHASES
from models.values import Text

Tone = Literal["plain", "text", "never", "code", "note"]
_DECIDED = re.compile(
    r'decided\("([a-z0-9-/]+)"\)\s*(?:==\s*"([a-z0-9-]+)"|in\s*\[((?:"[a-z0-9-]+",?\s*)+)\])'
)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One thing said of a step or a playbook. `tone` says what it is, for colour beside the words."""

    label: str
    lines: tuple[str, ...]
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One option of a decision."""

    id: str
    title: str
    price: str
    recommended: bool


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A gate that will hold the step, and what opens it."""

    id: str
    title: str
    opens: str
    guideline: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """One step. `path` are the titles of the steps that call it, from the outside in."""

    key: str
    title: str
    kind: str
    kind_word: str
    who: str
    limit: str
    path: tuple[str, ...]
    fields: tuple[Field, ...]
    choices: tuple[Choice, ...]
    otherwise: str
    gates: tuple[Gate, ...]
    guideline: tuple[str, ...]
    conditional: bool
    optional: bool


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """The steps of one phase, in the order they are written."""

    phase: str
    title: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, kw_only=True)
class Leaflet:
    """A whole playbook."""

    name: str
    version: str
    title: str
    summary: str
    facts: tuple[Field, ...]
    chapters: tuple[Chapter, ...]
    lang: str

    @property
    def cards(self) -> tuple[Card, ...]:
        """All steps."""
        return tuple(card for chapter in self.chapters for card in chapter.cards)


def leaflet(plan: Plan, origin: str, directory: Directory, texts: Texts) -> Leaflet:
    """The playbook of `plan` in the language of `texts`, with names of roles and services as they are now."""
    return _Writer(plan, directory, texts).whole(origin)


class _Writer:
    """What it takes to say something about a step of this plan."""

    def __init__(self, plan: Plan, directory: Directory, texts: Texts) -> None:
        self.plan, self.directory, self.texts = plan, directory, texts
        self.times = Times(texts=texts, zone=ZoneInfo(directory.organisation.zone))

    def whole(self, origin: str) -> Leaflet:
        playbook = self.plan.playbook
        chapters = (self._chapter(phase) for phase in (*PHASES, "communication"))
        return Leaflet(
            name=playbook.playbook,
            version=playbook.version,
            title=self._one(playbook.title),
            summary=self._one(playbook.summary),
            facts=tuple(self._facts(origin)),
            chapters=tuple(chapter for chapter in chapters if chapter.cards),
            lang=self.texts.lang,
        )

    def _facts(self, origin: str) -> Iterator[Field]:
        """What is said of the playbook as a whole."""
        playbook = self.plan.playbook
        review = self._say(
            "review", date=playbook.reviewed.isoformat(), every=self._span(playbook.review_every)
        )
        yield self._field("version", f"{playbook.version} ({self.texts.word('reading.origin', origin)})")
        yield self._field("reviewed", review)
        if playbook.watch_period is not None:
            yield self._field("watch", self._span(playbook.watch_period))
        if playbook.experts:
            yield self._field("experts", self._names(playbook.experts))
        if playbook.attack:
            yield self._field("attack", ", ".join(playbook.attack))
        if playbook.covers:
            yield self._field("guideline", ", ".join(playbook.covers))

    def _chapter(self, phase: str) -> Chapter:
        steps = [one for one in self.plan.steps.values() if one.step.phase == phase]
        return Chapter(
            phase=phase,
            title=self.texts.word("words.phase", phase),
            cards=tuple(self._card(one) for one in steps),
        )

    # -- a step ---------------------------------------------------------------------------------------------

    def _card(self, planned: PlannedStep) -> Card:
        step = planned.step
        return Card(
            key=planned.key.split("/", 1)[1],
            title=self._one(step.title),
            kind=step.kind,
            kind_word=self.texts.word("words.kind", step.kind),
            who=self._who(step),
            limit=self._span(step.within) if step.within else "",
            path=tuple(self._path(planned)),
            fields=tuple(
                field
                for part in (self._doing, self._machine, self._evidence, self._order)
                for field in part(planned)
            ),
            choices=tuple(self._choices(step)),
            otherwise=self._one(step.otherwise),
            gates=tuple(self._gates(planned)),
            guideline=step.guideline,
            conditional=step.when is not None,
            optional=step.optional,
        )

    def _path(self, planned: PlannedStep) -> list[str]:
        found = []
        caller = planned.caller
        while caller is not None:
            above = self.plan.steps[caller]
            found.append(self._one(above.step.title))
            caller = above.caller
        return found[::-1]

    def _who(self, step: Step) -> str:
        if step.quorum is not None:
            return self.texts("gates.need", need=step.quorum.need, of=self._names(step.quorum.of))
        role = step.acts
        if role and step.approver:
            return self.texts("answers.both", who=self._name(role), second=self._name(step.approver))
        if role:
            return self._name(role)
        return step.call if step.call else self.texts("words.machine")

    def _doing(self, planned: PlannedStep) -> Iterator[Field]:
        """What a person does, where, until when, and what never."""
        step = planned.step
        if step.to:
            yield self._field("to", self._names(step.to))
        for label, text in (("what", step.text), ("where", step.where)):
            if text is not None:
                yield self._field(label, *self._lines(text), tone="text")
        if step.record:
            yield self._field("record", *(self._recorded(one) for one in step.record))
        if step.stop_when is not None:
            yield self._field("stop", *self._lines(step.stop_when), tone="text")
        if step.do_not:
            yield self._field("never", *(self._one(one) for one in step.do_not), tone="never")
        if step.draft is not None:
            yield self._field("draft", *printable(step.draft.lang(self.texts.lang)), tone="code")

    def _recorded(self, field: RecordField) -> str:
        kind = self.texts.word("reading.type", field.type)
        optional = "" if field.required else self._say("optional_field")
        return self._say("recorded", title=self._one(field.title), id=field.id, kind=kind, optional=optional)

    def _machine(self, planned: PlannedStep) -> Iterator[Field]:
        step = planned.step
        if step.kind != "action":
            return
        crash = self.texts.word("reading.crash", step.on_crash or "ask")
        yield self._field("machine", f"{step.use}: {step.target}")
        if step.params:
            yield self._field(
                "params", *(harmless(f"{k} = {v}", 500) for k, v in step.params.items()), tone="code"
            )
        yield self._field("crash", crash)

    def _evidence(self, planned: PlannedStep) -> Iterator[Field]:
        step = planned.step
        if step.preserves:
            order = self._say("volatility", n=step.volatility) if step.volatility else ""
            yield self._field("preserves", f"{', '.join(step.preserves)}{order}")
        if step.lost_by_waiting is not None:
            yield self._field("lost", *self._lines(step.lost_by_waiting), tone="text")
        for label, services in (
            ("stops", step.stops), ("restores", step.restores), ("reconnects", step.reconnects),
            ("resumes", step.resumes),
        ):  # fmt: skip
            if services:
                yield self._field(label, self._services(services))
        if step.factors:
            words = (self.texts.word("words.factor", one) for one in step.factors)
            yield self._field("factors", self._join(words))

    def _order(self, planned: PlannedStep) -> Iterator[Field]:
        """When the step becomes ready."""
        step = planned.step
        if planned.after is None:
            yield self._field("after", self._say("after_phases"), tone="note")
        elif planned.after:
            yield self._field("after", *map(self._step, planned.after), tone="note")
        if planned.after_any:
            yield self._field("after_any", *map(self._step, planned.after_any), tone="note")
        if step.when is not None:
            yield self._field("when", self._condition(step.when, planned), tone="note")
        if step.repeat is not None:
            until = self._condition(step.repeat.until, planned)
            yield self._field("repeat", self._say("until", until=until, n=step.repeat.at_most), tone="note")

    def _choices(self, step: Step) -> Iterator[Choice]:
        for one in step.options:
            yield Choice(
                id=one.id,
                title=self._one(one.title),
                price=self._one(one.price),
                recommended=one.id == step.recommend,
            )

    def _gates(self, planned: PlannedStep) -> Iterator[Gate]:
        for name, subject in gates_of(planned.step).items():
            values = {
                "services": self._services(subject),
                "sources": ", ".join(subject),
                "who": self._who(planned.step),
                "decision": self._step(planned.resolve(planned.step.decided_by or planned.step.id)),
            }
            # A decision on a shutdown waits for somebody entitled, not for itself.
            own = name == "shutdown-authority" and planned.step.kind == "decision"
            yield Gate(
                id=name,
                title=self.texts.word("words.gate", name),
                opens=self._say("opens.entitled" if own else f"opens.{name}", **values),
                guideline=GATES[name].guideline,
            )

    # -- words ----------------------------------------------------------------------------------------------

    def _say(self, key: str, /, **values: object) -> str:
        return self.texts(f"reading.{key}", **values)

    def _field(self, label: str, *lines: str, tone: Tone = "plain") -> Field:
        return Field(label=self._say(f"label.{label}"), lines=lines, tone=tone)

    def _one(self, text: Text | None) -> str:
        return harmless(text.lang(self.texts.lang)) if text is not None else ""

    def _lines(self, text: Text) -> list[str]:
        return printable(text.lang(self.texts.lang))

    def _join(self, words: Iterator[str]) -> str:
        return self.texts("words.comma").join(words)

    def _span(self, span: timedelta) -> str:
        return self.times.span(span)

    def _name(self, who: str) -> str:
        """A role's title, a person's or a third party's name, else the id."""
        role, person = self.directory.role(who), self.directory.person(who)
        party = self.directory.third_party(who)
        found = role.title if role else person.name if person else party.name if party else None
        return self._one(found) if found is not None else harmless(who, 80)

    def _names(self, many: tuple[str, ...]) -> str:
        return self._join(self._name(one) for one in many)

    def _services(self, many: tuple[str, ...]) -> str:
        return self._join(self._service(one) for one in many)

    def _service(self, name: str) -> str:
        if name == AFFECTED:
            return self._say("affected")
        found = self.directory.service(name)
        return self._one(found.name) if found is not None else harmless(name, 80)

    def _step(self, key: str) -> str:
        planned = self.plan.steps.get(key)
        own = key.split("/", 1)[-1]
        return self._say("step", title=self._one(planned.step.title), key=own) if planned else own

    def _condition(self, source: str, planned: PlannedStep) -> str:
        """A condition with the decisions it asks about in words; whatever else stands as it is written."""
        return harmless(_DECIDED.sub(lambda found: self._decided(found, planned), source), 1_000)

    def _decided(self, found: re.Match[str], planned: PlannedStep) -> str:
        other = self.plan.steps.get(planned.resolve(found[1]))
        if other is None:
            return found[0]
        titles: Mapping[str, str] = {one.id: self._one(one.title) for one in other.step.options}
        names = re.findall(r"[a-z0-9-]+", found[2] or found[3])
        options = self._say("or").join(self._say("quoted", text=titles.get(name, name)) for name in names)
        return self._say("decided", title=self._one(other.step.title), options=options)


def gates_of(step: Step) -> dict[str, tuple[str, ...]]:
    """The gates that can hold this step, each with the services or sources it is about.

    What the step is written to do decides it, so it can be said before any incident.
    """
    found: dict[str, tuple[str, ...]] = {}
    if step.phase == "analysis" and step.sources:
        found["preserved-before-analysed"] = step.sources
    if step.stops:
        found["shutdown-authority"] = found["containment-or-preservation"] = step.stops
    if step.restores:
        found["backup-checked"] = step.restores
    if step.reconnects:
        found["works-normally"] = step.reconnects
    if step.resumes:
        found["scope-fixed"] = found["cause-addressed"] = step.resumes
    return found
