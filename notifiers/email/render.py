"""A message as plain-text mail: pure, and no header can hold a line break."""

from __future__ import annotations

import hashlib
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from msgspec import Struct

from notifiers import rendering
from notifiers.message import Message

MAX_SUBJECT = 200


class Mail(Struct, frozen=True, kw_only=True):
    """The bytes to hand to an SMTP server, and why the minimal form was used (else empty)."""

    message_id: str
    content: bytes
    rendering_failed: str


def render(message: Message, sender: str, at: datetime) -> Mail:
    """`message` as mail from `sender`, dated `at` (aware); raises nothing for what the context holds.

    The Message-ID is a digest of the key alone: mail programs show the copies of one message once.
    """
    rendered = rendering.render(message)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = rendering.one_line(sender)
    mail["To"] = rendering.one_line(message.address)
    mail["Subject"] = rendering.cut(rendering.one_line(rendered.head), MAX_SUBJECT)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id(message.key, sender)
    for key in message.keys:
        mail["X-Hikeshi-Key"] = rendering.one_line(key)
    # Absent people's automatic replies would hide real answers, and nobody reads them.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.kind == "page":
        mail["Importance"] = "high"
    mail.set_content(rendered.text + "\n", charset="utf-8", cte="base64")
    return Mail(message_id=mail["Message-ID"], content=mail.as_bytes(), rendering_failed=rendered.failed)


def letter(
    *,
    sender: str,
    to: str,
    words: tuple[str, str],
    attached: tuple[str, bytes],
    key: str,
    at: datetime,
) -> Mail:
    """A mail of our own words (subject, text) with a JSON file, such as a checkpoint to be kept."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = rendering.one_line(sender)
    mail["To"] = rendering.one_line(to)
    mail["Subject"] = rendering.cut(rendering.one_line(words[0]), MAX_SUBJECT)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id(key, sender)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(words[1] + "\n", charset="utf-8", cte="base64")
    name, body = attached
    mail.add_attachment(body, maintype="application", subtype="json", filename=name)
    return Mail(message_id=mail["Message-ID"], content=mail.as_bytes(), rendering_failed="")


def message_id(key: str, sender: str) -> str:
    """The same for every copy of a message, and telling nothing about it."""
    domain = rendering.one_line(sender).rpartition("@")[2].strip("> ") or "localhost"
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return f"<{digest}@{domain}>"
