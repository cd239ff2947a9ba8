"""The conductor with real child processes: killed, hung, without Prefect, and nothing lost or repeated."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from flows.children import Children
from flows.conductor import NODE, Conductor
from flows.turns import ACTOR
from flows.wanted import in_hand, note_in_hand
from models.clock import Clock, ExerciseClock, SystemClock, monotonic
from models.commands import Reclaim
from models.desk import HOUSE
from models.node import alive as shows_itself
from models.record import FACT
from models.state import House
from tests.conftest import THREE_AT_NIGHT
from tests.flows.bank import Scene, action, alive, environment, make_bank, no_step_was_repeated

ROOT = Path(__file__).resolve().parents[2]
DRAFT = """
  - {id: tell, phase: communication, kind: notice, owner: csirt-lead, to: [ciso], after: [begin],
     title: 知らせる, draft: "{{ incident.id }}"}
"""
STEPS = (
    DRAFT
    + action("again")
    + action("looked", on_crash="probe")
    + action("asked", on_crash="ask", more="timeout: 20s")
)
SLOW = action("slow", "append-slowly", more="timeout: 50s")


@pytest.fixture
def open_scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    made: list[Scene] = []

    def make(steps: str = STEPS, clock: Clock | None = None) -> Scene:
        made.append(Scene(make_bank(tmp_path / "bank", steps), clock))
        return made[-1]

    yield make
    for scene in made:
        scene.house.record.close()


@pytest.fixture
def scene(open_scene: Callable[..., Scene]) -> Scene:
    return open_scene()


@asynccontextmanager
async def conducting(
    scene: Scene, url: str | None = None, patience: float = 60.0, **environ: str
) -> AsyncIterator[Conductor]:
    """A conductor, closed at the end; `environ` goes to its children."""
    desk = scene.house.desk
    made = Conductor(scene.house, desk.clock, url, patience_seconds=patience, environ=environment(**environ))
    try:
        yield made
    finally:
        pids = made.children.pids
        begun = monotonic()
        await made.close()
        assert monotonic() - begun < 2
        assert [pid for pid in pids if alive(pid)] == []


async def test_what_is_wanted_is_run_once_and_then_nothing_is(scene: Scene) -> None:
    incident = scene.declare()
    scene.begin(incident)
    async with conducting(scene) as conductor:
        assert await conductor.settle(60) == 1
        assert await conductor.settle(60) == 0
        assert (await conductor.settle(60), len(conductor.children.pids)) == (0, 1)
    assert {k: scene.statuses(incident)[k] for k in ("again", "looked", "asked")} == {
        "again": "done",
        "looked": "done",
        "asked": "done",
    }
    assert scene.runs() == {"again": 1, "looked": 1, "asked": 1}
    assert scene.document(scene.step(incident, "tell").drafted)["ja"] == incident
    assert not scene.wanted(incident)


async def test_several_incidents_are_run_by_at_most_two_children(scene: Scene) -> None:
    incidents = [scene.declare() for _ in range(4)]
    for incident in incidents:
        scene.begin(incident)
    async with conducting(scene) as conductor:
        assert await conductor.settle(90) == 4
        assert len(conductor.children.pids) == 2
    assert scene.runs()["again"] == 4


async def test_a_run_on_an_exercise_clock_lives_in_its_time(open_scene: Callable[..., Scene]) -> None:
    scene = open_scene(STEPS, ExerciseClock(THREE_AT_NIGHT))
    incident = scene.declare()
    scene.begin(incident)
    async with conducting(scene) as conductor:
        await conductor.settle(60)
    assert {fact.recorded_at for fact in scene.facts(incident)} == {THREE_AT_NIGHT}
    assert scene.step(incident, "again").status == "done"


def crash_points() -> list[str]:
    """Every point that the flows name."""
    found: set[str] = set()
    for file in (ROOT / "flows").glob("*.py"):
        found |= set(re.findall(r'crash_point\("([a-z-]+)"\)', file.read_text(encoding="utf-8")))
    return sorted(found)


def test_the_flows_name_their_crash_points() -> None:
    assert crash_points() == ["acted", "claimed", "drafted", "finished"]


@pytest.mark.parametrize("point", [*crash_points(), "facts-written", "before-commit", "after-commit"])
async def test_a_child_killed_at_any_point_loses_and_repeats_nothing(scene: Scene, point: str) -> None:
    incident = scene.declare()
    scene.begin(incident)
    async with conducting(scene, HIKESHI_CRASH_AT=point) as conductor:
        running = asyncio.create_task(conductor.settle(60))
        await until(lambda: bool(conductor._failures))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    # Started again, and this time nothing kills it.
    async with conducting(scene) as conductor:
        await conductor.settle(60)
    statuses = scene.statuses(incident)
    facts = scene.facts(incident)
    no_step_was_repeated(facts)
    assert (statuses["again"], statuses["looked"]) == ("done", "done")
    runs = scene.runs()
    # A probe step looks first, an ask step is never run again by itself.
    assert runs["looked"] == 1
    assert runs["asked"] <= 1
    assert statuses["asked"] in {"done", "unknown"}
    assert runs["again"] >= 1
    assert scene.step(incident, "tell").drafted is not None
    assert len(scene.facts(incident, "notice.drafted")) == 1


async def test_a_child_that_dies_is_replaced_and_its_step_taken_back(
    open_scene: Callable[..., Scene],
) -> None:
    scene = open_scene(SLOW.replace("timeout: 50s", "timeout: 50s, optional: true") + action("again"))
    incident = scene.declare()
    scene.begin(incident)
    async with conducting(scene) as conductor:
        running = asyncio.create_task(conductor.settle(60))
        await until(lambda: scene.runs()["slow"] == 1)
        (child,) = conductor.children.pids
        epoch = conductor.epoch
        os.kill(child, signal.SIGKILL)
        # It takes the step back under a new epoch, and runs it again: the class of the step allows it.
        await until(lambda: scene.runs()["slow"] == 2)
        assert conductor.epoch > epoch
        assert scene.step(incident, "slow").epoch == conductor.epoch
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until it is so."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "waited in vain"
        await asyncio.sleep(0.05)


async def test_a_child_that_is_silent_for_too_long_is_killed_with_what_it_started(
    open_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for the child without Prefect to start on a busy machine: it must not count as silent.
    monkeypatch.setattr("flows.children.START_SECONDS", 15.0)
    scene = open_scene(SLOW)
    incident = scene.declare()
    scene.begin(incident)
    environ = environment(PYTHONPATH=str(scene.directory))
    # A Prefect that hangs at import stands for all that can hang.
    (scene.directory / "prefect").mkdir()
    (scene.directory / "prefect" / "__init__.py").write_text("import time\ntime.sleep(600)\n")
    server = await asyncio.start_server(healthy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    conductor = Conductor(
        scene.house,
        scene.house.desk.clock,
        f"http://127.0.0.1:{port}/api",
        patience_seconds=5.0,
        environ=environ,
    )
    task = asyncio.create_task(conductor.settle(120))
    try:
        await until(lambda: scene.runs()["slow"] == 1, seconds=90)
        assert "failed: Silent" in scene.house.desk.incident(incident).impaired["prefect"]
    finally:
        await conductor.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()
    # The program of the step is gone with the child.
    await until(lambda: not left_over(scene.directory))


def left_over(directory: Path) -> list[str]:
    """Programs of steps that still run in the bank's directory."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(folder / "cwd")) == directory:
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says that all is well, whatever is asked."""
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntrue")
    await writer.drain()
    writer.close()


async def unavailable(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers 503 to everything."""
    await reader.readline()
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def hung(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and never answers."""
    await reader.read()
    writer.close()


@pytest.mark.parametrize("server", [unavailable, hung, None], ids=["503", "hung", "absent"])
async def test_without_an_answer_from_prefect_the_work_goes_on_and_the_record_says_so(
    scene: Scene, server: Callable[..., object] | None
) -> None:
    incident = scene.declare()
    scene.begin(incident)
    listener = await asyncio.start_server(server or hung, "127.0.0.1", 0)  # type: ignore[arg-type]
    port = listener.sockets[0].getsockname()[1]
    if server is None:
        listener.close()
        await listener.wait_closed()
    try:
        async with conducting(scene, f"http://127.0.0.1:{port}/api") as conductor:
            begun = monotonic()
            assert await conductor.settle(60) == 1
            assert monotonic() - begun < 20
    finally:
        listener.close()
    assert scene.statuses(incident)["again"] == "done"
    assert {fact.data["engine"] for fact in scene.facts(incident, "step.done") if "engine" in fact.data} == {
        "none"
    }
    assert scene.house.desk.incident(incident).impaired == {"prefect": "it does not answer"}
    assert impaired(scene) == {"prefect": "it does not answer"}


async def test_when_prefect_answers_again_the_record_says_so(scene: Scene) -> None:
    incident = scene.declare()
    stop = asyncio.Event()
    listener = await asyncio.start_server(unavailable, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with conducting(scene, f"http://127.0.0.1:{port}/api") as conductor:
        running = asyncio.create_task(conductor.run(stop))
        await until(lambda: "prefect" in scene.house.desk.incident(incident).impaired)
        listener.close()
        await listener.wait_closed()
        again = await asyncio.start_server(healthy, "127.0.0.1", port)
        await until(lambda: "prefect" not in scene.house.desk.incident(incident).impaired)
        assert impaired(scene) == {}
        stop.set()
        await running
        again.close()


async def test_a_clean_stop_is_no_sign_of_life_unless_something_is_still_in_hand(scene: Scene) -> None:
    def runs() -> bool:
        with scene.house.record.read() as tx:
            return shows_itself(tx, NODE, scene.house.desk.clock.now(), timedelta(seconds=10))

    stop = asyncio.Event()
    async with conducting(scene) as conductor:
        running = asyncio.create_task(conductor.run(stop))
        await until(runs)
        stop.set()
        await running
    assert not runs()
    # What it was at when it had to stop is taken back by its next life.
    with scene.house.record.begin() as tx:
        note_in_hand(tx, NODE, ("INC-2026-0001",))
    stop.clear()
    async with conducting(scene) as conductor:
        stop.set()
        await conductor.run(stop)
    with scene.house.record.read() as tx:
        assert in_hand(tx, NODE) == ("INC-2026-0001",)


async def test_a_sick_incident_delays_no_other_and_is_told_after_three_failures(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.conductor.BACKOFF_SECONDS", (0.1,))
    sick, sound = scene.declare(), scene.declare()
    for incident in (sick, sound):
        scene.begin(incident)
    damage(scene, sick)
    async with conducting(scene) as conductor:
        running = asyncio.create_task(conductor.settle(60))
        await until(lambda: "flows" in impaired(scene))
        await until(lambda: scene.statuses(sound)["again"] == "done")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert impaired(scene)["flows"].startswith(f"{sick}: ")


async def test_a_directory_that_was_broken_meanwhile_is_read_as_it_last_was(scene: Scene) -> None:
    incident = scene.declare()
    scene.begin(incident)
    file = scene.directory / "targets.yaml"
    whole = file.read_text()
    file.write_text(whole + "\nno-such-key: 1\n")
    async with conducting(scene) as conductor:
        assert await conductor.settle(60) == 1
    assert scene.statuses(incident)["again"] == "done"
    assert impaired(scene) == {}


def impaired(scene: Scene) -> dict[str, str]:
    """What the house says does not work."""
    state = scene.house.desk.state(HOUSE)
    assert isinstance(state, House)
    return state.impaired


def damage(scene: Scene, incident: str) -> None:
    """A fact that this version cannot read, as after going back to an older one."""
    last = scene.facts(incident)[-1]
    unknown = msgspec.structs.replace(last, seq=last.seq + 1, kind="written.by.a.newer.one")
    row = {"stream": incident, "seq": unknown.seq, "kind": unknown.kind, "body": unknown.body(), "hash": b"x"}
    with scene.house.record.begin() as tx:
        tx.connection.execute(FACT.insert().values(row))
    scene.house.desk.forget()


# -- as a process -------------------------------------------------------------------------------------------


def start_process(scene: Scene) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "flows.conductor"],
        env=environment(HIKESHI_DIR=str(scene.directory), PYTHONPATH=str(ROOT)),
        start_new_session=True,
    )


async def test_the_process_killed_in_mid_step_goes_on_where_it_was(open_scene: Callable[..., Scene]) -> None:
    scene = open_scene(
        SLOW + action("again") + action("asked", "append-slowly", on_crash="ask", more="timeout: 50s")
    )
    incident = scene.declare()
    scene.begin(incident)
    first = start_process(scene)
    await until(lambda: scene.runs()["slow"] == 1 and scene.runs()["asked"] == 1)
    await until(lambda: scene.step(incident, "again").status == "done")
    with scene.house.record.read() as tx:
        assert in_hand(tx, NODE) == (incident,)
    children = children_of(first.pid)
    assert len(children) == 1
    first.kill()
    first.wait()
    # A child leaves with its conductor, so that no old one goes on beside the new.
    await until(lambda: not any(alive(pid) for pid in children))
    second = start_process(scene)
    try:
        await until(lambda: scene.runs()["slow"] == 2)
        assert scene.step(incident, "asked").status == "unknown"
        assert scene.runs() == {"slow": 2, "again": 1, "asked": 1}
    finally:
        begun = monotonic()
        second.send_signal(signal.SIGTERM)
        assert second.wait(5) == 0
        assert monotonic() - begun < 2
    no_step_was_repeated(scene.facts(incident))


def children_of(pid: int) -> list[int]:
    return [
        int(one) for file in Path(f"/proc/{pid}/task").glob("*/children") for one in file.read_text().split()
    ]


async def test_the_process_leaves_quickly_and_says_what_is_wrong(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows.conductor"],
        env=environment(HIKESHI_DIR=str(tmp_path), PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert "has no organisation.yaml" in done.stderr


def test_the_conductor_never_imports_prefect() -> None:
    code = "import sys, flows.conductor; sys.exit('prefect' in sys.modules)"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], env=environment(PYTHONPATH=str(ROOT)), timeout=20, check=False
    )
    assert done.returncode == 0


async def test_an_idle_look_costs_no_transaction(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async with conducting(scene) as conductor:
        conductor._register()
        looked = []
        monkeypatch.setattr(conductor, "_start_wanted", lambda: looked.append(1))
        for _ in range(5):
            await conductor._turn()
        assert len(looked) == 1
        # Another process writes; and so does this one, which SQLite would not tell.
        other = Scene.__new__(Scene)
        Scene.__init__(other, scene.directory)
        other.declare()
        await conductor._turn()
        assert len(looked) == 2
        scene.declare()
        await conductor._turn()
        assert len(looked) == 3
        other.house.record.close()


async def test_no_more_children_than_allowed_and_an_idle_one_makes_room(scene: Scene) -> None:
    children = Children(scene.directory, scene.house.data, "http://127.0.0.1:9/api", 1, environment())
    plain = await children.take(engine=False)
    children.give_back(plain)
    with_prefect = await children.take(engine=True)
    assert children.pids == (with_prefect.pid,)
    assert not alive(plain.pid)
    await children.close()
    assert not alive(with_prefect.pid)


def test_reclaiming_twice_changes_nothing(scene: Scene) -> None:
    incident = scene.declare()
    before = len(scene.facts(incident))
    command = Reclaim(actor=ACTOR, node=NODE, epoch=5)
    assert scene.house.desk.handle(incident, command).accepted
    assert len(scene.facts(incident)) == before
    assert isinstance(scene.house.desk.clock, SystemClock)
