"""The after-action report: what went well, what did not and why, and what is done about it.

From the record alone. A rating that no evaluator has confirmed is shown as proposed, and the title says that
the report is a draft; what nobody knows is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from console.texts import Texts
from console.views.handbook import Book, Chapter, Facts, Grid, Heading, Part, Points, Wording, Words
from console.views.sheet import Line, Section, harmless, printable
from console.views.times import Times
from models.clock import SystemClock
from models.directory import Directory
from models.drillresult import ObjectiveResult
from models.fact import SYSTEM
from models.values import Text

if TYPE_CHECKING:
    from console.drill.aftermath import Aftermath
    from models.scoring.findings import Proposal

STRONG = frozenset({"P", "S"})
WEAK = frozenset({"S", "M", "U"})


@dataclass(frozen=True)
class Telling:
    """The words of one language, and the names of what the report is about."""

    texts: Texts
    directory: Directory
    made: Aftermath

    @cached_property
    def say(self) -> Wording:
        """Names of the scenario's steps, roles and services."""
        plans = self.made.plans
        return Wording(
            texts=self.texts,
            directory=self.directory,
            steps={key: step for plan in plans.values() for key, step in plan.steps.items()},
            titles={name: plan.playbook.title for name, plan in plans.items()},
        )

    @cached_property
    def times(self) -> Times:
        """Instants in the institution's zone."""
        return Times(texts=self.texts, zone=ZoneInfo(self.directory.organisation.zone))

    def __call__(self, key: str, /, **values: object) -> str:
        """One of the words of this topic."""
        return self.texts(f"aar.{key}", **values)

    def word(self, kind: str, name: str) -> str:
        """The word for one of a kind, or the name itself."""
        return self.texts.word(f"aar.{kind}", name)

    def one(self, text: Text | None) -> str:
        """A text of the scenario on one line."""
        return self.say.one(text)

    def person(self, name: str | None) -> str:
        """Somebody by name; Hikeshi itself; a dash for nobody."""
        if not name:
            return "–"
        if name == SYSTEM:
            return self.texts("words.system")
        person = self.directory.person(name)
        return person.name.lang(self.texts.lang) if person is not None else harmless(name, 80)

    def people(self, names: Iterable[str]) -> str:
        """Several of them."""
        return self.texts("words.comma").join(map(self.person, names)) or "–"

    def role(self, name: str | None) -> str:
        """A role by title."""
        return self.say.who(name, self.made.scenario) if name else "–"

    def span(self, seconds: int | None) -> str:
        """A length of time; a dash if nobody knows it. One below zero was before."""
        if seconds is None:
            return "–"
        shown = self.times.span(timedelta(seconds=abs(seconds)))
        return self("before", span=shown) if seconds < 0 else shown

    def headers(self, *names: str) -> tuple[str, ...]:
        """Columns by name."""
        return tuple(self(f"column.{name}") for name in names)

    def grid(self, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Part:
        """A table; a word that there is nothing where it has no rows."""
        made = tuple(rows)
        return Grid(headers=self.headers(*columns), rows=made) if made else self.nothing

    def points(self, lines: Iterable[str]) -> Part:
        """A list; a word that there is nothing where it is empty."""
        made = tuple(lines)
        return Points(lines=made) if made else self.nothing

    @property
    def nothing(self) -> Part:
        """That there is nothing: its being empty is a finding too."""
        return Words(lines=(self.texts("words.none"),), tone="note")

    def rating(self, one: ObjectiveResult) -> str:
        """The rating that counts: confirmed, else proposed and said to be so, else none."""
        if one.rating is not None:
            return one.rating
        return self("proposed", rating=one.proposed) if one.proposed is not None else self("unrated")

    def proposal(self, one: Proposal) -> str:
        """What a proposal is about, as the title of a finding."""
        scenario = self.made.scenario
        if one.kind == "observation":
            return harmless(self.made.said(self.observed(one.name)), 300)
        name = one.name
        if one.kind == "objective":
            name = next((self.one(each.text) for each in scenario.objectives if each.id == name), name)
        elif one.kind == "measure":
            kind, _, service = name.partition(":")
            name = self("measure", kind=self.word("measures", kind), service=self.say.service(service))
        elif one.kind == "gate":
            name = self.texts.word("words.gate", name)
        elif one.kind == "deadline":
            incident, _, clock = name.partition("/")
            kind, _, what = clock.partition(":")
            name = self("clock_of", kind=self.word("clock", kind), what=what, incident=incident)
        return self(f"proposal.{one.kind}", name=name, rating=one.rating or "")

    def observed(self, name: str) -> str | None:
        """The digest of an observation's text."""
        seen = self.made.exercise.observations.get(name)
        fact = next((each for each in self.made.facts if seen is not None and each.seq == seen.seq), None)
        return str(fact.data["text"]) if fact is not None else None


def report(made: Aftermath, directory: Directory, texts: Texts) -> Book:
    """The whole report."""
    # Both draw on what is told here.
    from console.views import aar_course, aar_objectives  # noqa: PLC0415

    tell = Telling(texts=texts, directory=directory, made=made)
    return Book(
        title=tell(
            "title" if made.final else "title_aborted" if _aborted(made) else "title_draft",
            drill=made.exercise.drill,
            title=tell.one(made.scenario.title),
        ),
        mark=tell.say.say("mark"),
        lead=tuple(_lead(tell)),
        chapters=(
            _glance(tell),
            _strengths(tell),
            _weaknesses(tell),
            _causes(tell),
            _plan(tell),
            aar_objectives.measures(tell),
            *aar_objectives.objectives(tell),
            *aar_course.course(tell),
            _sign_off(tell),
        ),
        printed=tell("printed", at=tell.times.at(SystemClock().now()), drill=made.exercise.drill),
        lang=texts.lang,
    )


def _aborted(made: Aftermath) -> bool:
    return made.exercise.status == "aborted"


def _lead(tell: Telling) -> Iterator[str]:
    made = tell.made
    if _aborted(made):
        yield tell("lead.aborted")
    elif made.exercise.status != "ended":
        yield tell("lead.running")
    open_ = [one.id for one in made.score.objectives if one.rating is None]
    if open_:
        yield tell("lead.draft", objectives=tell.texts("words.comma").join(open_))
    yield tell("lead.source")


def _glance(tell: Telling) -> Chapter:
    made = tell.made
    exercise, scenario = made.exercise, made.scenario
    timing = exercise.timing
    around = made.around
    there = [one for one in exercise.participants.values() if one.absent is None]
    changed = tell.texts("words.comma").join(exercise.added) or "–"
    rows = [
        ("drill", exercise.drill),
        ("scenario", f"{tell.one(scenario.title)} ({exercise.scenario} {exercise.version})"),
        ("form", tell.say.say(f"form.{scenario.form}")),
        ("status", tell.word("status", exercise.status)),
        ("held", f"{tell.times.at(around.started_at)} – {tell.times.at(around.ended_at)}"),
        ("story", _story(tell)),
        ("played", tell.span(timing.played_ms // 1000 if timing is not None else None)),
        ("participants", tell("count_of", n=len(there), of=len(exercise.participants))),
        ("scripted", tell.texts("words.comma").join(_unplayed(tell)) or "–"),
        ("changed", changed),
        ("digest", exercise.digest),
    ]
    return Chapter(
        id="glance",
        title=tell("chapter.glance"),
        parts=(
            Facts(rows=tuple((tell(f"label.{name}"), (value,)) for name, value in rows)),
            tell.grid(
                ("objective", "capability", "proposed", "rating", "evaluator"),
                (
                    (
                        tell.one(one.text),
                        tell.say.say(f"capability.{one.capability}"),
                        one.proposed or "–",
                        one.rating or tell("unrated"),
                        tell.person(one.rated_by),
                    )
                    for one in made.score.objectives
                ),
            ),
            Words(lines=tuple(tell.say.say(f"rating.{name}") for name in "PSMU"), tone="note"),
        ),
    )


def _story(tell: Telling) -> str:
    """From STARTEX to ENDEX in the story; before STARTEX the clock stands ahead of it and tells nothing."""
    made = tell.made
    begins = tell.times.at(made.exercise.startex)
    if made.exercise.status == "prepared":
        return begins
    return f"{begins} – {tell.times.at(made.played.ends)}"


def _unplayed(tell: Telling) -> Iterator[str]:
    """Roles that the script took."""
    return (tell.role(one.role) for one in tell.made.score.roles if one.how == "scripted")


# -- strengths, weaknesses, causes, plan --------------------------------------------------------------------


def _strengths(tell: Telling) -> Chapter:
    made = tell.made
    lines = [
        tell("strength.objective", objective=tell.one(one.text), rating=tell.rating(one))
        for one in made.score.objectives
        if (one.rating or one.proposed) == "P"
    ]
    lines += [
        tell("strength.measure", kind=tell.word("measures", one.kind), service=tell.say.service(one.service))
        for objective in made.score.objectives
        for one in objective.measures
        if one.outcome == "met" and not one.scripted
    ]
    lines += _observations(tell, "strength")
    return Chapter(id="strengths", title=tell("chapter.strengths"), parts=(tell.points(lines),))


def _observations(tell: Telling, kind: str) -> list[str]:
    return [
        tell("observation", text=harmless(tell.made.said(tell.observed(one.id))), id=one.id)
        for one in tell.made.exercise.observations.values()
        if one.kind == kind
    ]


def _weaknesses(tell: Telling) -> Chapter:
    made = tell.made
    by_capability: dict[str, list[str]] = {}
    for one in made.score.objectives:
        if (one.rating or one.proposed) in WEAK:
            why = tell.texts("words.comma").join(tell.word("reason", each) for each in one.reasons)
            said = tell("weakness", objective=tell.one(one.text), rating=tell.rating(one), why=why)
            by_capability.setdefault(one.capability, []).append(said)
    parts: list[Part] = []
    for name, lines in by_capability.items():
        parts += [Heading(text=tell.say.say(f"capability.{name}")), Points(lines=tuple(lines))]
    seen = _observations(tell, "improvement")
    if seen:
        parts += [Heading(text=tell("heading.observed")), Points(lines=tuple(seen))]
    if made.proposals:
        parts += [
            Heading(text=tell("heading.proposals")),
            Points(lines=tuple(f"{tell.proposal(one)} [{one.source}]" for one in made.proposals)),
        ]
    return Chapter(id="weaknesses", title=tell("chapter.weaknesses"), parts=tuple(parts) or (tell.nothing,))


def _standing(tell: Telling) -> list[tuple[str, str, str, str]]:
    """Findings: id, title, cause, recommendation."""
    made, lang = tell.made, tell.texts.lang
    found = []
    for one in made.exercise.findings.values():
        if not one.dropped:
            title = made.said(one.title_en if lang == "en" and one.title_en else one.title)
            cause, advice = made.said(one.cause), made.said(one.recommendation)
            found.append((one.id, harmless(title), harmless(cause), harmless(advice)))
    return found


def _causes(tell: Telling) -> Chapter:
    lines = [f"{name} {title}: {cause or tell('cause_open')}" for name, title, cause, _ in _standing(tell)]
    return Chapter(id="causes", title=tell("chapter.causes"), parts=(tell.points(lines),))


def _plan(tell: Telling) -> Chapter:
    """The improvement plan, with who does what by when, and which revision of a playbook it led to."""
    rows = []
    for name, title, _, advice in _standing(tell):
        one = tell.made.exercise.findings[name]
        revised = f"{one.playbook or ''} {one.revision or ''}".strip() or "–"
        rows.append(
            (
                name,
                title,
                tell.say.say(f"capability.{one.capability}"),
                advice or "–",
                tell.person(one.owner) if one.owner else tell("owner_open"),
                tell.times.due(one.due) if one.due is not None else tell("due_open"),
                revised,
            )
        )
    columns = ("no", "finding", "capability", "recommendation", "owner", "due", "revision")
    return Chapter(
        id="plan",
        title=tell("chapter.plan"),
        parts=(tell.grid(columns, rows), Words(lines=(tell("plan_note"),), tone="note")),
        wide=True,
    )


def _sign_off(tell: Telling) -> Chapter:
    """Whether management has taken note of it (FSA-2.2.5-B2)."""
    exercise = tell.made.exercise
    if exercise.signed_off_by is None:
        parts: tuple[Part, ...] = (
            Words(lines=(tell("sign_off_open"),)),
            Facts(rows=tuple((tell(f"label.{name}"), ("",)) for name in ("signed_by", "signed_on"))),
        )
    else:
        said = next((one.data for one in tell.made.facts if one.kind == "exercise.signed_off"), {})
        text = tell.made.said(said.get("text"))
        parts = (
            Words(lines=(_signed(tell, exercise.signed_off_by),)),
            *((Words(lines=tuple(printable(text)), tone="read"),) if text else ()),
        )
    return Chapter(id="sign-off", title=tell("chapter.sign_off"), parts=parts)


def _signed(tell: Telling, by: str) -> str:
    """Who of management, and on which day of the real calendar, if that is known."""
    wall = tell.made.exercise.signed_off_wall
    if wall is None:
        return tell("signed_off", by=tell.person(by))
    return tell("signed_off_at", by=tell.person(by), at=tell.times.at(wall))


def listing(tell: Telling) -> list[Section | Line]:
    """Findings and proposals, for the screen."""
    from console.views.handbook_md import screen  # noqa: PLC0415

    made = tell.made
    shown = [_plan(tell)]
    if made.proposals:
        rows = ((one.source, tell.proposal(one), one.objective or "–") for one in made.proposals)
        shown.append(
            Chapter(
                id="proposals",
                title=tell("chapter.proposals"),
                parts=(
                    tell.grid(("proposal", "finding", "objective"), rows),
                    Words(lines=(tell("proposals_note"),), tone="note"),
                ),
            )
        )
    return [
        Line(text=f"{tell.say.say('mark')} {made.exercise.drill}", style="strong"),
        *(Section(title=one.title, parts=screen(one)) for one in shown),
    ]
