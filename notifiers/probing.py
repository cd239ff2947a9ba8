"""Asking a channel before an incident does: what a live check finds, and what it asks.

A probe sends nobody anything. It is bounded in time, paced, and what it says holds no secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

PROBE_SECONDS = 25.0
"""Longest that one channel's probe takes by itself; the whole check has a little more."""
Severity = Literal["missing", "note"]


class Addressee(Struct, frozen=True, kw_only=True):
    """An address to ask about: a person's, or with `person` None one that belongs to all (a duty channel)."""

    person: str | None
    address: str


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is not as it has to be. `code` is one of CODES; `missing` fails the check.

    `subject` is the person, channel or scope in question, `why` the other side's words, without secrets.
    """

    channel: str
    code: str
    subject: str = ""
    why: str = ""
    severity: Severity = "missing"


CODES: Mapping[str, Severity] = {
    "secret-missing": "missing",
    "channel-broken": "missing",
    "timed-out": "missing",
    "not-checked": "missing",
    "no-probe": "note",
    "out-of-band": "note",
    "slack-unreachable": "missing",
    "token-refused": "missing",
    "scope-missing": "missing",
    "scopes-unknown": "note",
    "app-token-refused": "missing",
    "person-unknown": "missing",
    "person-deactivated": "missing",
    "channel-unknown": "missing",
    "channel-archived": "missing",
    "channel-not-joined": "missing",
    "clock-off": "missing",
    "smtp-unreachable": "missing",
    "smtp-tls": "missing",
    "smtp-login": "missing",
    "smtp-sender": "missing",
    "address-refused": "missing",
    "address-later": "note",
    "file-not-writable": "missing",
    "console-only": "note",
    "link-missing": "missing",
    "url-unreachable": "missing",
    "url-not-ours": "missing",
    "url-here-only": "note",
    "node-absent": "note",
    "person-unreached": "missing",
    "source-unreachable": "missing",
    "hook-unreachable": "missing",
}
"""Everything that a live check can find, and whether that fails it. The interface has a text for each."""


def finding(channel: str, code: str, subject: str = "", why: str = "") -> Finding:
    """A finding with the severity of its code. Raises KeyError for a code that is none."""
    return Finding(channel=channel, code=code, subject=subject, why=why, severity=CODES[code])


@runtime_checkable
class Probe(Protocol):
    """A channel that can be asked beforehand; `notifiers.message.Notifier`s may have this besides."""

    async def probe(self, people: Sequence[Addressee]) -> list[Finding]:
        """What is missing on this channel, for these addresses too. Raises nothing for what a peer does."""
        ...
