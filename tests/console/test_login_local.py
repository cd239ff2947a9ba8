"""Whose process on this machine asks: the owner of the very connection, and of none that looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.requests import Request

from console.web.login import local

FOUR, SIX, MAPPED = "0100007F", "0" * 24 + "01000000", "0000000000000000FFFF00000100007F"
PORT, SERVER = 5_000, 8_410
ESTABLISHED, GONE = "01", "05"


def line(address: str, uid: int, state: str = ESTABLISHED) -> str:
    """A connection as the system lists it."""
    ends = f"{address}:{PORT:04X} {address}:{SERVER:04X}"
    return f"   0: {ends} {state} 00000000:00000000 00:00000000 00000000 {uid} 0 1\n"


def asked(host: str) -> Request:
    scope = {"type": "http", "client": (host, PORT), "server": (host, SERVER), "headers": []}
    return Request(scope)


@pytest.mark.parametrize(
    ("four", "six", "host", "owner"),
    [
        pytest.param(line(FOUR, 1001), "", "127.0.0.1", 1001, id="its own connection"),
        pytest.param(
            line(FOUR, 1001), line(SIX, 1002), "127.0.0.1", 1001, id="the other family has the ports"
        ),
        pytest.param(line(FOUR, 1001), line(SIX, 1002), "::1", 1002, id="and the other way round"),
        pytest.param(line(FOUR, 1001, GONE), line(SIX, 1002), "127.0.0.1", None, id="gone, another has them"),
        pytest.param("", line(MAPPED, 1001), "127.0.0.1", 1001, id="the old family within the new"),
        pytest.param("", line(MAPPED, 1001), "::ffff:127.0.0.1", 1001, id="as the server names that"),
        pytest.param("", "", "127.0.0.1", None, id="nobody's"),
    ],
)
def test_the_owner_of_a_connection_is_of_both_its_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, four: str, six: str, host: str, owner: int | None
) -> None:
    tables = tmp_path / "tcp", tmp_path / "tcp6"
    for path, lines in zip(tables, (four, six), strict=True):
        path.write_text(f"  sl  local_address rem_address\n{lines}", encoding="ascii")
    monkeypatch.setattr(local, "TABLES", tables)
    assert local._owner(asked(host)) == owner
