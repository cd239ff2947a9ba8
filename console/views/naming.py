"""Names instead of ids: people, roles, services, steps, and the texts that lie beside the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from console.texts import Texts
from console.views.sheet import harmless
from console.views.times import Times
from models.clocks.owed import find_obligation
from models.exercise import CONTROL_DESK
from models.fact import SYSTEM
from models.gate import AFFECTED
from models.plan import PlannedStep
from models.playbook import Step
from models.state import Incident, Recipient, StreamState
from models.world import World
from notifiers.clockwords import clock_title
from notifiers.factorwords import factor_value


def to_decide(stream: str, planned: PlannedStep) -> str:
    """What to type to record a decision, with every factor that is asked for."""
    factors = "".join(f" --factor {one}=…" for one in planned.step.weighed)
    return f"hikeshi decide {stream} {planned.key} OPTION --reason …{factors}"


@dataclass(frozen=True, kw_only=True)
class Naming:
    """Everything that is needed to say something about one stream in one language.

    `beside` are the texts beside the stream's facts by digest, None for what was disposed of. `plain`: for
    pages, on which nobody types ids, so titles stand alone.
    """

    texts: Texts
    world: World
    state: StreamState
    beside: Mapping[str, str | None]
    plain: bool = False

    @property
    def lang(self) -> str:
        """`ja` or `en`."""
        return self.texts.lang

    @property
    def now(self) -> datetime:
        """The instant for which it is said."""
        return self.world.now

    @property
    def times(self) -> Times:
        """Instants in the institution's zone."""
        return Times(texts=self.texts, zone=ZoneInfo(self.world.organisation.zone))

    def text(self, value: str | None, limit: int = 8_000) -> str:
        """A text by its digest; anything else is itself. What was disposed of says so."""
        if value is None:
            return ""
        if value.startswith("t:") and value in self.beside:
            found = self.beside[value]
            return self.texts("words.disposed") if found is None else harmless(found, limit)
        return harmless(value, limit)

    def raw(self, value: str | None) -> str:
        """A text by its digest as it was given, for programs and tables; never for a screen."""
        found = self.beside.get(value, value) if value else ""
        return self.texts("words.disposed") if found is None else found

    def who(self, name: str | None) -> str:
        """A person's name, else a role's or a third party's title, else the id."""
        if not name:
            return self.texts("words.nobody")
        if name == SYSTEM:
            return self.texts("words.system")
        directory = self.world.directory
        if (person := directory.person(name)) is not None:
            return person.name.lang(self.lang)
        if (role := directory.role(name)) is not None:
            return role.title.lang(self.lang)
        party = directory.third_party(name)
        return party.name.lang(self.lang) if party is not None else harmless(name, 80)

    def holders(self, role: str | None) -> str:
        """A role with who holds it now: `CISO (Hiroshi Kato)`."""
        if not role:
            return self.texts("words.nobody")
        incident = self.state if isinstance(self.state, Incident) else None
        people = [one.person.name.lang(self.lang) for one in self.world.holders(incident, role)]
        title = self.who(role)
        if not people:
            return f"{title} ({self.texts('words.nobody_now')})"
        names = self.texts("words.comma").join(people)
        return title if names == title else f"{title} ({names})"

    def deciders(self, step: Step) -> str:
        """Who decides, with who holds it now; of a quorum how many of whom."""
        if step.quorum is None:
            return self.holders(step.authority)
        of = self.texts("words.comma").join(self.holders(role) for role in step.quorum.of)
        return self.texts("gates.need", need=step.quorum.need, of=of)

    def recipient(self, one: Recipient) -> str:
        """Somebody who was paged, and whom they stand in for."""
        name = self.who(one.person)
        return (
            self.texts("words.deputy", name=name, other=self.who(one.deputy_for)) if one.deputy_for else name
        )

    def people(self, many: list[Recipient]) -> str:
        """Those who were paged, in order."""
        return self.texts("words.comma").join(self.recipient(one) for one in many) or self.texts(
            "words.nobody"
        )

    def service(self, name: str) -> str:
        """A service's name."""
        if name == AFFECTED:
            return self.texts("gates.affected")
        found = self.world.directory.service(name)
        return found.name.lang(self.lang) if found is not None else harmless(name, 80)

    def level(self, service: str, level: str) -> str:
        """A level of a service in words; what the first records wrote there is a text."""
        found = self.world.directory.service(service)
        titles = {one.id: one.title for one in found.levels} if found is not None else {}
        return titles[level].lang(self.lang) if level in titles else self.text(level, 200)

    def clock(self, clock: str) -> str:
        """What a clock is called."""
        if not isinstance(self.state, Incident):
            return harmless(clock, 80)
        return harmless(clock_title(clock, self.state, self.world, self.lang), 200)

    def obligation(self, name: str) -> str:
        """A report's title with its id."""
        found = find_obligation(self.state, self.world, name) if isinstance(self.state, Incident) else None
        if found is None:
            return harmless(name, 80)
        title = found.title.lang(self.lang)
        return title if self.plain else f"{title} [{name}]"

    def factor(self, name: str, value: Any) -> str:
        """What was weighed in a decision; unknown is said in capitals."""
        return harmless(factor_value(name, value, self.world, self.lang, self.text), 1_000)

    def services(self, names: tuple[str, ...]) -> str:
        """Services' names in a row."""
        return self.texts("words.comma").join(self.service(name) for name in names)

    def planned(self, key: str) -> PlannedStep | None:
        """The step of this key as its playbook has it."""
        return self.world.step(self.state, key) if isinstance(self.state, Incident) else None

    def title(self, planned: PlannedStep) -> str:
        """A step's title; that of a step added by hand is a text beside the record."""
        return self.text(planned.step.title.lang(self.lang), 300)

    def step(self, key: str) -> str:
        """A step's title with its key, on a page alone; only the key if the incident does not carry it."""
        planned = self.planned(key)
        if planned is None:
            return harmless(key, 200)
        return self.title(planned) if self.plain else f"{self.title(planned)} [{key}]"

    def option(self, step: str, choice: str) -> str:
        """What was chosen in a decision: its id, which is typed; on a page its title."""
        planned = self.planned(step) if self.plain else None
        options = planned.step.options if planned is not None else ()
        found = next((one.title.lang(self.lang) for one in options if one.id == choice), choice)
        return harmless(found, 200)

    def severity(self, name: str) -> str:
        """A severity's title."""
        found = next((one for one in self.world.policy.severity.severities if one.id == name), None)
        return found.title.lang(self.lang) if found is not None else name

    def playbook(self, name: str) -> str:
        """A playbook's title with its name."""
        plan = self.world.plans.get(name)
        if plan is None:
            return name
        title = plan.playbook.title.lang(self.lang)
        return title if self.plain else f"{title} ({name})"

    def phase(self, name: str) -> str:
        """A phase's name."""
        return self.texts.word("words.phase", name)

    def subject(self, subject: str) -> str:
        """What a page is about."""
        kind, _, name = subject.partition(":")
        if kind == "step":
            return self.step(name)
        if kind == "clock":
            return self.clock(name)
        if kind == "glass":
            return self.texts("words.subject.glass", name=self.who(name))
        if kind == CONTROL_DESK:
            return self.texts("playing.control")
        if kind in {"approval", "opinion"}:
            return self.texts(f"words.subject.{kind}", name=self.step(name.partition("#")[0]))
        return (
            self.texts("words.subject." + kind, name=harmless(name, 80))
            if name
            else self.texts("words.subject.incident")
        )

    def at(self, instant: datetime | None) -> str:
        """An instant with how far away it is."""
        if instant is None:
            return "–"
        return f"{self.times.at(instant)} ({self.times.relative(instant, self.now)})"
