"""The embedded Prefect server as a process: started, probed, stopped, killed, and gone with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path

import httpx
import pytest

from flows.server import (
    HOST,
    PrefectServer,
    client_environment,
    free_port,
    prepare,
    probe,
    server_environment,
)
from models.clock import monotonic
from models.errors import HikeshiError

ROOT = Path(__file__).resolve().parents[2]


def is_alive(pid: int) -> bool:
    """Whether a process still does something; one that nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def gone(pid: int, seconds: float = 10.0) -> bool:
    until = monotonic() + seconds
    while is_alive(pid) and monotonic() < until:
        await asyncio.sleep(0.05)
    return not is_alive(pid)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PrefectServer]:
    made = PrefectServer(tmp_path / "prefect")
    yield made
    await made.stop(0)


# --- the probe


async def ask(head: bytes) -> tuple[bool, bytes]:
    """What the probe says of a server that answers with `head`, and the request that it was sent."""
    asked: list[bytes] = []
    closed = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(head)
        if not head:
            await reader.read()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with await asyncio.start_server(handle, HOST, 0) as running:
        said = await probe(f"http://{HOST}:{running.sockets[0].getsockname()[1]}/api")
        await asyncio.wait_for(closed.wait(), 5)
    return said, asked[0]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\ntrue", True, id="well"),
        pytest.param(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False, id="overloaded"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\n\r\n", False, id="another server"),
        pytest.param(b"220 200 ESMTP\r\n", True, id="a second word of 200 is enough"),
        pytest.param(b"\r\n", False, id="nonsense"),
        pytest.param(b"", False, id="hung"),
    ],
)
async def test_the_probe_tells_within_its_time(head: bytes, expected: bool) -> None:
    began = monotonic()
    said, asked = await ask(head)
    assert said is expected
    assert monotonic() - began < 2
    assert asked.startswith(b"GET /api/health HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "url", ["", "http://", "no address", f"http://{HOST}:99999/api", f"http://{HOST}:1/api"]
)
async def test_the_probe_of_nothing_says_no(url: str) -> None:
    assert await probe(url) is False


# --- the environment


def test_the_server_takes_no_proxies_no_secrets_and_no_settings_of_others(tmp_path: Path) -> None:
    outside = {
        "PATH": "/bin",
        "https_proxy": "http://proxy.example:3128",
        "HTTP_PROXY": "http://proxy.example:3128",
        "PREFECT_API_URL": "https://elsewhere.example/api",
        "PREFECT_API_KEY": "key",
        "SLACK_TOKEN": "xoxb-made-up",
    }
    environ = server_environment(tmp_path, 4200, outside)
    assert "proxy.example" not in str(environ)
    assert "PREFECT_API_KEY" not in environ
    assert "SLACK_TOKEN" not in environ
    assert environ["PREFECT_API_URL"] == f"http://{HOST}:4200/api"
    assert environ["DO_NOT_TRACK"] == "1"
    assert environ["PATH"] == "/bin"


def test_only_an_address_without_tls_gets_the_small_certificate_file(tmp_path: Path) -> None:
    local = client_environment(tmp_path, f"http://{HOST}:4200/api")
    certificate = Path(local["PREFECT_API_SSL_CERT_FILE"])
    assert certificate.read_text().count("BEGIN CERTIFICATE") == 1
    assert HOST in local["NO_PROXY"]
    remote = client_environment(tmp_path, "https://prefect.example/api")
    assert "PREFECT_API_SSL_CERT_FILE" not in remote
    assert "NO_PROXY" not in remote


KNOWN = """
import os
from prefect.settings import Settings, get_current_settings
known = {name.upper() for name in get_current_settings().to_environment_variables()}
from prefect.settings.legacy import _get_valid_setting_names
known |= set(_get_valid_setting_names(Settings))
ours = {name for name in os.environ if name.startswith("PREFECT_") and not name.startswith("PREFECT__")}
print(sorted(ours - known))
"""


def test_the_installed_prefect_knows_every_setting_that_we_set(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", KNOWN],
        env=server_environment(tmp_path, 4200, os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


# --- the process


@pytest.mark.prefect
async def test_a_prepared_server_starts_answers_and_stops(server: PrefectServer) -> None:
    prepare(server.home)
    began = monotonic()
    prepare(server.home)
    assert monotonic() - began < 0.5
    server.start()
    first = server.pid
    server.start()
    assert server.pid == first
    assert await server.healthy(90), server.log.read_text()
    settings = httpx.get(f"{server.url}/admin/settings", trust_env=False, timeout=10).json()
    assert settings["home"] == str(server.home)
    assert settings["server"]["analytics_enabled"] is False
    assert settings["server"]["database"]["migrate_on_start"] is False
    page = httpx.get(server.ui_url, trust_env=False, timeout=10, follow_redirects=True)
    assert (page.status_code, "text/html" in page.headers["content-type"]) == (200, True)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((outward_address(), int(server.ui_url.rsplit(":", 1)[1])), timeout=2)
    began = monotonic()
    await server.stop(5)
    assert monotonic() - began < 5
    assert server.pid is None
    assert await gone(first or 0)
    assert not await probe(server.url)


def outward_address() -> str:
    """A second address of this machine that only a server listening everywhere would answer on."""
    return "127.0.0.2"


def test_a_port_that_is_taken_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        server = PrefectServer(tmp_path / "prefect", port)
        with pytest.raises(HikeshiError, match=f"port {port} "):
            server.start()
    assert server.pid is None


async def test_a_server_that_died_is_not_waited_for_and_can_be_started_again(server: PrefectServer) -> None:
    server.start()
    first = server.pid or 0
    os.kill(first, signal.SIGKILL)
    began = monotonic()
    assert not await server.healthy(60)
    assert monotonic() - began < 5
    server.start()
    assert server.pid not in (None, first)


async def test_a_server_that_does_not_leave_is_killed(server: PrefectServer) -> None:
    server.start()
    pid = server.pid or 0
    os.kill(pid, signal.SIGSTOP)
    began = monotonic()
    await server.stop(0.3)
    assert monotonic() - began < 3
    assert await gone(pid)


async def test_a_server_goes_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from flows.server import PrefectServer\n"
        "server = PrefectServer(pathlib.Path(sys.argv[1]))\n"
        "server.start()\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, str(tmp_path / "prefect")),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    await parent.wait()
    assert await gone(pid)


async def test_a_server_that_was_never_started_is_not_healthy(server: PrefectServer) -> None:
    assert not await server.healthy(5)
    await server.stop()


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HikeshiError, match="could not be started"):
        PrefectServer(tmp_path / "file" / "prefect").start()
    with pytest.raises(HikeshiError, match="could not be prepared"):
        prepare(tmp_path / "file" / "prefect")


def test_without_prefect_there_is_no_server_and_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(HikeshiError, match="not installed"):
        PrefectServer(tmp_path / "prefect").start()


def test_a_free_port_can_be_taken() -> None:
    with socket.create_server((HOST, free_port())):
        pass
