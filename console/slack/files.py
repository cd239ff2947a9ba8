"""A file that hangs on a Slack message, kept as evidence: fetched, hashed, stored under its digest.

What is fetched comes from Slack's own hosts only; how much of it, and for how long, is bounded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from flows.actions.store import Writer
from models.commands import AddEvidence
from models.evidence import Particulars
from notifiers.slack.api import LOOPBACK, CallFailed, SlackApi

MAX_BYTES = 1_073_741_824
PIECE_BYTES = 262_144
SECONDS = 600.0
HOSTS = ("slack.com", "slack-files.com", "slack-edge.com")
log = logging.getLogger("hikeshi.slack")


class NotFetched(Exception):
    """The file is not there, too large, or Slack did not give it out whole."""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A file in the evidence folder. `stored` is its place there."""

    name: str
    digest: str
    size: int
    stored: str
    stored_digest: str = ""
    stored_size: int = 0
    sealed_to: tuple[str, ...] = ()

    def into(self, command: AddEvidence) -> AddEvidence:
        """What the dialog said, with what the file itself says."""
        about = Particulars(
            words=(("location", "Slack"), ("tool", "hikeshi, from Slack")),
            stored_digest=self.stored_digest,
            stored_size=self.stored_size,
            sealed_to=self.sealed_to,
        )
        return replace(
            command, digest=self.digest, size=self.size, name=self.name, stored=self.stored, about=about
        )


async def fetch(api: SlackApi, token: str, file: str, folder: Path, seal_to: tuple[str, ...] = ()) -> Fetched:
    """Copy a file by its Slack id. Raises NotFetched; nothing of it is kept then."""
    try:
        answer = await api.call("files.info", soon=True, file=file)
    except CallFailed as failed:
        raise NotFetched(str(failed)) from failed
    known = answer.get("file") or {}
    url = str(known.get("url_private_download") or known.get("url_private") or "")
    if not _is_slacks(api, url):
        raise NotFetched("its address is none of Slack's")
    try:
        return await _copy(url, token, str(known.get("name") or file), partial(Writer, folder, seal_to))
    except (aiohttp.ClientError, TimeoutError, OSError) as failed:
        raise NotFetched(type(failed).__name__) from failed


def _is_slacks(api: SlackApi, url: str) -> bool:
    """Whether the token may be sent there: to Slack by https, or to the test's Slack on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https" and any(host == one or host.endswith(f".{one}") for one in HOSTS):
        return True
    ours = urlsplit(api.client.base_url)
    return host in LOOPBACK and ours.hostname in LOOPBACK


async def _copy(url: str, token: str, name: str, writing: Callable[[], Writer]) -> Fetched:
    timeout = aiohttp.ClientTimeout(total=SECONDS, connect=10)
    headers = {"Authorization": f"Bearer {token}"}
    with writing() as writer:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status != 200 or (answer.content_type == "text/html" and not name.endswith(".html")):  # noqa: PLR2004
                raise NotFetched(f"HTTP {answer.status}")
            async for piece in answer.content.iter_chunked(PIECE_BYTES):
                writer.write(piece)
                if writer.size > MAX_BYTES:
                    raise NotFetched("larger than 1 GiB")
        # Up to a gigabyte is forced to the disk: no press and no page waits for that.
        stored = await asyncio.to_thread(writer.keep)
        return Fetched(
            name=name[:200],
            digest=writer.digest,
            size=writer.size,
            stored=stored,
            stored_digest=writer.stored_digest,
            stored_size=writer.stored_size,
            sealed_to=writer.sealed_to,
        )
