"""What Prefect learns of a restricted incident: that there is work, and nothing of what it is about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import artifacts, phase, respond
from flows.engine import task as engine_task
from flows.handles import HANDLE
from flows.place import here
from models.restriction import Restrict
from tests.flows.bank import LEAD, Scene, action, make_bank

WHY = "a matter of one of us"


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made = Scene(make_bank(tmp_path / "bank", action("one", phase="preservation")))
    monkeypatch.setenv("HIKESHI_DIR", str(made.directory))
    here.cache_clear()
    yield made
    here().house.record.close()
    here.cache_clear()
    made.house.record.close()


def restricted(scene: Scene) -> str:
    name = scene.declare()
    scene.begin(name, host="srv-01")
    assert scene.house.desk.handle(name, Restrict(actor=LEAD, people=("kato-hiroshi",), reason=WHY)).accepted
    return name


async def test_its_handle_says_nothing_and_leads_back(scene: Scene) -> None:
    name = restricted(scene)
    handle = here().handle_of(name)
    assert handle.startswith(HANDLE)
    assert name.lower() not in handle
    assert here().incident_of(handle) == name
    assert here().incident_of(f"{HANDLE}0000") == f"{HANDLE}0000"
    assert here().incident_of("INC-2026-0777") == "INC-2026-0777"
    scene.house.desk.handle(name, Restrict(actor=LEAD, lift=True, reason=WHY))
    assert here().handle_of(name) == name
    # A run that began before goes on: its handle still leads to it.
    assert here().incident_of(handle) == name


async def test_the_work_is_done_and_no_name_tag_state_or_artifact_tells(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    async def publish(key: str, rows: list[dict[str, Any]], description: str = "") -> bool:
        seen.append((key, rows, description))
        return True

    def task(**options: Any) -> Any:
        seen.append(options["name"])
        return engine_task(**options)

    monkeypatch.setattr(artifacts, "publish_table", publish)
    monkeypatch.setattr(phase, "task", task)
    name = restricted(scene)
    handle = here().handle_of(name)
    ended = await respond.respond(handle, "conductor", 1)
    assert scene.statuses(name)["one"] == "done"
    state = here().desk.incident(name)
    told = json.dumps([seen, ended.name, ended.message, phase.tags_of(here(), state)], ensure_ascii=False)
    for word in (name, name.lower(), "machine", "one", "試験", "srv-01"):
        assert word not in told.replace(handle, ""), word
    assert phase.tags_of(here(), state) == (handle,)
