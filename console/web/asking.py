"""Somebody asks for a page: who, in which language, and what they may see of what they ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from console.cli.account import record_refusal
from console.opening import House
from console.reading import Reader
from console.texts import Texts, texts
from console.views.naming import Naming
from console.visitor import Visitor
from console.web.kept import NOTHING, Kept
from models.access import is_vendor, may_look, over
from models.errors import NotFound, Refused
from models.reason import Reason
from models.state import House as HouseState
from models.state import Incident, StreamState
from models.world import World

LOOK = "look"
"""The row of the table of permissions for looking at incidents."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One page for one visitor. `subject` is what its address names, empty where it names nothing; `item`
    what it names within the subject.

    A part that is not personal is drawn once for all who may read the same: it uses `visitor` for nothing but
    what `reader` says.
    """

    house: House
    visitor: Visitor
    page: str
    subject: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    csrf: str = field(default="", repr=False)
    standing: Callable[[], Mapping[str, Any]] = field(default=dict, repr=False)
    """What the node last knew of itself; nothing where none runs."""
    typed: Kept = field(default=NOTHING, repr=False)
    """What this session typed into a form that was refused; only for personal parts."""
    item: str = ""
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What several parts of one page need, so that it is worked out once."""

    @property
    def lang(self) -> str:
        """`ja` or `en`."""
        return self.visitor.lang

    @property
    def now(self) -> datetime:
        """The house's instant, aware, UTC; in a drill the story's."""
        return self.house.desk.clock.now()

    @cached_property
    def texts(self) -> Texts:
        """The interface's words."""
        return texts(self.lang)

    @cached_property
    def reader(self) -> Reader:
        """What they may know of."""
        return Reader(desk=self.house.desk, viewer=self.visitor.viewer, surface=f"web:{self.page}")

    @cached_property
    def is_vendor(self) -> bool:
        """Whether somebody of a third party asks."""
        return is_vendor(self.visitor.person, self._world)

    @cached_property
    def _world(self) -> World:
        """The institution as it is, beside any incident."""
        return self.house.desk.world(HouseState(stream="house"))

    def may(self, right: str) -> bool:
        """Whether they may use this way of looking at all."""
        return may_look(right, self.visitor.viewer, self._world).whole

    def naming(self, state: StreamState) -> Naming:
        """What it takes to say something about this stream."""
        desk = self.house.desk
        beside = desk.texts(state.stream)
        return Naming(texts=self.texts, world=desk.world(state), state=state, beside=beside, plain=True)

    def incident(self, stream: str = "", *, own: bool = False) -> Incident:
        """The incident that is asked for; `own`: also of a third party, who reads its own steps only.

        Raises NotFound, which is recorded, if there is none or none for them: both look the same. Raises
        Refused to whoever may look at none.
        """
        if not own:
            must_look(self, LOOK, third_parties=True)
        name = stream or self.subject
        state = self.house.desk.state(name)
        reading = self.reader.reading(state) if isinstance(state, Incident) and state.seq else None
        if reading is None or not (reading.some if own else reading.whole):
            desk, actor = self.house.desk, self.visitor.actor
            record_refusal(desk, actor, Reason.NO_SUCH_INCIDENT, f"web:{self.page}", detail=name)
            raise NotFound(f"there is no incident {name}")
        assert isinstance(state, Incident)  # noqa: S101 - said above
        return state


def must_look(ask: Ask, right: str, *, third_parties: bool = False) -> None:
    """Whether they may use this way of looking at all: `right` is a row of the table of permissions.

    Somebody of a third party sees their own steps only, unless the page says that it is for them too. Raises
    Refused, which is recorded.
    """
    desk, visitor = ask.house.desk, ask.visitor
    world = desk.world(HouseState(stream="house"))
    detail: dict[str, object] = {"who": visitor.name}
    if over(visitor.viewer, world.now):
        reason = Reason.INSPECTION_OVER
    elif not may_look(right, visitor.viewer, world).whole:
        reason = Reason.ROLE_MISSING
        detail |= {"needs": sorted(world.policy.permissions.get(right, ())), "command": right}
    elif ask.is_vendor and not third_parties:
        reason = Reason.THIRD_PARTY_LIMIT
    else:
        return
    record_refusal(desk, visitor.actor, reason, f"web:{ask.page}")
    raise Refused(reason, detail)
