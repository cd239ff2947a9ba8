"""An embedded Prefect server for one machine, as a child process of its own.

It listens on the loopback address only, keeps its own SQLite database, and sends nothing anywhere. The record
does not depend on it: when it is gone the flows run without it, and nothing is lost but the picture.

The child holds the read end of a pipe whose other end only the parent has. When the parent dies in any way,
SIGKILL included, the pipe closes and the child leaves, so that no old server keeps the database or the port.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from models.clock import monotonic
from models.errors import HikeshiError

HOST = "127.0.0.1"
PROBE_SECONDS = 1.0
PREPARE_SECONDS = 300
POLL_SECONDS = 0.1
MAX_LOG_BYTES = 5_000_000
_KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH"}
)
_KEPT_PREFIXES = ("LC_", "PYTHON")
_IDLE_SERVICES = (
    "SCHEDULER", "LATE_RUNS", "FOREMAN", "TRIGGERS", "EVENT_PERSISTER", "PAUSE_EXPIRATIONS",
    "CANCELLATION_CLEANUP", "REPOSSESSOR",
)  # fmt: skip
"""What schedules, cancels or reacts: the record does that. Each would also write to the one SQLite file."""

CLIENT_LIMITS: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    # The defaults wait minutes for an API that does not answer, and no flow has that long.
    "PREFECT_API_REQUEST_TIMEOUT": "5",
    "PREFECT_CLIENT_MAX_RETRIES": "2",
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
    # Without an API Prefect would start a server of its own inside the flow.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    # Its UI has no rights per person, so that nothing a step prints or logs may go there.
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    # The failure of a step is a fact; Prefect would write its traceback, with the step's data, a second time.
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
}
"""What a process that runs flows needs in its environment before it imports Prefect."""


def client_environment(home: Path, api_url: str) -> dict[str, str]:
    """What a process that runs flows against `api_url` needs in its environment, on top of its own.

    `home` is Prefect's folder. For an address without TLS it gets a file with a single certificate, because
    Prefect builds a TLS context even then, and reading the whole bundle costs 140 ms of CPU for every flow.
    """
    ours = {**CLIENT_LIMITS, "PREFECT_HOME": str(home), "PREFECT_API_URL": api_url}
    parts = urlsplit(api_url)
    if parts.scheme == "http" and (certificate := _one_certificate(home)) is not None:
        ours["PREFECT_API_SSL_CERT_FILE"] = str(certificate)
    if parts.hostname in (HOST, "localhost", "::1"):
        ours |= {"NO_PROXY": f"{HOST},localhost,::1", "no_proxy": f"{HOST},localhost,::1"}
    return ours


def _one_certificate(home: Path) -> Path | None:
    """A file with the first certificate of the installed bundle; none if there is no bundle."""
    file = home / "one-certificate.pem"
    if not file.exists():
        try:
            bundle = Path(importlib.import_module("certifi").where()).read_text(encoding="utf-8")
        except (ImportError, OSError):
            return None
        begin = bundle.find("-----BEGIN CERTIFICATE-----")
        end = bundle.find("-----END CERTIFICATE-----", begin)
        if begin < 0 or end < 0:
            return None
        home.mkdir(parents=True, exist_ok=True)
        file.write_text(bundle[begin:end] + "-----END CERTIFICATE-----\n", encoding="ascii")
    return file


def server_environment(home: Path, port: int, environ: Mapping[str, str]) -> dict[str, str]:
    """All of the server's environment: what any program needs out of `environ`, and our settings.

    Neither proxies nor the institution's secrets nor Prefect settings of others. Raises HikeshiError if
    Prefect is not installed.
    """
    kept = {
        name: value for name, value in environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(part for part in (root, environ.get("PYTHONPATH", "")) if part)
    settings = {
        "SERVER_API_HOST": HOST,
        "SERVER_API_PORT": str(port),
        "SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
        # Laid down by `prepare`, once: at each start it would cost seconds.
        "SERVER_DATABASE_MIGRATE_ON_START": "false" if is_prepared(home) else "true",
        "SERVER_REGISTER_BLOCKS_ON_START": "false",
        "SERVER_LOGGING_LEVEL": "WARNING",
        # One write for many task records: with a write for each, about every second flow met the lock, which
        # costs the client two seconds. The picture of the tasks may be two seconds behind.
        "SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
        "SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
        "SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "2",
        "SERVER_UI_STATIC_DIRECTORY": str(home / "ui"),
        "SERVER_UI_API_URL": f"http://{HOST}:{port}/api",
        "SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        **{f"SERVER_SERVICES_{service}_ENABLED": "false" for service in _IDLE_SERVICES},
    }
    return {
        **kept,
        **client_environment(home, f"http://{HOST}:{port}/api"),
        **{f"PREFECT_{name}": value for name, value in settings.items()},
        "PREFECT__SERVER_FINAL": "1",
        "PYTHONPATH": path,
    }


def _marker(home: Path) -> Path:
    """The file that says for which version of Prefect the database was laid down."""
    try:
        return home / f"prepared-{metadata.version('prefect')}"
    except metadata.PackageNotFoundError as missing:
        raise HikeshiError("Prefect is not installed; the flows run without it") from missing


def is_prepared(home: Path) -> bool:
    """Whether `home` holds a database laid down for the installed version of Prefect."""
    return _marker(home).exists() and (home / "prefect.db").exists()


def prepare(home: Path) -> None:
    """Lay down a migrated database in `home`; quick when it is there already for this version of Prefect.

    Saves about ten seconds at the first start. Raises HikeshiError, with the last lines that Prefect wrote.
    """
    home = home.resolve()
    if is_prepared(home):
        return
    command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
    try:
        home.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(  # noqa: S603 - our own interpreter, a fixed list of arguments
            command,
            env=server_environment(home, 0, os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PREPARE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise HikeshiError(f"Prefect's database in {home} could not be prepared: {wrong}") from wrong
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace")[-1000:]
        raise HikeshiError(f"Prefect's database in {home} could not be prepared; it said: {said}")
    _marker(home).touch()


def free_port() -> int:
    """A port of the loopback address that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As the server itself does, so that its own closed connections do not count as taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


