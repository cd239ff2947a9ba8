"""Whom the command line believes to be the node: a certificate that is trusted, and for that very name."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from console.remote.node import RemoteNode
from console.remote.sending import Lost, Wanted, send

LOOK = Wanted(method="GET", path="/incidents", accept="x/y", lang="en")
heard: list[str] = []


class Peer(http.server.BaseHTTPRequestHandler):
    """Answers everybody, and keeps what it was told."""

    def do_GET(self) -> None:
        heard.append(self.headers["Authorization"])
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing."""


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = http.server.HTTPServer(("127.0.0.1", 0), Peer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    heard.clear()
    yield server.server_port, cert
    server.shutdown()
    server.server_close()


def test_only_a_certificate_that_is_trusted_for_that_name_gets_the_token(peer: tuple[int, Path]) -> None:
    port, cert = peer
    for url, ca in (
        (f"https://localhost:{port}", None),
        (f"https://127.0.0.1:{port}", str(cert)),
        (f"https://localhost:{port}", str(cert.with_name("key.pem"))),
    ):
        with pytest.raises(Lost) as lost:
            send(RemoteNode(url=url, token="of-this-test", ca=ca), LOOK)  # noqa: S106 - made up
        assert (lost.value.kind, lost.value.recorded) == ("certificate", False)
        assert "of-this-test" not in str(lost.value) + lost.value.why
    assert heard == []
    node = RemoteNode(url=f"https://localhost:{port}", token="of-this-test", ca=str(cert))  # noqa: S106
    assert send(node, LOOK).status == 200
    assert heard == ["Bearer of-this-test"]
    assert "of-this-test" not in repr(node)
