"""The same flows under a real Prefect server: shown by phase, with states whose names say what is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.conductor import Conductor
from flows.server import PrefectServer, prepare
from models.clock import monotonic
from models.commands import Actor, Decide, Done, RetryStep, SettleStep
from tests.flows.bank import DUTY, LEAD, Scene, action, environment, make_bank, no_step_was_repeated

pytestmark = pytest.mark.prefect
MANUAL = "  - {{id: {id}, phase: {phase}, kind: manual, owner: csirt-duty, after: [{after}], title: {id}}}\n"
STEPS = (
    """
  - {id: tell, phase: communication, kind: notice, owner: csirt-lead, to: [ciso], after: [begin],
     title: 知らせる, draft: "{{ incident.id }}"}
  - {id: choose, phase: containment, kind: decision, authority: ciso, after: [examine], title: 判断,
     options: [{id: cut, title: 遮断}, {id: watch, title: 監視}], otherwise: 広がる}
"""
    + action("copy", phase="preservation", more="timeout: 20s")
    + action("refused", "fail", phase="preservation", more="optional: true")
    + MANUAL.format(id="examine", phase="analysis", after="copy")
    + action("isolate", phase="containment").replace("after: [begin]", "after: [choose]")
    + MANUAL.format(id="clean", phase="eradication", after="isolate")
    + MANUAL.format(id="restore", phase="recovery", after="clean")
    + MANUAL.format(id="look-back", phase="lessons", after="restore")
)
MAX_PHASE_RUNS = 12


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    home = tmp_path_factory.mktemp("prefect")
    prepare(home)
    running = PrefectServer(home)
    running.start()
    assert asyncio.run(running.healthy(90)), running.log.read_text()
    yield running
    asyncio.run(running.stop())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(make_bank(tmp_path / "bank", STEPS))
    yield made
    made.house.record.close()


def conductor_of(scene: Scene, server: PrefectServer, **environ: str) -> Conductor:
    return Conductor(scene.house, scene.house.desk.clock, server.url, environ=environment(**environ))


def read(server: PrefectServer, kind: str, incident: str) -> list[dict[str, Any]]:
    """All runs of a kind for an incident of this test, as the API tells them."""
    answer = httpx.post(f"{server.url}/{kind}/filter", json={}, trust_env=False, timeout=10)
    # Each test has a record of its own that numbers from 1, on the same server.
    return [
        one for one in answer.raise_for_status().json() if incident in one["tags"] and one["id"] not in SEEN
    ]


SEEN: set[str] = set()


@pytest.fixture(autouse=True)
def only_own_runs(server: PrefectServer) -> None:
    for kind in ("flow_runs", "task_runs"):
        answer = httpx.post(f"{server.url}/{kind}/filter", json={}, trust_env=False, timeout=10)
        SEEN.update(one["id"] for one in answer.raise_for_status().json())


def accept(scene: Scene, incident: str, *commands: Any) -> None:
    for command in commands:
        outcome = scene.house.desk.handle(incident, command)
        assert outcome.accepted, (command, outcome.refused, outcome.detail)


def ciso_of(scene: Scene) -> Actor:
    name = next(one.id for one in scene.house.institution.organisation.people if "ciso" in one.roles)
    return Actor(person=name, name=name, via="test")


async def test_an_incident_from_begin_to_end(scene: Scene, server: PrefectServer) -> None:
    incident = scene.declare()
    conductor = conductor_of(scene, server)
    try:
        # 1: triage is over; evidence is collected, the notice drafted.
        scene.begin(incident)
        assert await conductor.settle(90) == 1
        assert scene.statuses(incident)["copy"] == "done"
        assert scene.statuses(incident)["refused"] == "failed"
        first = {run["name"]: run["state"]["name"] for run in read(server, "flow_runs", incident)}
        assert first == {
            incident: "AwaitingPeople",
            f"{incident} triage": "PhaseEnded",
            f"{incident} preservation": "AwaitingPeople",
            f"{incident} communication": "AwaitingPeople",
        }
        # 2: analysed and decided; the machine isolates.
        accept(
            scene,
            incident,
            SettleStep(actor=LEAD, step="refused", how="skipped", reason="不要"),
            Done(actor=DUTY, step="examine"),
            Decide(actor=ciso_of(scene), step="choose", choice="cut", reason="広がる前に"),
        )
        assert await conductor.settle(90) == 1
        assert scene.statuses(incident)["isolate"] == "done"
        # 3: all the rest by people, and one look at the end.
        accept(
            scene,
            incident,
            Done(actor=LEAD, step="tell"),
            *(Done(actor=DUTY, step=name) for name in ("clean", "restore", "look-back")),
        )
        assert await conductor.settle(90) == 1
        assert await conductor.settle(90) == 0
        await tasks_are_told(server, incident)
    finally:
        await conductor.close()
    runs = read(server, "flow_runs", incident)
    names = [run["name"] for run in runs]
    assert names.count(incident) == 3
    assert {name.removeprefix(f"{incident} ") for name in names} - {incident} == {
        "triage", "preservation", "analysis", "containment", "eradication", "recovery", "lessons",
        "communication",
    }  # fmt: skip
    assert {run["state"]["type"] for run in runs} == {"COMPLETED"}
    assert {fact.data["engine"] for fact in scene.facts(incident, "step.done") if "engine" in fact.data} == {
        "prefect"
    }
    no_step_was_repeated(scene.facts(incident))
    assert scene.runs() == {"copy": 1, "refused": 1, "isolate": 1}
    assert len(scene.facts(incident, "review.drafted")) == 1
    assert "prefect" not in scene.house.desk.incident(incident).impaired
    assert len(runs) - names.count(incident) <= MAX_PHASE_RUNS, names


async def tasks_are_told(server: PrefectServer, incident: str) -> None:
    """Tasks are recorded from events, a little later; each step is one, with its outcome."""
    until = monotonic() + 20
    expected = {"machine/copy": "Completed", "machine/refused": "Failed", "machine/isolate": "Completed"}
    while True:
        tasks = read(server, "task_runs", incident)
        found = {task["name"].rsplit("-", 1)[0]: task["state_name"] for task in tasks}
        if expected.items() <= found.items():
            break
        assert monotonic() < until, found
        await asyncio.sleep(0.3)
    copied = next(task for task in tasks if task["name"].startswith("machine/copy"))
    assert {incident, "phase:preservation", "playbook:machine"} <= set(copied["tags"])


async def test_the_steps_of_a_phase_are_shown_as_a_table(scene: Scene, server: PrefectServer) -> None:
    incident = scene.declare()
    scene.begin(incident)
    conductor = conductor_of(scene, server)
    try:
        await conductor.settle(90)
    finally:
        await conductor.close()
    answer = httpx.post(f"{server.url}/artifacts/filter", json={}, trust_env=False, timeout=10)
    data = {one["key"]: one["data"] for one in answer.raise_for_status().json()}
    assert '"phase:triage"' in data[f"{incident.lower()}-clocks"]
    assert '"machine/copy"' in data[f"{incident.lower()}-preservation"]
    assert '試験"' not in str(data)


async def test_a_child_killed_under_prefect_is_followed_by_one_without(
    scene: Scene, server: PrefectServer
) -> None:
    incident = scene.declare()
    scene.begin(incident)
    conductor = conductor_of(scene, server, HIKESHI_CRASH_AT="acted")
    settling = asyncio.create_task(conductor.settle(60))
    until = monotonic() + 40
    while len(scene.facts(incident, "step.started")) < 2:
        assert monotonic() < until
        await asyncio.sleep(0.05)
    settling.cancel()
    await asyncio.gather(settling, return_exceptions=True)
    await conductor.close()
    again = conductor_of(scene, server)
    try:
        await again.settle(90)
    finally:
        await again.close()
    assert scene.statuses(incident)["copy"] == "done"
    no_step_was_repeated(scene.facts(incident))


async def test_a_step_that_a_person_has_run_again_is_run_by_the_next_flow(
    scene: Scene, server: PrefectServer
) -> None:
    incident = scene.declare()
    scene.begin(incident)
    conductor = conductor_of(scene, server)
    try:
        await conductor.settle(90)
        accept(scene, incident, RetryStep(actor=DUTY, step="refused", how="again", reason="直した"))
        assert await conductor.settle(90) == 1
    finally:
        await conductor.close()
    assert scene.runs()["refused"] == 2
    assert scene.step(incident, "refused").attempt == 2


async def well_but_hung(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says that it is well, and never answers anything else."""
    line = await reader.readline()
    if b"/health" in line:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntrue")
        await writer.drain()
    else:
        await reader.read()
    writer.close()


async def test_an_api_that_hangs_after_its_health_check_costs_one_wait(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.children.START_SECONDS", 10.0)
    incident = scene.declare()
    scene.begin(incident)
    listener = await asyncio.start_server(well_but_hung, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/api"
    conductor = Conductor(
        scene.house, scene.house.desk.clock, url, patience_seconds=5.0, environ=environment()
    )
    try:
        assert await conductor.settle(60) == 1
        impaired = scene.house.desk.incident(incident).impaired["prefect"]
        assert impaired.startswith("a run with it failed: ")
        begun = monotonic()
        scene.begin(second := scene.declare())
        assert await conductor.settle(60) == 1
        # It is left alone for a while, although it still says that it is well.
        assert monotonic() - begun < 5
    finally:
        await conductor.close()
        listener.close()
    for name in (incident, second):
        engines = {f.data["engine"] for f in scene.facts(name, "step.done") if "engine" in f.data}
        assert engines == {"none"}
        assert scene.statuses(name)["copy"] == "done"
        no_step_was_repeated(scene.facts(name))
    assert scene.runs()["copy"] == 2
