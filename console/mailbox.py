"""A mailbox that the node reads: reports by mail become alerts of the source `mail` (FSA-2.5.2.1-B1).

Which mails were taken is in the record, by UIDVALIDITY and UID, and is written with the alert or not at all.
Only after that is the mail marked as seen. A crash in between costs a mark, never a mail.

To start it: `Mailbox(house, password, run, wake).run(stop)` as a task beside the watch, if `settings.mailbox`
is set; `run` is the node's way into its writer thread, `wake` tells the outbox.
"""

from __future__ import annotations

import asyncio
import imaplib
import logging
import ssl
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import or_, select

from console.intake import STORM, Post, Received, find_source, receive_many, set_counters
from console.opening import House
from console.web.running import Run
from models.alerts import read_alert
from models.canonical import document_digest
from models.commands import Actor, Impair
from models.errors import BadConfiguration, HikeshiError
from models.installation import MAIL, MailboxSettings
from models.record import ALERT
from models.supervised import attempt_async, wait

log = logging.getLogger("hikeshi.mailbox")
WITHIN_SECONDS = 30
MAX_A_TURN = 100
FAILURES_UNTIL_TOLD = 3
NAME = "mailbox"


class MailboxError(HikeshiError):
    """The mailbox cannot be read now; what is in it stays there until it can."""


class Imap:
    """One visit to the mailbox. Blocking: call it in a thread of its own. Raises MailboxError."""

    def __init__(self, settings: MailboxSettings, password: str, *, read_only: bool = False) -> None:
        """`read_only` opens the folder by EXAMINE: then nothing in it can be changed from here."""
        self._settings = settings
        self._read_only = read_only
        # Never the answer to LOGIN: some servers repeat what they were sent.
        wrong = f"{settings.host} lets nobody in; check [mailbox] in settings.toml"
        try:
            self._server = self._connect()
        except (OSError, imaplib.IMAP4.error) as failed:
            raise MailboxError(f"{settings.host}: {type(failed).__name__}; check [mailbox]") from failed
        try:
            self._server.login(settings.user, password)
            self.validity = self._select()
        except MailboxError:
            self._server.shutdown()
            raise
        except (OSError, imaplib.IMAP4.error):
            self._server.shutdown()
            raise MailboxError(wrong) from None

    def _connect(self) -> imaplib.IMAP4:
        host, port, tls = self._settings.host, self._settings.port, self._settings.tls
        if tls == "tls":
            context = ssl.create_default_context()
            return imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=WITHIN_SECONDS)
        server = imaplib.IMAP4(host, port, timeout=WITHIN_SECONDS)
        if tls == "starttls":
            server.starttls(ssl.create_default_context())
        return server

    def _select(self) -> int:
        kind, said = self._server.select(f'"{self._settings.folder}"', readonly=self._read_only)
        if kind != "OK":
            raise MailboxError(f"no folder {self._settings.folder!r} in the mailbox: {said!r}"[:300])
        _, values = self._server.response("UIDVALIDITY")
        if not values or not isinstance(values[0], bytes) or not values[0].isdigit():
            raise MailboxError("the server gives no UIDVALIDITY; without it mails might be taken twice")
        return int(values[0])

    def _uid(self, command: str, *arguments: str) -> list[object]:
        try:
            kind, said = self._server.uid(command, *arguments)
        except (OSError, imaplib.IMAP4.error) as failed:
            raise MailboxError(f"{command}: {type(failed).__name__}") from failed
        if kind != "OK":
            raise MailboxError(f"{command} was answered {kind}")
        return list(said)

    def newer(self, last: int | None) -> list[int]:
        """UIDs to take, in order: all after `last`; at the first visit those that nobody has seen."""
        asked = ("UNSEEN",) if last is None else ("UID", f"{last + 1}:*")
        [found, *_] = self._uid("SEARCH", *asked) or [b""]
        uids = _uids(found)
        # `n:*` names the last mail even if its UID is below n.
        return [one for one in uids if last is None or one > last][:MAX_A_TURN]

    def search(self, wanted: Sequence[tuple[tuple[str, ...], str]]) -> list[int]:
        """UIDs of all mails that fit every one of the words and values, in order."""
        arguments: list[str] = []
        plain = [(words, value) for words, value in wanted if value.isascii()]
        other = [(words, value) for words, value in wanted if not value.isascii()]
        for words, value in plain:
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            arguments += [*words, f'"{quoted}"' if words[0] not in {"SINCE", "BEFORE"} else value]
        if not other:
            [found, *_] = self._uid("SEARCH", *arguments) or [b""]
            return _uids(found)
        left: set[int] | None = None
        for words, value in other:
            # A value in another script goes as a literal, and imaplib sends one with each command.
            self._server.literal = value.encode()  # type: ignore[assignment]
            [found, *_] = self._uid("SEARCH", "CHARSET", "UTF-8", *arguments, *words) or [b""]
            left = set(_uids(found)) if left is None else left & set(_uids(found))
        return sorted(left or ())

    def received(self, uid: int) -> bytes:
        """What the server says about when a mail came, as it says it; empty if the mail has gone."""
        said = self._uid("FETCH", str(uid), "(INTERNALDATE)")
        return next((one for one in said if isinstance(one, bytes)), b"")

    def piece(self, uid: int, start: int, count: int) -> bytes:
        """A part of a mail as it lies there; empty at its end. Marks nothing."""
        for part in self._uid("FETCH", str(uid), f"(BODY.PEEK[]<{start}.{count}>)"):
            if isinstance(part, tuple):
                return bytes(part[1])
        return b""

    def fetch(self, uid: int) -> bytes | None:
        """The mail as it lies there, at most `max_bytes` of it; None if it has gone. Marks nothing."""
        for part in self._uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{self._settings.max_bytes}>)"):
            if isinstance(part, tuple):
                return bytes(part[1])
        return None

    def mark(self, uid: int) -> None:
        """Seen: it is in the record."""
        self._uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Seen)")

    def close(self) -> None:
        """Leave; nothing is expunged."""
        try:
            self._server.logout()
        except (OSError, imaplib.IMAP4.error) as failed:
            log.debug("logout: %s", failed)
            self._server.shutdown()


