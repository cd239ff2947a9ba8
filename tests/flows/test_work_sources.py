"""A collector as a step: sources that cannot be reached, what was kept, and a step that succeeds at last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.place import Place, RunClock
from flows.work import Attempt, Run
from models.clock import SystemClock
from models.commands import RetryStep
from models.errors import SourceUnreachable
from models.sources import missing_sources
from tests.flows.bank import DUTY, PLAYBOOK, Scene, action, make_bank
from tests.flows.sshserver import USER, SshHost

STEP = (
    action("logs", "web1", more="preserves: [auth-logs], volatility: 4, retries: 1, timeout: 20s")
    .replace("use: command.run", "use: ssh.collect")
    .replace("params: {name: logs}, ", "")
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SshHost]:
    with SshHost(tmp_path / "host") as made:
        (made.folder / "auth.log").write_bytes(b"Nov 23 03:00:00 web1 sshd: accepted\n")
        yield made


@pytest.fixture
def scene(tmp_path: Path, host: SshHost) -> Iterator[Scene]:
    target = f"""
  web1:
    kind: ssh
    host: 127.0.0.1
    port: {host.port}
    user: {USER}
    key: file:key
    host_keys: ["{host.pin}"]
    paths: [/*.log]
"""
    made = Scene(make_bank(tmp_path / "bank", STEP, target), SystemClock())
    yield made
    made.house.record.close()


def attempt(scene: Scene, host: SshHost, incident: str) -> Attempt:
    place = Place(house=scene.house, clock=RunClock(), secret=host.secret)
    state = scene.house.desk.incident(incident)
    planned = scene.house.desk.world(state).step(state, f"{PLAYBOOK}/logs")
    assert planned is not None
    return Attempt(Run(place=place, incident=incident, node="n", epoch=1), planned, state.steps[planned.key])


async def test_a_source_that_breaks_off_is_retried_then_told_and_what_came_is_kept(
    scene: Scene, host: SshHost
) -> None:
    (host.folder / "b.log").write_bytes(b"y" * 9_000_000)

    def cut(made: SshHost, offset: int) -> None:
        if offset > 3_000_000:
            made.drop()

    host.on_read = cut
    incident = scene.declare()
    scene.begin(incident)
    run = attempt(scene, host, incident)
    for _ in range(2):
        with pytest.raises(SourceUnreachable):
            await run()
    state = scene.house.desk.incident(incident)
    items = list(state.evidence.values())
    assert [(item.source, item.partial) for item in items] == [("auth-logs", True)] * 4
    assert items[2].duplicate_of == items[0].id, "the whole file came twice, and lies there once"
    assert [fact.data["target"] for fact in scene.facts(incident, "source.unreachable")] == ["web1"]
    [page] = [one for one in state.pages.values() if one.event == "source-unreachable"]
    assert (page.subject, page.route) == (f"step:{PLAYBOOK}/logs", "step-overdue")

    host.on_read = None
    retry = RetryStep(actor=DUTY, step="logs", how="again", reason="回線復旧")
    assert scene.house.desk.handle(incident, retry).accepted
    assert await attempt(scene, host, incident)() == "done"
    state = scene.house.desk.incident(incident)
    whole = [item for item in state.evidence.values() if not item.partial]
    assert len(whole) == 2
    texts = scene.texts(incident)
    words = {name: texts[digest] for name, digest in whole[0].words.items()}
    assert (words["host"], words["tool"]) == (f"127.0.0.1:{host.port}", "ssh.collect (SFTP)")
    assert (whole[0].volatility, whole[0].clock_offset_ms is not None) == (4, True)
    assert missing_sources(state) == []
    assert state.pages[page.id].state == "stopped"
