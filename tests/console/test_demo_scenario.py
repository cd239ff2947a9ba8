"""`make demo SCENARIO=…`, played for real: real Prefect server, a drill's own directory, and its report."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.prefect
@pytest.mark.timeout(600)
def test_the_demo_of_a_scenario_plays_a_drill_to_its_report(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HIKESHI_LANG": "en", "COLUMNS": "400"}
    for name in ("HIKESHI_ENGINE", "HIKESHI_DIR"):
        environment.pop(name, None)
    played = subprocess.run(
        [sys.executable, "-m", "console.demo", "ransomware-night-batch"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    said = played.stdout
    assert played.returncode == 0, said[-2000:] + played.stderr[-2000:]
    for expected in ("STARTEX", "inject: ", "not needed: ", "ENDEX", "The drill has ended."):
        assert expected in said, expected
    runs = re.search(r"Prefect ran (\d+) flows", said)
    assert runs is not None
    assert int(runs.group(1)) > 0
    assert re.search(r"t:[0-9a-f]{64}", said) is None, "a digest where its text belongs"
    assert "代役" not in said, "understudies write in the language of whoever looks on"
    assert "are refused" not in played.stderr
    report = (tmp_path / "demo-out" / "after-action.md").read_text(encoding="utf-8")
    assert "DRL-" in report
    assert (tmp_path / "demo-out" / "drill.zip").stat().st_size > 0
    production = tmp_path / "demo-out" / "mihon-bank" / "var"
    assert not (production / "messages.jsonl").exists(), "production is quiet"


def test_a_scenario_that_does_not_exist_is_refused_with_those_there_are(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HIKESHI_LANG": "en"}
    environment.pop("HIKESHI_DIR", None)
    refused = subprocess.run(
        [sys.executable, "-m", "console.demo", "nothing-of-the-kind"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert refused.returncode == 1
    assert "ransomware-night-batch" in refused.stderr
