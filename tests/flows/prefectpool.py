"""A Prefect server on PostgreSQL and a worker, as an institution would run them, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from flows.server import CLIENT_LIMITS, free_port
from tests.flows.bank import environment

ROOT = Path(__file__).resolve().parents[2]


class Program:
    """One process with a group of its own; its output goes to a file."""

    def __init__(self, argv: list[str], environ: dict[str, str], folder: Path, name: str) -> None:
        self.argv = argv
        self.environ = environ
        self.folder = folder
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - programs of this environment
                self.argv,
                env=self.environ,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """With all that it has started, as when its machine dies."""
        if self.process is not None and self.process.poll() is None:
            for pid in (*_below(self.process.pid), self.process.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.process.wait()


def _below(pid: int) -> list[int]:
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(one) for one in file.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [*_below(child), child]
    return found


class Pool:
    """Server, deployment and worker. `python` is an environment that has Hikeshi installed."""

    def __init__(self, folder: Path, database: str, directory: Path, python: str = sys.executable) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.python = python
        path = {"PYTHONPATH": str(ROOT)} if python == sys.executable else {}
        self.environ = environment(
            **CLIENT_LIMITS,
            **path,
            PREFECT_API_URL=self.url,
            PREFECT_HOME=str(folder / "prefect"),
            PREFECT_WORKER_QUERY_SECONDS="1",
            HIKESHI_DIR=str(directory),
        )
        self.folder = folder
        address = database.replace("+psycopg", "+asyncpg")
        settings = {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": address,
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        }
        arguments = [sys.executable, "-m", "prefect", "server", "start"]
        self.server = Program(
            [*arguments, "--host", "127.0.0.1", "--port", str(self.port)],
            self.environ | settings,
            folder,
            "server",
        )
        worker = [python, "-m", "prefect", "worker", "start", "--pool", "hikeshi"]
        self.worker = Program(worker, self.environ, folder, "worker")

    def start(self) -> None:
        """Start the server, register the flow, start the worker, and wait until the pool is ready."""
        self.server.start()
        self.wait(lambda: self.get("/health") is True, "server")
        done = subprocess.run(  # noqa: S603 - the environment's own interpreter
            [self.python, "-m", "flows.deploy"],
            env=self.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, "respond/hikeshi -> hikeshi\n"), done.stderr
        self.worker.start()
        self.wait(lambda: self.get("/work_pools/hikeshi")["status"] == "READY", "worker")

    def wait(self, condition: Any, what: str, seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except (httpx.HTTPError, TypeError):
                pass
            log = self.folder / f"{what}.log"
            assert time.monotonic() < until, f"{what}: {log.read_text()[-3000:] if log.exists() else ''}"
            time.sleep(0.2)

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, trust_env=False, timeout=5).json()

    def runs(self) -> list[dict[str, Any]]:
        """All flow runs that the server knows."""
        answer = httpx.post(f"{self.url}/flow_runs/filter", json={}, trust_env=False, timeout=10)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found

    def close(self) -> None:
        self.worker.kill()
        self.server.kill()
