"""`ssh.collect` from hosts that leave a question unanswered: it ends by its own time all the same."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.message import Message
from paramiko.sftp import CMD_NAME, CMD_READ, CMD_READDIR

from flows.actions import ActionContext, run
from flows.actions import taking as module
from models.clock import monotonic
from models.errors import ActionFailed, SourceUnreachable
from models.targets import SshTarget
from tests.flows.sshserver import PASSWORD, USER

ATTRIBUTES = paramiko.SFTPAttributes()
ATTRIBUTES.st_mode, ATTRIBUTES.st_size, ATTRIBUTES.filename = 0o100644, 9, "a.log"


class Door(paramiko.ServerInterface):
    """Lets everybody in; answers to a command when the test is over."""

    def __init__(self, over: threading.Event) -> None:
        self._over = over

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._over.wait(30)
        return False


class Files(paramiko.SFTPServerInterface):
    """One file."""

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes]:
        return [ATTRIBUTES]

    def lstat(self, path: str) -> paramiko.SFTPAttributes:
        return ATTRIBUTES

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle:
        return paramiko.SFTPHandle()


class Endless(paramiko.SFTPServer):
    """Answers to each question for more names with none, and never with the end."""

    def _process(self, kind: int, number: int, message: Message) -> None:
        if kind == CMD_READDIR:
            self._response(number, CMD_NAME, 0)  # type: ignore[attr-defined]
        else:
            super()._process(kind, number, message)  # type: ignore[misc]


class Mute(paramiko.SFTPServer):
    """Opens a file and gives nothing of it."""

    def _process(self, kind: int, number: int, message: Message) -> None:
        if kind != CMD_READ:
            super()._process(kind, number, message)  # type: ignore[misc]


@contextmanager
def host(files: type[paramiko.SFTPServer] = paramiko.SFTPServer) -> Iterator[SshTarget]:
    """The target of a server that speaks SSH and is silent afterwards."""
    listening = socket.create_server(("127.0.0.1", 0))
    key, over = paramiko.ECDSAKey.generate(), threading.Event()
    met: list[paramiko.Transport] = []

    def serve() -> None:
        line, _ = listening.accept()
        transport = paramiko.Transport(line)
        transport.add_server_key(key)
        transport.set_subsystem_handler("sftp", files, Files)
        met.append(transport)
        transport.start_server(server=Door(over))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    shape: dict[str, Any] = {
        "kind": "ssh", "host": "127.0.0.1", "port": listening.getsockname()[1], "user": USER,
        "password": "env:PASSWORD", "host_keys": [f"{key.get_name()} {key.get_base64()}"],
        "measure_clock": False, "argv": ["echo"],
    }  # fmt: skip
    if files is not paramiko.SFTPServer:
        shape |= {"argv": [], "paths": ["/*.log"]}
    try:
        yield SshTarget.model_validate(shape)
    finally:
        over.set()
        thread.join(10)
        listening.close()
        for one in met:
            one.close()


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ActionContext:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.5)
    return ActionContext(
        evidence_dir=tmp_path / "evidence",
        secrets=lambda _: PASSWORD,
        base=tmp_path,
        now=datetime.now(UTC),
        timeout_seconds=1.0,
        idempotency_key="INC-2026-0001/collect/1",
    )


async def test_a_command_that_is_never_taken_ends_with_the_time(context: ActionContext) -> None:
    begun = monotonic()
    with host() as wanted, pytest.raises(SourceUnreachable, match="broke"):
        await run("ssh.collect", wanted, {}, context)
    assert monotonic() - begun < 10


async def test_a_file_of_which_nothing_comes_ends_with_the_time(context: ActionContext) -> None:
    begun = monotonic()
    with host(Mute) as wanted, pytest.raises(SourceUnreachable, match="broke"):
        await run("ssh.collect", wanted, {}, context)
    assert monotonic() - begun < 10


async def test_a_listing_without_an_end_is_left_out(context: ActionContext) -> None:
    with host(Endless) as wanted, pytest.raises(ActionFailed, match="without a name"):
        await run("ssh.collect", wanted, {}, context)
