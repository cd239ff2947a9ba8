"""The switch: the same flow with Prefect, without it, and with one that does not fit."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.engine import Ended, NoEngine, Options, certain_failure
from flows.server import PrefectServer, client_environment, prepare
from models.clock import monotonic
from models.errors import ActionFailed, OutcomeUnknown

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import asyncio, json, sys
from flows import engine
from models.errors import ActionFailed, OutcomeUnknown

attempts = {}

@engine.task(name="step", run_name="{step}", timeout_seconds=20, retries=2, tags=("action",))
async def run_step(step: str) -> str:
    attempts[step] = attempts.get(step, 0) + 1
    if step == "fails-once" and attempts[step] == 1:
        raise ActionFailed("refused")
    if step == "unknown":
        raise OutcomeUnknown("the connection broke")
    if step == "slow":
        await asyncio.sleep(60)
    return f"{step} done"

async def outcome(running) -> str:
    try:
        return await running
    except (ActionFailed, TimeoutError) as problem:
        return "TimeoutError" if isinstance(problem, TimeoutError) else type(problem).__name__

@engine.flow(name="containment", run_name="INC-2026-0001 containment", timeout_seconds=60)
async def containment(incident: str) -> engine.Ended:
    results = [await outcome(run_step(step)) for step in ("isolate", "fails-once", "unknown")]
    results.append(await outcome(run_step.with_options(timeout_seconds=0.2)("slow")))
    published = [
        await engine.publish_table("steps", [{"step": "isolate", "state": "done"}], "the steps"),
        await engine.publish_markdown("summary", "# containment"),
        await engine.publish_table("Not A Key", []),
    ]
    print(json.dumps({"results": results, "published": published, "attempts": attempts}))
    return engine.completed("AwaitingDecision", "isolate-segment: CISO")

@engine.flow(name="respond", run_name="INC-2026-0001")
async def respond(incident: str) -> engine.Ended:
    ended = await containment(incident)
    return engine.completed("InProgress", f"containment: {ended.name}")

async def main():
    with engine.with_tags("INC-2026-0001", "drill"):
        ended = await respond("INC-2026-0001")
    print(json.dumps({
        "state": engine.engine_state(), "name": ended.name, "message": ended.message,
        "kind": type(ended).__name__, "prefect": bool(sys.modules.get("prefect")),
        "inner": await run_step.fn("isolate"),
    }))

asyncio.run(main())
"""
RESULTS = ["isolate done", "fails-once done", "OutcomeUnknown", "TimeoutError"]
ATTEMPTS = {"isolate": 1, "fails-once": 2, "unknown": 1, "slow": 1}


def play(before: str = "", **environ: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the script in a process of its own, as the conductor does; what the flow saw, and how it ended."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "HIKESHI_"))
    }
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", before + SCRIPT],
        env={**kept, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen, ended = (json.loads(line) for line in done.stdout.splitlines())
    return seen, ended


def stub_prefect(folder: Path, code: str) -> Mapping[str, str]:
    """An environment in which another `prefect` is found first."""
    (folder / "prefect").mkdir()
    (folder / "prefect" / "__init__.py").write_text(code)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def check_without_engine(seen: dict[str, Any], ended: dict[str, Any]) -> None:
    assert seen == {"results": RESULTS, "published": [False, False, False], "attempts": ATTEMPTS}
    assert (ended["name"], ended["message"]) == ("InProgress", "containment: AwaitingDecision")
    assert (ended["kind"], ended["inner"]) == ("Ended", "isolate done")


def test_switched_off_the_functions_run_alone_and_prefect_is_not_imported() -> None:
    seen, ended = play(HIKESHI_ENGINE="none")
    check_without_engine(seen, ended)
    assert (ended["state"], ended["prefect"]) == ("off", False)


def test_without_prefect_the_functions_run_alone() -> None:
    seen, ended = play("import sys; sys.modules['prefect'] = None\n")
    check_without_engine(seen, ended)
    assert ended["state"] == "absent"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("", "prefect.states", id="an empty package"),
        pytest.param("raise RuntimeError('broken wheel')", "broken wheel", id="one that breaks at import"),
        pytest.param("import no_such_library_at_all", "no_such_library", id="one that lacks a library"),
    ],
)
def test_with_another_prefect_the_functions_run_alone_and_the_state_says_why(
    tmp_path: Path, code: str, expected: str
) -> None:
    seen, ended = play(**stub_prefect(tmp_path, code))
    check_without_engine(seen, ended)
    assert ended["state"].startswith("mismatch: ")
    assert expected in ended["state"]


