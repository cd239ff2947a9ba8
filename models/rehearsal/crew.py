"""Simulated people and machines: what each does about what the record asks, and how long it takes.

They read what anybody could read and act by commands like anyone; what they may not do is refused to them.
They are driven by facts as these are written. Those of a drill (`console.drill.understudies`) look at a
scenario and at a whole record each time, which is right for a dozen acts a minute and not for thousands of
incidents; both decide by the same playbooks.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.clock import micros
from models.commands import Acknowledge, Actor, Command, MarkDelivery
from models.fact import Fact
from models.premises import Outcome
from models.rehearsal.assumptions import Draws
from models.rehearsal.plan import Plan
from models.rehearsal.table import Table
from models.state import Incident
from models.world import World

SYSTEM_CHANNELS = Actor.machine("outbox")
TRY_NEXT = timedelta(seconds=30)
"""How long until a message that did not arrive is tried on the next channel."""


class Crew:
    """One run's people. `at` is a queue of what happens when."""

    def __init__(self, table: Table, plan: Plan, draws: Draws, stream: str) -> None:
        self.table, self.plan, self.draws, self.stream = table, plan, draws, stream
        self.suppose = plan.assumptions
        self.began = table.clock.now()
        self.engaged: dict[str, datetime] = {}
        self.free: dict[str, datetime] = {}
        self.refused: dict[str, int] = {}
        self._queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self._pushed = 0
        self._posted = 0
        self._zone = ZoneInfo(self.world.organisation.zone)
        self._hearers: list[Callable[[Fact], None]] = []

    # -- time -----------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The virtual instant."""
        return self.table.clock.now()

    @property
    def state(self) -> Incident:
        """The incident as it stands."""
        return self.table.incident(self.stream)

    @property
    def world(self) -> World:
        """What the rules know now."""
        return self.table.world(self.state)

    def later(self, at: datetime, act: Callable[[], None]) -> None:
        """Let something happen at an instant; what is at the same one in the order of asking."""
        self._pushed += 1
        heapq.heappush(self._queue, (max(at, self.now), self._pushed, act))

    def next_at(self) -> datetime | None:
        """When somebody does something next."""
        return self._queue[0][0] if self._queue else None

    def act(self) -> None:
        """Let the next thing happen, now."""
        heapq.heappop(self._queue)[2]()

    # -- the record -----------------------------------------------------------------------------------------

    def hear(self, hearer: Callable[[Fact], None]) -> None:
        """Tell `hearer` of each fact of the incident."""
        self._hearers.append(hearer)

    def says(self, command: Command) -> bool:
        """Give a command; whether it was accepted."""
        outcome = self.table.handle(self.stream, command)
        if outcome.refused is not None:
            name = f"{type(command).__name__}: {outcome.refused.value}"
            self.refused[name] = self.refused.get(name, 0) + 1
        self.take(outcome)
        return outcome.accepted

    def take(self, outcome: Outcome) -> None:
        """Look at what was written, and carry the messages that it asks for."""
        for fact in outcome.facts:
            if fact.stream == self.stream:
                for hearer in self._hearers:
                    hearer(fact)
        if outcome.queued:
            rows = list(self.table.outbox.values())[self._posted :]
            self._posted += len(rows)
            for row in rows:
                self._post(row)

    # -- people ---------------------------------------------------------------------------------------------

    def band(self, at: datetime) -> str:
        """working, off or night, by the institution's calendar."""
        local = at.astimezone(self._zone)
        working = self.world.calendar("own").is_working(local.date())
        return self.suppose.hours.band(local.time(), working_day=working)

    def on_duty(self, person: str) -> bool:
        """Whether a rota has the person on duty now."""
        directory = self.world.directory
        rotas = (role for role in directory.organisation.roles if role.rota)
        return any(person in directory.rostered(role.id, self.now).people for role in rotas)

    def away(self, person: str) -> bool:
        """Whether the person is out of reach for the whole incident; never the one on duty."""
        band = self.band(self.began)
        chance = getattr(self.suppose.away, band).percent
        return not self.on_duty(person) and self.draws.happens(chance, "away", person)

    def answers_after(self, person: str, *about: object) -> timedelta | None:
        """How long until the person answers a call of now; None if they do not."""
        if person in self.engaged:
            return self.draws.takes(self.suppose.answer.engaged, "answer", person, *about)
        if self.away(person):
            return None
        if self.on_duty(person):
            return self.draws.takes(self.suppose.answer.duty, "answer", person, *about)
        return self.draws.takes(getattr(self.suppose.answer, self.band(self.now)), "answer", person, *about)

    def engage(self, person: str) -> None:
        """The person is at work on this incident from now on."""
        self.engaged.setdefault(person, self.now)

    def holders(self, *roles: str) -> list[str]:
        """Who answers for these roles now, at work already or not."""
        state, world = self.state, self.world
        return list(dict.fromkeys(one.person.id for role in roles for one in world.holders(state, role)))

    def at_work(self, *roles: str) -> list[str]:
        """Those of them who are at work, whoever is free first."""
        found = [one for one in self.holders(*roles) if one in self.engaged]
        return sorted(found, key=lambda one: (self.free.get(one, self.began), one))

    # -- messages -------------------------------------------------------------------------------------------

    def _post(self, row: dict[str, Any]) -> None:
        if row["person"] is None or row["stream"] != self.stream:
            return
        at = self.began + timedelta(microseconds=row["next_try_at"] - micros(self.began))
        self.later(at, lambda: self._deliver(row, row["channel"], _further(row)))

    def _deliver(self, row: dict[str, Any], channel: str, further: tuple[str, ...]) -> None:
        page = self.state.pages.get(row["page"]) if row["kind"] == "page" else None
        if page is not None and page.state != "open":
            return
        lost = self.draws.happens(self.suppose.channels.outage.percent, "down", channel)
        lost = lost or self.draws.happens(self.suppose.channels.message.percent, "lost", row["key"], channel)
        key = f"{row['key'].rsplit('/', 1)[0]}/{channel}:{row['person']}"
        self.says(
            MarkDelivery(
                actor=SYSTEM_CHANNELS,
                key=key,
                outcome="given_up" if lost else "sent",
                page=row["page"] if row["kind"] == "page" else 0,
                level=int(row["level"]) if str(row["level"]).isdigit() else 0,
                channel=channel,
                person=row["person"],
                further=further if lost else (),
            )
        )
        if not lost:
            self._arrived(row)
        elif further:
            self.later(self.now + TRY_NEXT, lambda: self._deliver(row, further[0], further[1:]))

    def _arrived(self, row: dict[str, Any]) -> None:
        after = self.answers_after(row["person"], row["key"])
        if after is not None:
            read = self._answer if row["kind"] == "page" else self._read
            self.later(self.now + after, lambda: read(row))

    def _answer(self, row: dict[str, Any]) -> None:
        page = self.state.pages.get(row["page"])
        if page is None or page.state != "open" or row["person"] in page.acks:
            return
        self.engage(row["person"])
        self.says(Acknowledge(actor=acting(row["person"]), page=row["page"]))

    def _read(self, row: dict[str, Any]) -> None:
        self.engage(row["person"])
        for reader in self.readers:
            reader(row)

    readers: tuple[Callable[[dict[str, Any]], None], ...] = ()


def acting(person: str) -> Actor:
    """Somebody of the directory, simulated."""
    return Actor(person=person, name=person, via="rehearsal")


def _further(row: dict[str, Any]) -> tuple[str, ...]:
    text = row["further"].strip("[]")
    return tuple(one.strip().strip('"') for one in text.split(",") if one.strip())
