"""`make demo`, played for real: real Prefect server, real pages, and few enough flow runs to be quick."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FLOW_RUNS = 12


@pytest.mark.prefect
@pytest.mark.timeout(300)
def test_the_demo_plays_an_incident_from_the_alert_to_its_lessons(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HIKESHI_LANG": "en", "COLUMNS": "400"}
    for name in ("HIKESHI_ENGINE", "HIKESHI_DIR"):
        environment.pop(name, None)
    played = subprocess.run(
        [sys.executable, "-m", "console.demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr[-2000:]
    runs = re.search(r"\((\d+) flow runs", played.stdout)
    assert runs is not None
    assert 0 < int(runs.group(1)) <= MAX_FLOW_RUNS
    for said in (
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
        assert said in played.stdout
    assert "not met here" not in played.stdout, "every gate of the guideline is passed"
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
