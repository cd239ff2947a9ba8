"""One run of a rehearsal: an incident begins at some instant of the year and takes its course."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from models.casework import Setting
from models.commands import Actor, Declare
from models.fact import Fact
from models.fold.matter import at_target
from models.rehearsal.assumptions import Draws
from models.rehearsal.crew import Crew
from models.rehearsal.matters import Matters
from models.rehearsal.paths import longest
from models.rehearsal.plan import Asked, Plan, Played
from models.rehearsal.table import Table
from models.rehearsal.work import Work
from models.state import Incident
from models.virtual import VirtualDesk

MAX_EVENTS = 20_000
MINUTES_A_YEAR = 365 * 24 * 60
LEVEL_FACTS = frozenset({"page.asked", "page.escalated", "page.exhausted"})
SITUATION = "situation"


def starting(plan: Plan, zone: str, draws: Draws) -> datetime:
    """Some instant of the year, at the hour that is asked for if one is; UTC."""
    minute = draws.below(MINUTES_A_YEAR, "start")
    day = datetime(plan.year, 1, 1, tzinfo=ZoneInfo(zone)).date() + timedelta(days=minute // 1440)
    of_day = minute % 1440
    if plan.start is not None:
        hour, _, rest = plan.start.partition(":")
        of_day = int(hour) * 60 + int(rest)
    at = datetime.combine(day, time(of_day // 60, of_day % 60), ZoneInfo(zone))
    return at.astimezone(UTC)


def play(setting: Setting, plan: Plan, run: int, table: Callable[[datetime], Table] | None = None) -> Played:
    """Run number `run`. `table` makes another desk to play on than one in memory."""
    draws = Draws(plan.seed, run)
    zone = setting.premises.organisation.zone
    start = starting(plan, zone, draws)
    desk = table(start) if table is not None else VirtualDesk(setting, start)
    declared = desk.handle(None, _declaration(setting, plan, draws))
    crew = Crew(desk, plan, draws, declared.stream)
    work, matters = Work(crew), Matters(crew)
    local = start.astimezone(ZoneInfo(zone))
    played = Played(run=run, start=start, hour=local.hour, band=crew.band(start))
    watched = _Watched(played, crew)
    crew.hear(watched.hear)
    crew.take(declared)
    _wind(crew, desk, start + plan.horizon, played)
    watched.close()
    state = crew.state
    played.facts = state.seq
    played.steps = sum(1 for known in state.steps.values() if known.status == "done")
    played.refused, played.grown = crew.refused, matters.grown
    longest(work.traces, crew, played)
    return played


def _declaration(setting: Setting, plan: Plan, draws: Draws) -> Declare:
    """Found by monitoring: some services are affected, those that come first the likeliest."""
    services = [one.id for one in setting.premises.organisation.services]
    many = 1 + draws.below(max(plan.assumptions.services.most.count, 1), "services")
    hit = sorted(services, key=lambda name: draws.share("service", name))[:many]
    return Declare(
        actor=Actor.machine("alert"), text="rehearsal", playbooks=(plan.playbook,), services=tuple(hit)
    )


def _wind(crew: Crew, desk: Table, until: datetime, played: Played) -> None:
    """Everything in its order, what is due before what people do, until the time is over."""
    for _ in range(MAX_EVENTS):
        due, act = desk.next_due(crew.stream), crew.next_at()
        if due is not None and (act is None or due <= act):
            if due > until:
                break
            desk.clock.set(max(due, desk.clock.now()))
            crew.take(desk.tick(crew.stream))
        elif act is not None and act <= until:
            desk.clock.set(act)
            crew.act()
        else:
            break
        played.events += 1
    desk.clock.set(until)


class _Watched:
    """What is measured of a run, as its facts are written."""

    def __init__(self, played: Played, crew: Crew) -> None:
        self.played, self.crew = played, crew
        self._levels: dict[tuple[int, int], tuple[str, str, int]] = {}
        self._answered: set[tuple[int, int]] = set()
        self._silent: set[tuple[int, int]] = set()
        self._late: set[str] = set()
        """Clocks of reports that were late once; the next period's clock has their name."""
        self._zone = ZoneInfo(crew.world.organisation.zone)

    def hear(self, fact: Fact) -> None:
        """Look at one fact of the incident."""
        played, seconds = self.played, int((fact.recorded_at - self.played.start).total_seconds())
        if fact.kind in LEVEL_FACTS:
            self._called(fact)
        elif fact.kind == "page.acknowledged":
            page = self.crew.state.pages[fact.data["page"]]
            # The fact names the first level that the person is of; they may have answered a later one's call.
            self._answered.add((page.id, page.level))
            if page.event == "declared" and played.acked is None:
                played.acked = seconds
        elif fact.kind == "decision.made":
            planned = self.crew.world.step(self.crew.state, fact.data["step"])
            if played.decided is None and planned is not None and planned.step.stops:
                played.decided = seconds
        elif fact.kind == "phase.ended" and fact.data["phase"] == "containment":
            played.contained = seconds
        elif fact.kind == "phase.reopened" and fact.data["phase"] == "containment":
            played.contained = None
        elif fact.kind.startswith("service."):
            self._service(seconds)
        elif fact.kind == "clock.breached":
            self._late.add(fact.data["clock"])

    def _called(self, fact: Fact) -> None:
        """A level is called, or the last resort: those before it that nobody answered were silent."""
        number = fact.seq if fact.kind == "page.asked" else fact.data["page"]
        called = {one for one in self._levels if one[0] == number}
        self._silent |= called - self._answered
        if fact.kind != "page.exhausted":
            page = self.crew.state.pages[number]
            hour = fact.recorded_at.astimezone(self._zone).hour
            self._levels[(number, fact.data.get("level", 0))] = (page.route, page.event, hour)

    def _service(self, seconds: int) -> None:
        services = [one for one in self.crew.state.services.values() if one.targets is not None]
        back = bool(services) and all(at_target(one) for one in services)
        if back and self.played.restored is None:
            self.played.restored = seconds
        elif not back:
            self.played.restored = None

    def close(self) -> None:
        """What is known at the end alone.

        Of a call that was over, or whose time was over, before the next level was due nobody knows whether
        it would have been answered: it counts as neither.
        """
        self.played.asked = [
            Asked(route=route, event=event, level=key[1], hour=hour, answered=key not in self._silent)
            for key, (route, event, hour) in self._levels.items()
            if key in self._answered | self._silent
        ]
        self.played.clocks = clocks_of(self.crew.state, self._late)


def clocks_of(state: Incident, late: Collection[str] = ()) -> dict[str, str]:
    """Each clock's end: met, missed, or `open` while it runs unbroken. Ended ones count for nothing.

    That of situation reports begins anew with each: it is missed if one of them was `late`, met if none was.
    """
    found = {}
    for clock in state.clocks.values():
        if clock.kind == SITUATION and (state.situations or clock.id in late):
            found[clock.id] = "missed" if clock.id in late else "met"
            continue
        if clock.status == "ended":
            continue
        running = "missed" if clock.breached else "open"
        found[clock.id] = running if clock.status == "running" else clock.status
    return found
