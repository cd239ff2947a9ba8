"""What the demo shows: what is asked of whom and by when, the phases, the pages climbing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from console.texts import texts
from console.views.causes import cause
from console.views.clocks import OVER, clocks
from console.views.facts import sentence
from console.views.naming import Naming
from models.fact import Fact
from models.page import due_at
from models.policy import PHASES
from models.state import Incident, Page

SHOWN = {
    "incident.declared": "bold red",
    "page.asked": "yellow",
    "page.escalated": "bold yellow",
    "page.exhausted": "bold red",
    "page.acknowledged": "green",
    "decision.made": "bold cyan",
    "gate.held": "magenta",
    "gate.passed": "green",
    "gate.overridden": "bold magenta",
    "step.overdue": "red",
    "step.failed": "bold red",
    "step.unknown": "bold red",
    "evidence.added": "blue",
    "phase.opened": "bold",
    "phase.ended": "bold green",
    "service.impacted": "red",
    "service.restored": "green",
    "service.resumed": "bold green",
    "severity.set": "red",
    "severity.proposed": "red",
    "service.loss": "yellow",
    "service.forecast": "",
    "clock.warned": "yellow",
    "clock.forecast": "bold yellow",
    "clock.breached": "bold red",
    "clock.met": "green",
    "clock.missed": "bold red",
    "obligation.proposed": "yellow",
    "obligation.judged": "bold cyan",
    "report.submitted": "green",
    "impact.recorded": "",
    "vendor.asked": "",
    "vendor.answered": "green",
    "incident.resolved": "bold green",
    "incident.closed": "bold green",
    "improvement.added": "green",
}
LINES = 9
MARKS = {"waiting": "·", "open": "▶", "ended": "✔"}


class Picture:
    """A live picture on a terminal; plain lines where there is none."""

    def __init__(self, lang: str, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self.texts = texts(lang)
        self.log: deque[Text] = deque(maxlen=LINES)
        self.held: set[str] = set()
        self.live = Live(console=self.console, auto_refresh=False, transient=False)

    @property
    def moving(self) -> bool:
        """Whether somebody sees it move."""
        return self.console.is_terminal

    def note(self, key: str, **values: object) -> None:
        """A line of the demo's own."""
        line = Text(f"— {self.texts(f'demo.{key}', **values)}", style="dim")
        if self.live.is_started:
            self.log.append(line)
        else:
            self.console.print(line)

    def tell(self, facts: tuple[Fact, ...], naming: Naming) -> None:
        """The facts that somebody watching wants to see."""
        for fact in facts:
            style = SHOWN.get(fact.kind)
            if style is None or self._said(fact):
                continue
            at = fact.at.astimezone(naming.times.zone)
            line = Text(f"{at:%m/%d %H:%M}  {sentence(fact, naming)}", style=style, overflow="ellipsis")
            line.no_wrap = True
            self.log.append(line)
            if not self.moving:
                self.console.print(line)

    def _said(self, fact: Fact) -> bool:
        """A gate that still holds, for fewer reasons, is no news."""
        if fact.kind in {"gate.held", "gate.passed"}:
            before, self.held = set(self.held), self.held ^ {fact.data["step"]}
            if fact.kind == "gate.held":
                self.held = before | {fact.data["step"]}
                return fact.data["step"] in before
        return False

    def show(self, state: Incident, naming: Naming) -> None:
        """Draw the present."""
        if self.moving:
            self.live.update(self.frame(state, naming), refresh=True)

    def frame(self, state: Incident, naming: Naming) -> RenderableType:
        """The whole picture of one instant."""
        say = self.texts
        severity = next(
            (
                one.title.lang(say.lang)
                for one in naming.world.policy.severity.severities
                if one.id == state.severity
            ),
            state.severity,
        )
        head = Text.assemble(
            ("【訓練】 ", "bold white on red"),
            (f"{state.stream} ", "bold"),
            (f"{severity} ", "bold red"),
            naming.text(state.title, 70),
        )
        clock = Text(f"{say('demo.now')} {naming.times.at(naming.now)}", style="bold", justify="right")
        return Panel(
            Group(
                head,
                clock,
                self._phases(state),
                self._asked(state, naming),
                self._gates(state, naming),
                self._clocks(naming),
                Text("─" * 60, style="dim"),
                *self.log,
            ),
            title="Hikeshi 火消し",
            border_style="red" if state.status == "open" else "green",
        )

    def _phases(self, state: Incident) -> Text:
        line = Text()
        for name in (*PHASES, "communication"):
            known = state.phases.get(name)
            status = known.status if known else "waiting"
            style = {"waiting": "dim", "open": "bold yellow", "ended": "green"}[status]
            line.append(f"{MARKS[status]} {self.texts(f'words.phase.{name}')}  ", style=style)
        return line

    def _asked(self, state: Incident, naming: Naming) -> Table:
        say = self.texts
        table = Table(
            expand=True, box=None, title=say("demo.asked"), title_style="bold", title_justify="left"
        )
        for name, ratio in (("who", 3), ("what", 6), ("until", 3), ("next", 4)):
            table.add_column(say(f"demo.{name}"), ratio=ratio, no_wrap=True, overflow="ellipsis")
        rows = [*self._pages(state, naming), *self._steps(state, naming)]
        for row, style in rows[:8]:
            table.add_row(*row, style=style)
        if not rows:
            table.add_row(say("demo.nothing"), "", "", "", style="dim")
        return table

    def _pages(self, state: Incident, naming: Naming) -> Iterator[tuple[tuple[str, str, str, str], str]]:
        for page in sorted(state.open_pages(), key=lambda page: page.asked_at, reverse=True):
            key = "last" if page.round else str(page.level)
            people = self._join(naming.who(one.person) for one in page.reached.get(key, []))
            step = naming.world.step(state, page.subject.removeprefix("step:"))
            what = step.step.title.lang(naming.lang) if step else self.texts(f"words.event.{page.event}")
            if page.subject.startswith("clock:"):
                what = f"{what}: {naming.subject(page.subject)}"
            yield (people, f"☎ {what}", self._until(page, naming), self._next(page, naming)), "bold yellow"

    def _join(self, names: Iterable[str]) -> str:
        return self.texts("words.comma").join(names)

    def _until(self, page: Page, naming: Naming) -> str:
        following = due_at(page, min(page.level + 1, len(page.within)))
        if page.round:
            following = due_at(page, len(page.within)) + timedelta(seconds=page.every * page.round)
        return self._clock(following, naming)

    def _clock(self, at: datetime, naming: Naming) -> str:
        return f"{at.astimezone(naming.times.zone):%m/%d %H:%M} ({naming.times.left(at, naming.now)})"

    def _next(self, page: Page, naming: Naming) -> str:
        level = self.texts("demo.level", level=page.level + 1, levels=len(page.within))
        route = next((one for one in naming.world.policy.routes if one.id == page.route), None)
        if route is None:
            return level
        last = page.level + 1 >= len(route.levels)
        to = route.exhausted.to if last else route.levels[page.level + 1].to
        return f"{level} → {self._join(naming.who(one) for one in to[:2])}"

    def _steps(self, state: Incident, naming: Naming) -> Iterator[tuple[tuple[str, str, str, str], str]]:
        say = self.texts
        for planned in naming.world.steps(state).values():
            known = state.steps.get(planned.key)
            if (
                known is None
                or known.status not in {"ready", "started"}
                or planned.step.kind in {"decision", "call"}
            ):
                continue
            machine = planned.step.kind == "action"
            who = say("demo.machine_step") if machine else naming.who(known.owner or planned.step.owner)
            until = self._clock(known.limit_at, naming) if known.limit_at else ""
            yield (who, planned.step.title.lang(naming.lang), until, ""), "cyan" if machine else ""

    def _clocks(self, naming: Naming) -> Text:
        """The three targets that break next, in one line."""
        running = [one for one in clocks(naming) if one.kind not in {"page", "step"} and one.at is not None]
        said = [
            f"{one.what} {naming.times.left(one.at, naming.now)}"
            for one in running
            if one.status not in OVER and one.at is not None
        ]
        text = f"◷ {self.texts('demo.clocks')}: {' / '.join(said[:3])}"
        return Text(text if said else "", style="yellow", no_wrap=True, overflow="ellipsis")

    def _gates(self, state: Incident, naming: Naming) -> Text:
        held = sorted({one for causes in state.gates_held.values() for one in causes})
        if not held:
            return Text("")
        said = " / ".join(cause(naming, one) for one in held[:3])
        return Text(
            f"▣ {self.texts('demo.gates')}: {said}", style="magenta", no_wrap=True, overflow="ellipsis"
        )
