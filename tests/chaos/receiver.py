"""The outside world: a telephone gateway and a machine that steps act on. They write down what they take.

It lives in the process of the harness, which nobody kills, and misbehaves as its dice say.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from tests.chaos.seen import Acted, Received

REPEATS = ("【再送】", "【repeat】")
SLOW_SECONDS = 1.5


@dataclass(frozen=True, kw_only=True)
class Mood:
    """Shares of the requests that are answered badly, after and before they were taken."""

    lost: float = 0.0
    """Taken, and the connection dropped before the answer."""
    slow: float = 0.0
    garbage: float = 0.0
    refused: float = 0.0
    """500, nothing taken."""
    busy: float = 0.0
    """429, nothing taken."""


GOOD = Mood()
FAULTY = Mood(lost=0.12, slow=0.05, garbage=0.1, refused=0.12, busy=0.08)


@dataclass
class Receiver:
    """What has arrived, in its order."""

    dice: random.Random
    mood: Mood = GOOD
    received: list[Received] = field(default_factory=list)
    acted: list[Acted] = field(default_factory=list)
    effects: set[str] = field(default_factory=set)
    moods: dict[str, int] = field(default_factory=dict)
    url: str = ""
    work_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def temper(self) -> str:
        """How this request fares."""
        with self._lock:
            rest = self.dice.random()
            for name in ("lost", "slow", "garbage", "refused", "busy"):
                rest -= getattr(self.mood, name)
                if rest < 0:
                    self.moods[name] = self.moods.get(name, 0) + 1
                    return name
        return ""

    def take(self, key: str, fields: dict[str, Any]) -> None:
        """A message has reached a telephone."""
        text = str(fields["text"])
        repeat = any(one in text.partition("\n")[0] for one in REPEATS)
        one = Received(
            at=time.monotonic(), key=key, channel=fields["channel"], to=fields["to"],
            kind=fields["kind"], repeat=repeat, code=fields["code"],
        )  # fmt: skip
        with self._lock:
            self.received.append(one)

    def act(self, key: str, name: str) -> None:
        """A step takes effect."""
        with self._lock:
            self.acted.append(Acted(at=time.monotonic(), key=key))
            self.effects.add(name)


class _Handler(BaseHTTPRequestHandler):
    """One request. `server.receiver` has it all."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what arrived is in the lists."""

    def do_POST(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        if self.path == "/hook":
            self._answer(200, b"")
            return
        if self.path == "/effects":
            # Half of its time passes before it takes effect, half after: a crash may fall into either.
            time.sleep(receiver.work_seconds * receiver.dice.random())
            receiver.act(key, f"{body['subject']}/{body['name']}")
            time.sleep(receiver.work_seconds * receiver.dice.random())
            self._answer(200, b'{"state": "done"}')
            return
        temper = receiver.temper()
        if temper in {"refused", "busy"}:
            self._answer(500 if temper == "refused" else 429, b"no", {"Retry-After": "1"})
            return
        receiver.take(key, body)
        if temper == "lost":
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(2)
            return
        if temper == "slow":
            time.sleep(SLOW_SECONDS)
        self._answer(202, b"<html>" if temper == "garbage" else b'{"id": "m"}')

    def do_GET(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        asked = parse_qs(urlsplit(self.path).query)
        done = f"{asked['subject'][0]}/{asked['name'][0]}" in receiver.effects
        self._answer(200, b'{"state": "done"}' if done else b'{"state": "none"}')

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        with suppress(OSError):
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that was killed: nothing to say."""


@contextmanager
def receiving(seed: int) -> Iterator[Receiver]:
    """A receiver on a loopback port of its own."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        receiver = server.receiver = Receiver(random.Random(seed))  # noqa: S311 - a test's dice
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            serving.join(5)
