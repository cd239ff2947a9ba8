"""Somebody who asks over the network: who they are, by what they were known, and what that lets them do."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.access import INSPECTING, NOBODY, Viewer
from models.actor import Actor


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A person of the directory, an inspector, or nobody yet.

    `door` is the way in as the record names it (`web`, `api`); `key` what they were known by, without any
    secret: the number of a session or a token. `roles`, if not None, are all that a token may use of the
    person's own roles.
    """

    viewer: Viewer = NOBODY
    door: str = "web"
    key: str = ""
    lang: str = "ja"
    roles: frozenset[str] | None = None
    way: str = ""
    """How a session's person showed who they are."""
    looks: bool = False
    """Whether they may only look: their token says so."""
    csrf: str = field(default="", repr=False)
    """What a form of this session has to give back; empty where nothing is sent by a browser."""

    @property
    def person(self) -> str | None:
        """Their id in the directory."""
        return self.viewer.person

    @property
    def known(self) -> bool:
        """Whether they are somebody."""
        return self.viewer != NOBODY

    @property
    def name(self) -> str:
        """How the record names them where no person stands."""
        return self.viewer.name or "nobody"

    @property
    def via(self) -> str:
        """How their acts say which way they came."""
        if self.viewer.inspector is not None:
            return INSPECTING + self.viewer.inspector.id
        said = f"{self.door}:{self.key}" if self.key else self.door
        # Somebody else had a hand in who they are here: the owner of the data, or who made the link.
        _, _, by = self.way.partition(":")
        return f"{said};{by}" if by.startswith(("as=", "by=", "code=")) else said

    @property
    def actor(self) -> Actor:
        """Who acts; the desk refuses whom the directory does not know."""
        person = None if self.viewer.inspector is not None else self.viewer.person
        return Actor(person=person, name=self.name, via=self.via, roles=self.roles, looks=self.looks)
