"""One automated step: claimed once, run as its class says, its outcome in the record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from flows.actions import ACTIONS, ActionContext, ActionResult, CollectedItem, LeftOut, Params
from flows.actions.store import Writer
from flows.actions.values import BAD_END
from flows.place import ACTOR, Place, RunClock
from flows.work import UNDER_WAY, Attempt, Run, UnderWay, is_ready, variables_of
from models.clock import SystemClock
from models.commands import ClaimStep, Command, Reclaim, RetryStep
from models.errors import ActionFailed, OutcomeUnknown, RecordBusy
from models.premises import Outcome
from models.record import Tx
from models.targets import CommandTarget
from tests.flows.bank import DUTY, PLAYBOOK, Scene, action, make_bank

STEPS = (
    action("plain", more="preserves: [some-log]")
    + action("broken", "fail", more="retries: 1")
    + action("looked", on_crash="probe")
    + action("blind", on_crash="probe")
    + action("asked", on_crash="ask")
    + action("slow", "never-ends", more="timeout: 1s")
    + action("lost", "no-such-target")
    + action("told-and-failed", "says-and-fails", more="retries: 1, preserves: [process-list]")
    + action("told-and-hung", "says-and-hangs", more="timeout: 1s")
    + action("with-host").replace("{name: with-host}", "{name: $host}")
)

TARGETS = """
  says-and-fails:
    kind: command
    argv: [sh, -c, 'echo "$0" >> runs.txt; wc -l runs.txt; exit 3', "{name}"]
    parameters: {name: {type: text}}
    preserve: true
  says-and-hangs:
    kind: command
    argv: [sh, -c, 'echo "pid 1 of $0"; sleep 60', "{name}"]
    parameters: {name: {type: text}}
    preserve: true
