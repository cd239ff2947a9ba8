"""Signed links: whoever holds one may read that one page, and acknowledge it, as the person it was sent to.

A link names its page and person and when it ends; nothing of it is stored. One that is forged, cut, altered
or too old is answered alike, so that nobody learns which.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from console.opening import House, secrets_of
from models.errors import BadConfiguration, NotFound

VALID_FOR = timedelta(days=14)
MAX_TOKEN = 600
MIN_KEY = 32
CODE_DIGITS = 8
KEY_FILE = "signing.key"
DEAD = "this link is not valid, or no longer; the last message about this matter holds a newer one"


@dataclass(frozen=True, kw_only=True)
class Link:
    """What a link is for: one page of one stream, for one person; `until` is aware, UTC.

    `channel` is the one that carried it, empty for links made before that was noted.
    """

    stream: str
    page: int
    person: str
    until: datetime
    channel: str = ""


def sign(key: bytes, stream: str, page: int, person: str, now: datetime, *, channel: str = "") -> str:
    """The token of a link that is valid for 14 days from `now` (aware)."""
    until = int((now + VALID_FOR).timestamp())
    carrier = [channel] if channel else []
    token = _serializer(key).dumps([stream, page, person, until, *carrier])
    return token if isinstance(token, str) else token.decode()


def read(key: bytes, token: str, now: datetime) -> Link:
    """What the token is for. Raises NotFound, always with the same words."""
    try:
        content = _serializer(key).loads(token) if len(token) <= MAX_TOKEN else None
    except BadData:
        content = None
    link = _link(content)
    if link is None or link.until <= now:
        raise NotFound(DEAD)
    return link


def _serializer(key: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt="hikeshi.page.v1", signer_kwargs={"digest_method": hashlib.sha256})


def _link(content: Any) -> Link | None:
    match content:
        case [str(stream), int(page), str(person), int(until), *carrier]:
            channel = carrier[0] if len(carrier) == 1 and isinstance(carrier[0], str) else ""
            ends = datetime.fromtimestamp(until, UTC)
            return Link(stream=stream, page=page, person=person, until=ends, channel=channel)
    return None


def form_token(key: bytes, token: str) -> str:
    """What the form on a link's page carries: it proves that the page was read before it is answered."""
    return hmac.new(key, b"hikeshi.form.v1\0" + token.encode(), hashlib.sha256).hexdigest()


def link_maker(house: House, key: bytes) -> Links:
    """Gives the whole address for (stream, page, person, channel), for the messages that leave."""
    return Links(house=house, key=key, base=base_address(house))


@dataclass(frozen=True, kw_only=True)
class Links:
    """Makes the links of messages, and the codes that are sent beside them."""

    house: House
    key: bytes
    base: str

    def __call__(self, stream: str, page: int, person: str, channel: str) -> str:
        """The whole address."""
        now = self.house.desk.clock.now()
        return f"{self.base}/p/{sign(self.key, stream, page, person, now, channel=channel)}"

    def code(self, stream: str, page: int, person: str, cause: int) -> str:
        """The code that the fact `cause` asked for."""
        return code_of(self.key, stream, page, person, cause)


def code_of(key: bytes, stream: str, page: int, person: str, cause: int) -> str:
    """Eight digits for one page, one person and one asking; without the key they can only be guessed."""
    content = b"hikeshi.second.v1\0" + f"{stream}/{page}/{person}/{cause}".encode()
    digest = hmac.digest(key, content, hashlib.sha256)
    return f"{int.from_bytes(digest[:8], 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def base_address(house: House) -> str:
    """Where people find this node."""
    settings = house.institution.settings
    return (settings.public_url or f"http://{_in_address(settings.host)}:{settings.port}").rstrip("/")


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def signing_key(house: House) -> bytes:
    """The key of this installation's links: from the settings, or a file made once in `data`.

    Raises BadConfiguration if the key is too short, or others can read its file.
    """
    reference = house.institution.settings.signing_key
    if reference:
        key = secrets_of(house.institution.directory)(reference).encode()
        return _long_enough(key, f"the signing key {reference}")
    path = house.data / KEY_FILE
    if not path.exists():
        _make_key(path)
    if path.stat().st_mode & 0o077:
        raise BadConfiguration(f"{path} can be read by others; run `chmod 600 {path}`, or delete it")
    return _long_enough(path.read_bytes().strip(), str(path))


def _long_enough(key: bytes, name: str) -> bytes:
    if len(key) < MIN_KEY:
        raise BadConfiguration(f"{name} is shorter than {MIN_KEY} characters; make it longer")
    return key


def _make_key(path: Path) -> None:
    """Whole or not at all, and never over a key that another process has made meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{KEY_FILE}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
