"""Asking a mail server beforehand: as far as RCPT TO and no further, each dead address by name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from models.installation import EmailSettings
from notifiers.email.deliver import EmailNotifier
from notifiers.email.probe import AT_ONCE, EmailProbe
from notifiers.probing import Addressee, Finding, Probe

SECRET = "not-to-be-shown"  # noqa: S105 made up
DEAD, GREY = "dead@bank.example", "grey@bank.example"


class Server:
    """aiosmtpd's handler: two addresses that it does not take, and a sender that it may refuse."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.mails = 0
        self.begun = 0
        self.sender = "250 OK"
        self.silent = asyncio.Event()
        self.hangs = False

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.begun += 1
        if self.sender.startswith("250"):
            envelope.mail_from = address
        return self.sender

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.asked.append(address)
        if self.hangs:
            await self.silent.wait()
        envelope.rcpt_tos.append(address)
        answers = {DEAD: "550 no such user", GREY: "451 try again later"}
        return answers.get(address, "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.mails += 1
        return "250 OK"


@asynccontextmanager
async def serving(server: Server, **more: Any) -> AsyncIterator[EmailSettings]:
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(server, hostname="mx.example", **more), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield EmailSettings(
            host="127.0.0.1", port=port, sender="Hikeshi <hikeshi@bank.example>", security="none"
        )
    finally:
        server.silent.set()
        listening.close()


def people(*addresses: str) -> list[Addressee]:
    return [Addressee(person=one.partition("@")[0], address=one) for one in addresses]


def codes(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.code, one.subject, one.severity) for one in found]


async def test_dead_addresses_are_named_and_nobody_gets_a_mail() -> None:
    server = Server()
    async with serving(server) as settings:
        notifier = EmailNotifier(settings)
        assert isinstance(notifier, Probe)
        found = await notifier.probe(people("amy@bank.example", DEAD, GREY, "ben@bank.example"))
    assert codes(found) == [("address-refused", "dead", "missing"), ("address-later", "grey", "note")]
    assert found[0].why == "550 no such user"
    assert len(server.asked) == 4, "one that is refused hides no other"
    assert server.mails == 0


async def test_many_addresses_are_asked_in_portions() -> None:
    server = Server()
    async with serving(server) as settings:
        found = await EmailNotifier(settings).probe(
            people(*(f"p{n}@bank.example" for n in range(AT_ONCE + 5)), DEAD)
        )
    assert codes(found) == [("address-refused", "dead", "missing")]
    assert (len(server.asked), server.begun) == (AT_ONCE + 6, 2)


async def test_a_sender_that_the_server_does_not_take() -> None:
    server = Server()
    server.sender = "550 you may not"
    async with serving(server) as settings:
        [found] = await EmailNotifier(settings).probe(people("amy@bank.example"))
    assert (found.code, found.subject) == ("smtp-sender", "hikeshi@bank.example")
    assert server.asked == []


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings = EmailSettings(
            host="127.0.0.1", port=free.getsockname()[1], sender="a@b.example", security="none"
        )
        [found] = await EmailNotifier(settings).probe(people("amy@bank.example"))
    assert found.code == "smtp-unreachable"


async def test_a_server_without_tls_gets_no_login() -> None:
    async with serving(Server()) as settings:
        secure = settings.model_copy(update={"security": "starttls", "user": "hikeshi"})
        [found] = await EmailNotifier(secure, SECRET).probe([])
    assert found.code == "smtp-tls"


async def test_a_login_that_is_refused_shows_no_password() -> None:
    def refuse(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False)

    async with serving(Server(), authenticator=refuse, auth_require_tls=False) as settings:
        notifier = EmailNotifier(settings, SECRET)

        async def opened(client: object) -> None:
            await client.connect()  # type: ignore[attr-defined]
            await client.login("hikeshi", SECRET)  # type: ignore[attr-defined]

        look = EmailProbe(notifier._client, opened, "a@b.example", notifier._scrubbed)
        [found] = await look.run([])
    assert found.code == "smtp-login"
    assert SECRET not in repr(found)


@pytest.mark.parametrize("addresses", [("amy@bank.example", "ben@bank.example"), ()])
async def test_what_time_does_not_allow_is_named(addresses: tuple[str, ...]) -> None:
    server = Server()
    server.hangs = True
    async with serving(server) as settings:
        notifier = EmailNotifier(settings)

        async def slow(client: object) -> None:
            if not addresses:
                await server.silent.wait()
            await client.connect()  # type: ignore[attr-defined]

        look = EmailProbe(notifier._client, slow, "a@b.example", str, seconds=0.3)
        found = await look.run(people(*addresses))
    wanted = [("not-checked", "amy", "missing"), ("not-checked", "ben", "missing")]
    assert codes(found) == (wanted if addresses else [("smtp-unreachable", "", "missing")])
