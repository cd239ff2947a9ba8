"""A real SSH server for the tests, on loopback: commands run by this machine's shell, files over SFTP."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

USER = "forensic"
PASSWORD = "geheim"  # noqa: S105 - of nobody


class _Door(asyncssh.SSHServer):
    """Who may come in. `seen` notes that somebody knocked, and under which name."""

    def __init__(self, host: SshHost) -> None:
        self._host = host

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._host.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        self._host.seen.append(username)
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@dataclass
class SshHost:
    """Runs in a thread of its own while entered. `ran` holds the command lines, `ended` those over."""

    folder: Path
    port: int = 0
    seen: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    on_read: Callable[[SshHost, int], None] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.user_key = asyncssh.generate_private_key("ssh-ed25519")
        self.secrets = {
            "file:key": self.user_key.export_private_key("openssh").decode(),
            "env:PASSWORD": PASSWORD,
        }

    @property
    def pin(self) -> str:
        """Its host key, as a line of known_hosts."""
        return self.host_key.export_public_key().decode().strip()

    @property
    def fingerprint(self) -> str:
        """Its host key's fingerprint, as ssh-keygen writes it."""
        return self.host_key.get_fingerprint()

    def secret(self, reference: str) -> str:
        """What stands behind a reference. Raises LookupError."""
        return self.secrets[reference]

    def drop(self) -> None:
        """Cut every line, as a pulled cable does."""
        for connection in self.connections:
            connection.abort()

    def __enter__(self) -> SshHost:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *args: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _main(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        allowed = asyncssh.import_authorized_keys(self.user_key.export_public_key().decode())
        server = await asyncssh.create_server(
            lambda: _Door(self),
            "127.0.0.1",
            0,
            server_host_keys=[self.host_key],
            authorized_client_keys=allowed,
            process_factory=self._process,
            sftp_factory=self._files,
            encoding=None,
        )
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        self.drop()
        server.close()

    def _files(self, channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
        return _Files(channel, chroot=str(self.folder).encode(), host=self)

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        line = process.command or ""
        self.ran.append(line)
        shell = subprocess.Popen(  # noqa: S603 - it returns at once
            ["sh", "-c", line],  # noqa: S607
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert shell.stdout is not None
        assert shell.stderr is not None
        watching = asyncio.create_task(self._watch(process, shell))
        try:
            await asyncio.gather(
                self._copy(shell.stdout.fileno(), process.stdout),
                self._copy(shell.stderr.fileno(), process.stderr),
            )
            process.exit(await asyncio.to_thread(shell.wait))
        except OSError:
            process.exit(255)
        finally:
            watching.cancel()
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
            shell.stdout.close()
            shell.stderr.close()
            self.ended.append(line)

    async def _watch(self, process: asyncssh.SSHServerProcess[bytes], shell: subprocess.Popen[bytes]) -> None:
        """Kill the command when the client says so, as sshd does, or has gone."""
        try:
            while True:
                # A signal and the end may come together: what was said is read once more after the end.
                closing = process.is_closing()
                if not await process.stdin.read(100):
                    if closing:
                        break
                    await asyncio.sleep(0.02)
        except asyncssh.SignalReceived as told:
            self.signals.append(str(told.signal))
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)

    @staticmethod
    async def _copy(source: int, sink: asyncssh.SSHWriter[bytes]) -> None:
        while piece := await asyncio.to_thread(os.read, source, 65_536):
            sink.write(piece)
            await sink.drain()


class _Files(asyncssh.SFTPServer):
    """The host's folder, read only; a test may do something while a file is read."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], chroot: bytes, host: SshHost) -> None:
        super().__init__(channel, chroot=chroot)
        self._host = host

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        assert not pflags & (
            asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC | asyncssh.FXF_APPEND
        )
        return super().open(path, pflags, attrs)

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        if self._host.on_read is not None:
            self._host.on_read(self._host, offset)
        return super().read(file_obj, offset, size)  # type: ignore[return-value]
