"""Places for checkpoints that cannot be reached are named by `hikeshi check`."""

from __future__ import annotations

from pathlib import Path

from tests.playbooks.test_check import bank, edit, errors

__all__ = ["bank"]
SETTINGS = """data = "var"
[integrity.mail]
to = ["aoki", "nobody"]
[integrity.timestamp]
url = "http://tsa.example.jp/"
certificate = "tsa.pem"
"""


def test_what_integrity_names_is_there(bank: Path) -> None:
    edit(bank, "settings.toml", 'data = "var"', SETTINGS)
    found = errors(bank)
    for expected in (
        "checkpoints by mail need a server",
        "'nobody' is no person",
        "aoki has no mailbox",
        "there is no file tsa.pem",
    ):
        assert any(expected in line.replace('"', "'") for line in found), (expected, found)
    assert all("settings.toml" in line for line in found)
    assert len(found) == 4
