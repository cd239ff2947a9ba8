"""The flow of an incident on a Prefect worker, from the installed wheel, on a server with PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flows import pulse, turns
from flows.conductor import Conductor
from flows.workers import workers_of
from models import lease
from models.clock import monotonic
from models.errors import Superseded
from models.installation import FlowsSettings
from models.lease import Life
from models.restriction import Restrict
from tests.flows.bank import LEAD, Scene, action, environment, make_bank, no_step_was_repeated
from tests.flows.prefectpool import Pool
from tests.postgres import Postgres

pytestmark = pytest.mark.prefect
ROOT = Path(__file__).resolve().parents[2]
UNTIL_TOLD = """
  append-until-told:
    kind: command
    argv: [sh, -c, 'echo "$0" >> runs.txt; while [ ! -e go ]; do sleep 0.2; done', "{name}"]
    parameters: {name: {type: text}}
"""
STEPS = (
    action("again")
    + action("slow", "append-until-told", more="timeout: 50s")
    + action("looked", "append-until-told", on_crash="probe", more="timeout: 50s")
    + action("asked", "append-until-told", on_crash="ask", more="timeout: 50s")
)


def install(folder: Path) -> str:
    """Build the wheel, install it where there is no checkout, and return that environment's interpreter."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in ("console", "flows", "models", "notifiers", "playbooks", "requirements"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "prefect.yaml"):
        shutil.copy2(ROOT / name, source / name)
    pip = ["-m", "pip", "--disable-pip-version-check", "-q"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    _run(sys.executable, *build)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    packages = next((folder / "venv").glob("lib/python3*/site-packages"))
    # What it depends on lies there already: nothing is downloaded.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = str(folder / "venv" / "bin" / "python")
    _run(
        sys.executable,
        "-m",
        "pip",
        "-q",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        str(wheel),
    )
    where = _run(python, "-c", "import flows; print(flows.__file__)")
    assert Path(where.strip()).is_relative_to(folder)
    return python


def _run(*argv: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(  # noqa: S603 - our own interpreter
        argv, env=kept, cwd="/", capture_output=True, text=True, check=False, timeout=170
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def scene(tmp_path: Path, postgres: Postgres) -> Iterator[Scene]:
    bank = make_bank(tmp_path / "bank", STEPS, UNTIL_TOLD)
    with (bank / "settings.toml").open("a") as file:
        file.write(f'\ndatabase = "{postgres.database()}"\n[flows]\non = "workers"\n')
    made = Scene(bank)
    yield made
    made.house.record.close()


@pytest.fixture
def pool(tmp_path: Path, scene: Scene, postgres: Postgres) -> Iterator[Pool]:
    made = Pool(tmp_path, postgres.database(), scene.directory, install(tmp_path / "installed"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@asynccontextmanager
async def conducting(scene: Scene, url: str) -> AsyncIterator[Conductor]:
    workers = workers_of(scene.house, url, {})
    assert workers is not None
    made = Conductor(scene.house, scene.house.desk.clock, url, environ=environment(), workers=workers)
    stop = asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    try:
        yield made
    finally:
        stop.set()
        await running


async def until(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "waited in vain"
        await asyncio.sleep(0.1)


def engines(scene: Scene, incident: str) -> dict[str, str]:
    """By which engine each step was done."""
    facts = scene.facts(incident, "step.done")
    return {f.data["step"].split("/")[1]: f.data["engine"] for f in facts if "engine" in f.data}


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_worker_runs_the_flow_and_when_it_dies_the_incident_goes_on(
    scene: Scene, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("flows.api.ANSWER_SECONDS", "flows.server.PROBE_SECONDS"):
        monkeypatch.setattr(limit, 10.0)  # a machine that is busy with other tests is not what is tried
    incident = scene.declare()
    async with conducting(scene, pool.url):
        # 1: an incident that only some may know of, run by a worker to its end.
        (scene.directory / "go").touch()
        secret = scene.declare()
        assert scene.house.desk.handle(
            secret, Restrict(actor=LEAD, people=("suzuki-daichi",), reason="内部者")
        ).accepted
        scene.begin(secret)
        await until(lambda: not scene.wanted(secret) and scene.statuses(secret)["slow"] == "done")
        assert engines(scene, secret) == dict.fromkeys(("again", "slow", "looked", "asked"), "prefect")
        told = str(pool.runs())
        assert secret not in told
        assert "restricted-" in told
        # 2: another, whose worker is killed in the middle of a step of each class.
        (scene.directory / "go").unlink()
        (scene.directory / "runs.txt").unlink()
        scene.begin(incident)
        await until(lambda: all(scene.runs()[one] for one in ("slow", "looked", "asked")))
        await until(lambda: scene.statuses(incident)["again"] == "done")
        pool.worker.kill()
        await until(lambda: scene.runs()["slow"] == 2)
        (scene.directory / "go").touch()
        await until(lambda: not scene.wanted(incident))
    assert scene.runs() == {"again": 1, "slow": 2, "looked": 1, "asked": 1}
    assert scene.step(incident, "asked").status == "unknown"
    assert engines(scene, incident) == {"again": "prefect", "slow": "none", "looked": "none"}
    why = [fact.data["detail"] for fact in scene.facts(incident, "machine.impaired")]
    assert why == ["a run with it failed: GivenUp a run on a worker gave no sign of life"]
    no_step_was_repeated(scene.facts(incident))


async def test_what_workers_lack_is_said_and_a_child_does_it(scene: Scene) -> None:
    assert FlowsSettings(on="workers").pool == "hikeshi"
    incident = scene.declare()
    (scene.directory / "go").touch()
    scene.begin(incident)

    async def empty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A Prefect that is well, and has no such work pool."""
        line = await reader.readline()
        status, body = ("200 OK", b"true") if b"/health" in line else ("404 Not Found", b"{}")
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(empty, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/api"
    async with conducting(scene, url):
        await until(lambda: not scene.wanted(incident) and scene.statuses(incident)["slow"] == "done")
    listener.close()
    assert set(engines(scene, incident).values()) == {"none"}
    why = scene.house.desk.incident(incident).impaired["prefect"]
    assert why == "it has no work pool hikeshi or no deployment respond/hikeshi"


async def test_who_was_away_for_too_long_takes_no_pulse_from_another(scene: Scene) -> None:
    house, incident = scene.house, scene.declare()
    asked: list[bytes] = []

    async def prefect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{"id": 7}')
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(prefect, "127.0.0.1", 0)
    workers = workers_of(house, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/api", {})
    assert workers is not None
    ours = Life(node="conductor@b", epoch=1)
    with house.record.begin() as tx:
        assert turns.hold(tx, incident, ours, house.wall.now())
        pulse.announce(tx, incident, ours, house.wall.now(), 60.0)
    frozen = await workers.take(engine=True)
    with pytest.raises(Superseded, match="taken over by conductor@b"):
        await frozen.run({"incident": incident, "node": "conductor@a", "epoch": 1}, 60.0)
    listener.close()
    assert not any(b"create_flow_run" in one for one in asked)
    with house.record.begin() as tx:
        assert lease.renew(tx, f"flow {incident}", ours, house.wall.now()), "it is still that of the other"