CHANGED = """
import prefect, prefect.states
def flow(*, name, timeout_seconds=None): raise AssertionError("never reached")
prefect.flow = flow
"""


def test_a_call_that_takes_other_arguments_is_noticed_before_it_is_needed() -> None:
    seen, ended = play(CHANGED)
    check_without_engine(seen, ended)
    assert ended["state"].startswith("mismatch: TypeError: ")
    assert "unexpected keyword argument" in ended["state"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("prefect")
    prepare(home)
    running = PrefectServer(home)
    running.start()
    assert asyncio.run(running.healthy(90)), running.log.read_text()
    yield running
    asyncio.run(running.stop())


def read(server: PrefectServer, kind: str) -> dict[str, dict[str, Any]]:
    """All runs of a kind by name, as the API tells them."""
    answer = httpx.post(f"{server.url}/{kind}/filter", json={}, trust_env=False, timeout=10)
    return {run["name"]: run for run in answer.raise_for_status().json()}


@pytest.mark.prefect
def test_with_prefect_the_flow_shows_by_phase_with_named_states(server: PrefectServer) -> None:
    seen, ended = play(**client_environment(server.home, server.url))
    assert seen == {"results": RESULTS, "published": [True, True, False], "attempts": ATTEMPTS}
    assert ended == {
        "state": "prefect",
        "name": "InProgress",
        "message": "containment: AwaitingDecision",
        "kind": "Ended",
        "prefect": True,
        "inner": "isolate done",
    }
    runs = read(server, "flow_runs")
    phase = runs["INC-2026-0001 containment"]
    assert (phase["state"]["name"], phase["state"]["type"]) == ("AwaitingDecision", "COMPLETED")
    assert phase["state"]["message"] == "isolate-segment: CISO"
    assert set(phase["tags"]) == {"INC-2026-0001", "drill"}
    assert phase["parent_task_run_id"]
    assert runs["INC-2026-0001"]["state"]["name"] == "InProgress"
    artifacts = httpx.post(f"{server.url}/artifacts/filter", json={}, trust_env=False, timeout=10).json()
    assert {(each["key"], each["flow_run_id"]) for each in artifacts} == {
        ("steps", phase["id"]),
        ("summary", phase["id"]),
    }


@pytest.mark.prefect
def test_tasks_arrive_with_their_tags_and_states(server: PrefectServer) -> None:
    play(**client_environment(server.home, server.url))
    until = monotonic() + 15  # tasks are recorded from events, a little later
    while not {"isolate", "unknown", "slow"} <= set(tasks := read(server, "task_runs")):
        assert monotonic() < until, sorted(tasks)
        asyncio.run(asyncio.sleep(0.2))
    states = {name: tasks[name]["state_name"] for name in ("isolate", "unknown", "slow")}
    assert states == {"isolate": "Completed", "unknown": "Failed", "slow": "TimedOut"}
    assert set(tasks["isolate"]["tags"]) == {"INC-2026-0001", "drill", "action"}


async def test_without_an_engine_a_limit_raises_as_it_does_with_one() -> None:
    async def sleep() -> None:
        await asyncio.sleep(60)

    slow = NoEngine().task(sleep, Options(name="slow", timeout_seconds=0.05))
    with pytest.raises(TimeoutError):
        await slow()


async def test_without_an_engine_retries_end_and_the_last_failure_is_told() -> None:
    attempts = []

    async def refuse(step: str) -> str:
        attempts.append(step)
        raise ActionFailed(f"attempt {len(attempts)}")

    task = NoEngine().task(refuse, Options(name="refuse", retries=2))
    with pytest.raises(ActionFailed, match="attempt 3"):
        await task("isolate")
    with pytest.raises(ActionFailed, match="attempt 4"):
        await task.with_options(retries=0)("isolate")
    assert task.with_options(name="other").name == "other"


@pytest.mark.parametrize(
    ("problem", "expected"),
    [(ActionFailed("x"), True), (OutcomeUnknown("x"), False), (TimeoutError(), False), (OSError(), False)],
)
def test_only_what_has_certainly_changed_nothing_is_tried_again(problem: Exception, expected: bool) -> None:
    assert certain_failure(problem) is expected


def test_without_an_engine_a_final_state_is_what_the_caller_gets() -> None:
    ended = Ended(name="AwaitingDecision", message="CISO")
    assert NoEngine().completed(ended) is ended
