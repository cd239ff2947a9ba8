"""`/health` asks whether somebody should look, `/ready` whether traffic may come: each broken for real."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from console.node import Node
from console.opening import open_house
from console.web.prometheus import FAMILIES
from models.clock import monotonic
from models.errors import RecordUnwritable
from playbooks.institution import Institution
from tests.console.webhouse import Web, make_house

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 30.0


@asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[tuple[Node, httpx.AsyncClient]]:
    """A node of the example bank, and who asks it."""
    bank = tmp_path / "bank"
    shutil.copytree(ROOT / "examples" / "mihon-bank", bank, ignore=shutil.ignore_patterns("var"))
    node = Node(open_house(bank), notifiers={}, port=0, conductor_apart=False)
    task = asyncio.create_task(node.run())
    await asyncio.wait_for(node.ready.wait(), LONGEST_SECONDS)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{node.port}", trust_env=False, timeout=LONGEST_SECONDS
    ) as client:
        try:
            yield node, client
        finally:
            node.stop.set()
            await task


async def until(client: httpx.AsyncClient, code: int, path: str = "/ready") -> Any:
    """What is answered once it is with this code."""
    end = monotonic() + LONGEST_SECONDS
    while (answer := await client.get(path)).status_code != code:
        assert monotonic() < end, answer.text
        await asyncio.sleep(0.05)
    return answer.json()


async def test_a_node_is_ready_until_its_record_is_held_or_gone(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, client):
        assert await until(client, 200) == {"ready": True, "why": {}}
        assert (await client.get("/health")).json()["status"] in {"ok", "impaired"}
        file = node.house.data / "hikeshi.db"

        other = sqlite3.connect(file, isolation_level=None)
        other.execute("begin exclusive")
        held = await until(client, 503)
        assert held["why"].keys() <= {"writer", "record"} and held["why"]
        assert (await until(client, 503, "/health"))["status"] == "impaired"
        figures = (await client.get("/metrics")).text
        assert "hikeshi_record_reachable" in figures and "hikeshi_process_cpu_seconds_total" in figures
        other.execute("rollback")
        other.close()
        await until(client, 200)

        away = file.rename(file.with_suffix(".away"))
        assert "is not the file that was opened" in (await until(client, 503))["why"]["record"]
        away.rename(file)
        await until(client, 200)


@pytest.mark.parametrize("part", ["watch", "outbox"])
async def test_a_loop_that_stands_still_keeps_traffic_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr("console.node.STALLED_SECONDS", 2.0)

    async def never(_: Callable[[], Any]) -> Any:
        await asyncio.Event().wait()

    async with running(tmp_path) as (node, client):
        await until(client, 200)
        monkeypatch.setattr(getattr(node, part), "run_in_writer", never)
        assert "has done nothing" in (await until(client, 503))["why"][part]
        assert part in (await until(client, 503, "/health"))["impaired"]


@pytest.fixture
def web(bank: Institution, desk: Any, tmp_path: Path) -> Web:
    return Web(make_house(bank, desk, tmp_path))


async def test_a_node_that_is_impaired_but_writes_takes_traffic(web: Web) -> None:
    web.status |= {"status": "impaired", "impaired": {"channel slack": "ratelimited"}}
    assert (await web.ask("GET", "/health")).status_code == 503
    assert (await web.ask("GET", "/ready")).json() == {"ready": True, "why": {}}


async def test_a_schema_that_this_node_does_not_know_keeps_traffic_away(web: Web) -> None:
    with web.house.record.begin() as tx:
        tx.connection.execute(text("update alembic_version set version_num = '9999'"))
    answer = await web.ask("GET", "/ready")
    assert answer.status_code == 503 and "9999" in answer.json()["why"]["schema"]


async def test_a_record_that_cannot_be_read_is_said_to_programs_as_json(web: Web) -> None:
    web.broken = RecordUnwritable("the record cannot be written: disk full; free space or mend the disk")
    for path, key in (("/ready", "why"), ("/health", "impaired")):
        answer = await web.ask("GET", path)
        assert answer.status_code == 503 and "disk full" in str(answer.json()[key])
    figures = (await web.ask("GET", "/metrics")).text
    assert "\nhikeshi_record_reachable 0\n" in figures
    assert figures.count("# TYPE") == len(FAMILIES)


async def test_figures_are_read_from_elsewhere_with_the_token_alone(
    bank: Institution, desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIKESHI_METRICS_TOKEN", "of-this-test-only")
    settings = {"public_url": "https://hikeshi.example.jp", "metrics": {"token": "env:HIKESHI_METRICS_TOKEN"}}
    web = Web(make_house(bank, desk, tmp_path, **settings))
    for given, code in (
        ("", 404),
        ("Bearer wrong", 404),
        ("Bearer ", 404),
        ("Bearer of-this-test-only", 200),
    ):
        headers = {"Host": "hikeshi.example.jp", "Authorization": given}
        assert (await web.ask("GET", "/metrics", headers=headers)).status_code == code, given
    monkeypatch.delenv("HIKESHI_METRICS_TOKEN")
    closed = Web(make_house(bank, desk, tmp_path, **settings))
    headers = {"Host": "hikeshi.example.jp", "Authorization": "Bearer "}
    assert (await closed.ask("GET", "/metrics", headers=headers)).status_code == 404
    assert "metrics" in (await closed.ask("GET", "/health")).json()["closed_sources"]
