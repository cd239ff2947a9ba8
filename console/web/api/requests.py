"""Requests with a key of their sender (`Idempotency-Key`): done once, and answered the same when sent again.

The row is stored before the command runs and the answer after it, in two transactions of their own: the rules
know nothing of HTTP. If the node dies in between, nobody knows what became of the request, and it is neither
done again nor said to be done: whoever sends it again is told to look. If the record could not be written and
nothing of it was stored, the row goes, and the same key may be used again; not so if the database broke off
at the commit and does not say what came of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import orjson
from sqlalchemy import delete, insert, select, update
from starlette.requests import Request
from starlette.responses import Response

from console.visitor import Visitor
from console.web.api.problems import Problem
from models.crashpoint import crash_point
from models.desk import Desk
from models.errors import RecordConflict, RecordUncertain
from models.premises import Outcome
from models.record import REQUEST, micros

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
ELSEWHERE = timedelta(seconds=60)
"""How long a request may be worked on by another node before its outcome counts as unknown."""
LEAST, MOST = 8, 200
KEPT_HEADERS = ("content-type", "content-disposition", "content-language", "etag", "retry-after")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request with its key: whose it is, and what it asks for."""

    id: str
    digest: str


def asked(request: Request, visitor: Visitor, body: bytes) -> Asked | None:
    """The key of a request, if it has one. Raises Problem for one that cannot be used.

    Keys are the person's: another's token does not find them, and one person's two tokens share them.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not (LEAST <= len(key) <= MOST and key.isascii() and key.isprintable()):
        raise Problem("bad-key")
    names = ("content-type", "accept", "accept-language", "if-match")
    parts = [request.method, request.url.path, *(request.headers.get(name, "") for name in names)]
    found = hashlib.sha256("\0".join(parts).encode() + b"\0" + body).hexdigest()
    whose = hashlib.sha256(f"{visitor.viewer.name}\0{key}".encode()).hexdigest()
    return Asked(id=whose, digest=found)


class Requests:
    """The requests of one record. In the thread that has the desk."""

    def __init__(self) -> None:
        self._working: set[str] = set()

    def once(self, desk: Desk, asked: Asked, work: Callable[[], Response]) -> Response:
        """The answer of `work`, or the one that it had. Raises Problem if it cannot be known yet, or ever."""
        try:
            before = self._begin(desk, asked)
        except RecordConflict:
            # Another node was asked the same at this moment, and has written it down first.
            before = self._begin(desk, asked)
        if before is not None:
            return before
        written: list[Outcome] = []
        desk.after_commit.append(written.append)
        try:
            response = work()
        except BaseException as failed:
            if not written and not isinstance(failed, RecordUncertain):
                self._forget(desk, asked)
            raise
        finally:
            desk.after_commit.remove(written.append)
            self._working.discard(asked.id)
        crash_point("answer-not-kept")
        self._keep(desk, asked, response)
        return response

    def _begin(self, desk: Desk, asked: Asked) -> Response | None:
        now = desk.clock.now()
        with desk.record.begin() as tx:
            tx.connection.execute(delete(REQUEST).where(REQUEST.c.at < micros(now - KEPT)))
            row = tx.connection.execute(select(REQUEST).where(REQUEST.c.id == asked.id)).first()
            if row is None:
                values = {
                    "id": asked.id, "asked": asked.digest, "code": 0, "headers": "{}", "body": b"",
                    "at": micros(now),
                }  # fmt: skip
                tx.connection.execute(insert(REQUEST).values(values))
                self._working.add(asked.id)
                return None
        if row.asked != asked.digest:
            raise Problem("reused")
        if not row.code:
            # Whether another node still works on it nobody can see; it is given its time.
            lately = desk.record.is_shared and row.at > micros(now - ELSEWHERE)
            raise Problem("in-progress" if asked.id in self._working or lately else "unknown-outcome")
        response = Response(row.body, row.code, orjson.loads(row.headers))
        response.headers["Idempotent-Replay"] = "true"
        return response

    def _keep(self, desk: Desk, asked: Asked, response: Response) -> None:
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        values = {
            "code": response.status_code,
            "headers": orjson.dumps(headers).decode(),
            "body": bytes(response.body),
        }
        with desk.record.begin() as tx:
            tx.connection.execute(update(REQUEST).where(REQUEST.c.id == asked.id).values(values))

    def _forget(self, desk: Desk, asked: Asked) -> None:
        with desk.record.begin() as tx:
            tx.connection.execute(delete(REQUEST).where(REQUEST.c.id == asked.id))
