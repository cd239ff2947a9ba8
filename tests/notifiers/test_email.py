"""Mail through a real SMTP server in this process: no forged header, failures told apart, TLS or nothing."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from models.clock import ExerciseClock
from models.installation import EmailSettings
from notifiers.email import render
from notifiers.email.deliver import EmailNotifier
from notifiers.message import Failed, Message, Sent

Make = Callable[..., Message]
NIGHT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
SECRET = "not-to-be-shown"  # noqa: S105 made up


class Mailbox:
    """aiosmtpd's handler; `answers` replaces the server's answer to a command once per entry."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.answers: dict[str, str] = {}
        self.drop_after_data = False

    @property
    def mails(self) -> list[EmailMessage]:
        parsed = [email.message_from_bytes(_bytes(found.content), policy=POLICY) for found in self.envelopes]
        return [mail for mail in parsed if isinstance(mail, EmailMessage)]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if "DATA" not in self.answers:
            self.envelopes.append(envelope)
        if self.drop_after_data and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return self.answers.get("DATA", "250 queued as 42")


def _bytes(content: str | bytes | None) -> bytes:
    assert isinstance(content, bytes)
    return content


@asynccontextmanager
async def serving(mailbox: Mailbox, **more: Any) -> AsyncIterator[EmailSettings]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, hostname="mx.example", **more), "127.0.0.1", 0)
    try:
        yield settings(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


def settings(port: int, **more: Any) -> EmailSettings:
    given = {
        "host": "127.0.0.1",
        "port": port,
        "sender": "Hikeshi <hikeshi@bank.example>",
        "security": "none",
    }
    return EmailSettings.model_validate(given | more)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
async def notifier(mailbox: Mailbox) -> AsyncIterator[EmailNotifier]:
    async with serving(mailbox) as found:
        made = EmailNotifier(found, timeout_seconds=2.0, clock=ExerciseClock(NIGHT))
        yield made
        await made.close()


@pytest.fixture
def mail(message: Make) -> Make:
    """A message for an address that is one."""
    return lambda *args, **given: message(*args, **({"address": "yamada@bank.example"} | given))


async def test_a_page_arrives_as_plain_text_with_its_key(
    mailbox: Mailbox, notifier: EmailNotifier, mail: Make
) -> None:
    sent = await notifier.deliver(mail("page.decision", asked="遮断を判断してください", drill=True))
    assert sent == Sent(receipt="250 queued as 42")
    (envelope,), (found,) = mailbox.envelopes, mailbox.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("hikeshi@bank.example", ["yamada@bank.example"])
    assert found["Subject"] == (
        "【訓練】［SEV1 重大］INC-2026-0001 遮断を判断してください（11/23 03:05 JST (+09:00) までに受領）"
    )
    assert found["To"] == "yamada@bank.example"
    assert found["From"] == "Hikeshi <hikeshi@bank.example>"
    assert found["X-Hikeshi-Key"] == "INC-2026-0001/7/1/1/U0YAMADA"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Importance"] == "high"
    assert found["Date"].datetime == NIGHT
    assert found.get_content_type() == "text/plain"
    assert "期限までに受領がない場合: 03:05 に CISO へ" in found.get_content()
    assert "https://node.example/p/abc.DEF-1?x=1&y=2" in found.get_content()


async def test_a_notice_is_not_important(mailbox: Mailbox, notifier: EmailNotifier, mail: Make) -> None:
    await notifier.deliver(mail("notice.acknowledged"))
    assert mailbox.mails[0]["Importance"] is None


FORGED = ("x\r\nBcc: evil@evil.example", "x\nSubject: y", "x\r\n\r\nbody", "x\u2028Bcc: a@b", "x\x0bBcc: a@b")


@pytest.mark.parametrize("forged", FORGED)
async def test_outside_text_forges_no_header(
    mailbox: Mailbox, notifier: EmailNotifier, mail: Make, forged: str
) -> None:
    sent = await notifier.deliver(mail(asked=forged, severity=forged, incident=forged, key=f"k/{forged}"))
    assert isinstance(sent, Sent)
    (found,) = mailbox.mails
    assert found["Bcc"] is None
    assert len(found.get_all("Subject") or []) == 1
    assert set(found.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "X-Hikeshi-Key", "Auto-Submitted"),
        *(
            "X-Auto-Response-Suppress",
            "Importance",
            "Content-Type",
            "Content-Transfer-Encoding",
            "MIME-Version",
        ),
    }
    assert mailbox.envelopes[0].rcpt_tos == ["yamada@bank.example"]


@pytest.mark.parametrize(
    "address",
    ["", "yamada", "a@b\r\nRCPT TO:<evil@evil.example>", "a@b c", "<a@b>", "a@b,c@d", "山田@", "a@b\n"],
)
async def test_an_address_that_is_none_is_refused_before_connecting(
    mailbox: Mailbox, notifier: EmailNotifier, mail: Make, address: str
) -> None:
    failed = await notifier.deliver(mail(address=address))
    assert isinstance(failed, Failed) and failed.retry == "never"
    assert mailbox.envelopes == []


