"""A record read back as acts, and run again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from models.casework import Setting
from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, NodeFact, Note
from models.desk import HOUSE, Desk
from models.errors import HikeshiError
from models.fold import kinds_of
from models.premises import Premises
from models.record import Record
from models.replay.compare import Why, compare
from models.replay.past import DISPOSED
from models.replay.recorded import ACTS, DERIVED, Recorded, read_back
from models.replay.run import Replay, Replayed
from models.state import Incident
from playbooks.institution import Institution
from tests.demoplay import NIGHT, play_demo
from tests.models.pager_machine import PagerMachine
from tests.models.small import (
    AMY,
    BEN,
    Scene,
    by,
    decision,
    organisation,
    playbook,
    policy,
    route,
    scene,
    step,
)
from tests.playbooks.test_content_walk import Walk
from tests.replays import must_run_again, record_of

WALKED = ("ransomware", "unknown", "ddos", "insider", "third-party-compromise", "atm-outage")
LEVELS = [{"to": ["csirt-duty"], "within": "5m"}, {"to": ["csirt-lead"], "within": "5m"}]


def test_every_kind_of_fact_of_an_incident_is_read_back_or_said_to_be_derived() -> None:
    kinds = kinds_of(Incident)
    assert kinds - set(ACTS) - set(DERIVED) == set(), "say in models/replay how these came about"
    assert (set(ACTS) | set(DERIVED)) - kinds == set()
    assert set(ACTS) & set(DERIVED) == set()


@pytest.mark.parametrize(
    "name", [*WALKED[:3], *(pytest.param(one, marks=pytest.mark.slow) for one in WALKED[3:])]
)
def test_a_playbook_walked_to_its_end_gives_the_same_facts_again(name: str, tmp_path: Path) -> None:
    walked = Walk(tmp_path, name, None).whole()
    must_run_again(walked.desk, walked.stream)
    walked.record.close()


def test_the_demo_gives_the_same_facts_again(bank: Institution, tmp_path: Path) -> None:
    desk, stream = _demo(bank, tmp_path)
    must_run_again(desk, stream)


def _demo(bank: Institution, folder: Path) -> tuple[Desk, str]:
    clock = ExerciseClock(NIGHT)
    premises = Premises(organisation=bank.organisation, policy=bank.policy, playbooks=bank.playbooks)
    desk = Desk(Record.in_memory(), premises, clock)
    return desk, play_demo(desk, clock, folder)


class RunsAgain(PagerMachine):
    """Whatever the world did to a page, its record can be run again."""

    def teardown(self) -> None:
        stream, self.stream = self.stream, ""
        self.crasher.left = 0
        if stream:
            self.reopen()
            must_run_again(self.desk, stream)
        super().teardown()


def test_whatever_happens_to_a_page_can_be_run_again() -> None:
    run_state_machine_as_test(
        RunsAgain,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            phases=(Phase.generate,),
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


# -- shifted ------------------------------------------------------------------------------------------------


def _taken(one: Scene) -> tuple[Recorded, Setting]:
    recorded, _, _ = record_of(one.desk, one.stream)
    return recorded, Setting(one.desk.premises)


def _faster(one: Scene, within: str) -> Setting:
    levels = [{"to": ["csirt-duty"], "within": within}, *LEVELS[1:]]
    changed = policy(routes=[route("main", "declared", "severity-raised", levels=levels)])
    premises = one.desk.premises
    return Setting(Premises(organisation=premises.organisation, policy=changed, playbooks=premises.playbooks))


def _climbed() -> Scene:
    one = scene(playbook("unknown", step("look"), decision("choose", after=["look"])))
    one.wait(5)
    one.clock.advance(timedelta(minutes=2))
    one.do(Acknowledge(actor=by(BEN)))
    return one


def _times(replayed: Replayed, kind: str) -> list[float]:
    return [
        (fact.at - replayed.facts[0].at).total_seconds() / 60 for fact in replayed.facts if fact.kind == kind
    ]


def test_an_earlier_page_is_answered_as_much_earlier() -> None:
    one = _climbed()
    recorded, _ = _taken(one)
    replayed = Replay(recorded, _faster(one, "2m")).run()
    assert _times(replayed, "page.escalated")[:1] == [2]
    assert _times(replayed, "page.acknowledged") == [4]
    told = {(row.what, row.point): row for row in compare(recorded, replayed, one.desk.directory).changed()}
    assert told["declared incident 1", "2"].by == timedelta(minutes=-3)
    assert told["declared incident 1", "2"].why is Why.ROUTE


def test_as_recorded_everybody_acts_when_they_acted_whatever_the_route_says() -> None:
    one = _climbed()
    recorded, _ = _taken(one)
    replayed = Replay(recorded, _faster(one, "2m"), manner="as-recorded").run()
    assert _times(replayed, "page.escalated")[:1] == [2]
    assert _times(replayed, "page.acknowledged") == [7]


def test_a_look_of_the_watch_that_came_late_is_that_look() -> None:
    one = scene()
    one.wait(5 + 3 / 60)
    recorded, setting = _taken(one)
    replayed = Replay(recorded, setting, manner="as-recorded").run()
    assert [fact.recorded_at for fact in replayed.facts] == [fact.recorded_at for fact in recorded.facts]


def test_nobody_watches_during_an_outage() -> None:
    one = scene()
    one.clock.advance(timedelta(minutes=9))
    since = one.clock.now() - timedelta(minutes=6)
    outage = NodeFact(
        actor=Actor.machine("node"), what="outage", node="pager", since=since, until=one.clock.now()
    )
    one.do(outage, HOUSE)
    one.wait(0)
    recorded, house, _ = record_of(one.desk, one.stream)
    setting = Setting(one.desk.premises)
    for manner in ("as-recorded", "shifted"):
        replayed = Replay(recorded, setting, manner=manner, house=house).run()
        assert _times(replayed, "page.escalated") == [9]
        escalated = next(fact for fact in replayed.facts if fact.kind == "page.escalated")
        assert "delayed_by" in escalated.data


def test_an_act_that_nothing_asked_for_keeps_its_instant() -> None:
    one = _climbed()
    one.clock.advance(timedelta(minutes=1))
    one.do(Note(actor=by(BEN), text="seen"))
    recorded, _ = _taken(one)
    replayed = Replay(recorded, _faster(one, "2m")).run()
    assert _times(replayed, "note.added") == [8]
    assert compare(recorded, replayed, one.desk.directory).absolute == {"Declare": 1, "Note": 1}


# -- what is named ------------------------------------------------------------------------------------------


def test_somebody_who_is_no_more_is_named_and_their_acts_are_refused() -> None:
    one = _climbed()
    recorded, _ = _taken(one)
    left = organisation()
    without = left.model_copy(update={"people": tuple(p for p in left.people if p.id != BEN)})
    premises = one.desk.premises
    setting = Setting(Premises(organisation=without, policy=premises.policy, playbooks=premises.playbooks))
    told = compare(recorded, Replay(recorded, setting).run(), setting.directory)
    assert told.gone == (BEN,)
    rows = {(row.what, row.point): row for row in told.changed()}
    assert rows["declared incident 1", "2"].why is Why.GONE


def test_another_version_of_a_playbook_is_named() -> None:
    one = _climbed()
    recorded, _ = _taken(one)
    newer = playbook("unknown", step("look"), step("listen"), version="1.1.0")
    premises = one.desk.premises
    setting = Setting(
        Premises(organisation=premises.organisation, policy=premises.policy, playbooks={"unknown": newer})
    )
    told = compare(recorded, Replay(recorded, setting).run(), one.desk.directory)
    rows = {(row.what, row.point): row for row in told.changed()}
    assert rows["unknown/listen", "ready"].then is None
    assert rows["unknown/listen", "ready"].why is Why.PLAYBOOK


def test_a_text_that_was_disposed_of_is_a_placeholder_and_counted() -> None:
    one = _climbed()
    one.do(Note(actor=by(AMY), text="a name"))
    with one.desk.record.read() as tx:
        facts, texts = tx.facts(one.stream), tx.texts(one.stream, 0)
    gone = facts[-1].data["text"]
    recorded = read_back(facts, {**texts, gone: None})
    assert recorded.disposed == 1
    replayed = Replay(recorded, Setting(one.desk.premises)).run()
    assert replayed.desk.texts(one.stream)[replayed.facts[-1].data["text"]] == DISPOSED


def test_a_kind_that_nothing_reads_back_says_so() -> None:
    one = scene()
    recorded, _ = _taken(one)
    odd = msgspec.structs.replace(recorded.facts[0], kind="clock.warned")
    with pytest.raises(HikeshiError, match=r"#1: nothing says how 'clock.warned' came about"):
        read_back([odd], {})


def test_a_record_without_acts_cannot_be_run() -> None:
    one = scene()
    recorded, setting = _taken(one)
    with pytest.raises(HikeshiError, match="no act"):
        Replay(_empty(recorded), setting)


def _empty(recorded: Recorded) -> Recorded:
    return Recorded(stream=recorded.stream, facts=(), acts=(), looks=(), derived=0)
