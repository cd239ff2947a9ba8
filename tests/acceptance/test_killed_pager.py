"""The real pager killed with SIGKILL at each of its named points, and started again: no page is lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Of now: what happened longer ago than a week is only kept.
ALERT = re.sub(
    rb"2026-11-22T17:58:43",
    f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}".encode(),
    (ROOT / "examples" / "alerts" / "wazuh-ransomware.json").read_bytes(),
)
SECRET = "of-this-test-only"  # noqa: S105 - opens nothing but this test's own pager
PATIENCE = 20.0
AROUND_SENDING = ["outbox-written", "claimed-outbox", "sent-not-marked"]
LONGER = [
    pytest.param(one, marks=pytest.mark.slow)
    for one in ("facts-written", "before-commit:3", "after-commit:3")
]
"""`:3` because the pager itself writes that it has started before the alert comes."""


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """The example bank, everybody reached by the file channel, which can be read back."""
    folder = tmp_path / "bank"
    shutil.copytree(ROOT / "examples" / "mihon-bank", folder, ignore=shutil.ignore_patterns("var"))
    people = (folder / "organisation.yaml").read_text(encoding="utf-8")
    (folder / "organisation.yaml").write_text(
        people.replace("channels: [console, file]", "channels: [file]"), encoding="utf-8"
    )
    return folder


@contextmanager
def pager(bank: Path, crash_at: str = "") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A pager process and its port; killed at the end of the block if it still lives."""
    environment = os.environ | {
        "HIKESHI_DIR": str(bank),
        "HIKESHI_WAZUH_SECRET": SECRET,
        "HIKESHI_EDR_SECRET": SECRET,
        "HIKESHI_CRASH_AT": crash_at,
        "PYTHONPATH": str(ROOT),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "console.node", "0"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = 0
            for line in process.stdout:
                if line.startswith("hikeshi-node-ready"):
                    port = int(line.split()[1])
                    break
            yield process, port
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def post_alert(port: int) -> int:
    """Send the alert; the status, or 0 if the pager died over it."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/alerts/wazuh",
        data=ALERT,
        headers={"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return int(answer.status)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0


def messages(bank: Path) -> list[dict[str, object]]:
    """What the file channel has delivered; a line that the killed pager left torn counts as absent."""
    path = bank / "var" / "messages.jsonl"
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


def pages(bank: Path) -> list[str]:
    """Keys of the pages delivered for the first incident."""
    return [
        key for key in (str(one["key"]) for one in messages(bank)) if "/0/1/file:" in key and "INC-" in key
    ]


def wait_for_page(bank: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not pages(bank):
        assert time.monotonic() < until, "the page did not arrive"
        time.sleep(0.05)


@pytest.mark.parametrize("point", [*AROUND_SENDING, *LONGER])
def test_a_pager_killed_at_any_point_loses_no_page_and_repeats_none_it_can_look_up(
    bank: Path, point: str
) -> None:
    with pager(bank, point) as (process, port):
        taken = post_alert(port) if port else 0
        assert process.wait(PATIENCE) == -signal.SIGKILL
    with pager(bank) as (_, port):
        # A monitoring tool that got no answer sends again; the same alert opens no second incident.
        if not taken:
            assert post_alert(port) == 202
        wait_for_page(bank)
        time.sleep(0.5)
    keys = pages(bank)
    assert len(keys) == len(set(keys)), "the file channel can be asked: nothing arrives twice"
    assert len({key.split("/")[0] for key in keys}) == 1, "one alert, one incident"
