"""Messages to people outside the response, situation reports and inquiries: their states and commands.

Nothing here leaves the house by itself, but a situation report that a person sends to people of the
directory. That a message went out is what somebody records (FSA-2.5.2.3-B2, B4, B5). The text is a document
beside the record; facts hold its digest, so that it can be disposed of and the approval still stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec

from models.audience import Asker, Audience, Tlp
from models.commands import Command

SUBJECT = "message"
VersionStatus = Literal["draft", "submitted", "approved", "rejected"]


class Approval(msgspec.Struct, kw_only=True):
    """One person's yes to an exact text, as the holder of a role of the chain."""

    role: str
    by: str
    at: datetime
    deputy_for: str | None = None
    recorded_by: str | None = None


class Version(msgspec.Struct, kw_only=True):
    """The text of a message in one language. `writers` wrote it, and so do not approve it."""

    lang: str
    document: str
    gaps: int = 0
    writers: list[str] = []
    status: VersionStatus = "draft"
    approvals: list[Approval] = []
    written_at: datetime
    reason: str = ""


class Sending(msgspec.Struct, kw_only=True):
    """That a message went out: what exactly, when, by whom, by what means (a text beside the record)."""

    at: datetime
    by: str
    via: str
    versions: dict[str, str]


class Outgoing(msgspec.Struct, kw_only=True):
    """A message to somebody. `chain` are the roles that approve it, as they were when it was drafted.

    `party` is the third party that it is to; its being sent settles the notice that is owed to it.
    """

    id: str
    audience: Audience
    tlp: Tlp
    chain: list[str]
    template: str = ""
    party: str = ""
    versions: dict[str, Version] = {}
    corrects: str | None = None
    corrected_by: str | None = None
    sent: list[Sending] = []
    withdrawn_at: datetime | None = None
    withdrawn: str = ""

    @property
    def status(self) -> str:
        """Withdrawn, corrected, sent, or the status of the version that is least far."""
        if self.withdrawn_at is not None:
            return "withdrawn"
        if self.corrected_by is not None:
            return "corrected"
        if self.sent:
            return "sent"
        found = {version.status for version in self.versions.values()}
        return next(one for one in ("rejected", "draft", "submitted", "approved") if one in found)

    @property
    def over(self) -> bool:
        """Whether its text no longer changes."""
        return bool(self.sent) or self.withdrawn_at is not None

    def next_role(self, lang: str) -> str | None:
        """The role that has to approve a version next; None if it waits for nobody."""
        version = self.versions[lang]
        if self.over or version.status != "submitted":
            return None
        return self.chain[len(version.approvals)]

    def waiting(self) -> tuple[str, ...]:
        """The roles that some version waits for, each once, in the order of the chain."""
        found = {self.next_role(lang) for lang in self.versions}
        return tuple(role for role in dict.fromkeys(self.chain) if role in found)

    def authors_for(self, role: str) -> frozenset[str]:
        """Who has written, or approved before, every version that waits for a role: not its second eyes."""
        waiting = [one for lang, one in self.versions.items() if self.next_role(lang) == role]
        authors = [{*one.writers, *(given.by for given in one.approvals)} for one in waiting]
        return frozenset.intersection(*map(frozenset, authors)) if authors else frozenset()


class Situation(msgspec.Struct, kw_only=True):
    """A situation report that was given; `to` are the people whom it was sent to by Hikeshi."""

    number: int
    at: datetime
    by: str
    text: str
    to: list[str] = []


@dataclass(frozen=True, kw_only=True)
class DraftMessage(Command):
    """A text for an audience: a new message, a correction of one, or (`of`) a version in another language."""

    lang: str
    document: str
    gaps: int
    audience: Audience | None = None
    tlp: Tlp | None = None
    template: str = ""
    of: str = ""
    corrects: str = ""
    party: str = ""


@dataclass(frozen=True, kw_only=True)
class EditMessage(Command):
    """Another text for a version that was not sent; approvals of the text before are void."""

    message: str
    version: str
    document: str
    gaps: int


@dataclass(frozen=True, kw_only=True)
class SubmitMessage(Command):
    """Every version of a message is ready for those who approve it."""

    message: str


@dataclass(frozen=True, kw_only=True)
class ApproveMessage(Command):
    """Somebody approves exact texts: `read` are the digests of what they read, by version."""

    message: str
    read: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RejectMessage(Command):
    """Somebody whose turn it is says no, and why; the writers take it up again."""

    message: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RecordSending(Command):
    """A message went out, by means that are not Hikeshi's; `instant` is when."""

    message: str
    via: str
    instant: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WithdrawMessage(Command):
    """A draft is dropped, or what went out was taken back."""

    message: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class SendSituation(Command):
    """A person sends a situation report to roles, people or named lists of the policy."""

    text: str
    to: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AddInquiry(Command):
    """So many inquiries came, from whom and about what."""

    asker: Asker
    count: int = 1
    topic: str = ""
    note: str = ""
