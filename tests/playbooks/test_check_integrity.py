"""Places for checkpoints that cannot be reached are named by `hikeshi check`."""

from __future__ import annotations

from pathlib import Path

from tests.playbooks.test_check import bank, edit, errors, warnings

__all__ = ["bank"]
SETTINGS = """data = "var"
[integrity.mail]
to = ["aoki", "nobody"]
[integrity.timestamp]
url = "http://tsa.example.jp/"
certificate = "tsa.pem"
"""


def test_a_record_that_several_machines_have_wants_one_signing_key(bank: Path) -> None:
    edit(bank, "settings.toml", 'data = "var"', 'data = "var"\ndatabase = "postgresql+psycopg://h@db/h"')
    assert any("signing key of its own" in line for line in warnings(bank))
    edit(bank, "settings.toml", 'data = "var"', 'data = "var"\nsigning_key = "env:KEY"')
    assert not any("signing key of its own" in line for line in warnings(bank))


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
