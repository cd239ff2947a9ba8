"""Asking the mail server before an incident does: connection, TLS, login, and each address.

Goes as far as RCPT TO and never to DATA, so nobody gets anything. Some servers take every address here and
send it back later: a dead address that is not found here is found by a communication check.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence

import aiosmtplib

from models.clock import monotonic
from notifiers.probing import PROBE_SECONDS, Addressee, Finding, finding

NAME = "email"
AT_ONCE = 50
"""Addresses for one imagined mail; servers refuse more than about a hundred."""
_TROUBLE = (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError)
_FOR_GOOD = 5


class EmailProbe:
    """One look at the server. `opened` connects, secures and logs in; `scrub` takes the password out."""

    def __init__(
        self,
        client: Callable[[], aiosmtplib.SMTP],
        opened: Callable[[aiosmtplib.SMTP], Awaitable[None]],
        sender: str,
        scrub: Callable[[str], str],
        *,
        seconds: float = PROBE_SECONDS,
    ) -> None:
        self._client = client
        self._opened = opened
        self._sender = sender
        self._scrub = scrub
        self._ends = monotonic() + seconds

    async def run(self, people: Sequence[Addressee]) -> list[Finding]:
        """All that is missing; what time did not allow is named as not checked."""
        client = self._client()
        found: list[Finding] = []
        asked: set[str] = set()
        try:
            async with asyncio.timeout(max(0.0, self._ends - monotonic())):
                await self._look(client, people, found, asked)
        except TimeoutError:
            rest = [one for one in people if one.address not in asked]
            found += [
                self._found("not-checked", one.person or one.address, "no answer in time") for one in rest
            ]
            if not people:
                found.append(self._found("smtp-unreachable", why="no answer in time"))
        finally:
            client.close()
        return found

    async def _look(
        self, client: aiosmtplib.SMTP, people: Sequence[Addressee], found: list[Finding], asked: set[str]
    ) -> None:
        try:
            await self._opened(client)
        except _TROUBLE as error:
            found.append(self._found(_kind(error), why=self._said(error)))
            return
        try:
            for start in range(0, max(1, len(people)), AT_ONCE):
                await client.mail(self._sender)
                for one in people[start : start + AT_ONCE]:
                    found += await self._address(client, one)
                    asked.add(one.address)
                await client.rset()
        except _TROUBLE as error:
            found.append(self._found("smtp-sender", self._sender, self._said(error)))

    async def _address(self, client: aiosmtplib.SMTP, one: Addressee) -> list[Finding]:
        """What the server says to one address. Raises what breaks the connection."""
        try:
            await client.rcpt(one.address)
        except aiosmtplib.SMTPResponseException as error:
            code = "address-refused" if error.code // 100 == _FOR_GOOD else "address-later"
            return [self._found(code, one.person or one.address, self._said(error))]
        return []

    def _said(self, error: Exception) -> str:
        if isinstance(error, aiosmtplib.SMTPResponseException):
            return f"{error.code} {error.message}"
        return f"{type(error).__name__}: {error}".rstrip(": ")

    def _found(self, code: str, subject: str = "", why: str = "") -> Finding:
        return finding(NAME, code, subject, self._scrub(why))


def _kind(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "smtp-login"
    tls = isinstance(error, (ssl.SSLError, aiosmtplib.SMTPNotSupported))
    return "smtp-tls" if tls or isinstance(error.__cause__, ssl.SSLError) else "smtp-unreachable"
