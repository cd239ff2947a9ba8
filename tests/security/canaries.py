"""An installation whose every secret is a canary, rude peers, and a search for what escaped."""

from __future__ import annotations

import base64
import secrets
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.flows.bank import action, make_bank

NAMES = (
    "SLACK_TOKEN", "SLACK_SIGNING", "MAIL", "MAILBOX", "GATEWAY", "OIDC", "SIGNING", "HOOK",
    "HOOK_BEFORE", "WAZUH_SECRET", "EDR_SECRET", "WEB", "LOGS", "SSH", "TEAMS", "ACCESS", "STORE",
)  # fmt: skip
WAIT = ("web", "logs", "mails", "room", "host")
PIN = "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDx6ZsDeAkYJcAlZJY"


class Rude(BaseHTTPRequestHandler):
    """Says no, and repeats everything that it was told."""

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length") or 0))
        said = f"{self.requestline}\n{self.headers}\n".encode() + sent
        self.send_response(500, "no")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = do_HEAD = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing of its own."""


class Talks(socketserver.StreamRequestHandler):
    """Mail servers of either kind that refuse with the very words they were given."""

    greeting, answer = b"", b""

    def handle(self) -> None:
        self.wfile.write(self.greeting)
        for line in self.rfile:
            tag = line.split(b" ", 1)[0]
            self.wfile.write(self.answer.replace(b"TAG", tag).replace(b"LINE", line.strip()) + b"\r\n")


class Smtp(Talks):
    """250 to a greeting, 535 to everything else."""

    greeting, answer = b"220 rude\r\n", b"535 LINE"


class Imap(Talks):
    """Lets nobody in."""

    greeting, answer = b"* OK rude\r\n", b"TAG NO you said LINE"


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    """Its port while it runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])  # type: ignore[index]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def rude() -> Iterator[dict[str, int]]:
    """The ports of all of them."""
    ThreadingHTTPServer.daemon_threads = socketserver.ThreadingTCPServer.daemon_threads = True
    with (
        serving(ThreadingHTTPServer(("127.0.0.1", 0), Rude)) as http,
        serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp)) as smtp,
        serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Imap)) as imap,
    ):
        yield {"http": http, "smtp": smtp, "imap": imap}


def made_up() -> dict[str, str]:
    """A secret of its own for every variable; some have a form to keep."""
    found = {name: f"canary{secrets.token_hex(20)}" for name in NAMES}
    for name in ("HOOK", "HOOK_BEFORE"):
        found[name] = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return found


def install(folder: Path, ports: dict[str, int], known: dict[str, str]) -> Path:
    """A bank that uses all of it. What is a file lies beside the institution's files."""
    http = f"http://127.0.0.1:{ports['http']}"
    known["TEAMS"] = f"json://u:{known['TEAMS']}@127.0.0.1:{ports['http']}/"
    directory = make_bank(folder / "bank", _steps(), _targets(http))
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "secrets").mkdir(mode=0o700)
    (directory / "secrets" / "checkpoint.pem").write_bytes(pem)
    (directory / "secrets" / "ssh").write_text(known["SSH"], encoding="utf-8")
    known["CHECKPOINT"] = "".join(pem.decode().splitlines()[1:-1])
    settings = directory / "settings.toml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("port = 8410", "port = 0") + _settings(http, ports),
        encoding="utf-8",
    )
    people = directory / "organisation.yaml"
    changed = people.read_text(encoding="utf-8").replace(
        "channels: [console, file]", "channels: [slack, email, sms, console, file]"
    )
    people.write_text(changed, encoding="utf-8")
    return directory


def _settings(http: str, ports: dict[str, int]) -> str:
    return f"""
signing_key = "env:HIKESHI_SIGNING"
[slack]
token = "env:HIKESHI_SLACK_TOKEN"
signing_secret = "env:HIKESHI_SLACK_SIGNING"
base_url = "{http}/api/"
timeout = "2s"
[email]
host = "127.0.0.1"
port = {ports["smtp"]}
sender = "hikeshi@mihon-bank.example.jp"
security = "none"
user = "hikeshi"
password = "env:HIKESHI_MAIL"
[mailbox]
host = "127.0.0.1"
port = {ports["imap"]}
tls = "none"
user = "hikeshi"
password = "env:HIKESHI_MAILBOX"
every = "1s"
[teams.urls]
csirt = "env:HIKESHI_TEAMS"
[gateway]
url = "{http}/gateway"
secret = "env:HIKESHI_GATEWAY"
timeout = "2s"
[login]
local = true
[login.oidc]
issuer = "{http}/oidc"
client_id = "hikeshi"
client_secret = "env:HIKESHI_OIDC"
[integrity]
key = "file:secrets/checkpoint.pem"
[[webhooks]]
name = "siem"
url = "{http}/hook"
secret = "env:HIKESHI_HOOK"
secret_before = "env:HIKESHI_HOOK_BEFORE"
kinds = ["*"]
timeout = "2s"
[[relay]]
name = "store"
kind = "object"
endpoint = "{http}"
bucket = "records"
access_key = "env:HIKESHI_ACCESS"
secret_key = "env:HIKESHI_STORE"
"""


def _targets(http: str) -> str:
    return f"""
  rude-web:
    {{kind: http, url: "{http}/block", secret: "env:HIKESHI_WEB", parameters: {{name: {{type: text}}}}}}
  rude-logs: {{kind: logs, url: "{http}/logs", secret: "env:HIKESHI_LOGS"}}
  rude-mails: {{kind: mail}}
  rude-room: {{kind: slack, channel: C0RUDE01}}
  rude-host:
    {{kind: ssh, host: 127.0.0.1, port: 1, user: hikeshi, password: "file:secrets/ssh", argv: [id],
     host_keys: ["{PIN}"]}}
"""


def _steps() -> str:
    ways = {"web": "http.request", "logs": "logs.collect", "mails": "mail.collect", "room": "slack.collect"}
    ways["host"] = "ssh.collect"
    steps = ""
    for name, use in ways.items():
        more = "" if name == "web" else f"preserves: [{name}], volatility: 4, "
        step = action(name, f"rude-{name}", more=f"{more}timeout: 5s", phase="preservation")
        step = step.replace("command.run", use)
        steps += step if name == "web" else step.replace(f"params: {{name: {name}}}, ", "")
    return steps


def shapes(value: str) -> list[bytes]:
    """How a secret may look where somebody has written it down in another way."""
    raw = value.encode()
    found = [raw, raw.hex().encode()]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        # Without the letters that hang on what stands before and after it.
        found.append(encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4])
    return found


def escaped(body: bytes, known: dict[str, str]) -> list[str]:
    """The names of the secrets that stand in there."""
    return [name for name, value in known.items() if any(one in body for one in shapes(value))]


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Everything below the directory but the secrets that lie there as files."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and "secrets" not in path.parts:
            yield str(path.relative_to(folder)), path.read_bytes()
