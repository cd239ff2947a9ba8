"""A node as a process of its own, tokens, and a proxy that loses answers: the command line from elsewhere."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.main import execute
from tests.console.clihouse import EXAMPLE, Answer, bank_in

ROOT = EXAMPLE.parents[1]
MOVING = re.compile(
    r"\(\d+ s ago\)|\d+ (?:s|min|h)\b[^│\n]{0,20}(?:left|ago)|in \d+ (?:s|min|h|d)[^)\n]*|T[\d:]+\.\d+Z"
)


@dataclass(kw_only=True)
class Bank:
    """The example bank with its node, asked here (`local`) and from elsewhere (`remote`)."""

    directory: Path
    url: str
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    tokens: dict[str, str] = field(default_factory=dict)

    def local(self, *arguments: str, who: str = "sato", lang: str = "en") -> Answer:
        """On the node's own machine."""
        here = {"HIKESHI_DIR": str(self.directory), "HIKESHI_ACCOUNT": who}
        return self._typed([*arguments, "--lang", lang], here)

    def remote(self, *arguments: str, person: str = "sato-kenji", lang: str = "en", **more: str) -> Answer:
        """From another machine, with a token of this person's."""
        if person not in self.tokens:
            self.tokens[person] = self.token(person)
        there = {"HIKESHI_URL": self.url, "HIKESHI_TOKEN": self.tokens[person]} | more
        return self._typed([*arguments, "--lang", lang], there)

    def token(self, person: str) -> str:
        """A new token that may do all that the person may."""
        until = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="minutes")
        what = ["--name", f"t-{secrets.token_hex(4)}", "--until", until, "--role", "*", "--reason", "x"]
        issued = self.local("token", "issue", person, *what, "--json")
        assert issued.code == 0, issued
        return str(issued.json["token"])

    def _typed(self, arguments: list[str], environment: dict[str, str]) -> Answer:
        with self.monkeypatch.context() as patched:
            for name in [one for one in os.environ if one.startswith("HIKESHI_")]:
                patched.delenv(name)
            for name, value in environment.items():
                patched.setenv(name, value)
            self.capsys.readouterr()
            code = execute(arguments)
            said = self.capsys.readouterr()
        return Answer(code=code, out=said.out, err=said.err)


@contextmanager
def node_of(folder: Path) -> Iterator[tuple[Path, str]]:
    """The bank's directory and the address of its node."""
    directory = bank_in(folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HIKESHI_")}
    environment |= {
        "HIKESHI_DIR": str(directory), "HIKESHI_WAZUH_SECRET": "x", "HIKESHI_EDR_SECRET": "x",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "console.node", "0"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            ready = next(line for line in process.stdout if line.startswith("hikeshi-node-ready"))
            yield directory, f"http://127.0.0.1:{int(ready.split()[1])}"
        finally:
            with suppress(ProcessLookupError):
                process.terminate()


def steady(text: str) -> str:
    """Without what changes by itself from one second to the next."""
    return MOVING.sub("…", text)


class Thief:
    """Between a command line and a node: hands on each request, and loses so many of the answers."""

    def __init__(self, url: str, lose: int, instead: str = "") -> None:
        self._there = ("127.0.0.1", int(url.rpartition(":")[2]))
        self.lose = lose
        self.instead = instead
        """What it answers by itself once it has lost those; empty: what the node says."""
        self.heard: list[tuple[str, str]] = []
        """Key and body of each request."""
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Thief:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                came, _ = self._door.accept()
                with came:
                    self._one(came)

    def _one(self, came: socket.socket) -> None:
        asked = _whole(came)
        head, _, body = asked.partition(b"\r\n\r\n")
        key = re.search(rb"(?i)idempotency-key: (\S+)", head)
        self.heard.append((key[1].decode() if key else "", body.decode()))
        once = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head) + b"\r\nConnection: close\r\n\r\n" + body
        with socket.create_connection(self._there) as node:
            node.sendall(once)
            answer = b"".join(iter(lambda: node.recv(65_536), b""))
        if self.lose > 0:
            self.lose -= 1
            return
        came.sendall(self.instead.encode() or answer)


def _whole(came: socket.socket) -> bytes:
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += came.recv(65_536)
    head, _, body = asked.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        more = came.recv(65_536)
        asked, body = asked + more, body + more
    return asked


def notes(bank: Bank, text: str) -> int:
    """How often a note is in the record of the first incident."""
    facts = bank.local("log", "1", "--json").json
    return json.dumps(facts).count(text)