"""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(make_bank(tmp_path / "bank", STEPS, TARGETS), SystemClock())
    yield made
    made.house.record.close()


@pytest.fixture
def place(scene: Scene) -> Place:
    return Place(house=scene.house, clock=RunClock(), secret=lambda name: "")


@pytest.fixture
def incident(scene: Scene) -> str:
    name = scene.declare()
    scene.begin(name, host="srv-01")
    return name


Make = Callable[..., Attempt]


@pytest.fixture
def attempt(place: Place, incident: str) -> Make:
    def make(name: str, epoch: int = 1, over: Place | None = None) -> Attempt:
        state = place.desk.incident(incident)
        planned = place.desk.world(state).step(state, f"{PLAYBOOK}/{name}")
        assert planned is not None
        run = Run(place=over or place, incident=incident, node="conductor", epoch=epoch)
        return Attempt(run, planned, state.steps[planned.key])

    return make


async def test_a_step_that_goes_well_is_done_with_its_outputs(
    scene: Scene, incident: str, attempt: Make
) -> None:
    assert await attempt("plain")() == "done"
    known = scene.step(incident, "plain")
    assert (known.status, known.attempt) == ("done", 1)
    texts = scene.texts(incident)
    outputs = {name: texts[digest] for name, digest in known.outputs.items()}
    assert outputs == {"exit_code": "0", "cut": "no", "summary": "sh: ended with code 0"}
    assert scene.runs() == {"plain": 1}
    assert scene.facts(incident, "step.done")[-1].data["engine"] == "none"


async def test_what_another_has_claimed_is_left_alone(scene: Scene, incident: str, attempt: Make) -> None:
    mine, theirs = attempt("plain"), attempt("plain", epoch=2)
    assert await theirs() == "done"
    assert await mine() == "taken"
    assert scene.runs() == {"plain": 1}
    # It looked first: a lost race is no refusal that somebody would have to read.
    assert scene.facts("house", "refused") == []


async def test_a_certain_failure_is_tried_again_under_the_same_claim(
    scene: Scene, incident: str, attempt: Make
) -> None:
    step = attempt("broken")
    with pytest.raises(ActionFailed):
        await step()
    assert scene.step(incident, "broken").status == "started"
    with pytest.raises(ActionFailed):
        await step()
    known = scene.step(incident, "broken")
    assert (known.status, known.attempt, scene.runs()["broken"]) == ("failed", 1, 2)
    assert "ended with code 3" in (scene.texts(incident)[known.error or ""] or "")


async def test_a_step_that_does_not_end_is_unknown_not_failed(
    scene: Scene, incident: str, attempt: Make
) -> None:
    with pytest.raises(OutcomeUnknown):
        await attempt("slow")()
    assert scene.step(incident, "slow").status == "unknown"


async def test_a_target_that_does_not_exist_fails_with_what_to_do(
    scene: Scene, incident: str, attempt: Make
) -> None:
    with pytest.raises(ActionFailed, match=r"targets\.yaml has no target 'no-such-target'"):
        await attempt("lost")()
    assert scene.step(incident, "lost").status == "failed"


async def test_variables_are_put_in(scene: Scene, attempt: Make) -> None:
    assert await attempt("with-host")() == "done"
    assert scene.runs() == {"srv-01": 1}


def crash(scene: Scene, place: Place, incident: str) -> None:
    """The node died and started again."""
    assert place.desk.handle(incident, Reclaim(actor=ACTOR, node="conductor", epoch=9)).accepted


@pytest.mark.parametrize(
    ("name", "ran", "status", "runs"),
    [
        pytest.param("plain", True, "done", 2, id="an idempotent step that had run runs again"),
        pytest.param("plain", False, "done", 1, id="an idempotent step that had not run runs"),
        pytest.param("looked", True, "done", 1, id="a probe step that had run is found done"),
        pytest.param("looked", False, "done", 1, id="a probe step that had not run runs"),
        pytest.param("asked", True, "unknown", 1, id="an ask step that had run waits for a person"),
        pytest.param("asked", False, "unknown", 0, id="an ask step that had not run waits for a person"),
    ],
)
async def test_after_a_crash_the_class_says_what_follows(  # noqa: PLR0917 - a row of a table
    scene: Scene, place: Place, incident: str, attempt: Make, name: str, ran: bool, status: str, runs: int
) -> None:
    died = attempt(name)
    assert await died._claim()
    if ran:
        await died._act()
    crash(scene, place, incident)
    if name != "asked":
        assert await attempt(name, epoch=9)() == "done"
    assert (scene.step(incident, name).status, scene.runs()[name]) == (status, runs)


async def test_what_runs_again_after_a_crash_says_so_by_the_same_key(
    scene: Scene, place: Place, incident: str, attempt: Make
) -> None:
    died = attempt("plain")
    assert await died._claim()
    key = died._context().idempotency_key
    crash(scene, place, incident)
    again = attempt("plain", epoch=9)
    assert await again._claim()
    assert (again.number, again._context().idempotency_key) == (2, key), "the receiver can tell a repeat"
    lost = attempt("lost", epoch=9)
    with pytest.raises(ActionFailed):
        await lost()
    first = lost._context().idempotency_key
    retry = RetryStep(actor=DUTY, step="lost", how="again", reason="名称を直した")
    assert place.desk.handle(incident, retry).accepted
    anew = attempt("lost", epoch=9)
    assert await anew._claim()
    assert anew._context().idempotency_key != first, "what failed and is asked for again is another matter"


async def test_a_look_that_cannot_tell_leaves_the_step_unknown(
    scene: Scene, place: Place, incident: str, attempt: Make
) -> None:
    died = attempt("blind")
    assert await died._claim()
    crash(scene, place, incident)
    again = attempt("blind", epoch=9)
    assert again.planned.step.probe is not None
    blind = again.planned.step.model_copy(
        update={"probe": again.planned.step.probe.model_copy(update={"target": "cannot-look"})}
    )
    again.planned = replace(again.planned, step=blind)
    with pytest.raises(OutcomeUnknown, match="could not tell"):
        await again()
    assert (scene.step(incident, "blind").status, scene.runs()["blind"]) == ("unknown", 0)


async def test_what_comes_back_with_an_old_epoch_is_refused(
    scene: Scene, place: Place, incident: str, attempt: Make
) -> None:
    late = attempt("plain")
    assert await late._claim()
    crash(scene, place, incident)
    assert await attempt("plain", epoch=9)() == "done"
    assert await late._finish("failed", error="too late") == "taken"
    assert scene.step(incident, "plain").status == "done"


async def test_a_person_may_have_a_failed_step_run_again(
    scene: Scene, place: Place, incident: str, attempt: Make
) -> None:
    step = attempt("lost")
    with pytest.raises(ActionFailed):
        await step()
    again = RetryStep(actor=DUTY, step="lost", how="again", reason="名称を直した")
    assert place.desk.handle(incident, again).accepted
    state = place.desk.incident(incident)
    planned = place.desk.world(state).step(state, f"{PLAYBOOK}/lost")
    assert planned is not None
    assert is_ready(state, planned)


async def test_evidence_and_what_was_left_out_reach_the_record(
    scene: Scene, place: Place, incident: str, attempt: Make
) -> None:
    seen: list[ActionContext] = []

    async def collected(target: CommandTarget, params: Params, context: ActionContext) -> ActionResult:
        seen.append(context)
        item = CollectedItem(
            name="a.log",
            digest="sha256:" + "0" * 64,
            size=3,
            stored="sha256/00/0",
            source="x",
            problem="changed",
        )
        return ActionResult(
            outputs={},
            summary="1 file",
            evidence=(item,),
            left_out=(LeftOut(source="b.log", reason="a symbolic link, not followed"),),
        )

    other = replace(place, actions=dict(ACTIONS) | {"command.run": (CommandTarget, collected)})
    assert await attempt("plain", over=other)() == "done"
    state = scene.house.desk.incident(incident)
    (item,) = state.evidence.values()
    assert (item.source, item.size, item.partial, item.step) == ("some-log", 3, True, f"{PLAYBOOK}/plain")
    known = scene.step(incident, "plain")
    assert scene.texts(incident)[known.outputs["left-out"]] == "b.log: a symbolic link, not followed"
    assert seen[0].idempotency_key == f"{incident}/{PLAYBOOK}/plain/1/1"


def objects(scene: Scene, incident: str) -> list[tuple[bytes, str, bool]]:
    """What was preserved in the incident: the bytes, what is wrong with them, whether they are in part."""
    texts = scene.texts(incident)
    return [
        (
            (scene.house.evidence / fact.data["stored"]).read_bytes(),
            texts[fact.data["problem"]] or "",
            fact.data["partial"],
        )
        for fact in scene.facts(incident, "evidence.added")
    ]


async def test_what_a_failed_program_said_becomes_evidence_of_every_try(
    scene: Scene, incident: str, attempt: Make
) -> None:
    step = attempt("told-and-failed")
    for _ in range(2):
        with pytest.raises(ActionFailed, match="code 3"):
            await step()
    assert scene.step(incident, "told-and-failed").status == "failed"
    said = "the program ended with code 3"
    assert objects(scene, incident) == [(b"1 runs.txt\n", said, True), (b"2 runs.txt\n", said, True)]
    assert {one.source for one in scene.house.desk.incident(incident).evidence.values()} == {"process-list"}


async def test_what_a_program_said_before_its_time_was_over_becomes_evidence(
    scene: Scene, incident: str, attempt: Make
) -> None:
    with pytest.raises(OutcomeUnknown, match="its output is kept as sha256:"):
        await attempt("told-and-hung")()
    assert scene.step(incident, "told-and-hung").status == "unknown"
    assert objects(scene, incident) == [(b"pid 1 of told-and-hung\n", "killed before its end", True)]


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        pytest.param(None, BAD_END, id="what was whole by itself says how it was taken"),
        pytest.param("changed", "changed", id="what had a problem keeps it"),
    ],
)
async def test_what_was_copied_before_a_collection_was_broken_off_becomes_evidence(
    scene: Scene, place: Place, incident: str, attempt: Make, problem: str | None, said: str
) -> None:
    async def broken_off(target: CommandTarget, params: Params, context: ActionContext) -> ActionResult:
        with Writer(context.evidence_dir) as writer:
            writer.write(b"log")
            item = CollectedItem(
                name="a.log", digest=writer.digest, size=3, stored=writer.keep(), source="x", problem=problem
            )
        context.kept.append(item)
        raise OSError("the network share is gone")

    other = replace(place, actions=dict(ACTIONS) | {"command.run": (CommandTarget, broken_off)})
    with pytest.raises(OutcomeUnknown):
        await attempt("plain", over=other)()
    assert objects(scene, incident) == [(b"log", said, True)]


def test_while_an_action_runs_its_watcher_knows_how_long_it_may_take() -> None:
    told: list[float] = []
    under_way = UnderWay(told.append)
    under_way.begin("a", 10)
    under_way.begin("b", 60)
    under_way.end("b")
    under_way.end("a")
    assert [round(seconds) for seconds in told] == [10, 60, 10, 0]


async def test_nothing_is_under_way_after_a_step(attempt: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr(UNDER_WAY, "tell", told.append)
    step = attempt("plain")
    await step()
    assert round(told[0]) == round(step.limit_seconds)
    assert told[-1] == 0


def test_a_called_playbook_sees_what_its_caller_passes_on(tmp_path: Path) -> None:
    bank = make_bank(
        tmp_path / "calls",
        "  - {id: each, phase: preservation, kind: call, call: inner, with: {server: $host, mode: fast},"
        " after: [begin], title: each}\n",
    )
    inner = """