def _uids(found: object) -> list[int]:
    return sorted(int(one) for one in (found.split() if isinstance(found, bytes) else ()))


class Mailbox:
    """Looks into the mailbox every so often and takes in what is new."""

    def __init__(self, house: House, password: str, run: Run, wake: Callable[[], None]) -> None:
        settings = house.institution.settings.mailbox
        if settings is None:
            raise BadConfiguration("settings.toml has no [mailbox]")
        self._house, self._password, self._settings = house, password, settings
        self._run, self._wake = run, wake
        self._failures = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop`. A mailbox that cannot be reached three times is said to be impaired."""
        while not stop.is_set():
            tried = await attempt_async(NAME, self.turn)
            if tried.error is None:
                await self._well()
            else:
                await self._failed(type(tried.error).__name__)
            if tried.value != MAX_A_TURN:
                await wait(stop, self._settings.every.total_seconds())

    async def turn(self) -> int:
        """One visit; how many mails it found. Raises MailboxError, RecordError: the rest waits."""
        imap = await asyncio.to_thread(Imap, self._settings, self._password)
        try:
            last = await self._run(partial(self._last, imap.validity))
            uids = await asyncio.to_thread(imap.newer, last)
            for uid in uids:
                await self._take(imap, uid)
            return len(uids)
        finally:
            await asyncio.to_thread(imap.close)

    async def _take(self, imap: Imap, uid: int) -> None:
        raw = await asyncio.to_thread(imap.fetch, uid)
        if raw is None:
            return
        received = await self._run(partial(self._store, imap.validity, uid, raw))
        if received is not None and any(one.outcome.queued for one in received.all()):
            self._wake()
        await asyncio.to_thread(imap.mark, uid)

    # -- in the writer thread -------------------------------------------------------------------------------

    def _mark(self, validity: int) -> str:
        """The counter of one life of one folder."""
        one = self._settings
        return f"{NAME}/{one.host}/{one.user}/{one.folder}/{validity}"

    def _last(self, validity: int) -> int | None:
        with self._house.record.read() as tx:
            return tx.peek(self._mark(validity)) or None

    def _store(self, validity: int, uid: int, raw: bytes) -> Received | None:
        """Into the record, with the mail's UID, in one transaction; None if the very same mail is there."""
        marks = {self._mark(validity): uid}
        if self._is_known(raw):
            # The folder was laid down anew, or somebody moved the mail back: its UID is new, the mail is not.
            with self._house.record.begin() as tx:
                set_counters(tx, marks)
            return None
        [received] = receive_many(self._house, [Post(source=self._source(), body=raw, marks=marks)])
        if isinstance(received, HikeshiError):
            raise received
        return received

    def _is_known(self, raw: bytes) -> bool:
        """Whether exactly these bytes have been taken in before, by themselves or in a storm."""
        premises, now = self._house.desk.premises, self._house.desk.clock.now()
        source = find_source(self._house, self._source())
        alert = read_alert(source, raw, premises.organisation, premises.playbooks, now)
        same = select(ALERT.c.id).where(
            ALERT.c.source == source.id,
            or_(ALERT.c.key == alert.key, ALERT.c.key.startswith(f"{STORM}/")),
            ALERT.c.document == document_digest(raw),
        )
        with self._house.record.read() as tx:
            return tx.connection.execute(same.limit(1)).first() is not None

    def _source(self) -> str:
        sources = self._house.institution.intake.sources
        return next((one.id for one in sources if one.format == MAIL), MAIL)

    # -- how it is ------------------------------------------------------------------------------------------

    async def _failed(self, why: str) -> None:
        self._failures += 1
        if self._failures == FAILURES_UNTIL_TOLD:
            detail = f"{self._settings.host} cannot be read ({why}); reports by mail are not seen"
            await self._impair(Impair(actor=Actor.machine(NAME), what=NAME, detail=detail))

    async def _well(self) -> None:
        if self._failures >= FAILURES_UNTIL_TOLD:
            await self._impair(Impair(actor=Actor.machine(NAME), what=NAME, mended=True))
        self._failures = 0

    async def _impair(self, command: Impair) -> None:
        desk = self._house.desk
        await attempt_async(NAME, partial(self._run, partial(desk.handle, "house", command)))
