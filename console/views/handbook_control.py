"""The facilitator's handbook: the script with what is expected, role cards, sheets for the evaluators."""

from __future__ import annotations

from collections.abc import Iterator

from console.views.handbook import (
    Book,
    Chapter,
    Facts,
    Grid,
    Heading,
    Part,
    Points,
    Wording,
    Words,
    briefing_of,
    roles_of,
    rules_of,
)
from models.scenario import Expected, Inject, Measure, Objective, RoleCard, Scenario

RATINGS = ("P", "S", "M", "U")
OBSERVATIONS = 4
"""Empty lines on an evaluator's sheet."""


def facilitator(scenario: Scenario, say: Wording) -> Book:
    """Everything that it takes to hold the exercise."""
    return _Control(scenario, say).book()


class _Control:
    def __init__(self, scenario: Scenario, say: Wording) -> None:
        self.scenario, self.say = scenario, say
        self.order = scenario.in_order()
        self.numbers = {one.id: number for number, one in enumerate(self.order, start=1)}

    def book(self) -> Book:
        one, say = self.scenario, self.say
        return Book(
            title=say.one(one.title),
            mark=say.say("mark"),
            lead=(say.one(one.summary), say.say("lead.facilitator")),
            chapters=tuple(self._chapters()),
            printed=say.say("printed.facilitator", name=one.scenario, version=one.version),
            lang=say.texts.lang,
        )

    def _chapters(self) -> Iterator[Chapter]:
        yield self._glance()
        yield self._chapter("truth", Words(lines=self.say.lines(self.scenario.truth)))
        yield self._chapter("objectives", self._objectives())
        yield self._chapter("before", Points(lines=self._list("prepare", 9), boxes=True))
        yield rules_of(self.scenario, self.say)
        yield briefing_of(self.scenario, self.say)
        yield self._chapter("startex", *self._start())
        yield self._chapter("msel", self._script(), Words(lines=(self.say.say("msel_note"),)), wide=True)
        yield self._chapter("injects", *(part for inject in self.order for part in self._inject(inject)))
        yield self._chapter("outside", *self._outside())
        yield self._chapter("outcomes", *self._outcomes())
        yield self._chapter("overview", self._overview())
        for card in self.scenario.roles:
            yield self._card(card)
        yield self._chapter("endex", *self._endex())
        yield self._chapter("hot_wash", Points(lines=self.say.many(self.scenario.hot_wash)))
        for objective in self.scenario.objectives:
            yield self._sheet(objective)
        yield self._questionnaire()

    def _chapter(self, name: str, *parts: Part, wide: bool = False) -> Chapter:
        title = self.say.say(f"chapter.{name}")
        return Chapter(id=name.replace("_", "-"), title=title, parts=parts, alone=wide, wide=wide)

    def _list(self, key: str, many: int) -> tuple[str, ...]:
        return tuple(self.say.say(f"{key}.{number}") for number in range(1, many + 1))

    def _label(self, name: str, *lines: str) -> tuple[str, tuple[str, ...]]:
        return self.say.say(f"label.{name}"), lines

    # -- what it is -----------------------------------------------------------------------------------------

    def _glance(self) -> Chapter:
        one, say = self.scenario, self.say
        review = say.say("review", date=one.reviewed.isoformat(), every=say.span(one.review_every))
        rows = [
            self._label("version", one.version),
            self._label("reviewed", review),
            self._label("form", say.say(f"form.{one.form}"), *([say.say("blind")] if one.blind else [])),
            self._label("duration", say.span(one.duration)),
            self._label("roles", *roles_of(one, say)),
            self._label("playbooks", *(say.playbook(name) for name in one.playbooks)),
            self._label("plausibility", say.one(one.plausibility)),
            self._label("impact", say.one(one.customer_impact)),
            self._label("threats", *(self._threat(number) for number in range(len(one.threats)))),
        ]
        if one.cover is not None:
            rows.insert(0, self._label("cover", say.one(one.cover)))
        if one.attack:
            rows.append(self._label("attack", ", ".join(one.attack)))
        if one.large_scale:
            rows.append(self._label("scale", say.say("large_scale")))
        if one.guideline:
            rows.append(self._label("guideline", ", ".join(one.guideline)))
        return self._chapter("glance", Facts(rows=tuple(rows)))

    def _threat(self, number: int) -> str:
        one = self.scenario.threats[number]
        confidence = self.say.texts.word("scenarios.confidence", one.confidence)
        source = self.say.one(one.source) or self.say.say("unsourced")
        return self.say.say("threat", text=self.say.one(one.text), source=source, confidence=confidence)

    def _objectives(self) -> Grid:
        say = self.say
        headers = ("objective", "limit", "measured", "guideline", "told")
        rows = (
            (
                f"{one.id}: {say.one(one.text)}",
                self._limit(one),
                self._measured(one),
                ", ".join(one.guideline),
                say.say("yes" if one.told else "no"),
            )
            for one in self.scenario.objectives
        )
        return Grid(headers=self._headers(*headers), rows=tuple(rows))

    def _headers(self, *names: str) -> tuple[str, ...]:
        return tuple(self.say.say(f"column.{name}") for name in names)

    def _limit(self, one: Objective) -> str:
        if one.within is None:
            return ""
        since = self.scenario.inject(one.since) if one.since is not None else None
        what = self.say.one(since.title) if since is not None else "STARTEX"
        return self.say.say("limit_since", span=self.say.span(one.within), what=what)

    def _measured(self, one: Objective) -> str:
        found = []
        for measure in one.measures:
            target = self.say.span(measure.target) if measure.target else measure.level or self._own(measure)
            service = self.say.service(measure.service)
            found.append(self.say.say("measure", kind=measure.kind.upper(), service=service, target=target))
        return self.say.texts("words.comma").join(found)

    def _own(self, measure: Measure) -> str:
        """The service's own target."""
        service = self.say.directory.service(measure.service)
        if service is None:
            return ""
        own = {"rto": service.rto, "rpo": service.rpo}.get(measure.kind)
        return self.say.span(own) if own is not None else self.say.one(service.rlo)

    # -- STARTEX and ENDEX ----------------------------------------------------------------------------------

    def _start(self) -> Iterator[Part]:
        say, start = self.say, self.scenario.start
        yield Points(lines=self._list("startex", 4), boxes=True)
        if start.severity is not None:
            yield Words(lines=(say.say("severity_set", severity=start.severity),))
        if start.services:
            rows = tuple(
                (say.service(one.service), say.say(f"state.{one.state}"), say.one(one.note))
                for one in start.services
            )
            yield Heading(text=say.say("heading.services"))
            yield Grid(headers=self._headers("service", "state", "note"), rows=rows)
        if start.backups:
            yield Heading(text=say.say("heading.backups"))
            yield Grid(headers=self._headers("backup", "age", "really", "told", "note"), rows=self._backups())
        if start.instants:
            told = tuple(
                (
                    say.texts.word("words.instant", one.instant),
                    say.say("before_startex", span=say.span(one.before)) if one.before else "STARTEX",
                    say.say("yes" if one.known else "no"),
                    say.one(one.note),
                )
                for one in start.instants
            )
            yield Heading(text=say.say("heading.instants"))
            yield Grid(headers=self._headers("instant", "when", "told", "note"), rows=told)

    def _backups(self) -> tuple[tuple[str, ...], ...]:
        say = self.say
        return tuple(
            (
                f"{one.id} ({say.service(one.service)}, {say.say('backup.' + one.kind)})",
                say.say("before_startex", span=say.span(one.age)),
                say.texts("words.comma").join(
                    say.say(word)
                    for word in (["tampered"] * one.tampered + ["infected"] * one.infected or ["sound"])
                ),
                say.say("yes" if one.known else "no"),
                say.one(one.note),
            )
            for one in self.scenario.start.backups
        )

    def _endex(self) -> Iterator[Part]:
        say, one = self.say, self.scenario
        ends = [say.say("ends_at", time=say.played(one.duration), hour=say.hour(one, one.duration))]
        ends += [
            say.say("ends_when", when=say.condition(ending.when, one), text=say.one(ending.text))
            for ending in one.endings
        ]
        yield Points(lines=tuple(ends))
        yield Points(lines=self._list("endex", 4), boxes=True)

    # -- the script -----------------------------------------------------------------------------------------

    def _script(self) -> Grid:
        """The MSEL: one line an inject or leap, with places to write when it was really delivered."""
        names = ("no", "planned", "hour", "method", "from", "to", "inject", "objective", "expected")
        rows = [(self._order_of(inject), self._line(inject)) for inject in self.order]
        for leap in self.scenario.leaps:
            text = self.say.say("leap", span=self.say.span(leap.by), text=self.say.one(leap.text))
            hour = self.say.hour(self.scenario, leap.at)
            cells = ("→", self.say.played(leap.at), hour, "", "", "", text, "", "", "", "")
            rows.append(((leap.at.total_seconds(), -1), cells))
        made = tuple(cells for _, cells in sorted(rows, key=lambda row: row[0]))
        return Grid(headers=self._headers(*names, "delivered", "observed"), rows=made)

    def _order_of(self, inject: Inject) -> tuple[float, int]:
        at = self.scenario.planned_at(inject)
        return (at.total_seconds() if at is not None else float("inf")), self.numbers[inject.id]

    def _line(self, inject: Inject) -> tuple[str, ...]:
        say, one = self.say, self.scenario
        at = one.planned_at(inject)
        method = f"{say.say('kind.' + inject.kind)} / {say.say('channel.' + inject.channel)}"
        return (
            str(self.numbers[inject.id]),
            say.played(at) if at is not None else say.say("when_it_holds"),
            say.hour(one, at) if at is not None else "",
            method,
            say.who(inject.from_, one),
            say.names(inject.to, one),
            say.one(inject.title),
            ", ".join(inject.objectives),
            " / ".join(self._expected(expected) for expected in inject.expect),
            "",
            "",
        )

    def _expected(self, expected: Expected) -> str:
        say = self.say
        found = say.one(expected.text)
        if expected.role is not None:
            found = say.say("by_role", role=say.who(expected.role, self.scenario), text=found)
        return say.say("within", text=found, span=say.span(expected.within)) if expected.within else found

    def _inject(self, inject: Inject) -> Iterator[Part]:
        say, one = self.say, self.scenario
        number = self.numbers[inject.id]
        yield Heading(text=say.say("inject", n=number, title=say.one(inject.title), id=inject.id))
        rows = [self._label("when", self._when(inject))]
        rows += [
            self._label("way", *self._line(inject)[3:4]),
            self._label("from", say.who(inject.from_, one)),
            self._label("to", say.names(inject.to, one)),
        ]
        yield Facts(rows=tuple(rows))
        yield Words(lines=say.lines(inject.text), tone="read")
        if inject.expect:
            yield Points(lines=tuple(self._asked(expected) for expected in inject.expect), boxes=True)
        if inject.note is not None:
            yield Words(lines=say.lines(inject.note), tone="note")

    def _asked(self, expected: Expected) -> str:
        found = self._expected(expected)
        if expected.step is None:
            return found
        step = self.say.step(expected.step)
        if expected.option is not None:
            option = self.say.option(expected.step, expected.option)
            return self.say.say("asked_option", text=found, step=step, option=option)
        return self.say.say("asked_step", text=found, step=step)

    def _when(self, inject: Inject) -> str:
        say, one = self.say, self.scenario
        at = one.planned_at(inject)
        found = []
        if at is not None:
            found.append(say.say("at", played=say.played(at), hour=say.hour(one, at)))
        if inject.after is not None and inject.later is not None:
            number = self.numbers.get(inject.after, inject.after)
            found.append(say.say("later_than", span=say.span(inject.later), n=number))
        if inject.when is not None:
            key = "as_soon" if inject.at is None and inject.after is None else "only_if"
            found.append(say.say(key, when=say.condition(inject.when, one)))
        return say.say("then").join(found)

    def _outside(self) -> Iterator[Part]:
        say = self.say
        rows = tuple(
            (say.one(one.name), say.span(one.answers_after) if one.answers_after else "", say.one(one.knows))
            for one in self.scenario.outside
        )
        yield Words(lines=(say.say("outside_note"),))
        if rows:
            yield Grid(headers=self._headers("party", "answers", "knows"), rows=rows)

    def _outcomes(self) -> Iterator[Part]:
        say, one = self.say, self.scenario
        rows = []
        for outcome in one.outcomes:
            step = say.step(outcome.step)
            if outcome.when is not None:
                step = say.say("outcome_if", step=step, when=say.condition(outcome.when, one))
            takes = say.span(outcome.takes) if outcome.takes is not None else ""
            values = ", ".join(f"{name} = {value}" for name, value in outcome.fields.items())
            text = " ".join(filter(None, (say.one(outcome.text), f"[{values}]" if values else "")))
            rows.append((step, takes, say.say(f"result.{outcome.result}"), text))
        yield Words(lines=(say.say("outcomes_note"),))
        if rows:
            yield Grid(headers=self._headers("step", "takes", "result", "told_then"), rows=tuple(rows))

    # -- who takes part -------------------------------------------------------------------------------------

    def _overview(self) -> Grid:
        """For the facilitator alone: also what each role does not know."""
        say, one = self.say, self.scenario
        rows = tuple(
            (
                say.who(card.role, one),
                say.say(f"played_by.{card.played_by}") + ("" if card.needed else say.say("if_there")),
                " / ".join(say.many(card.knows)),
                " / ".join(say.many(card.does_not_know)),
                "",
            )
            for card in one.roles
        )
        return Grid(headers=self._headers("role", "played", "knows", "does_not_know", "name"), rows=rows)

    def _card(self, card: RoleCard) -> Chapter:
        """A page to be handed to whoever plays the role: never with what the role does not know."""
        say = self.say
        parts: list[Part] = [
            Words(lines=(say.say("card_lead", title=say.one(self.scenario.called)),)),
            Heading(text=say.say("heading.task")),
            Words(lines=say.lines(card.task)),
        ]
        if card.knows:
            parts += [Heading(text=say.say("heading.you_know")), Points(lines=say.many(card.knows))]
        parts += [Heading(text=say.say("heading.reminder")), Points(lines=self._list("reminder", 3))]
        title = say.say("card", role=say.who(card.role, self.scenario))
        return Chapter(id=f"card-{card.role}", title=title, parts=tuple(parts), alone=True)

    # -- afterwards -----------------------------------------------------------------------------------------

    def _sheet(self, objective: Objective) -> Chapter:
        """An evaluator's sheet: what was expected beside what was seen, and the rating (HSEEP)."""
        say, one = self.say, self.scenario
        rows = [self._label("objective", say.one(objective.text))]
        if limit := self._limit(objective):
            rows.append(self._label("limit", limit))
        if measured := self._measured(objective):
            rows.append(self._label("measured", measured))
        capability = say.texts.word("scenarios.capability", objective.capability)
        rows.append(self._label("capability", capability))
        if objective.guideline:
            rows.append(self._label("guideline", ", ".join(objective.guideline)))
        expected = tuple(
            (str(self.numbers[inject.id]), self._asked(item), "", "", "")
            for inject, item in one.expected(objective.id)
        )
        columns = self._headers("no", "expected", "seen", "hour_seen", "met")
        parts: list[Part] = [Facts(rows=tuple(rows))]
        if objective.look_for:
            parts += [Heading(text=say.say("heading.look_for")), Points(lines=say.many(objective.look_for))]
        parts.append(Grid(headers=columns, rows=expected))
        parts.append(Heading(text=say.say("heading.rating")))
        parts.append(Points(lines=tuple(say.say(f"rating.{name}") for name in RATINGS), boxes=True))
        empty = tuple(("", "", "") for _ in range(OBSERVATIONS))
        parts.append(Grid(headers=self._headers("hour_seen", "observation", "cause"), rows=empty))
        title = say.say("sheet", id=objective.id)
        return Chapter(id=f"sheet-{objective.id}", title=title, parts=tuple(parts), alone=True)

    def _questionnaire(self) -> Chapter:
        say = self.say
        rows = tuple(
            (say.one(one.text), say.say(f"answer.{one.kind}"), "") for one in self.scenario.questions
        )
        grid = Grid(headers=self._headers("question", "answer", "why"), rows=rows)
        title = say.say("chapter.questionnaire")
        return Chapter(id="questionnaire", title=title, parts=(grid,), alone=True)