class PrefectServer:
    """One embedded server. Use from one event loop; `start` again after `stop` or when it has died."""

    def __init__(self, home: Path, port: int | None = None) -> None:
        """`home` takes its database and logs; `port` None takes a free one at each start."""
        self.home = home.resolve()
        self._wanted = port
        self._port = port or 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of its API, as PREFECT_API_URL wants it. Known once it has been started."""
        return f"http://{HOST}:{self._port}/api"

    @property
    def ui_url(self) -> str:
        """The address for people."""
        return f"http://{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        """What it wrote; begun anew when it has grown beyond MAX_LOG_BYTES."""
        return self.home / "server.log"

    def start(self) -> None:
        """Start the process and return at once; `healthy` tells when it answers. Nothing if it runs.

        Raises HikeshiError if the port is taken or the process cannot be made.
        """
        if self.pid is not None:
            return
        self._close()
        self._port = self._wanted or free_port()
        if not is_free(self._port):
            # Otherwise whoever has it would be taken for our server.
            raise HikeshiError(f"port {self._port} of {HOST} is in use; name another, or stop what uses it")
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            large = self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES
            with self.log.open("wb" if large else "ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, fixed arguments
                    [sys.executable, "-P", "-m", "flows.server", "--port", str(self._port)],
                    env=server_environment(self.home, self._port, os.environ),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=self.home,
                    start_new_session=True,
                )
        except OSError as wrong:
            raise HikeshiError(f"the Prefect server could not be started: {wrong}; see {self.log}") from wrong

    async def healthy(self, timeout: float = 60.0) -> bool:
        """Whether it answers, waiting for it up to `timeout` seconds; no as soon as the process has died."""
        until = monotonic() + timeout
        while self.pid is not None:
            if await probe(self.url):
                return True
            if monotonic() >= until:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def stop(self, grace_seconds: float = 3.0) -> None:
        """Ask it to leave, and kill its whole process group when `grace_seconds` have passed."""
        process = self._process
        if process is None:
            return
        _signal_group(process, signal.SIGTERM)
        until = monotonic() + grace_seconds
        while process.poll() is None and monotonic() < until:
            await asyncio.sleep(0.02)
        if process.poll() is None:
            _signal_group(process, signal.SIGKILL)
            await asyncio.to_thread(process.wait)
        self._close()

    def _close(self) -> None:
        """Let go of a process that has ended."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the group of a child that has not been reaped, so that its number is still its own."""
    if process.poll() is None:
        os.killpg(process.pid, number)


async def probe(url: str) -> bool:
    """Whether a Prefect API at `url` (…/api) answers its health check within PROBE_SECONDS. Never raises.

    Speaks HTTP itself: a client library would cost more to import than the whole call, and take proxies.
    """
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            status = await _status(parts.hostname or "", parts.port, f"{parts.path}/health", parts.scheme)
    except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return status.split()[1:2] == [b"200"]


async def _status(host: str, port: int | None, path: str, scheme: str) -> bytes:
    """The status line that `host` answers to a GET."""
    tls = ssl.create_default_context() if scheme == "https" else None
    reader, writer = await asyncio.open_connection(host, port or (443 if tls else 80), ssl=tls)
    try:
        name = f"[{host}]" if ":" in host else host
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode("ascii"))
        await writer.drain()
        return await reader.readline()
    finally:
        writer.close()


def _leave_with_parent() -> None:
    """Wait for the end of the pipe from the parent, then go, whatever the server is doing."""
    while os.read(0, 1024):
        pass
    os._exit(0)


def _serve(port: int) -> None:
    threading.Thread(target=_leave_with_parent, name="leave-with-parent", daemon=True).start()
    importlib.import_module("uvicorn").run(
        "prefect.server.api.server:create_app",
        factory=True,
        host=HOST,
        port=port,
        log_level="warning",
        timeout_keep_alive=5,
        # Clients keep their event streams open; without a bound these would hold up the end.
        timeout_graceful_shutdown=1,
    )


def _main() -> None:
    parser = argparse.ArgumentParser(prog="flows.server", description="The embedded Prefect server.")
    parser.add_argument("--port", type=int, required=True)
    _serve(parser.parse_args().port)


if __name__ == "__main__":
    _main()
