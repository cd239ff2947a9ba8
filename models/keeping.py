"""Settings of the record's integrity: the key, where checkpoints are put, and what the clock is held against.

Each place is one that this host's owner cannot rewrite: mailboxes of named people, an object store with a
lock, an authority's time-stamps (RFC 3161). Nothing of it is needed for checkpoints to be made.
"""

from __future__ import annotations

import re

from pydantic import Field, model_validator

from models.values import Duration, Frozen, Id, SecretRef

_LOOPBACK = re.compile(r"^http://(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?(/|$)")


class MailAnchor(Frozen):
    """Checkpoints by mail, to people who keep them. Needs `[email]`."""

    to: tuple[Id, ...] = Field(min_length=1, max_length=20, description="people of organisation.yaml")
    every: Duration = Field(default="24h", validate_default=True)


class LockedBucket(Frozen):
    """A bucket with object lock (S3), in which nothing can be deleted or replaced before its time is over."""

    endpoint: str = Field(pattern=r"^https?://[^\s/]+/?$")
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    access: SecretRef
    secret: SecretRef
    region: str = "us-east-1"
    prefix: str = Field(default="hikeshi", pattern=r"^[A-Za-z0-9._/-]{1,200}$")
    retention_days: int = Field(default=3_650, ge=1, le=36_500)
    every: Duration = Field(default="1h", validate_default=True)

    @model_validator(mode="after")
    def _not_in_clear(self) -> LockedBucket:
        if self.endpoint.startswith("http://") and not _LOOPBACK.match(self.endpoint):
            raise ValueError("endpoint: expected https, because a secret is used (http only to this machine)")
        return self


class TimeStamping(Frozen):
    """An authority that stamps the time (RFC 3161). Its answers are signed, so http is allowed."""

    url: str = Field(pattern=r"^https?://[^\s]+$")
    certificate: str | None = Field(
        default=None,
        description="PEM file of its root, relative to this one; an answer not signed under it is refused",
    )
    every: Duration = Field(default="1h", validate_default=True)


class IntegritySettings(Frozen):
    """How the record is kept whole: `[integrity]`."""

    key: SecretRef | None = Field(
        default=None,
        description="Ed25519 private key, PEM; default: a file made in `data`",
    )
    ntp: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.:\[\]-]{1,253}$",
        description="time server asked for the clock's offset; default: what the system knows",
    )
    clock_limit: Duration = Field(
        default="1s", validate_default=True, description="a clock further off than this is impaired"
    )
    mail: MailAnchor | None = None
    object_store: LockedBucket | None = None
    timestamp: TimeStamping | None = None
