"""Sessions of browsers, kept on our side: the cookie is a number that nobody can guess, and says nothing.

What is stored is its digest: who reads the database cannot use it. A session ends by itself, when nobody has
used it for long, at once when somebody ends it, and when its person leaves the directory. It goes by the
machine's time, also in a drill, whose own time stands and leaps.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update
from starlette.responses import Response

from console.opening import House
from console.visitor import Visitor
from models.access import INSPECTING, NOBODY, Viewer
from models.actor import Actor
from models.entering import KEY_SIZE, NoteLogin, NoteLogout
from models.record import SESSION, micros
from models.state import House as HouseState

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is known when a session was last used: writing it at each request would cost a commit."""
FORGOTTEN_AFTER = timedelta(days=30)
MOST_EACH = 20
"""Sessions of one person at a time; of more the oldest ends."""


def digest(value: str) -> str:
    """What is stored of a value that only its holder knows."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


def cookie_name(house: House) -> str:
    """Of this installation alone: cookies do not know ports, and a drill's node may run beside this one.

    Over https a browser takes the prefix `__Host-` from this very host alone, and sends it nowhere else.
    """
    own = digest(str(house.data.resolve()))[:8]
    return f"__Host-hikeshi-{own}" if is_secure(house) else f"hikeshi-{own}"


def is_secure(house: House) -> bool:
    """Whether browsers come over https."""
    return (house.institution.settings.public_url or "").startswith("https://")


class Sessions:
    """The sessions of one installation. In the thread that has the house."""

    def __init__(self, house: House) -> None:
        self._house, self._desk, self._clock = house, house.desk, house.wall
        self.cookie = cookie_name(house)
        self._secure = is_secure(house)
        self._settings = house.institution.settings.login

    # -- the cookie -----------------------------------------------------------------------------------------

    def give(self, answer: Response, value: str) -> None:
        """Let the browser have the cookie of a new session."""
        answer.set_cookie(
            self.cookie, value, path="/", secure=self._secure, httponly=True, samesite="lax", max_age=None
        )

    def take_back(self, answer: Response) -> None:
        """Let the browser forget it."""
        answer.delete_cookie(self.cookie, path="/", secure=self._secure, httponly=True, samesite="lax")

    # -- their life -----------------------------------------------------------------------------------------

    def open(self, way: str, *, person: str | None = None, inspector: str = "", lang: str = "ja") -> str:
        """A new session, which is recorded; the value of its cookie, which is known to nobody else.

        Raises Refused for a person whom the directory does not have.
        """
        value, now = secrets.token_urlsafe(32), self._clock.now()
        key, until = digest(value), now + self._settings.lasts
        row = {
            "digest": key,
            "person": person,
            "inspector": inspector,
            "way": way,
            "lang": lang,
            "csrf": secrets.token_urlsafe(32),
            "made_at": micros(now),
            "seen_at": micros(now),
            "ends_at": micros(until),
        }
        came = Actor(person=person, name=person or inspector, via=f"web:{way}")
        noted = NoteLogin(
            actor=came if person else Actor.machine("web"),
            key=key[:KEY_SIZE],
            way=way,
            until=until,
            inspector=inspector,
        )
        with self._desk.writing() as tx:
            outcome = self._desk.handle_in(tx, "house", noted)
            long_over = SESSION.c.ends_at < micros(now - FORGOTTEN_AFTER)
            tx.connection.execute(delete(SESSION).where(long_over))
            tx.connection.execute(SESSION.insert().values(row))
            self._end_the_oldest(tx.connection, row, now)
        self._desk.settled(outcome)
        return value

    def _end_the_oldest(self, connection: Any, new: Mapping[str, Any], now: datetime) -> None:
        # An inspector's row names no person: without their own name it would be everybody's that end.
        whose = [SESSION.c[name] == new[name] for name in ("person", "inspector") if new[name]]
        running = self._running(None, now).where(*whose)
        found = connection.execute(running.order_by(SESSION.c.made_at.desc()).offset(MOST_EACH)).all()
        for one in found:
            mine = SESSION.c.digest == one.digest
            connection.execute(update(SESSION).where(mine).values(ended_at=micros(now)))

    def visitor(self, cookie: str) -> Visitor | None:
        """Who the session of this cookie is of; None if it is unknown, ended, or was idle for too long."""
        if not cookie:
            return None
        now = self._clock.now()
        with self._desk.record.read() as tx:
            found = tx.connection.execute(select(SESSION).where(SESSION.c.digest == digest(cookie))).first()
        if found is None or found.ended_at is not None or micros(now) >= found.ends_at:
            return None
        if micros(now - self._settings.idle) > found.seen_at:
            return None
        roles = _roles(found.way)
        viewer = self._viewer(found.person, found.inspector, roles)
        if viewer == NOBODY:
            return None
        if micros(now - SEEN_EVERY) > found.seen_at:
            self._change(found.digest, seen_at=micros(now))
        return Visitor(
            viewer=viewer,
            door="web",
            key=found.digest[:KEY_SIZE],
            way=found.way,
            lang=found.lang,
            csrf=found.csrf,
            roles=roles,
            looks=bool(found.inspector),
        )

    def _viewer(self, person: str | None, inspector: str, roles: frozenset[str] | None) -> Viewer:
        """As the directory and the grants are now: who has left since is nobody."""
        if inspector:
            house = self._desk.state("house")
            assert isinstance(house, HouseState)  # noqa: S101 - of this stream it always is
            found = house.inspectors.get(inspector)
            over = found is None or found.until <= self._desk.clock.now()
            return NOBODY if over else Viewer(inspector=found)
        known = person is not None and self._desk.directory.person(person) is not None
        return Viewer(person=person, roles=roles) if known else NOBODY

    def speak(self, cookie: str, lang: str) -> None:
        """From now on in this language."""
        self._change(digest(cookie), lang=lang)

    def leave(self, cookie: str) -> None:
        """End the session of this cookie, because its owner says so; nothing happens if it has ended."""
        visitor = self.visitor(cookie)
        if visitor is None:
            return
        noted = NoteLogout(actor=self._themselves(visitor), key=visitor.key)
        with self._desk.writing() as tx:
            outcome = self._desk.handle_in(tx, "house", noted)
            mine = SESSION.c.digest == digest(cookie)
            tx.connection.execute(update(SESSION).where(mine).values(ended_at=micros(self._clock.now())))
        self._desk.settled(outcome)

    def _themselves(self, visitor: Visitor) -> Actor:
        if visitor.viewer.inspector is None:
            return visitor.actor
        return Actor.machine(f"web:{INSPECTING}{visitor.viewer.inspector.id}")

    # -- for a list of them ---------------------------------------------------------------------------------

    def _running(self, person: str | None, now: datetime) -> Any:
        wanted = select(SESSION).where(
            SESSION.c.ended_at.is_(None),
            SESSION.c.ends_at > micros(now),
            SESSION.c.seen_at >= micros(now - self._settings.idle),
        )
        return wanted if person is None else wanted.where(SESSION.c.person == person)

    def running(self, person: str | None = None) -> list[Any]:
        """The rows of those that are open, of everybody or of one person, the latest first."""
        with self._desk.record.read() as tx:
            wanted = self._running(person, self._clock.now()).order_by(SESSION.c.made_at.desc())
            return list(tx.connection.execute(wanted.limit(500)).all())

    def open_ones(self, digests: Collection[str]) -> set[str]:
        """Those of these digests whose sessions are open."""
        wanted = self._running(None, self._clock.now()).where(SESSION.c.digest.in_(digests))
        with self._desk.record.read() as tx:
            return {one.digest for one in tx.connection.execute(wanted)}

    def find(self, key: str) -> Any:
        """The row of the open session of this number; None if there is none, or more than one."""
        found = [one for one in self.running() if one.digest.startswith(key)] if len(key) >= KEY_SIZE else []
        return found[0] if len(found) == 1 else None

    def end(self, key: str) -> None:
        """End the session whose digest is, or begins with, `key`. Whoever calls this has recorded it."""
        mine = SESSION.c.digest.startswith(key, autoescape=True) & SESSION.c.ended_at.is_(None)
        with self._desk.record.begin() as tx:
            tx.connection.execute(update(SESSION).where(mine).values(ended_at=micros(self._clock.now())))

    def end_all(self, person: str) -> None:
        """End every session of somebody."""
        mine = or_(SESSION.c.person == person, SESSION.c.inspector == person) & SESSION.c.ended_at.is_(None)
        with self._desk.record.begin() as tx:
            tx.connection.execute(update(SESSION).where(mine).values(ended_at=micros(self._clock.now())))

    def _change(self, key: str, **values: object) -> None:
        with self._desk.record.begin() as tx:
            tx.connection.execute(update(SESSION).where(SESSION.c.digest == key).values(**values))


def _roles(way: str) -> frozenset[str] | None:
    """The roles that a session may use, if its way in named them; None: all that its person holds."""
    _, named, roles = way.partition(":roles=")
    return frozenset(roles.split(",")) - {""} if named else None
