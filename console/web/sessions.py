"""Sessions of browsers, kept on our side: the cookie is a number that nobody can guess, and says nothing.

What is stored is its digest: who reads the database cannot use it. A session ends by itself, when nobody has
used it for long, and at once when somebody ends it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update

from console.visitor import Visitor
from models.access import NOBODY, Viewer
from models.desk import Desk
from models.record import SESSION, micros
from models.state import House

COOKIE = "hikeshi"
LASTS = timedelta(hours=12)
IDLE = timedelta(hours=2)
SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is known when a session was last used: writing it at each request would cost a commit."""


def digest(value: str) -> str:
    """What is stored of a value that only its holder knows."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


class Sessions:
    """The sessions of one record. In the thread that has the desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def open(self, way: str, *, person: str | None = None, inspector: str = "", lang: str = "ja") -> str:
        """A new session; the value of its cookie, which is known to nobody else."""
        value, now = secrets.token_urlsafe(32), self._desk.clock.now()
        row = {
            "digest": digest(value),
            "person": person,
            "inspector": inspector,
            "way": way,
            "lang": lang,
            "csrf": secrets.token_urlsafe(32),
            "made_at": micros(now),
            "seen_at": micros(now),
            "ends_at": micros(now + LASTS),
        }
        with self._desk.record.begin() as tx:
            tx.connection.execute(SESSION.insert().values(row))
        return value

    def visitor(self, cookie: str) -> Visitor | None:
        """Who the session of this cookie is of; None if it is unknown, ended, or was idle for too long."""
        if not cookie:
            return None
        now = self._desk.clock.now()
        with self._desk.record.read() as tx:
            found = tx.connection.execute(select(SESSION).where(SESSION.c.digest == digest(cookie))).first()
        if found is None or found.ended_at is not None or micros(now) >= found.ends_at:
            return None
        if micros(now - IDLE) > found.seen_at:
            return None
        if micros(now - SEEN_EVERY) > found.seen_at:
            self._change(found.digest, seen_at=micros(now))
        viewer = self._viewer(found.person, found.inspector)
        if viewer == NOBODY:
            return None
        return Visitor(viewer=viewer, door="web", key=found.digest[:10], lang=found.lang, csrf=found.csrf)

    def _viewer(self, person: str | None, inspector: str) -> Viewer:
        """As the directory and the grants are now: who has left since is nobody."""
        if inspector:
            house = self._desk.state("house")
            assert isinstance(house, House)  # noqa: S101 - of this stream it always is
            found = house.inspectors.get(inspector)
            return Viewer(inspector=found) if found is not None else NOBODY
        return Viewer(person=person) if person and self._desk.directory.person(person) else NOBODY

    def speak(self, cookie: str, lang: str) -> None:
        """From now on in this language."""
        self._change(digest(cookie), lang=lang)

    def end(self, key: str, now: datetime) -> None:
        """End the session whose digest is, or begins with, `key`."""
        with self._desk.record.begin() as tx:
            mine = SESSION.c.digest.startswith(key, autoescape=True) & SESSION.c.ended_at.is_(None)
            tx.connection.execute(update(SESSION).where(mine).values(ended_at=micros(now)))

    def _change(self, key: str, **values: object) -> None:
        with self._desk.record.begin() as tx:
            tx.connection.execute(update(SESSION).where(SESSION.c.digest == key).values(**values))