@pytest.mark.parametrize(
    ("command", "answer", "retry"),
    [
        ("MAIL", "451 try later", "later"),
        ("MAIL", "550 no such sender", "never"),
        ("RCPT", "450 mailbox busy", "later"),
        ("RCPT", "550 no such user", "never"),
        ("DATA", "452 out of storage", "later"),
        ("DATA", "554 looks like spam", "never"),
    ],
)
async def test_the_servers_verdict_decides(
    mailbox: Mailbox, notifier: EmailNotifier, mail: Make, command: str, answer: str, retry: str
) -> None:
    mailbox.answers[command] = answer
    failed = await notifier.deliver(mail())
    assert isinstance(failed, Failed)
    assert (failed.retry, answer[:3] in failed.error) == (retry, True)


async def test_broken_after_the_content_is_unclear_and_the_copy_has_the_same_id(
    mailbox: Mailbox, notifier: EmailNotifier, mail: Make
) -> None:
    mailbox.drop_after_data = True
    failed = await notifier.deliver(mail())
    assert isinstance(failed, Failed) and failed.retry == "unclear"
    mailbox.drop_after_data = False
    assert isinstance(await notifier.deliver(mail(repeat=True)), Sent)
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"] == render.message_id(mail().key, "a@bank.example")
    assert second["Subject"].startswith("【再送】")
    assert not notifier.can_read_back
    assert await notifier.arrived(mail()) is None


async def test_a_server_that_hangs_up_at_once_has_nothing(mail: Make) -> None:
    def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    failed = await EmailNotifier(settings(server.sockets[0].getsockname()[1])).deliver(mail())
    assert isinstance(failed, Failed) and failed.retry == "later"
    server.close()
    await server.wait_closed()


async def test_nobody_listening_is_later(mail: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    failed = await EmailNotifier(settings(port), timeout_seconds=1.0).deliver(mail())
    assert isinstance(failed, Failed) and failed.retry == "later"


@pytest.mark.parametrize("security", ["none", "starttls"])
async def test_no_password_without_tls(mailbox: Mailbox, mail: Make, security: str) -> None:
    """Neither by set-up, nor because the server, or somebody in between, offers no TLS."""
    async with serving(mailbox) as found:
        notifier = EmailNotifier(settings(found.port, user="hikeshi", security=security), SECRET)
        failed = await notifier.deliver(mail())
    assert isinstance(failed, Failed) and failed.retry == "never"
    assert failed.error.startswith("SMTPNotSupported")
    assert SECRET not in failed.error + repr(notifier)
    assert mailbox.envelopes == []


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_mail_goes_through_tls_to_a_server_that_proves_its_name(
    mailbox: Mailbox, mail: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    certificate, key = certified(tmp_path)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, key)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    seen: list[LoginPassword] = []

    def accept(server: Any, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
        seen.append(login)
        return AuthResult(success=True)

    async with serving(mailbox, tls_context=server_side, authenticator=accept) as found:
        wanted = settings(found.port, host="localhost", user="hikeshi", security="starttls")
        answer = await EmailNotifier(wanted, SECRET).deliver(mail())
    if trusted:
        assert isinstance(answer, Sent)
        assert seen == [LoginPassword(b"hikeshi", SECRET.encode())]
    else:
        assert isinstance(answer, Failed) and answer.retry == "never"
        assert (seen, mailbox.envelopes) == ([], [])


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that only those trust who are told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, secret


async def test_the_password_is_scrubbed_from_errors(mailbox: Mailbox, mail: Make) -> None:
    mailbox.answers["MAIL"] = f"550 not with {SECRET}"
    async with serving(mailbox) as found:
        failed = await EmailNotifier(found, SECRET).deliver(mail())
    assert isinstance(failed, Failed)
    assert "(password)" in failed.error and SECRET not in failed.error


def test_message_ids_differ_by_key_and_show_nothing() -> None:
    ids = {render.message_id(f"INC-2026-0001/{n}/1/1/a", "H <h@bank.example>") for n in range(50)}
    assert len(ids) == 50
    assert all(found.endswith("@bank.example>") and "INC" not in found for found in ids)
    assert render.message_id("k", "nobody").endswith("@localhost>") is False


def test_a_long_subject_is_cut(mail: Make) -> None:
    made = render.render(mail(asked="長" * 500, severity="S" * 300), "h@bank.example", NIGHT)
    found = email.message_from_bytes(made.content, policy=POLICY)
    assert len(found["Subject"]) <= render.MAX_SUBJECT
    assert max(map(len, made.content.split(b"\r\n"))) < 998


def test_a_broken_template_is_reported(mail: Make) -> None:
    assert render.render(mail("page.nothing"), "h@bank.example", NIGHT).rendering_failed
