"""What every command of a drill asks first: that this is a drill's directory, how far it is, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from console.cli.session import Session

if TYPE_CHECKING:
    from datetime import datetime

    from console.views.drill import Told
    from models.exercise import Exercise
    from models.scenario import Scenario

STREAM = "exercise"


def exercise(session: Session) -> Exercise:
    """The exercise as it stands; refused where none is."""
    from models.exercise import Exercise as State  # noqa: PLC0415
    from models.reason import Reason  # noqa: PLC0415

    desk = session.desk
    state = desk.state(STREAM) if desk.premises.drill else None
    if not isinstance(state, State) or not state.seq:
        no(session, Reason.NOT_A_DRILL)
    return state


def no(session: Session, reason: object, **detail: object) -> NoReturn:
    """Refuse with what to do."""
    from console.cli import report  # noqa: PLC0415

    report.refused(session, None, reason, detail)  # type: ignore[arg-type]


def scenario(session: Session) -> Scenario:
    """What is played, with what every exercise has; refused where its document is gone."""
    from models.reason import Reason  # noqa: PLC0415
    from playbooks.scenarios import whole  # noqa: PLC0415

    state = exercise(session)
    found = session.desk.premises.scenario
    if found is None:
        no(session, Reason.NO_SUCH_SCENARIO, scenario=state.scenario, known=[])
    return whole(found)


def is_staff(session: Session, state: Exercise) -> bool:
    """Whether whoever asks may see what is still to come."""
    return (session.actor.person or "") in state.staff


def staff_only(session: Session) -> Exercise:
    """The exercise, for whoever runs or watches it; players are refused."""
    from models.reason import Reason  # noqa: PLC0415

    state = exercise(session)
    if not is_staff(session, state):
        who = session.actor.person or session.account
        no(session, Reason.NOT_STAFF, who=who, needs=sorted({*state.staff.values()}))
    return state


def told(session: Session) -> Told:
    """What is shown of the exercise, to whoever asks."""
    from console.views.drill import Told as Sheet  # noqa: PLC0415

    state = exercise(session)
    return Sheet(
        exercise=state,
        scenario=session.desk.premises.scenario,
        naming=session.naming(state),
        now=session.now,
        staff=is_staff(session, state),
        marks=session.desk.premises.marks or {},
    )


def wall() -> datetime:
    """The real instant, aware, UTC: time is set by it, whatever hour it is in the story."""
    from models.clock import SystemClock  # noqa: PLC0415

    return SystemClock().now()
