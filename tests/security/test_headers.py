"""What every answer says to a browser, whatever was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.web.security import HEADERS, HSTS
from models.clock import ExerciseClock
from models.desk import Desk
from models.premises import Premises
from models.record import Record
from playbooks.institution import Institution
from tests.conftest import THREE_AT_NIGHT
from tests.console.webhouse import Web, make_house

ASKED = (
    ("GET", "/"), ("GET", "/login"), ("GET", "/health"), ("GET", "/metrics"), ("GET", "/p/nothing"),
    ("GET", "/static/app.css"), ("GET", "/api/v1/incidents"), ("POST", "/api/alerts/wazuh"),
    ("GET", "/no/such"), ("POST", "/do/declare"), ("PUT", "/"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("why", "public_url", "host", "said"),
    [
        ("reached by TLS", "https://hikeshi.example.jp", "hikeshi.example.jp", True),
        ("with a port", "https://hikeshi.example.jp:8443", "hikeshi.example.jp:8443", True),
        (
            "this machine's own name, without TLS",
            "https://hikeshi.example.jp",
            "127.0.0.1:8410",
            False,
        ),
        ("a name that is not ours", "https://hikeshi.example.jp", "evil.example", False),
        (
            "where there is no TLS",
            "http://hikeshi.example.jp",
            "hikeshi.example.jp",
            False,
        ),
        ("nobody else comes", None, "127.0.0.1:8410", False),
    ],
)
async def test_every_answer_says_what_a_browser_may_do_and_by_which_way(
    bank: Institution, tmp_path: Path, why: str, public_url: str | None, host: str, said: bool
) -> None:
    premises = Premises(organisation=bank.organisation, policy=bank.policy, playbooks=bank.playbooks)
    desk = Desk(Record.in_memory(), premises, ExerciseClock(THREE_AT_NIGHT))
    web = Web(make_house(bank, desk, tmp_path, public_url=public_url))
    for method, path in ASKED:
        answer = await web.ask(method, path, headers={"Host": host})
        assert (answer.headers.get("strict-transport-security") == HSTS) is said, (why, method, path)
        for name, value in HEADERS.items():
            assert name == "Cache-Control" or answer.headers.get(name) == value, (method, path, name)
        assert path.startswith("/static/") or "no-store" in answer.headers["cache-control"], path
