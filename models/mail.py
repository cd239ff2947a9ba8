"""A mail as it came, read into sender, subject and text. Pure; nothing that a sender writes may raise.

Python's modern mail policy raises many kinds of errors on crooked headers; the old one hands them over as
they are, and they are decoded here. Attachments are named, never opened.
"""

from __future__ import annotations

import binascii
import email.errors
import email.header
import email.message
import email.parser
import email.policy
import email.utils
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from html.parser import HTMLParser

MAX_TEXT = 2_000
"""Characters of text taken from one mail."""
MAX_HEADER = 1_000
MAX_PARTS = 50
MAX_RAW = 400_000
"""Bytes of one part that are looked at: HTML says little in much."""
_SILENT = frozenset({"script", "style", "head", "title", "template", "noscript"})
_BREAKS = frozenset({"br", "p", "div", "li", "tr", "table", "h1", "h2", "h3", "hr", "blockquote"})


@dataclass(frozen=True, kw_only=True)
class Mail:
    """What a mail says. `date` is the sender's, ISO with its offset, empty if none can be read."""

    sender: str = ""
    subject: str = ""
    text: str = ""
    date: str = ""
    message_id: str = ""
    attachments: tuple[str, ...] = ()
    problem: str = ""


def read_mail(raw: bytes) -> Mail:
    """The mail in `raw` (RFC 5322). What cannot be read is named in `problem`; the rest is still there."""
    try:
        message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(raw)
        parts = [part for _, part in zip(range(MAX_PARTS), _leaves(message), strict=False)]
    except RecursionError:
        headers = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(raw)
        return _read(headers, [], "nested too deep; open the stored mail with care")
    return _read(message, parts, "")


def _leaves(message: email.message.Message) -> Iterator[email.message.Message]:
    return (part for part in message.walk() if not part.is_multipart())


def _read(message: email.message.Message, parts: list[email.message.Message], problem: str) -> Mail:
    return Mail(
        sender=_header(message, "From"),
        subject=_header(message, "Subject"),
        text=_text(parts)[:MAX_TEXT],
        date=_date(str(message.get("Date", ""))),
        message_id=_header(message, "Message-ID"),
        attachments=tuple(_named(part) for part in parts if _is_attachment(part)),
        problem=problem,
    )


def _header(message: email.message.Message, name: str) -> str:
    value = message.get(name, "")
    return _decoded(str(value)[: MAX_HEADER * 4])[:MAX_HEADER]


def _decoded(value: str) -> str:
    """`=?iso-2022-jp?B?…?=` as people read it; left as it is where it cannot be decoded."""
    try:
        pieces = email.header.decode_header(value)
    except (email.errors.HeaderParseError, binascii.Error, ValueError):
        return value
    return "".join(
        one if isinstance(one, str) else _characters(one, charset or "utf-8") for one, charset in pieces
    )


def _characters(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset, "replace")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")


def _date(value: str) -> str:
    try:
        at = email.utils.parsedate_to_datetime(value[:MAX_HEADER])
        # `-0000` says that the sender's zone is not known; the time itself is UTC.
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()
    except (TypeError, ValueError, OverflowError):
        return ""


def _is_attachment(part: email.message.Message) -> bool:
    disposition = str(part.get("Content-Disposition", "")).strip().casefold()
    return disposition.startswith("attachment") or part.get_content_maintype() != "text"


def _named(part: email.message.Message) -> str:
    try:
        name = part.get_filename() or ""
    except (LookupError, ValueError, TypeError):
        name = ""
    return _decoded(name)[:200] or part.get_content_type()[:200]


def _text(parts: list[email.message.Message]) -> str:
    """The plain text if there is any, else what the HTML says."""
    written = [part for part in parts if not _is_attachment(part)]
    for kind in ("plain", "html"):
        found = [_payload(part) for part in written if part.get_content_subtype() == kind]
        text = "\n".join(_stripped(one) if kind == "html" else one for one in found).strip()
        if text:
            return text
    return ""


def _payload(part: email.message.Message) -> str:
    try:
        raw = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        return ""
    charset = part.get_param("charset", "utf-8")
    return _characters(raw[:MAX_RAW], str(charset)) if isinstance(raw, bytes) else ""


class _Stripper(HTMLParser):
    """Collects what a reader would see; no address of a link, no script."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A block begins a line; what is never shown is left out."""
        self._silent += tag in _SILENT
        if tag in _BREAKS:
            self.said.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """The end of what is never shown."""
        self._silent = max(0, self._silent - (tag in _SILENT))

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        if not self._silent:
            self.said.append(data)


def _stripped(html: str) -> str:
    stripper = _Stripper()
    try:
        stripper.feed(html)
        stripper.close()
    except (AssertionError, ValueError):
        # Markup that Python's parser does not take; what was seen so far stands.
        stripper.said.append("\n")
    lines = (" ".join(line.split()) for line in "".join(stripper.said).splitlines())
    return "\n".join(line for line in lines if line)
