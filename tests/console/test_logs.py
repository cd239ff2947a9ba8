"""The log: one line for one thing whatever outside text is in it, with its ids, and no secret in any."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console import logs
from console.opening import secrets_of
from models.subject import subject, working_on
from models.watching import LogSettings
from tests.console.webhouse import Web, make_house

Wrote = Callable[[], list[str]]
ROOT = Path(__file__).parents[2]
CANARY = "canary-7Qm2-of-the-bank"


@pytest.fixture(autouse=True)
def before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log as it was; other tests capture it."""
    root = logging.getLogger()
    handlers, level, ours = list(root.handlers), root.level, logging.getLogger("hikeshi").level
    monkeypatch.setenv(logs.FORM_VARIABLE, "")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("hikeshi").setLevel(ours)


@pytest.fixture
def wrote(capsys: pytest.CaptureFixture[str]) -> Wrote:
    def lines() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return lines


def fails(log: logging.Logger, said: str) -> None:
    """Something goes wrong whose error says this, and is logged with its trace back."""
    try:
        int(said)
    except ValueError as wrong:
        log.warning("failed", exc_info=ValueError(said).with_traceback(wrong.__traceback__))


def objects(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


FORGED = [
    "x\n2026-11-22T18:00:00.000Z warning pager hikeshi.node: all is well",
    'x\r\n{"level": "info"}',
    "x\u2028y\u2029z\x85w\x0b\x0cv",
    "\x1b[2J\x1b[31mred\x9b31m",
    "\u202eevil\u2066",
    '"}, {"level": "info", "message": "forged',
]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("said", FORGED)
def test_text_from_outside_stays_within_its_line(wrote: Wrote, form: str, said: str) -> None:
    logs.begin("pager", LogSettings.model_validate({"format": form}))
    logging.getLogger("hikeshi.test").warning("an alert says %s", said)
    fails(logging.getLogger("hikeshi.test"), said)
    lines = wrote()
    assert all(one.isprintable() for line in lines for one in line)
    if form == "json":
        assert [one["message"][:6] for one in objects(lines)] == ["an ale", "failed"]
        assert objects(lines)[1]["trace_back"][-1].isprintable()
    else:
        assert [line for line in lines if not line.startswith("    | ")] == [lines[0], lines[1]]
        assert " warning pager hikeshi.test: an alert says " in lines[0]


def test_a_line_has_the_ids_of_what_was_worked_on(wrote: Wrote) -> None:
    logs.begin("conductor", LogSettings(format="json", level="info"))
    log = logging.getLogger("hikeshi.test")
    with working_on(incident="INC-2026-0004", step="unknown/triage"):
        with working_on(request="abc12345"):
            log.info("within")
        log.info("still within")
    log.warning("deliver INC-2026-0001/12/1/1/slack:nakamura-yui: timed out")
    log.warning("tick INC-2026-0003: sick")
    log.warning("nothing in particular")
    within, still, key, named, none = objects(wrote())
    assert (within["incident"], within["step"], within["request"]) == (
        "INC-2026-0004", "unknown/triage", "abc12345",
    )  # fmt: skip
    assert "request" not in still and still["incident"] == "INC-2026-0004" and not subject()
    assert (key["incident"], key["fact"]) == ("INC-2026-0001", 12)
    assert key["key"] == "INC-2026-0001/12/1/1/slack:nakamura-yui"
    assert named["incident"] == "INC-2026-0003" and "incident" not in none
    assert within["process"] == "conductor" and within["time"].endswith("Z") and within["level"] == "info"
    assert within["pid"] == os.getpid() and within["node"]


def test_a_secret_that_was_read_is_in_no_line(
    wrote: Wrote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HIKESHI_CANARY", CANARY)
    (tmp_path / "key").write_text("in-a-file-4444\n", encoding="utf-8")
    read = secrets_of(tmp_path)
    assert (read("env:HIKESHI_CANARY"), read("file:key")) == (CANARY, "in-a-file-4444")
    shown = [
        f"the address was https://x.example/?k={CANARY}", "in-a-file-4444",
        "Authorization: Bearer abcdefgh12",
        "token=abcdefgh12&x", "postgresql://hikeshi:hunter22@db/x", "xoxb-1234567890-abcdef",
        "/p/abcdefgh12.xyz", "-----BEGIN PRIVATE KEY-----\nabcdefgh12\n-----END PRIVATE KEY-----",
        "hikeshi-abcdefghijklmnopqrstuvwxyzabcdefgh12",
    ]  # fmt: skip
    for form in ("text", "json"):
        logs.begin("pager", LogSettings.model_validate({"format": form}))
        for one in shown:
            logging.getLogger("elsewhere").warning("%s", one)
        fails(logging.getLogger("hikeshi.x"), " ".join(shown))
    text = "\n".join(wrote())
    for secret in (CANARY, "in-a-file-4444", "abcdefgh12", "hunter22", "1234567890"):
        assert secret not in text, secret
    assert text.count(logs.BLOT) >= 4 * len(shown)


def test_levels_and_the_form_are_handed_down_to_children(wrote: Wrote) -> None:
    logs.begin("up", LogSettings(format="json", level="info"))
    logs.begin("pager")
    logging.getLogger("hikeshi.x").info("ours")
    logging.getLogger("library").info("noise")
    logging.getLogger("library").warning("worth it")
    assert [one["message"] for one in objects(wrote())] == ["ours", "worth it"]
    os.environ[logs.FORM_VARIABLE] = "nonsense"
    logs.begin("pager")
    logging.getLogger("hikeshi.x").info("not wanted")
    assert wrote() == []


async def test_a_request_has_an_id_and_no_link_is_logged(web: Web, wrote: Wrote) -> None:
    logs.begin("pager", LogSettings(format="json", level="info"))
    given = await web.ask("GET", "/p/abcdefghijk", headers={"X-Request-ID": "from-the-proxy-1"})
    forged = await web.ask("GET", "/nothing", headers={"X-Request-ID": 'x" y'})
    assert given.headers["x-request-id"] == "from-the-proxy-1"
    assert len(forged.headers["x-request-id"]) == 16
    first, second = [one for one in objects(wrote()) if one["logger"] == "hikeshi.web"]
    assert first["request"] == "from-the-proxy-1" and first["message"].startswith("GET /p/… after")
    assert second["request"] == forged.headers["x-request-id"] and "/nothing" in second["message"]


@pytest.fixture
def web(bank: Any, desk: Any, tmp_path: Path) -> Web:
    return Web(make_house(bank, desk, tmp_path))


@pytest.mark.parametrize("module", ["console.node", "flows.conductor", "flows.runner", "console.up"])
def test_every_process_writes_through_the_one_function(module: str) -> None:
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    assert "basicConfig" not in source and "logs.begin(" in source


def test_half_a_pair_of_a_character_is_spelled_out() -> None:
    assert logs.one_line("half \ud800 of a pair") == "half \\ud800 of a pair"


def test_a_line_whose_arguments_do_not_fit_is_written_all_the_same() -> None:
    unfit = logging.LogRecord("library", logging.WARNING, "x.py", 1, "of %s and %s", ("one",), None)
    assert json.loads(logs.JsonLines("pager").format(unfit))["message"] == "of %s and %s ('one',)"
