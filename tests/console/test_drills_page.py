"""The page for facilitators, typed as it stands: a drill from nothing to its report and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_docs import DOCS, SCRIPT, Reader, free_port

PAGE = DOCS / "drills.md"


@pytest.mark.slow
@pytest.mark.prefect
@pytest.mark.timeout(600)
def test_a_drill_goes_as_its_page_says(tmp_path: Path) -> None:
    reader = Reader(tmp_path, free_port())
    try:
        for found in SCRIPT.finditer(PAGE.read_text(encoding="utf-8")):
            reader.block(found["how"] or "", found["body"])
        said = (tmp_path / "up.log").read_text(encoding="utf-8")
        report = (tmp_path / "report.md").read_text(encoding="utf-8")
    finally:
        reader.stop()
    assert "【訓練】" in said
    assert re.search(r"DRL-\d{4}-0001", report)
    # Whoever does not play is reached nowhere: every message that left went to one of the two, or to nobody.
    shown = set(re.findall(r"^[■□] [^→\n]*→ ([a-z-]+)", said, re.MULTILINE))
    assert shown <= {"sato-kenji", "kato-hiroshi"}, shown
    assert shown
