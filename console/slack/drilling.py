"""What control does with a drill from Slack: give or leave out the next inject, pause, go on, observe."""

from __future__ import annotations

from console.slack.blocks import Block, Choice, choose, said, tell, write
from console.slack.forms import Case, Form, Given, scribe_field, text
from models.clock import SystemClock
from models.commands import Actor, Command
from models.exercise import FireInject, Observe, SetTiming, SkipInject
from notifiers.acts import Target

OBSERVED = ("observation", "strength", "improvement")
MAX_TITLE = 120


def fire(actor: Actor, target: Target) -> Command:
    """The inject that the button names, now."""
    return FireInject(actor=actor, inject=_inject(target))


def pause(actor: Actor, target: Target) -> Command:
    """The time of the story stands still."""
    del target
    return SetTiming(actor=actor, wall=SystemClock().now(), what="pause")


def resume(actor: Actor, target: Target) -> Command:
    """It goes on."""
    del target
    return SetTiming(actor=actor, wall=SystemClock().now(), what="resume")


def _inject(target: Target) -> str:
    return target.subject.removeprefix("inject:")


def _title(case: Case) -> str:
    scenario = case.world.scenario
    found = scenario.inject(_inject(case.target)) if scenario is not None else None
    return found.title.lang(case.lang)[:MAX_TITLE] if found is not None else ""


def _skip(case: Case) -> list[Block]:
    t = case.t
    return [
        said(tell(_inject(case.target), _title(case))),
        write("reason", t("slack.field.reason"), long=True),
    ]


def _read_skip(case: Case, values: Given) -> Command:
    return SkipInject(actor=case.actor, inject=_inject(case.target), reason=text(values, "reason"))


def _observe(case: Case) -> list[Block]:
    t, scenario = case.t, case.world.scenario
    kinds = [Choice(value=one, text=t(f"slack.observed.{one}")) for one in OBSERVED]
    objectives = scenario.objectives if scenario is not None else ()
    about = [Choice(value=one.id, text=one.text.lang(case.lang)) for one in objectives]
    return [
        write("text", t("slack.field.observed"), long=True),
        choose("kind", t("slack.field.kind"), kinds, given=OBSERVED[0], radio=True),
        choose("objective", t("slack.field.objective"), about, optional=True),
        *scribe_field(case),
    ]


def _read_observe(case: Case, values: Given) -> Command:
    kind = text(values, "kind")
    return Observe(
        actor=case.actor,
        for_=text(values, "for") or None,
        text=text(values, "text"),
        kind=kind if kind in OBSERVED else OBSERVED[0],  # type: ignore[arg-type]
        objective=text(values, "objective") or None,
    )


FORMS = (
    Form(name="skip-inject", build=_skip, read=_read_skip),
    Form(name="observe", build=_observe, read=_read_observe),
)
DIRECT = {"fire-inject": fire, "pause-drill": pause, "resume-drill": resume}
