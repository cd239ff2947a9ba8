"""A time-stamp authority of one's own: `openssl ts` behind a small HTTP server on loopback."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

OPENSSL = shutil.which("openssl") or "openssl"
CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[stamping]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = tsa_one
[tsa_one]
dir = {folder}
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
{chain}signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass(kw_only=True)
class Stamper:
    """The authority; `answer` replaces what it says, `root` is the certificate to trust."""

    folder: Path
    url: str = ""
    status: int = 200
    answer: bytes | None = None
    asked: list[bytes] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def reply(self, query: bytes) -> bytes:
        """As openssl answers this query."""
        asked, said = self.folder / "query", self.folder / "reply"
        asked.write_bytes(query)
        openssl(
            "ts",
            "-reply",
            "-config",
            str(self.folder / "config"),
            "-queryfile",
            str(asked),
            "-out",
            str(said),
        )
        return said.read_bytes()


def openssl(*arguments: str) -> None:
    subprocess.run([OPENSSL, *arguments], check=True, capture_output=True)  # noqa: S603 - no shell


def made(folder: Path, name: str = "Authority", *, chain: bool = False) -> Stamper:
    """Root, key and certificate of an authority."""
    folder.mkdir()
    config, root, tsa = folder / "config", folder / "root", folder / "tsa"
    config.write_text(
        CONFIG.format(folder=folder, name=name, chain=f"certs = {folder}/root.pem\n" if chain else "")
    )
    (folder / "serial").write_text("01\n")
    common = ("-config", str(config), "-newkey", "rsa:2048", "-nodes")
    openssl(
        "req", "-x509", *common, "-keyout", f"{root}.key", "-out", f"{root}.pem", "-days", "3650",
        "-extensions", "ca",
    )  # fmt: skip
    openssl("req", "-new", *common, "-subj", "/CN=stamps", "-keyout", f"{tsa}.key", "-out", f"{tsa}.csr")
    openssl(
        "x509", "-req", "-in", f"{tsa}.csr", "-CA", f"{root}.pem", "-CAkey", f"{root}.key", "-CAcreateserial",
        "-days", "3650", "-extfile", str(config), "-extensions", "stamping", "-out", f"{tsa}.pem",
    )  # fmt: skip
    return Stamper(folder=folder)


@contextmanager
def serving(stamper: Stamper) -> Iterator[Stamper]:
    """Its HTTP server (RFC 3161, 3.4)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            stamper.asked.append(query)
            assert self.headers["Content-Type"] == "application/timestamp-query"
            body = stamper.reply(query) if stamper.answer is None else stamper.answer
            self.send_response(stamper.status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stamper.url = f"http://127.0.0.1:{server.server_address[1]}/tsa"
    try:
        yield stamper
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
