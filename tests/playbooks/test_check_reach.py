"""`hikeshi check` on how people are reached by severity."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from playbooks.check import check

BASE = Path(__file__).parents[2] / "examples" / "defects" / "base"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
GOOD = "{at_least: high, channels: [{channel: console}, {channel: file, after: 2m}]}"
QUIET = '{from: "22:00", until: "07:00", except_at_least: high}'


@pytest.mark.parametrize(
    ("sentence", "reach", "severity", "told"),
    [
        ("a rule that fits", GOOD, "", ""),
        ("with quiet hours", f"{{channels: [{{channel: console, quiet: true}}], quiet: {QUIET}}}", "", ""),
        ("a severity by another name", GOOD.replace("high", "hihg"), "error", "'hihg' is no severity"),
        (
            "one of a list",
            "{severities: [low, huge], channels: [{channel: console}]}",
            "error",
            "'huge' is no",
        ),
        (
            "quiet hours with an exception that nothing reaches",
            f"{{channels: [{{channel: console}}], quiet: {QUIET.replace('high', 'grave')}}}",
            "error",
            "'grave' is no severity",
        ),
        ("a channel without address", "{channels: [{channel: email}]}", "error", "no address on it"),
        ("later than the next level", GOOD.replace("2m", "9h"), "warning", "before this channel is tried"),
        ("the first with a delay", "{channels: [{channel: file, after: 2m}]}", "error", "goes at once"),
        (
            "delays that fall",
            "{channels: [{channel: console}, {channel: file, after: 5m}, {channel: email, after: 2m}]}",
            "error",
            "may only grow",
        ),
        ("one twice", "{channels: [{channel: file}, {channel: file, after: 2m}]}", "error", "named once"),
        (
            "a zone that is none",
            f"{{channels: [{{channel: console}}], quiet: {QUIET[:-1]}, zone: Asia/Edo}}}}",
            "error",
            "no time zone",
        ),
    ],
)
def test_what_does_not_fit_is_told(
    tmp_path: Path, sentence: str, reach: str, severity: str, told: str
) -> None:
    bank = Path(shutil.copytree(BASE, tmp_path / "bank"))
    file = bank / "organisation.yaml"
    text = file.read_text()
    assert "    account: aoki\n" in text
    file.write_text(text.replace("    account: aoki\n", f"    account: aoki\n    reach: [{reach}]\n", 1))
    before = set(map(str, check(BASE, NOW)))
    found = [one for one in check(bank, NOW) if str(one).replace(str(bank), str(BASE)) not in before]
    mine = [(one.severity, str(one)) for one in found if ": people[" in str(one) or "reach" in str(one)]
    assert [kind for kind, _ in mine] == ([severity] if severity else []), (sentence, mine)
    assert all(told in text for _, text in mine), mine
