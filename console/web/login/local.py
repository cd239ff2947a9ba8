"""Whose process on this machine asks: the system knows which account owns the other end of a connection.

Only where the node listens on loopback and nothing forwards to it: a proxy's connection is the proxy's.
"""

from __future__ import annotations

import pwd
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from starlette.requests import Request

from console.cli.account import named
from console.opening import House
from console.web.security import LOOPBACK, is_local
from models.organisation import Person

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
MAX_LINES = 200_000
_LOCAL, _REMOTE, _STATE, _UID = 1, 2, 3, 7
_ESTABLISHED = "01"
IPV6_WORDS = 4
End = tuple[str, int]
"""Address and port."""


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """Somebody at this machine. `choices` are those they may come in as; the first is who they are.

    `uid` is set if they are the owner of the data folder, who takes on another's name.
    """

    choices: tuple[Person, ...]
    account: str
    uid: int
    owner: bool

    def way(self, person: Person) -> str:
        """How the record says that they came."""
        own = not self.owner or person.account == self.account
        return "local" if own else f"local:as={person.account};uid={self.uid}"


def is_open(house: House) -> bool:
    """Whether this way in is open at all."""
    settings = house.institution.settings
    loopback = settings.host in LOOPBACK
    said = settings.login.local
    return loopback and (said if said is not None else settings.public_url is None)


def neighbour(house: House, request: Request) -> Neighbour | None:
    """Who asks, by the account that owns their end of the connection; None if nobody can tell."""
    if not is_open(house) or not is_local(request):
        return None
    uid = _owner(request)
    if uid is None:
        return None
    account = _account(uid)
    own = house.desk.directory.by_account(account)
    if house.data.exists() and house.data.stat().st_uid == uid:
        meant = house.desk.directory.by_account(named(house.data) or account)
        return _of_the_owner(house, meant, account, uid)
    return Neighbour(choices=(own,), account=account, uid=uid, owner=False) if own is not None else None


def _of_the_owner(house: House, meant: Person | None, account: str, uid: int) -> Neighbour | None:
    """Whoever owns the data folder can write the record itself: they come in as whom they name."""
    people = [one for one in house.desk.premises.organisation.people if one.account]
    first = [meant] if meant is not None else []
    choices = tuple(first + [one for one in people if one != meant])
    return Neighbour(choices=choices, account=account, uid=uid, owner=True) if choices else None


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def _owner(request: Request) -> int | None:
    """The uid of the process at the other end of this request's connection."""
    client, server = request.client, request.scope.get("server")
    if client is None or server is None or server[1] is None:
        return None
    ends = (_plain(client.host), client.port), (_plain(server[0]), int(server[1]))
    found = {uid for path in TABLES for uid in _uids(path, ends)}
    return found.pop() if len(found) == 1 else None


def _uids(path: Path, ends: tuple[End, End]) -> Iterator[int]:
    """The owners of the connection from the first end to the second.

    Address and port of both: the same two ports are another's over the other family.
    """
    try:
        with path.open(encoding="ascii") as table:
            lines = islice(table, 1, MAX_LINES)
            for line in lines:
                cells = line.split()
                if cells[_STATE] != _ESTABLISHED:
                    continue
                if (_end(cells[_LOCAL]), _end(cells[_REMOTE])) == ends:
                    yield int(cells[_UID])
    except OSError:
        return


def _end(cell: str) -> End:
    """Address and port of one end, as the system writes them: words of 32 bits in its own order of bytes."""
    address, _, port = cell.partition(":")
    raw = bytes.fromhex(address)
    words = len(raw) // 4
    packed = struct.pack(f"!{words}I", *struct.unpack(f"={words}I", raw))
    family = socket.AF_INET6 if words == IPV6_WORDS else socket.AF_INET
    return _plain(socket.inet_ntop(family, packed)), int(port, 16)


def _plain(address: str) -> str:
    """An address of the old family as itself, also where the new one carries it."""
    return address.removeprefix("::ffff:")
