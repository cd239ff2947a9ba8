"""What must hold of clocks, whatever people say and however the wall clock steps (promise P6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from models.clocks.rules import plan
from models.commands import Acknowledge, Command, ServiceFact, SetInstant, SetRecoveryPoint
from models.fold import empty, fold
from models.impact import ForecastService, RecordImpact
from models.reports import JudgeObligation, SubmitReport
from models.state import ClockState
from tests.models.clockhouse import CLOCK_ROUTES, OWED, after, clock_scene
from tests.models.small import BEN, CHO, EVE, Scene, by

LEVELS = ("stopped", "partial", "target", "normal")
HOURS = st.integers(-24, 8).map(lambda quarters: quarters / 4)


def commands(hours: float, number: int, what: str) -> Command:
    """Something that somebody may say, about an instant of so many hours from the night."""
    instant = after(hours)
    service: dict[str, Any] = {"service": "payments", "actor": by(EVE if number % 2 else BEN)}
    made: dict[str, Command] = {
        "impact": ServiceFact(what="impacted", instant=instant, **service),
        "level": ServiceFact(what="level", level=LEVELS[number % 4], instant=instant, **service),
        "csirt": ServiceFact(what="confirmed-by-csirt", actor=by(BEN), service="payments"),
        "owner": ServiceFact(what="confirmed-by-owner", actor=by(EVE), service="payments"),
        "eta": ForecastService(actor=by(EVE), service="payments", eta=instant),
        "recognised": SetInstant(actor=by(BEN), name="recognised", instant=instant, source="-"),
        "compromised": SetInstant(actor=by(BEN), name="compromised", instant=instant, source="-"),
        "people": RecordImpact(actor=by(BEN), kind="people", value=str(number % 3), source="-"),
        "judge": JudgeObligation(
            actor=by(CHO), obligation="XX-OWED", applicable=bool(number % 2), reason="-"
        ),
        "submit": SubmitReport(actor=by(BEN), obligation="XX-OWED", stage="first", instant=instant),
        "correct": SubmitReport(
            actor=by(BEN), obligation="XX-OWED", stage="first", instant=instant, update=True
        ),
        "point": SetRecoveryPoint(
            actor=by(EVE),
            id=f"p{number % 3}",
            service="payments",
            instant=instant,
            tamper=("unknown", "clean", "tampered")[number % 3],
            malware="clean",
        ),
    }
    return made[what]


WORDS = (
    "impact", "level", "csirt", "owner", "eta", "recognised", "compromised", "people", "judge", "submit",
    "correct", "point",
)  # fmt: skip
WHOLE = {
    "back": (("level", 2), ("csirt", 0), ("owner", 1)),
    "down": (("impact", 0),),
    "owed": (("people", 1), ("recognised", 0)),
    "sent": (("submit", 0),),
}
"""What people say in one breath; by chance alone a service would hardly ever come back."""
SAID = st.tuples(HOURS, st.integers(0, 11), st.sampled_from((*WORDS, *WHOLE, *WHOLE)))
TURN = st.one_of(SAID, SAID, SAID, st.integers(1, 200), st.integers(-90, -1), st.just("ack"))


def turn(made: Scene, one: Any) -> None:
    """A command, a wait in minutes, a step of the wall clock back, or somebody taking what is open."""
    if isinstance(one, tuple):
        hours, number, what = one
        for word, by_number in WHOLE.get(what, ((what, number),)):
            made.desk.handle(made.stream, commands(hours, by_number, word))  # a refusal is an answer too
    elif one == "ack":
        for page in made.incident.open_pages():
            made.desk.handle(made.stream, Acknowledge(actor=by(CHO), page=page.id))
    elif one > 0:
        made.wait(one)
    else:
        made.clock.advance(timedelta(minutes=one))
        made.desk.tick(made.stream)
    while made.desk.tick(made.stream).facts:
        pass


def check(made: Scene) -> None:
    """What holds after every turn."""
    state, world = made.incident, made.desk.world(made.incident)
    planned = {one.id: one for one in plan(state, world) if one.due_at is not None}
    for clock in state.clocks.values():
        _one(clock)
        expected = planned.get(clock.id)
        if clock.status != "ended":
            assert expected is not None, f"{clock.id} runs for nothing"
            assert (clock.started_at, clock.due_at) == (expected.started_at, expected.due_at)
            assert clock.stopped_at == expected.stopped_at
    assert planned.keys() <= state.clocks.keys()
    assert not [one for one in state.clocks.values() if one.next_at and one.next_at <= made.clock.now()]


def _one(clock: ClockState) -> None:
    """Met and broken are never both; what broke has been said; what is past has broken."""
    assert not (clock.status == "met" and clock.breached)
    if clock.status == "met":
        assert clock.stopped_at is not None
        assert clock.stopped_at <= clock.due_at
    if clock.status == "missed":
        assert clock.breached
        assert clock.stopped_at is not None
        assert clock.stopped_at > clock.due_at
    assert [one.at for one in clock.stages] == sorted(one.at for one in clock.stages)
    assert clock.stages[-1].at == clock.due_at


def silent(made: Scene) -> list[str]:
    """Clocks that broke, or were found to have, without anybody having been called out for it."""
    asked = {page.subject for page in made.incident.pages.values() if page.event == "clock-breached"}
    broken = {fact.data["clock"] for fact in made.facts("clock.breached")}
    broken |= {fact.data["clock"] for fact in made.facts("clock.missed")}
    return sorted(name for name in broken if f"clock:{name}" not in asked)


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(turns=st.lists(TURN, min_size=4, max_size=16))
@example(turns=[(-1.0, 0, "down"), (-0.5, 0, "back"), (-6.0, 0, "impact"), "ack", (-1.0, 0, "impact")])
@example(turns=[(-4.0, 0, "down"), (-1.0, 0, "back"), 60, (0.5, 0, "level"), 200, (2.0, 0, "back")])
@example(turns=[(-1.0, 0, "owed"), (-0.25, 0, "sent"), (-6.0, 0, "recognised"), (0.0, 0, "people")])
def test_whatever_is_said_in_whatever_order_no_clock_is_met_and_broken_and_none_breaks_in_silence(
    turns: list[Any],
) -> None:
    made = clock_scene(routes=CLOCK_ROUTES, policy={"obligations": [OWED]})
    for one in turns:
        turn(made, one)
        check(made)
    assert silent(made) == []
    with made.desk.record.read() as tx:
        facts = tx.facts(made.stream)
    assert fold(empty(made.stream), facts) == made.incident, "what is kept is what the facts say"
    made.desk.record.close()


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(first=HOURS.filter(lambda h: h < 0), second=HOURS.filter(lambda h: h < 0))
def test_corrections_come_to_what_the_last_one_says_as_if_it_had_been_said_at_once(
    first: float, second: float
) -> None:
    twice, once = (clock_scene(policy={"obligations": [OWED]}) for _ in range(2))
    for made, said in ((twice, (first, second)), (once, (second,))):
        for hours in said:
            made.desk.handle(made.stream, commands(hours, 0, "impact"))
            made.desk.handle(made.stream, commands(hours, 0, "recognised"))
        made.desk.handle(made.stream, commands(0, 1, "people"))
    due = [
        {name: (clock.started_at, clock.due_at, clock.status) for name, clock in made.incident.clocks.items()}
        for made in (twice, once)
    ]
    assert due[0] == due[1]
    for made in (twice, once):
        made.desk.record.close()


def test_a_step_of_the_wall_clock_moves_no_due_time_and_undoes_nothing() -> None:
    made = clock_scene()
    turn(made, (0.0, 0, "impact"))
    turn(made, 65)
    before = made.incident.clocks["rto:payments"]
    stages = (before.due_at, before.fired)
    made.clock.advance(timedelta(minutes=-30))
    assert made.desk.tick(made.stream).facts == ()
    made.clock.advance(timedelta(minutes=30))
    assert made.desk.tick(made.stream).facts == ()
    now = made.incident.clocks["rto:payments"]

    assert (now.due_at, now.fired) == stages
