"""Where checkpoints are put so that this host's owner cannot rewrite them.

Mailboxes of named people, a bucket with object lock, an authority's time-stamps (RFC 3161).
Each place is asked once a call and raises AnchorFailed; when to ask again is `console.keeping`'s matter.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from console.checkpoints import Made
from console.opening import House, secrets_of
from console.texts import texts
from models.checkpoint import aloud, digest
from models.clock import iso
from models.errors import BadConfiguration, HikeshiError
from models.keeping import LockedBucket, MailAnchor, TimeStamping
from models.organisation import Person
from notifiers.message import Notifier, Sent

if TYPE_CHECKING:
    from rfc3161_client import TimeStampRequest

    from notifiers.email.deliver import EmailNotifier

WITHIN_SECONDS = 20
MAX_ANSWER = 262_144
MAIL, OBJECT, STAMP = "mail", "object", "rfc3161"
STAMP_QUERY, STAMP_REPLY = "application/timestamp-query", "application/timestamp-reply"
_TIME = re.compile(rb"\x18.([0-9]{14}[0-9.]*Z)")
"""GeneralizedTime in DER."""
_GRANTED = frozenset({0, 1})
"""PKIStatus `granted` and `grantedWithMods` (RFC 3161, 2.4.2)."""


class AnchorFailed(HikeshiError):
    """The checkpoint was not taken there now; it is tried again, and pages go on meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """The proof that a place has it. `token` is a time-stamp as it came."""

    receipt: str
    token: bytes | None = None


class Place(Protocol):
    """One place. `name` tells it from others of its kind and is shown; it holds no secret."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def every(self) -> timedelta: ...

    async def put(self, made: Made, kept: bytes, now: datetime) -> Placed:
        """Put the checkpoint there; `kept` is the form in which people keep it. Raises AnchorFailed."""
        ...


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """The mailbox of a named person."""

    person: Person
    notifier: EmailNotifier
    every: timedelta
    house: House
    trusted: Callable[[], bool]
    kind: str = MAIL

    @property
    def name(self) -> str:
        """The person's id: an address may change."""
        return self.person.id

    async def put(self, made: Made, kept: bytes, now: datetime) -> Placed:
        """A mail with the digest to read and the checkpoint as a file."""
        from notifiers.email.render import letter  # noqa: PLC0415 - only where mail is set up

        if not self.trusted():
            raise AnchorFailed("mail is out of band; `hikeshi route in-band email` takes it back")
        name = digest(made.body)
        words = texts(self.person.lang)
        organisation = self.house.institution.organisation.name.lang(self.person.lang)
        values = {"number": made.number, "at": iso(made.at), "organisation": organisation, "key": made.key}
        subject = words("integrity.mail.subject", **values)
        if self.house.desk.premises.drill:
            subject = words("integrity.mail.drill", subject=subject)
        mail = letter(
            sender=self.notifier.sender,
            to=self.person.email or "",
            words=(subject, words("integrity.mail.text", **values, digest=aloud(name))),
            attached=(f"checkpoint-{made.number:08d}.json", kept),
            key=f"checkpoint/{name}/{self.person.id}",
            at=now,
        )
        answer = await self.notifier.post(self.person.email or "", mail)
        if not isinstance(answer, Sent):
            raise AnchorFailed(answer.error)
        return Placed(receipt=answer.receipt)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A bucket with object lock: a version that lies there cannot be deleted before its time."""

    settings: LockedBucket
    access: str = field(repr=False)
    secret: str = field(repr=False)
    kind: str = OBJECT

    @property
    def name(self) -> str:
        """The bucket."""
        return f"{urlsplit(self.settings.endpoint).netloc}/{self.settings.bucket}"

    @property
    def every(self) -> timedelta:
        """As set up."""
        return self.settings.every

    async def put(self, made: Made, kept: bytes, now: datetime) -> Placed:
        """Blocking work, in a thread of its own."""
        return await asyncio.to_thread(self._put, made, kept, now)

    def _put(self, made: Made, kept: bytes, now: datetime) -> Placed:
        from notifiers.objectstore import ObjectStore  # noqa: PLC0415 - only where a bucket is set up

        one = self.settings
        name = f"{one.prefix}/checkpoint-{made.number:08d}-{digest(made.body)[:16]}.jsonl"
        until = now + timedelta(days=one.retention_days)
        try:
            store = ObjectStore(one.endpoint, one.bucket, self.access, self.secret, one.region)
            store.check_lock()
            version = store.put_once(name, kept, until)
        except HikeshiError as failed:
            raise AnchorFailed(str(failed)) from None
        return Placed(receipt=f"{name} {version}")


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A time-stamp authority (RFC 3161)."""

    settings: TimeStamping
    certificate: bytes | None
    kind: str = STAMP

    @property
    def name(self) -> str:
        """Its host: addresses may hold a customer's number."""
        return urlsplit(self.settings.url).netloc.rpartition("@")[2]

    @property
    def every(self) -> timedelta:
        """As set up."""
        return self.settings.every

    async def put(self, made: Made, kept: bytes, now: datetime) -> Placed:
        """Have the body stamped. The answer is kept as it came, and looked at before it counts."""
        import aiohttp  # noqa: PLC0415 - only where an authority is set up
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder  # noqa: PLC0415

        request = TimestampRequestBuilder().data(made.body).hash_algorithm(HashAlgorithm.SHA256).build()
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=WITHIN_SECONDS), trust_env=False
                ) as session,
                session.post(
                    self.settings.url,
                    data=request.as_bytes(),
                    headers={"Content-Type": STAMP_QUERY, "Accept": STAMP_REPLY},
                    allow_redirects=False,
                ) as answer,
            ):
                raw = await answer.content.read(MAX_ANSWER)
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError) as failed:
            raise AnchorFailed(f"{self.name}: {type(failed).__name__}") from failed
        if status != 200:  # noqa: PLR2004 - HTTP's OK
            raise AnchorFailed(f"{self.name} answered {status}")
        return await asyncio.to_thread(self._looked_at, raw, made.body, request)

    def _looked_at(self, raw: bytes, body: bytes, request: TimeStampRequest) -> Placed:
        from rfc3161_client import decode_timestamp_response  # noqa: PLC0415

        try:
            response = decode_timestamp_response(raw)
            granted, info = response.status in _GRANTED, response.tst_info
            imprint = info.message_imprint.message
            ours = imprint == hashlib.sha256(body).digest() and info.nonce == request.nonce
        except ValueError as wrong:
            # Some authorities send their certificates in an order of their own, which is no strict DER.
            if hashlib.sha256(body).digest() in raw and self.certificate is not None:
                return self._by_openssl(raw, request)
            raise AnchorFailed(f"{self.name} gave no time-stamp: {str(wrong)[:120]}") from wrong
        if not granted or not ours:
            raise AnchorFailed(f"{self.name} gave a time-stamp of something else, or refused")
        if self.certificate is not None:
            self._signed(raw, body)
        return Placed(receipt=iso(info.gen_time), token=raw)

    def _by_openssl(self, raw: bytes, request: TimeStampRequest) -> Placed:
        """The same looks (imprint, nonce, signature) by `openssl ts -verify`, if it is there."""
        tool = shutil.which("openssl")
        if tool is None:
            raise AnchorFailed(f"{self.name} gave a time-stamp that only openssl reads; install it")
        with tempfile.TemporaryDirectory() as folder:
            files = {"root": self.certificate or b"", "query": request.as_bytes(), "answer": raw}
            paths = {name: str(Path(folder, name)) for name in files}
            for name, content in files.items():
                Path(paths[name]).write_bytes(content)
            command = [tool, "ts", "-verify", "-in", paths["answer"], "-queryfile", paths["query"]]
            command += ["-CAfile", paths["root"]]
            done = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603
        if done.returncode != 0:
            raise AnchorFailed(f"{self.name}: the time-stamp does not hold (openssl ts -verify)")
        stamped = _TIME.search(raw)
        return Placed(receipt=stamped[1].decode() if stamped else "verified", token=raw)

    def _signed(self, raw: bytes, body: bytes) -> None:
        from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415
        from rfc3161_client import (  # noqa: PLC0415
            VerificationError,
            VerifierBuilder,
            decode_timestamp_response,
        )

        builder = VerifierBuilder()
        for one in load_pem_x509_certificates(self.certificate or b""):
            builder = builder.add_root_certificate(one)
        try:
            builder.build().verify_message(decode_timestamp_response(raw), body)
        except (VerificationError, ValueError) as wrong:
            raise AnchorFailed(f"{self.name}: the time-stamp does not hold: {str(wrong)[:120]}") from wrong


