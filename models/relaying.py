"""The second path: where each fact goes besides this host, and when that is late.

The facts are their own queue: a cursor for each sink and stream says how far it has come.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from models.values import Duration, Frozen, Id

SecretRef = Annotated[str, Field(pattern=r"^(env:[A-Z_][A-Z0-9_]*|file:.+)$")]
PREFIX = "relay "
"""What a sink is called where the house says that it is impaired, before its name."""
_RECIPIENT = re.compile(r"^age1[0-9a-z]{58}$")
_LOOPBACK = re.compile(r"^http://(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?(/|$)")


class _Sink(Frozen):
    """What all sinks have in common."""

    name: Id
    every: Duration = Field(default="1s", validate_default=True, description="how long facts are gathered")
    late_after: Duration = Field(
        default="2m", validate_default=True, description="behind for longer than this pages somebody"
    )


class _Segmented(_Sink):
    """A sink that keeps segments."""

    texts: bool = Field(default=True, description="whether texts and documents leave as well")
    seal_to: tuple[str, ...] = Field(
        default=(), max_length=10, description="age recipients; each segment is sealed to them"
    )

    @field_validator("seal_to")
    @classmethod
    def _recipients(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [one for one in value if not _RECIPIENT.match(one)]
        if wrong:
            raise ValueError(f"expected age recipients (age1…), got {', '.join(wrong)[:80]}")
        return value


class FolderRelay(_Segmented):
    """A folder on another mount: append-only segments, each line on the disk before it counts."""

    kind: Literal["folder"]
    path: str = Field(min_length=1, description="an existing folder, relative to this file or absolute")
    mount: bool = Field(
        default=False, description="refuse to write unless the folder is a mount point of its own"
    )
    segment_bytes: int = Field(default=8_388_608, ge=4_096, le=1_073_741_824)


class SyslogRelay(_Sink):
    """A syslog server by RFC 5424 over TCP or TLS with octet counting (RFC 6587, RFC 5425)."""

    kind: Literal["syslog"]
    host: str = Field(min_length=1)
    port: int = Field(default=6514, ge=1, le=65535)
    tls: bool = True
    ca: str | None = Field(default=None, description="file of certificates to trust instead of the system's")
    facility: int = Field(default=13, ge=0, le=23, description="13 is log audit")
    texts: bool = Field(default=False, description="whether texts leave as well: syslog is widely read")


class ObjectRelay(_Segmented):
    """A bucket of an S3 object store with object lock."""

    kind: Literal["object"]
    endpoint: str = Field(pattern=r"^https?://[^/\s]+/?$")
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    prefix: str = Field(default="", pattern=r"^([A-Za-z0-9_-]+/)*$", description="ends with a slash")
    region: str = "us-east-1"
    access_key: SecretRef
    secret_key: SecretRef
    retain: Duration = Field(default="365d", validate_default=True, description="how long nobody can delete")
    mode: Literal["compliance", "governance"] = "compliance"

    @model_validator(mode="after")
    def _not_in_clear(self) -> ObjectRelay:
        if self.endpoint.startswith("http://") and not _LOOPBACK.match(self.endpoint):
            raise ValueError("endpoint: expected https, because a secret is sent (http only to this machine)")
        return self


RelaySink = Annotated[FolderRelay | SyslogRelay | ObjectRelay, Field(discriminator="kind")]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far a sink has come. `behind_since`: since when it has not had everything; None if it has."""

    behind_since: datetime | None = None
    pending: int = 0
    error: str = ""
    tries: int = 0

    def is_late(self, now: datetime, after: timedelta) -> bool:
        """Whether somebody has to know."""
        return self.behind_since is not None and now - self.behind_since >= after


BACKOFF_SECONDS = (1, 2, 5, 10, 30, 60)


def pause_seconds(standing: Standing, every: timedelta) -> float:
    """How long to wait before a sink is tried again; one that fails is tried less and less often."""
    least = every.total_seconds()
    if not standing.tries:
        return least
    return max(least, BACKOFF_SECONDS[min(standing.tries, len(BACKOFF_SECONDS)) - 1])
