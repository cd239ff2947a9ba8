"""Handing a mail to an SMTP server, one connection per message.

Up to the first byte of the content nothing was sent, whatever breaks. After it, a broken connection is
unclear: mail cannot be read back, so the outbox sends again, with the same Message-ID.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Sequence

import aiosmtplib

from models.clock import Clock, SystemClock
from models.installation import EmailSettings
from notifiers import rendering
from notifiers.email import render
from notifiers.message import Delivery, Failed, Message, Retry, Sent
from notifiers.probing import Addressee, Finding

_ADDRESS = re.compile(r"[^@\s<>\"'(),:;\\\[\]\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,253}")
# The server's own verdict: 4xx is a no for now, 5xx for good; anything else is no verdict.
_VERDICTS: dict[int, Retry] = {4: "later", 5: "never"}
_TROUBLE = (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError)


class EmailNotifier:
    """Sends through `host`. `password` never leaves this object but to that server, and not without TLS.

    `clock` dates the mails; a drill's mail too carries the true time of sending.
    """

    name = "email"
    can_read_back = False

    def __init__(
        self,
        settings: EmailSettings,
        password: str | None = None,
        *,
        timeout_seconds: float = 20.0,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._password = password
        self._timeout_seconds = timeout_seconds
        self._clock = clock or SystemClock()

    def __repr__(self) -> str:
        return f"EmailNotifier(host={self._settings.host!r}, port={self._settings.port})"

    async def deliver(self, message: Message) -> Delivery:
        if not _ADDRESS.fullmatch(message.address):
            return Failed(error="the mail address is not one; mend it in organisation.yaml", retry="never")
        return await self.post(message.address, render.render(message, self.sender, self._clock.now()))

    @property
    def sender(self) -> str:
        """Whom mails are from."""
        return self._settings.sender

    async def post(self, address: str, mail: render.Mail) -> Delivery:
        """Hand a mail to the server, once."""
        client = self._client()
        try:
            return await self._send(client, address, mail)
        finally:
            client.close()

    async def arrived(self, message: Message) -> Sent | None:
        """A mailbox cannot be asked; always None."""
        return None

    async def probe(self, people: Sequence[Addressee]) -> list[Finding]:
        """Whether the server takes mail for these addresses, asked up to but without the content."""
        from notifiers.email.probe import EmailProbe  # noqa: PLC0415 - only the live check asks

        return await EmailProbe(self._client, self.open, self._bare_sender(), self._scrubbed).run(people)

    async def close(self) -> None:
        """No connection outlives its message."""

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._settings.host,
            port=self._settings.port,
            # Its default asks the name server and blocks the loop meanwhile.
            local_hostname=socket.gethostname(),
            timeout=self._timeout_seconds,
            use_tls=self._settings.security == "tls",
            start_tls=False,
        )

    async def _send(self, client: aiosmtplib.SMTP, address: str, mail: render.Mail) -> Delivery:
        try:
            await self.open(client)
            await client.mail(self._bare_sender())
            await client.rcpt(address)
        except _TROUBLE as error:
            return self._failed(error, broken="later")
        try:
            answer = await client.data(mail.content)
        except _TROUBLE as error:
            return self._failed(error, broken="unclear")
        receipt = f"{answer.code} {rendering.clean(answer.message)}"[:200]
        return Sent(receipt=receipt, rendering_failed=mail.rendering_failed)

    async def open(self, client: aiosmtplib.SMTP) -> None:
        """Connect, TLS, login. Raises what the server or the network does."""
        await client.connect()
        if self._settings.security == "starttls":
            await client.ehlo()
            # A server, or somebody in between, that offers no TLS is not worth a second try.
            if not client.supports_extension("starttls"):
                raise aiosmtplib.SMTPNotSupported("the server offers no STARTTLS; see `security`")
            await client.starttls()
        if self._settings.user is None or self._password is None:
            return
        if self._settings.security == "none":
            raise aiosmtplib.SMTPNotSupported("a password is not sent without TLS; set `security`")
        await client.login(self._settings.user, self._password)

    def _bare_sender(self) -> str:
        """`Hikeshi <a@b>` in the header is `a@b` to the server."""
        found = re.search(r"<([^<>]+)>\s*$", self._settings.sender)
        return found[1] if found else self._settings.sender

    def _failed(self, error: Exception, broken: Retry) -> Failed:
        retry: Retry = broken
        if isinstance(error, aiosmtplib.SMTPResponseException):
            retry = _VERDICTS.get(error.code // 100, broken)
        elif isinstance(error, (aiosmtplib.SMTPNotSupported, ValueError, ssl.SSLCertVerificationError)):
            retry = "never"
        return Failed(error=self._scrubbed(f"{type(error).__name__}: {error}"), retry=retry)

    def _scrubbed(self, text: str) -> str:
        secret = self._password
        return rendering.clean(text.replace(secret, "(password)") if secret else text)[:300]
