"""A scenario laid out for people: the facilitator's handbook, and the sheet that participants get.

Only what is said, not how it looks: Markdown, HTML and the screen are drawn from the same book. What is not
for participants is never put into their book, so that no form of it can show it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from console.texts import Texts
from console.views.sheet import harmless, printable
from console.views.times import Times
from models.directory import Directory
from models.plan import PlannedStep
from models.scenario import Scenario
from models.values import Text

_CALLS = re.compile(
    r"(?P<no>not\s+)?(?P<name>[a-z_]+)\(\s*(?:\"(?P<of>[^\"]*)\")?\s*\)"
    r"(?:\s*(?P<op>==|!=)\s*(?:\"(?P<is>[^\"]*)\"|(?P<none>none)))?"
)


@dataclass(frozen=True, kw_only=True)
class Words:
    """Paragraphs; `read_out` are spoken as they stand, `note` is for the facilitator's eyes."""

    lines: tuple[str, ...]
    tone: str = "plain"


@dataclass(frozen=True, kw_only=True)
class Points:
    """A list; `boxes` are ticked by hand."""

    lines: tuple[str, ...]
    boxes: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Labels with what they say."""

    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table. Empty cells are filled in by hand."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A title within a chapter."""

    text: str


Part = Words | Points | Facts | Grid | Heading


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A titled part. `alone`: on pages of its own, to be handed out; `wide`: on paper laid across."""

    id: str
    title: str
    parts: tuple[Part, ...]
    alone: bool = False
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Book:
    """The whole, for one audience."""

    title: str
    mark: str
    lead: tuple[str, ...]
    chapters: tuple[Chapter, ...]
    printed: str
    lang: str


@dataclass(frozen=True)
class Wording:
    """What it takes to say something about a scenario: the words, and the names of what it refers to."""

    texts: Texts
    directory: Directory
    steps: Mapping[str, PlannedStep]
    titles: Mapping[str, Text] = field(default_factory=dict)
    """The title of each playbook."""

    def say(self, key: str, /, **values: object) -> str:
        """One of the words of this topic."""
        return self.texts(f"scenarios.{key}", **values)

    def one(self, text: Text | None) -> str:
        """A text of the scenario on one line."""
        return harmless(text.lang(self.texts.lang)) if text is not None else ""

    def lines(self, text: Text) -> tuple[str, ...]:
        """A text of the scenario, its lines kept."""
        return tuple(printable(text.lang(self.texts.lang)))

    def many(self, texts: Iterable[Text]) -> tuple[str, ...]:
        """Several texts, each on one line."""
        return tuple(map(self.one, texts))

    def names(self, ids: Iterable[str], scenario: Scenario) -> str:
        """Roles and parties by name."""
        return self.texts("words.comma").join(self.who(one, scenario) for one in ids)

    def who(self, name: str, scenario: Scenario) -> str:
        """A role, somebody outside, or the control."""
        outside = next((one.name for one in scenario.outside if one.id == name), None)
        role = self.directory.role(name)
        found = outside or (role.title if role is not None else None)
        return self.one(found) if found is not None else self.texts.word("scenarios.sender", name)

    def service(self, name: str) -> str:
        """A service by name."""
        found = self.directory.service(name)
        return self.one(found.name) if found is not None else name

    def step(self, key: str) -> str:
        """A step by title, with its key so that it can be looked up."""
        found = self.steps.get(key)
        return self.say("step", title=self.one(found.step.title), key=key) if found is not None else key

    def playbook(self, name: str) -> str:
        """A playbook by title, with its name."""
        title = self.titles.get(name)
        return self.say("step", title=self.one(title), key=name) if title is not None else name

    def option(self, step: str, name: str) -> str:
        """An option of a decision by title."""
        found = self.steps.get(step)
        options = found.step.options if found is not None else ()
        return next((self.one(one.title) for one in options if one.id == name), name)

    def span(self, span: timedelta) -> str:
        """A length of time."""
        return Times(texts=self.texts, zone=ZoneInfo(self.directory.organisation.zone)).span(span)

    def played(self, at: timedelta) -> str:
        """A time of play after STARTEX: `0:25`."""
        minutes = int(at.total_seconds()) // 60
        return f"{minutes // 60}:{minutes % 60:02d}"

    def hour(self, scenario: Scenario, at: timedelta) -> str:
        """The hour of the story when so much has been played, with the days that have passed."""
        began = datetime.strptime(scenario.start.time, "%H:%M")  # noqa: DTZ007 - an hour of a day that never was
        now = began + scenario.story(at)
        days = (now.date() - began.date()).days
        shown = now.strftime("%H:%M")
        return self.say("days_later", time=shown, n=days) if days else shown

    def condition(self, source: str, scenario: Scenario) -> str:
        """A condition in words, as far as there are words for it."""

        def said(found: re.Match[str]) -> str:
            return self._asked(found, scenario) or found.group(0)

        text = _CALLS.sub(said, source)
        return re.sub(r"\s(and|or)\s", lambda m: self.say(f"condition.{m[1]}"), text)

    def _asked(self, found: re.Match[str], scenario: Scenario) -> str:
        name, of = found["name"], found["of"] or ""
        if found["is"] is not None or found["none"] is not None:
            if name != "decided":
                return ""
            key = "is" if (found["op"] == "==") != bool(found["no"]) else "is_not"
            if found["none"]:
                return self.say(f"condition.{key}_none", step=self.step(of))
            return self.say(f"condition.{key}", step=self.step(of), option=self.option(of, found["is"]))
        subject: Mapping[str, Callable[[], str]] = {
            "done": lambda: self.step(of),
            "skipped": lambda: self.step(of),
            "delivered": lambda: self._inject(of, scenario),
            "carries": lambda: self.playbook(of),
            "affected": lambda: self.service(of),
            "declared": lambda: "",
        }
        if name not in subject:
            return ""
        return self.say(f"condition.{'not_' if found['no'] else ''}{name}", what=subject[name]())

    def _inject(self, name: str, scenario: Scenario) -> str:
        found = scenario.inject(name)
        return self.one(found.title) if found is not None else name


def participants(scenario: Scenario, say: Wording) -> Book:
    """What participants get before STARTEX: no inject, no expected action, nothing of the surprise."""
    return Book(
        title=say.one(scenario.called),
        mark=say.say("mark"),
        lead=(say.say("lead.participants"),),
        chapters=tuple(_for_participants(scenario, say)),
        printed=say.say("printed.participants", version=scenario.version),
        lang=say.texts.lang,
    )


def _for_participants(scenario: Scenario, say: Wording) -> Iterator[Chapter]:
    told = tuple(say.one(one.text) for one in scenario.objectives if one.told)
    kind = "blind" if scenario.blind else "form." + scenario.form
    yield Chapter(
        id="frame",
        title=say.say("chapter.frame"),
        parts=(
            Facts(
                rows=(
                    (say.say("label.form"), (say.say(kind),)),
                    (say.say("label.duration"), (say.span(scenario.duration),)),
                    (say.say("label.roles"), tuple(roles_of(scenario, say))),
                )
            ),
        ),
    )
    yield Chapter(
        id="objectives",
        title=say.say("chapter.objectives"),
        parts=(Points(lines=told or (say.say("objectives_later"),)),),
    )
    yield rules_of(scenario, say)
    yield briefing_of(scenario, say)
    yield Chapter(
        id="endex", title=say.say("chapter.endex"), parts=(Words(lines=(say.say("endex.participants"),)),)
    )


def roles_of(scenario: Scenario, say: Wording) -> Iterator[str]:
    """Who takes part, each with whether it is needed."""
    for card in scenario.roles:
        if card.played_by == "participant":
            mark = "" if card.needed else say.say("if_there")
            yield f"{say.who(card.role, scenario)}{mark}"


def rules_of(scenario: Scenario, say: Wording) -> Chapter:
    """The ground rules."""
    return Chapter(
        id="rules", title=say.say("chapter.rules"), parts=(Points(lines=say.many(scenario.rules)),)
    )


def briefing_of(scenario: Scenario, say: Wording) -> Chapter:
    """What is read out before STARTEX, and what everybody knows then."""
    start = scenario.start
    parts: list[Part] = [
        Facts(rows=((say.say("label.hour"), (f"{start.time} ({say.one(start.day)})",)),)),
        Words(lines=say.lines(scenario.briefing), tone="read"),
    ]
    if start.known:
        parts += [Heading(text=say.say("known")), Points(lines=say.many(start.known))]
    return Chapter(id="briefing", title=say.say("chapter.briefing"), parts=tuple(parts))
