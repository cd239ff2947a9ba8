"""Who decides from a signed link shows once more who they are: by a session, or by a code sent another way.

A link alone acknowledges. It may be read by whoever reads the mailbox; what stops a bank's service may not
hang on that.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import timedelta

from console.cli.account import record_refusal
from console.opening import House
from console.visitor import Visitor
from console.web.gateway import Guesses
from console.web.links import Link, code_of
from console.web.once import Once
from console.web.sessions import Sessions
from models.access import Viewer
from models.actor import Actor
from models.codes import PRIVATE, AskCode, other_channels
from models.distrust import WEB
from models.reason import Reason

KIND = "code"
LASTS = timedelta(minutes=5)
AGAIN_AFTER = timedelta(minutes=1)
MAX_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What somebody on the page of a link has shown. `channels`: how a code could reach them."""

    logged_in: bool
    channels: tuple[str, ...]
    waiting: bool = False
    """Whether a code was sent that still counts."""


class Second:
    """The second factor of signed pages. In the thread that has the house."""

    def __init__(self, house: House, key: bytes) -> None:
        self._house, self._key = house, key
        self.sessions, self._once = Sessions(house), Once(house)
        self._guesses = Guesses()

    def standing(self, link: Link, cookie: str) -> Standing:
        """Where they stand."""
        desk = self._house.desk
        person = desk.directory.person(link.person)
        world = desk.world(desk.state(link.stream))
        channels = other_channels(person, link.channel, world) if person is not None else []
        return Standing(
            logged_in=self._session(link, cookie) is not None,
            channels=tuple(channels),
            waiting=self._once.look(KIND, _bound(link)) is not None,
        )

    def _session(self, link: Link, cookie: str) -> Visitor | None:
        """The session of this very person, if the browser has one."""
        visitor = self.sessions.visitor(cookie)
        return visitor if visitor is not None and visitor.person == link.person else None

    def ask(self, link: Link) -> str:
        """Have a code sent; why not, as a word of the page, or empty. One a minute at most."""
        now = self._house.wall.now()
        if self._guesses.too_many(link.person, now):
            return "code-locked"
        sent = self._once.look(KIND, _bound(link))
        if sent is not None and float(sent.data["at"]) > (now - AGAIN_AFTER).timestamp():
            return ""
        actor = Actor(person=link.person, name=link.person, via=f"{WEB}:{link.channel}".rstrip(":"))
        outcome = self._house.desk.handle(
            link.stream, AskCode(actor=actor, page=link.page, carrier=link.channel)
        )
        if not outcome.accepted:
            return "code-none" if outcome.refused is Reason.NO_OTHER_CHANNEL else "code-refused"
        asked = next(fact for fact in outcome.facts if fact.kind == "message.requested")
        channels = asked.data["recipients"][0]["channels"]
        self._once.put(
            KIND,
            LASTS,
            person=link.person,
            value=_bound(link),
            cause=asked.seq,
            channel=channels[0],
            at=str(now.timestamp()),
        )
        return ""

    def shown(self, link: Link, cookie: str, code: str, lang: str) -> Visitor | str:
        """As whom they may act: a session of theirs, or the code. Else why not, as a word of the page."""
        session = self._session(link, cookie)
        if session is not None:
            return replace(session, lang=lang)
        if not code.strip():
            return "code-needed"
        now = self._house.wall.now()
        if self._guesses.too_many(link.person, now):
            return "code-locked"
        held = self._once.look(KIND, _bound(link))
        if held is None or held.tries >= MAX_TRIES:
            return "code-over"
        wanted = code_of(self._key, link.stream, link.page, link.person, int(held.data["cause"]))
        plain = "".join(code.split())
        if not hmac.compare_digest(wanted.encode(), plain.encode("utf-8", "replace")):
            self._wrong(link, held.tries)
            return "code-wrong"
        channel = str(held.data["channel"])
        return Visitor(
            viewer=Viewer(person=link.person),
            door=WEB,
            key=link.channel,
            way=f"page:code={channel if channel in PRIVATE else ''}",
            lang=lang,
        )

    def _wrong(self, link: Link, tries: int) -> None:
        """Count it, for this code and for this person: a new code gives no new guesses."""
        self._once.miss(KIND, _bound(link))
        now = self._house.wall.now()
        self._guesses.wrong(link.person, f"{now.isoformat()}/{tries}", now)
        actor = Actor(person=link.person, name=link.person, via=f"{WEB}:{link.channel}".rstrip(":"))
        record_refusal(self._house.desk, actor, Reason.CODE_WRONG, "code", detail=link.stream)

    def used(self, link: Link) -> None:
        """What the code was for is done: it opens nothing more."""
        self._once.take(KIND, _bound(link))


def _bound(link: Link) -> str:
    """What a code is for: one page and one person."""
    return f"{link.stream}/{link.page}/{link.person}"
