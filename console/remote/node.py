"""Which node is meant, and with which token; both from the environment, never from an argument.

Arguments are seen by everybody on the machine. A token goes by https alone, or to this machine itself: there
is no switch for plain http, because whoever reads the line could then act as its owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from console.remote import URL
from console.texts import Texts

TOKEN, TOKEN_FILE, CA_FILE = "HIKESHI_TOKEN", "HIKESHI_TOKEN_FILE", "HIKESHI_CA_FILE"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_TOKEN = 200


class NotSetUp(Exception):
    """The environment does not say which node is meant, or as whom; the text is for people."""


@dataclass(frozen=True, kw_only=True)
class RemoteNode:
    """A node that is spoken to over the network. The token is shown nowhere."""

    url: str
    token: str = field(repr=False)
    ca: str | None = None

    @property
    def host(self) -> str:
        """What people call it."""
        parts = urlsplit(self.url)
        return parts.hostname or "" if parts.port is None else f"{parts.hostname}:{parts.port}"

    @property
    def here(self) -> bool:
        """Whether it runs on this machine."""
        return urlsplit(self.url).hostname in LOOPBACK


def node_of(environment: Mapping[str, str], words: Texts) -> RemoteNode:
    """The node that the environment names. Raises NotSetUp."""
    url = environment.get(URL, "").strip().rstrip("/")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotSetUp(words("remote.setup.url")) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise NotSetUp(words("remote.setup.url"))
    if parts.username or parts.password or parts.query or parts.fragment:
        raise NotSetUp(words("remote.setup.plain_url"))
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise NotSetUp(words("remote.setup.clear"))
    ca = environment.get(CA_FILE) or None
    if ca is not None and not Path(ca).is_file():
        raise NotSetUp(words("remote.setup.ca", path=ca))
    return RemoteNode(url=url, token=_token(environment, words), ca=ca)


def _token(environment: Mapping[str, str], words: Texts) -> str:
    token, path = environment.get(TOKEN, ""), environment.get(TOKEN_FILE, "")
    if not token and path:
        try:
            with Path(path).open(encoding="ascii") as file:
                token = file.read(MAX_TOKEN + 2)
        except (OSError, UnicodeError):
            raise NotSetUp(words("remote.setup.token_file", path=path)) from None
    token = token.strip()
    if not token:
        raise NotSetUp(words("remote.setup.no_token"))
    if len(token) > MAX_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise NotSetUp(words("remote.setup.bad_token"))
    return token
