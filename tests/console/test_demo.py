"""`make demo`, played for real: real Prefect server, real pages, and few enough flow runs to be quick."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FLOW_RUNS = 12


class Playing:
    """A demo that is left up: what it says, until somebody presses Ctrl-C."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.said = folder / "said.txt"
        self._file = self.said.open("wb")
        self.process = subprocess.Popen(  # noqa: S603 - our own module
            command, cwd=folder, env=environment, stdout=self._file, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> Playing:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        self._file.close()

    def until(self, word: str) -> str:
        """All it has said when it has said this."""
        end = time.monotonic() + 240
        while word not in (said := self.said.read_text(encoding="utf-8", errors="replace")):
            assert self.process.poll() is None, said[-2000:]
            assert time.monotonic() < end, said[-2000:]
            time.sleep(0.2)
        return said

    def leave(self) -> None:
        """Ctrl-C: it ends in order."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0, self.said.read_text(encoding="utf-8")[-2000:]


def look_around(said: str) -> None:
    """The board and the finished incident, by the link that works once."""
    link = re.search(r"http://127.0.0.1:\d+/login/once/\S+", said)
    shown = re.search(r"http://127.0.0.1:\d+/incidents/INC-2026-0001", said)
    assert link is not None and shown is not None, said[-2000:]
    base = link[0].partition("/login")[0]
    browser = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
    )
    offered = browser.open(link[0], timeout=20).read().decode()
    fields = dict(re.findall(r'<input type="hidden" name="([a-z]+)" value="([^"]*)"', offered))
    form = urllib.parse.urlencode(fields).encode()
    sent = urllib.request.Request(link[0], form, {"Origin": base})  # noqa: S310 - the demo's own loopback
    board = browser.open(sent, timeout=20).read().decode()
    assert "佐藤 健二" in board and "/logout" in board
    incident = browser.open(shown[0], timeout=20).read().decode()
    assert "INC-2026-0001" in incident and "/logout" in incident


@pytest.mark.prefect
@pytest.mark.timeout(300)
def test_the_demo_plays_an_incident_from_the_alert_to_its_lessons(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HIKESHI_LANG": "en", "COLUMNS": "400"}
    for name in ("HIKESHI_ENGINE", "HIKESHI_DIR"):
        environment.pop(name, None)
    environment["KEEP"] = "1"
    with Playing([sys.executable, "-m", "console.demo"], tmp_path, environment) as played:
        said = played.until("Ctrl-C")
        look_around(said)
        played.leave()
    runs = re.search(r"\((\d+) flow runs", said)
    assert runs is not None
    assert 0 < int(runs.group(1)) <= MAX_FLOW_RUNS
    for one in (
        "no acknowledgement",
        "acknowledged on the linked page",
        "GATE OVERRIDDEN",
        "closed. Assessment",
        "50 % of RTO of Core banking is over",
        "WILL NOT BE MET: RTO of Core banking",
        "BROKEN: RTO of Core banking",
        "met: First report, at once on recognition",
        "data loss of Core banking, 8 min from cb-replica-1125, lies within its RPO",
        "RPO BROKEN: data loss of Core banking 2 d 23 h (usable point: core-banking-1120)",
        "REACHED TOO LATE: RTO of Core banking",
        "page about RTO of Core banking (a target will not be met)",
        "page about RPO of Core banking (a target is broken)",
        "Final report, 60 days",
        "OVERRIDDEN by its authority",
        "seen ahead, passed",
        "held, then passed",
        "objects are what they were. Record: verified without Hikeshi",
        "JP-POLICE",
    ):
        assert one in said
    assert "not met here" not in said, "every gate of the guideline is passed"
    out = tmp_path / "demo-out"
    with sqlite3.connect(out / "mihon-bank" / "var" / "hikeshi.db") as record:
        (status,) = record.execute("select status from stream where kind = 'incident'").fetchone()
        waiting = record.execute(
            "select count(*) from outbox where state in ('queued', 'sending')"
        ).fetchone()
    record.close()
    assert (status, waiting) == ("closed", (0,))
    review = (out / "INC-2026-0001.md").read_text(encoding="utf-8")
    assert "IMP-2026-0001-1" in review
    assert "【訓練】" in (out / "console.txt").read_text(encoding="utf-8")
    verified = subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", "INC-2026-0001.zip", "--checkpoint", "kept-elsewhere.json"],
        cwd=out, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout + verified.stderr
