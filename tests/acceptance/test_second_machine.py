"""Node 1 pages and is killed; machine 2 restores from the second path, escalates, and takes the ack."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.test_killed_pager import ROOT, messages, pager, post_alert

PATIENCE = 30.0
RUN = "from console.main import run; run()"


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two machines with the same files, paging by the file channel, and the folder between them."""
    vault = tmp_path / "vault"
    vault.mkdir()
    first, second = tmp_path / "first", tmp_path / "second"
    shutil.copytree(ROOT / "examples" / "mihon-bank", first, ignore=shutil.ignore_patterns("var"))
    people = (first / "organisation.yaml").read_text(encoding="utf-8")
    (first / "organisation.yaml").write_text(
        people.replace("channels: [console, file]", "channels: [file]"), encoding="utf-8"
    )
    routes = (first / "routes.yaml").read_text(encoding="utf-8")
    (first / "routes.yaml").write_text(routes.replace("within: 5m", "within: 6s"), encoding="utf-8")
    with (first / "settings.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'\n[[relay]]\nname = "vault"\nkind = "folder"\npath = "{vault}"\n')
    shutil.copytree(first, second)
    return first, second, vault


def hikeshi(bank: Path, *arguments: str, who: str = "sato") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "HIKESHI_DIR": str(bank),
        "HIKESHI_ACCOUNT": who,
        "HIKESHI_LANG": "en",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", RUN, *arguments],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def keys(bank: Path) -> list[str]:
    return [str(one["key"]) for one in messages(bank) if str(one["key"]).startswith("INC-")]


def facts(bank: Path, stream: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(hikeshi(bank, "log", stream, "--json").stdout)
    return found


@pytest.mark.slow
def test_the_escalation_goes_on_on_another_machine(machines: tuple[Path, Path, Path]) -> None:
    first, second, vault = machines
    with pager(first) as (process, port):
        assert post_alert(port) == 202
        until(lambda: [key for key in keys(first) if "/0/1/" in key], "no page from machine 1")
        sent = '"kind":"message.sent"'
        until(
            lambda: sent in "".join(one.read_text(encoding="utf-8") for one in vault.iterdir()),
            "the second path does not say that it was sent",
        )
        process.send_signal(signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL
    before = set(keys(first))
    done = hikeshi(second, "restore", str(vault), "--take-over", "Machine 1 is gone", "--json")
    assert done.returncode == 0, done.stderr
    verified = hikeshi(second, "verify", "--json")
    assert verified.returncode == 0, verified.stdout
    [incident] = {str(key).split("/")[0] for key in before}
    with pager(second) as (_, port):
        until(lambda: [key for key in keys(second) if "/1/1/" in key], "machine 2 does not escalate")
        taken = hikeshi(second, "ack", incident)
        assert taken.returncode == 0, taken.stderr
        # The same alert again is the same matter.
        assert post_alert(port) == 202
    after = facts(second, incident)
    assert [one["seq"] for one in after] == list(range(1, len(after) + 1))
    kinds = [one["kind"] for one in after]
    assert "page.escalated" in kinds and "page.acknowledged" in kinds
    # What was marked as sent is not sent again; nothing that was asked for is lost.
    marked = {str(one["data"]["key"]) for one in after if one["kind"] == "message.sent"}  # type: ignore[index]
    repeated = before & set(keys(second))
    assert not [key for key in repeated if _marked_before_the_restore(key, after, second)]
    assert before | set(keys(second)) >= {key for key in marked if "/file:" in key}
    house = [one["kind"] for one in facts(second, "house")]
    assert "record.restored" in house
    assert json.loads(hikeshi(second, "list", "--all", "--json").stdout)[0]["incident"] == incident
    assert hikeshi(second, "verify").returncode == 0


def _marked_before_the_restore(key: str, after: list[dict[str, object]], bank: Path) -> bool:
    [restored] = [one for one in facts(bank, "house") if one["kind"] == "record.restored"]
    heads = restored["data"]["heads"]  # type: ignore[index]
    return any(
        one["kind"] == "message.sent"
        and one["data"]["key"] == key  # type: ignore[index]
        and int(str(one["seq"])) <= heads[one["stream"]][0]
        for one in after
    )
