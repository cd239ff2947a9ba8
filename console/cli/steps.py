"""Steps of an incident: done, step …"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import handing
from console.cli.arguments import All, At, Incident, Person, Reason, Step
from console.cli.given import reads, writes
from console.cli.session import Session

Opt = typer.Option


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(app, "done")(done)
    step = typer.Typer(no_args_is_help=True)
    reads(step, "list")(step_list)
    reads(step, "show")(step_show)
    writes(step, "add")(step_add)
    writes(step, "skip")(step_skip)
    writes(step, "na")(step_na)
    writes(step, "assign")(step_assign)
    writes(step, "start")(step_start)
    writes(step, "take")(handing.step_take)
    writes(step, "hand-over")(handing.step_hand_over)
    writes(step, "refuse")(handing.step_refuse)
    writes(step, "retry")(step_retry)
    app.add_typer(step, name="step")


def done(
    session: Session,
    incident: Incident,
    step: Step,
    set_: Annotated[list[str] | None, Opt("--set", metavar="NAME=VALUE", show_default=False)] = None,
    note: Annotated[str, Opt("--note", metavar="TEXT", show_default=False)] = "",
    at: At = None,
) -> None:
    """A step is done, with what had to be recorded."""
    from models.commands import Done  # noqa: PLC0415

    session.write(
        session.stream(incident),
        Done,
        step=step,
        values=session.pairs(set_ or [], "--set"),
        note=note,
        at=session.instant(at, "--at"),
    )


def step_list(session: Session, incident: Incident, everything: All = False) -> None:
    """The steps that are left, by phase."""
    from console.cli import output  # noqa: PLC0415
    from console.views import steps as view  # noqa: PLC0415

    state = session.incident(incident)
    naming = session.naming(state)
    if session.given.json:
        known = {key: state.steps.get(key) for key in naming.world.steps(state)}
        output.json({key: one.status if one else "waiting" for key, one in known.items()})
    else:
        output.show([view.listing(state, naming, everything=everything)])


def step_show(session: Session, incident: Incident, step: Step) -> None:
    """One step with everything that it asks."""
    from console.cli import output, report  # noqa: PLC0415
    from console.views import steps as view  # noqa: PLC0415
    from models.errors import Refused  # noqa: PLC0415
    from models.rules.common import find_step  # noqa: PLC0415

    state = session.incident(incident)
    naming = session.naming(state)
    try:
        planned, known = find_step(state, naming.world, step)
    except Refused as no:
        report.refused(session, state.stream, no.reason, no.detail)
    if session.given.json:
        definition = planned.step.model_dump(mode="json", by_alias=True)
        # That of a step added by hand is a text beside the record.
        titles = {lang: naming.text(text) for lang, text in definition["title"].items()}
        output.json({"step": known, "definition": definition | {"title": titles}})
    else:
        output.show(view.whole(state, planned, naming))


def step_add(  # noqa: PLR0913 - one option for each thing that may be said
    session: Session,
    *,
    incident: Incident,
    step: Step,
    title: Annotated[str, Opt("--title", metavar="TEXT")],
    phase: Annotated[str, Opt("--phase", metavar="PHASE")],
    owner: Annotated[str, Opt("--owner", metavar="ROLE")],
    reason: Reason,
    within: Annotated[str | None, Opt("--within", metavar="SPAN", show_default=False)] = None,
) -> None:
    """A step that no playbook foresaw."""
    from models.commands import AddStep  # noqa: PLC0415

    session.write(
        session.stream(incident),
        AddStep,
        step=step,
        title=title,
        phase=phase,
        owner=owner,
        reason=reason,
        within=session.seconds(within, "--within"),
    )


def step_skip(session: Session, incident: Incident, step: Step, reason: Reason) -> None:
    """Leave a step out; a gate that needs it stays closed."""
    from models.commands import SettleStep  # noqa: PLC0415

    session.write(session.stream(incident), SettleStep, step=step, how="skipped", reason=reason)


def step_na(session: Session, incident: Incident, step: Step, reason: Reason) -> None:
    """A step does not apply here."""
    from models.commands import SettleStep  # noqa: PLC0415

    session.write(session.stream(incident), SettleStep, step=step, how="not-applicable", reason=reason)


def step_assign(
    session: Session,
    incident: Incident,
    step: Step,
    person: Person,
    reason: Annotated[str, Opt("--reason", metavar="TEXT", show_default=False)] = "",
) -> None:
    """Give a step to a person."""
    from models.commands import AssignStep  # noqa: PLC0415

    session.write(
        session.stream(incident), AssignStep, step=step, person=session.person(person), reason=reason
    )


def step_start(session: Session, incident: Incident, step: Step) -> None:
    """Take a step up, so that the others know."""
    from models.commands import StartStep  # noqa: PLC0415

    session.write(session.stream(incident), StartStep, step=step)


def step_retry(
    session: Session,
    incident: Incident,
    step: Step,
    reason: Reason,
    took_effect: Annotated[bool, Opt("--took-effect")] = False,
) -> None:
    """Run a failed machine step again, or say that it took effect."""
    from models.commands import RetryStep  # noqa: PLC0415

    how = "done" if took_effect else "again"
    session.write(session.stream(incident), RetryStep, step=step, how=how, reason=reason)
