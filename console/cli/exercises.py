"""The exercise programme: plan, record, import, and what was last exercised when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import All, Number, Reason
from console.cli.given import reads, writes
from console.cli.groups import group
from console.cli.session import Session

if TYPE_CHECKING:
    from models.drillresult import Signed
    from models.premises import Outcome as Recorded
    from models.programme import Entry, Took
    from models.state import Programme

Opt = typer.Option
STREAM = "programme"
Title = Annotated[str, typer.Argument(metavar="TITLE")]
SomeTitle = Annotated[str, typer.Argument(metavar="TITLE", show_default=False)]
Type = Annotated[str, Opt("--type", metavar="TYPE")]
By = Annotated[str, Opt("--by", metavar="WHO", show_default=False)]
Organiser = Annotated[str, Opt("--organiser", metavar="NAME", show_default=False)]
Scenario = Annotated[str, Opt("--scenario", metavar="NAME", show_default=False)]
Playbooks = Annotated[list[str] | None, Opt("--playbook", metavar="NAME", show_default=False)]
Retests = Annotated[list[str] | None, Opt("--retest", metavar="FD", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    exercise = group(app, "exercise")
    writes(exercise, "plan")(exercise_plan)
    writes(exercise, "record")(exercise_record)
    writes(exercise, "cancel")(exercise_cancel)
    writes(exercise, "sign-off")(exercise_sign_off)
    reads(exercise, "list")(exercise_list)
    reads(exercise, "show")(exercise_show)
    reads(exercise, "year")(exercise_year)
    reads(exercise, "coverage")(exercise_coverage)
    reads(exercise, "overdue")(exercise_overdue)
    writes(group(app, "drill"), "import")(drill_import)


def programme(session: Session) -> Programme:
    """The programme, as whoever asks may know it; refused to third parties."""
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415
    from models.state import Programme as State  # noqa: PLC0415

    if session.is_vendor:
        # What exercises found is where the institution is weak.
        report.refused(session, None, Reason.THIRD_PARTY_LIMIT, {"who": session.actor.person or ""})
    state = session.reader.without_hidden(session.desk.state(STREAM))
    assert isinstance(state, State)  # noqa: S101 - what the stream of this name folds to
    return state


# -- writing ------------------------------------------------------------------------------------------------


def exercise_plan(  # noqa: PLR0913 - one option for each field of a plan
    session: Session,
    *,
    title: Title,
    when: Annotated[str, Opt("--when", metavar="YYYY-MM[-DD]")],
    type_: Type,
    by: By = "internal",
    organiser: Organiser = "",
    scenario: Scenario = "",
    playbook: Playbooks = None,
    retest: Retests = None,
) -> None:
    """An exercise is to be held."""
    from models.programme import PlanExercise  # noqa: PLC0415

    session.write(
        STREAM,
        PlanExercise,
        title=title,
        when=when,
        type=type_,
        by=by,
        organiser=organiser,
        scenario=scenario,
        playbooks=_playbooks(session, scenario, playbook or []),
        retests=tuple(one.upper() for one in retest or ()),
    )


def exercise_record(  # noqa: PLR0913 - one option for each column of the register
    session: Session,
    *,
    on: Annotated[str, Opt("--on", metavar="DATE")],
    title: SomeTitle = "",
    plan: Annotated[str | None, Opt("--plan", metavar="EX", show_default=False)] = None,
    type_: Annotated[str, Opt("--type", metavar="TYPE", show_default=False)] = "",
    by: By = "",
    organiser: Organiser = "",
    scenario: Scenario = "",
    playbook: Playbooks = None,
    route: Annotated[list[str] | None, Opt("--route", metavar="NAME", show_default=False)] = None,
    guideline: Annotated[list[str] | None, Opt("--guideline", metavar="ITEM", show_default=False)] = None,
    took: Annotated[list[str] | None, Opt("--took", metavar="ROLE=PERSON", show_default=False)] = None,
    absent: Annotated[list[str] | None, Opt("--absent", metavar="ROLE=PERSON", show_default=False)] = None,
    vendor: Annotated[list[str] | None, Opt("--vendor", metavar="PARTY", show_default=False)] = None,
    note: Annotated[str, Opt("--note", metavar="TEXT", show_default=False)] = "",
) -> None:
    """An exercise was held, here or elsewhere."""
    from models.programme import RecordExercise, Took  # noqa: PLC0415

    vendors = tuple(Took(role="vendor", party=one) for one in vendor or ())
    session.write(
        STREAM,
        RecordExercise,
        title=title,
        on=on,
        plan=plan.upper() if plan else None,
        type=type_,
        by=by,
        organiser=organiser,
        scenario=scenario,
        playbooks=_playbooks(session, scenario, playbook or []),
        routes=tuple(route or ()),
        guideline=_guideline(session, scenario, guideline or []),
        participants=(*_took(session, took or ()), *_took(session, absent or (), absent=True), *vendors),
        note=note,
    )


def _playbooks(session: Session, scenario: str, named: Sequence[str]) -> tuple[str, ...]:
    """The playbooks that are named, or else those of the scenario; refused if there is no such scenario."""
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    scenarios = session.house.institution.scenarios
    if scenario and scenario not in scenarios:
        detail = {"scenario": scenario, "known": sorted(scenarios)}
        report.refused(session, STREAM, Reason.NO_SUCH_SCENARIO, detail)
    return tuple(named) or (scenarios[scenario].playbooks if scenario else ())


def _guideline(session: Session, scenario: str, named: Sequence[str]) -> tuple[str, ...]:
    """The items that are named, or else those of the scenario; exit 2 if the catalogue does not have one."""
    from console.exercising import items_of  # noqa: PLC0415

    institution = session.house.institution
    wrong = [one for one in named if one not in institution.catalogue]
    if wrong:
        known = "hikeshi coverage"
        session.wrong(
            session.texts("words.usage.choice", option="--guideline", value=", ".join(wrong), known=known)
        )
    return tuple(named) or (items_of(institution.scenarios[scenario]) if scenario else ())


def _took(session: Session, many: Sequence[str], *, absent: bool = False) -> tuple[Took, ...]:
    """`ROLE=PERSON`, or a role alone of which nobody is named."""
    from models.programme import Took  # noqa: PLC0415

    found = []
    for one in many:
        role, _, person = one.partition("=")
        found.append(Took(role=role, person=session.person(person) if person else None, absent=absent))
    return tuple(found)


def exercise_cancel(session: Session, number: Number, reason: Reason) -> None:
    """A planned exercise is not held."""
    from models.programme import CancelExercise  # noqa: PLC0415

    session.write(STREAM, CancelExercise, id=number.upper(), reason=reason)


def exercise_sign_off(session: Session, number: Number) -> None:
    """I know the results (management, in person)."""
    from models.programme import SignOffExercise  # noqa: PLC0415

    session.write(STREAM, SignOffExercise, id=number.upper())


# -- looking ------------------------------------------------------------------------------------------------


def exercise_list(session: Session, everything: All = False) -> None:
    """Exercises that are planned or were held; with --all also those that were cancelled."""
    from console.cli import output  # noqa: PLC0415
    from console.views import exercises as view  # noqa: PLC0415

    state = programme(session)
    naming = session.naming(state)
    found = [one for one in state.entries.values() if everything or one.status != "cancelled"]
    if session.given.json:
        output.json([view.entry_json(one, naming) for one in found])
    else:
        output.show([view.entries(found, naming)])


def exercise_show(session: Session, number: Number) -> None:
    """One exercise, whole."""
    from console.cli import output  # noqa: PLC0415
    from console.views import exercises as view  # noqa: PLC0415

    state = programme(session)
    naming, found = session.naming(state), _found(session, state, number)
    if session.given.json:
        of = [
            view.finding_json(one, state, naming)
            for one in state.findings.values()
            if one.exercise == found.id
        ]
        output.json(view.entry_json(found, naming) | {"findings": of})
    else:
        output.show(view.entry(found, state, naming))


def _found(session: Session, state: Programme, number: str) -> Entry:
    """The exercise of this number; refused if there is none."""
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    found = state.entries.get(number.upper())
    if found is None:
        report.refused(session, STREAM, Reason.NO_SUCH_ITEM, {"item": number, "known": list(state.entries)})
    return found


def exercise_year(
    session: Session,
    year: Annotated[int, typer.Argument(metavar="YEAR", min=2000, max=2100)],
) -> None:
    """The plan of a year against what was held."""
    from console.cli import output  # noqa: PLC0415
    from console.exercising import look_at_year  # noqa: PLC0415
    from console.views import exercises_year as view  # noqa: PLC0415

    state = programme(session)
    found, naming = look_at_year(session.house.institution, state, year, session.now), session.naming(state)
    if session.given.json:
        output.json(view.as_json(found, state, naming))
    else:
        output.show(view.sections(found, naming))


def exercise_coverage(
    session: Session,
    kind: Annotated[str | None, Opt("--kind", metavar="KIND", show_default=False)] = None,
) -> None:
    """What was last exercised, or used in a real incident, and when."""
    from console.cli import output  # noqa: PLC0415
    from console.exercising import look_at_coverage  # noqa: PLC0415
    from console.views import exercises_coverage as view  # noqa: PLC0415
    from models.exercised import KINDS  # noqa: PLC0415

    if kind is not None:
        session.one_of(kind, KINDS, "--kind")
    state = programme(session)
    found = look_at_coverage(session.house, state, session.reader, session.now, kind)
    if session.given.json:
        output.json([view.standing_json(one) for one in found.standings])
        return
    output.show(view.sections(found.standings, session.naming(state)))
    if found.cut:
        session.say(session.texts("clocks.metrics.cut", n=found.cut), "warn", stderr=True)


def exercise_overdue(session: Session) -> None:
    """What is late: plans, findings, and what was not exercised for too long."""
    from console.cli import output  # noqa: PLC0415
    from console.exercising import look_at_coverage, stale_scenarios  # noqa: PLC0415
    from console.views import exercises_coverage as view  # noqa: PLC0415
    from models.exercised import waiting  # noqa: PLC0415

    state = programme(session)
    coverage = look_at_coverage(session.house, state, session.reader, session.now, None)
    overdue = view.Overdue(
        standings=tuple(one for one in coverage.standings if one.overdue),
        waiting=waiting(state, session.now),
        stale=stale_scenarios(session.house.institution, session.now),
    )
    if session.given.json:
        output.json(view.overdue_json(overdue, state, session.naming(state)))
    else:
        output.show(view.overdue(overdue, state, session.naming(state)))


# -- the result of a drill ----------------------------------------------------------------------------------


def drill_import(  # noqa: PLR0913 - one option for each thing that the result does not say
    session: Session,
    *,
    file: Annotated[Path, typer.Argument(metavar="RESULT.json")],
    key: Annotated[str | None, Opt("--key", metavar="KEY", show_default=False)] = None,
    named_key: Annotated[bool, Opt("--named-key")] = False,
    plan: Annotated[str | None, Opt("--plan", metavar="EX", show_default=False)] = None,
    retest: Annotated[list[str] | None, Opt("--retest", metavar="FD=OBJECTIVE", show_default=False)] = None,
    owner: Annotated[str | None, Opt("--owner", metavar="PERSON", show_default=False)] = None,
    due: Annotated[str | None, Opt("--due", metavar="DATE", show_default=False)] = None,
) -> None:
    """Take the signed result of a drill into the register."""
    from console.drillimport import Given, command_of, open_result, warnings  # noqa: PLC0415
    from models.programme import RecordExercise  # noqa: PLC0415

    body = session.read(file, "RESULT.json")
    signed = open_result(body, key, named=named_key)
    given = Given(
        plan=plan.upper() if plan else None,
        retests={
            name.upper(): objective for name, objective in session.pairs(retest or [], "--retest").items()
        },
        owner=session.person(owner) if owner else None,
        due=session.instant(due, "--due", whole_day=True),
        trust="given" if key else "named",
    )
    fields, document = command_of(signed, body, given, session.house.institution, session.now)
    outcome = session.ask(STREAM, RecordExercise, beside=[(document, "application/json")], **fields)
    warned = warnings(signed.result, session.house.institution, session.texts, named=key is None)
    _imported(session, outcome, signed, warned, given=key is not None)


def _imported(
    session: Session, outcome: Recorded, signed: Signed, warned: Sequence[str], *, given: bool
) -> None:
    """What was taken in, with which key, what that shows, and what is still to be looked after."""
    from console.cli import output  # noqa: PLC0415
    from console.views.facts import sentence  # noqa: PLC0415

    naming = session.naming(session.desk.state(STREAM))
    ids = [fact.data["id"] for fact in outcome.facts if fact.kind == "programme.held"]
    trust = "given" if given else "named"
    if session.given.json:
        output.json(
            {
                "accepted": True,
                "exercise": ids[0],
                "drill": signed.result.drill,
                "key": signed.key,
                "trust": trust,
                "findings": [fact.data["id"] for fact in outcome.facts if fact.kind == "finding.opened"],
                "retested": [fact.data["id"] for fact in outcome.facts if fact.kind == "finding.retested"],
                "warnings": list(warned),
            }
        )
        return
    for fact in outcome.facts:
        session.say(sentence(fact, naming), "good")
    session.say(session.texts(f"programme.import.{trust}", key=signed.key))
    for one in warned:
        session.say(one, "warn")