playbook: inner
version: 1.0.0
title: inner
reviewed: 2026-11-01
priority: 9
variables: {server: {type: text}, mode: {type: text, default: slow}}
steps:
  - {id: save, phase: preservation, kind: action, use: command.run, target: append, params: {name: $server},
     on_crash: idempotent, after: [], title: save}
"""
    (bank / "playbooks" / "inner.yaml").write_text(inner, encoding="utf-8")
    scene = Scene(bank)
    incident = scene.declare()
    scene.begin(incident, host="srv-07")
    state = scene.house.desk.incident(incident)
    world = scene.house.desk.world(state)
    planned = world.step(state, f"{PLAYBOOK}/each/save")
    assert planned is not None
    assert variables_of(state, world, planned) == {"server": "srv-07", "mode": "fast"}
    scene.house.record.close()


async def test_a_busy_record_is_tried_again_and_then_told(
    place: Place, incident: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.place.BUSY_SECONDS", 0.001)
    tries = []

    def busy(stream: str, command: object, *, guard: object) -> object:
        tries.append(stream)
        raise RecordBusy("held")

    monkeypatch.setattr(place.desk, "handle", busy)
    with pytest.raises(RecordBusy):
        await place.handle(incident, Reclaim(actor=ACTOR, node="conductor", epoch=1))
    assert len(tries) == 5


async def test_what_comes_at_one_moment_is_stored_in_one_transaction(
    scene: Scene, place: Place, incident: str, attempt: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions: list[int] = []
    begin = place.house.record.begin

    def counted() -> AbstractContextManager[Tx]:
        transactions.append(1)
        return begin()

    monkeypatch.setattr(place.house.record, "begin", counted)
    names = ("plain", "looked", "asked")
    claimed = await asyncio.gather(*(attempt(name)._claim() for name in names))
    assert claimed == [True, True, True]
    assert len(transactions) == 1
    assert [fact.data["step"] for fact in scene.facts(incident, "step.started")] == [
        f"{PLAYBOOK}/{name}" for name in names
    ]


async def test_one_that_is_refused_does_not_hold_up_those_it_came_with(
    scene: Scene, place: Place, incident: str, attempt: Make
) -> None:
    def claim(name: str, epoch: int) -> ClaimStep:
        return ClaimStep(actor=ACTOR, step=f"{PLAYBOOK}/{name}", node="conductor", epoch=epoch, lease=60)

    first, second, third = await asyncio.gather(
        *(place.handle(incident, claim(*each)) for each in (("plain", 1), ("plain", 2), ("asked", 1)))
    )
    assert (first.accepted, second.accepted, third.accepted) == (True, False, True)
    assert scene.step(incident, "plain").epoch == 1
    # Refused by the desk itself, which records it.
    assert [fact.data["command"] for fact in scene.facts("house", "refused")] == ["ClaimStep"]


async def test_if_they_cannot_be_stored_together_each_is_stored_alone(
    scene: Scene, place: Place, incident: str, attempt: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle_in = place.desk.handle_in
    failures = iter([RecordBusy("held")])

    def fails_once(tx: Tx, stream: str | None, command: Command) -> Outcome:
        for failure in failures:
            raise failure
        return handle_in(tx, stream, command)

    monkeypatch.setattr(place.desk, "handle_in", fails_once)
    claimed = await asyncio.gather(*(attempt(name)._claim() for name in ("plain", "asked")))
    assert claimed == [True, True]
    assert len(scene.facts(incident, "step.started")) == 2
