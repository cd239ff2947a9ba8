"""Where requests of ours may go: to what the files name, whoever answers for that name."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flows.actions import ActionContext, run
from models.clock import SystemClock
from models.errors import ActionFailed
from models.installation import Settings
from models.targets import HttpTarget, LogsTarget
from notifiers.webhook.deliver import Receiver
from tests.console.test_remote_tls import certificate
from tests.flows.test_actions import REFERENCE, make_context
from tests.security.canaries import Rude, serving

NAME = "firewall.mihon-bank.example"
heard: list[str] = []


class Listening(Rude):
    """Keeps what it was asked."""

    def _answer(self) -> None:
        heard.append(self.requestline)
        super()._answer()

    do_GET = do_POST = _answer


@pytest.fixture
def context(tmp_path: Path) -> ActionContext:
    return make_context(tmp_path)


@pytest.fixture
def rebound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The name now leads to this machine, where somebody listens with a certificate of their own."""
    heard.clear()
    cert, key = certificate(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    real = socket.getaddrinfo

    def found(host: Any, *more: Any, **given: Any) -> Any:
        return real("127.0.0.1" if host in {NAME, NAME.encode()} else host, *more, **given)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    with serving(server) as port:
        yield port


async def test_a_name_that_is_led_elsewhere_gets_no_request_and_no_secret(
    context: ActionContext, rebound: int
) -> None:
    """TLS says whose machine it is, not the name server: loopback, metadata or anybody else's."""
    url = f"https://{NAME}:{rebound}/"
    action = HttpTarget.model_validate({"kind": "http", "url": url, "secret": REFERENCE})
    logs = LogsTarget.model_validate({"kind": "logs", "url": url, "secret": REFERENCE})
    for name, target in (("http.request", action), ("logs.collect", logs)):
        with pytest.raises(ActionFailed):
            await run(name, target, {}, context)
    hook = Receiver(url, [b"k" * 32], SystemClock(), 3)
    answer = await hook.tell("msg_1", b"{}")
    await hook.close()
    assert answer.status == 0 and "Certificate" in answer.error
    assert heard == []


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest", "http://10.0.0.1/", "http://127.0.0.1.evil.example/", "http://localhost.evil/",
        "http://127.0.0.1@evil.example/", "http://[::ffff:169.254.169.254]/", "http://2130706433/",
    ],
)  # fmt: skip
def test_no_secret_leaves_in_clear_for_another_machine(address: str) -> None:
    for kind, model in (("http", HttpTarget), ("logs", LogsTarget)):
        with pytest.raises(ValueError, match="expected https"):
            model.model_validate({"kind": kind, "url": address, "secret": REFERENCE})
    for name, rest in (
        ("slack", {"token": REFERENCE, "base_url": address}),
        ("gateway", {"secret": REFERENCE, "url": address}),
        ("login", {"oidc": {"client_id": "x", "issuer": address}}),
    ):
        with pytest.raises(ValueError, match="expected https"):
            Settings.model_validate({name: rest})
