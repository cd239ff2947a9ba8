"""No secret is anywhere but where it was put, whatever fails, and whoever repeats it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from console.main import execute
from console.opening import House, open_house
from console.web.sessions import Sessions, cookie_name
from models.clock import SystemClock, monotonic
from tests.console.webhouse import WAZUH
from tests.flows.bank import PLAYBOOK
from tests.security.canaries import WAIT, escaped, files, install, made_up, rude
from tests.test_budget import ROOT

INC = "INC-2026-0001"
PATIENCE = 90.0
SHOWN = (
    "/", "/system", "/incidents", "/me", "/oncall", "/routes", "/services", "/health", "/metrics", "/login",
    "/incidents/INC-2026-0001", "/incidents/INC-2026-0001/steps", "/incidents/INC-2026-0001/evidence",
)  # fmt: skip


def get(url: str, **headers: str) -> bytes:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:  # noqa: S310
            return bytes(answer.read()) + str(answer.headers).encode()
    except urllib.error.HTTPError as failed:
        return failed.read() + str(failed.headers).encode()


def node_at(log: Path, process: subprocess.Popen[bytes]) -> str:
    """The address that `hikeshi up` says it has."""
    until = monotonic() + PATIENCE
    while monotonic() < until and process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if "alerts, pages and board" in line:
                return "http://127.0.0.1:" + line.rsplit(":", 1)[1].strip().rstrip("/")
        time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8")[-3_000:])


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"Basic user:"])
def test_the_search_finds_a_secret_however_it_was_written_down(before: bytes) -> None:
    known = made_up()
    value = known["WEB"].encode()
    for body in (value, value.hex().encode(), base64.b64encode(before + value + b"\r\n")):
        assert escaped(b"... " + body + b" ...", known) == ["WEB"], body
    assert escaped(b"nothing of it", known) == []


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("engine", ["none", "prefect"])
def test_no_secret_is_in_any_table_file_log_page_parameter_or_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], engine: str
) -> None:
    known = made_up()
    with rude() as ports:
        directory = install(tmp_path, ports, known)
        for name, value in known.items():
            if name not in {"SSH", "CHECKPOINT"}:
                monkeypatch.setenv(f"HIKESHI_{name}", value)
        found = play(directory, tmp_path / "up.log", known, engine, capfd)
    found["log"] = (tmp_path / "up.log").read_bytes()
    found |= dict(files(directory))
    for path in directory.glob("*.zip"):
        with zipfile.ZipFile(path) as packed:
            found |= {f"{path.name}: {name}": packed.read(name) for name in packed.namelist()}
    assert [(where, names) for where, body in found.items() if (names := escaped(body, known))] == []


def play(
    directory: Path, log: Path, known: dict[str, str], engine: str, capfd: pytest.CaptureFixture[str]
) -> dict[str, bytes]:
    """An incident in which everything that uses a secret fails; what was shown of it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HIKESHI_ENGINE": engine, "NO_COLOR": "1"}
    if engine == "prefect":
        environment.pop("HIKESHI_ENGINE")
    else:
        environment["PREFECT_API_URL"] = "http://127.0.0.1:9/api"  # nobody answers there
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "console.main", "--dir", str(directory), "--lang", "en", "up"],
            env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        base = node_at(log, process)
        house = open_house(directory, SystemClock())
        try:
            return _acted(base, house, known, capfd)
        finally:
            house.record.close()
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def _acted(
    base: str, house: House, known: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> dict[str, bytes]:
    def typed(*arguments: str) -> str:
        os.environ["HIKESHI_ACCOUNT"] = "sato"
        capfd.readouterr()
        code = execute(["--lang", "en", *arguments], house)
        said = capfd.readouterr()
        found[" ".join(arguments[:2])] = (said.out + said.err).encode()
        assert code in {0, 1, 3}, (arguments, said)
        return said.out

    found: dict[str, bytes] = {}
    typed("declare", "a canary in the mine", "--playbook", PLAYBOOK, "--severity", "high")
    typed("done", INC, "begin")
    soon = (house.desk.clock.now() + timedelta(days=2)).isoformat()
    token = typed("token", "issue", "sato-kenji", "--name", "siem", "--until", soon, "--json")
    known["TOKEN"] = str(json.loads(token)["token"])
    link = typed("login", "link", "--json")
    known["LOGIN"] = str(json.loads(link)["url"]).rsplit("/", 1)[1]
    del found["token issue"], found["login link"]  # shown once, to whoever asked
    for wrong in ("x", known["WAZUH_SECRET"] + "x"):
        found[f"refused {len(wrong)}"] = post(f"{base}/api/alerts/wazuh", WAZUH, f"Bearer {wrong}")
    found["alert"] = post(f"{base}/api/alerts/wazuh", WAZUH, f"Bearer {known['WAZUH_SECRET']}")
    wait_for_the_machine(house)
    typed("check", str(house.institution.directory), "--live")
    typed("export", INC, "--format", "json")
    typed("export", INC)
    typed("export", "--all", "--archive", str(house.institution.directory / "all.zip"))
    cookie = f"{cookie_name(house)}={Sessions(house).open('test', person='sato-kenji', lang='en')}"
    for path in SHOWN:
        found[path] = get(base + path, Cookie=cookie)
    found["/api"] = get(f"{base}/api/v1/incidents", Authorization=f"Bearer {known['TOKEN']}")
    found["/login/once"] = get(f"{base}/login/once/{known['LOGIN']}x")
    assert b"canary in the mine" in found["/incidents/INC-2026-0001"] and b"status" in found["/health"]
    return found


def post(url: str, body: bytes, authorization: str) -> bytes:
    request = urllib.request.Request(url, body, {"Authorization": authorization}, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own node
            return bytes(answer.read())
    except urllib.error.HTTPError as failed:
        return failed.read()


def wait_for_the_machine(house: House) -> None:
    """Until each automated step has ended, and a webhook, a mail, a post and a text have failed."""
    until = monotonic() + PATIENCE
    while monotonic() < until:
        steps = house.desk.incident(INC).steps
        if all(steps[f"{PLAYBOOK}/{name}"].status in {"failed", "unknown"} for name in WAIT):
            return
        time.sleep(0.5)
    raise AssertionError({name: steps[f"{PLAYBOOK}/{name}"].status for name in WAIT})