def places(house: House, notifiers: dict[str, Notifier], trusted: Callable[[], bool]) -> list[Place]:
    """The places that are set up. Raises BadConfiguration for what they name and cannot be had."""
    settings = house.institution.settings.integrity
    found: list[Place] = []
    if settings.mail is not None:
        found += _mailboxes(house, settings.mail, notifiers, trusted)
    secrets = secrets_of(house.institution.directory)
    if settings.object_store is not None:
        store = settings.object_store
        found.append(Bucket(settings=store, access=secrets(store.access), secret=secrets(store.secret)))
    if settings.timestamp is not None:
        found.append(
            Authority(
                settings=settings.timestamp,
                certificate=_certificate(house.institution.directory, settings.timestamp.certificate),
            )
        )
    return found


def _mailboxes(
    house: House, mail: MailAnchor, notifiers: dict[str, Notifier], trusted: Callable[[], bool]
) -> list[Place]:
    from notifiers.email.deliver import EmailNotifier  # noqa: PLC0415

    notifier = notifiers.get("email")
    if not isinstance(notifier, EmailNotifier):
        raise BadConfiguration("[integrity.mail] needs [email] in settings.toml")
    people = [(name, house.desk.directory.person(name)) for name in mail.to]
    missing = [name for name, person in people if person is None or person.email is None]
    if missing:
        raise BadConfiguration(
            f"[integrity.mail] to: no `email` in organisation.yaml for {', '.join(missing)}"
        )
    return [
        Mailbox(person=person, notifier=notifier, every=mail.every, house=house, trusted=trusted)
        for _, person in people
        if person is not None
    ]


def _certificate(directory: Path, name: str | None) -> bytes | None:
    if name is None:
        return None
    try:
        return (directory / name).read_bytes()
    except OSError as wrong:
        raise BadConfiguration(f"[integrity.timestamp] certificate {name}: {wrong.strerror}") from wrong
