"""Reading a record as somebody: what they may not know of is not there; readings are recorded.

One place for every surface: command line, pages, board, Slack and figures ask this and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace
from sqlalchemy import select

from models.access import NOBODY, Reading, Viewer, may_read
from models.actor import Actor
from models.desk import Desk
from models.errors import HikeshiError
from models.fact import Fact
from models.record import STREAM, Record
from models.restriction import RecordRead
from models.state import House, Incident, Intake, Page, Programme, StreamState

_MACHINE = Actor.machine("reading")
_IMPROVEMENT = re.compile(r"IMP-(\d+-\d+)-\d+")


def restricted(record: Record) -> frozenset[str]:
    """Ids of the incidents that only some may know of."""
    wanted = select(STREAM.c.id).where(STREAM.c.restricted.is_(True))
    with record.read() as tx:
        return frozenset(row[0] for row in tx.connection.execute(wanted))


@dataclass(kw_only=True)
class Reader:
    """Somebody who looks, at one desk, on one surface."""

    desk: Desk
    viewer: Viewer = NOBODY
    surface: str = "cli"
    _known: dict[str, Reading] = field(default_factory=dict, repr=False)

    def reading(self, state: Incident) -> Reading:
        """How much of it they may read."""
        return may_read(state, self.viewer, self.desk.world(state))

    def whole(self, states: Iterable[StreamState]) -> list[Incident]:
        """Those incidents of which they may read everything."""
        incidents = (one for one in states if isinstance(one, Incident) and one.seq)
        return [one for one in incidents if self.reading(one).whole]

    def without_hidden(self, state: StreamState) -> StreamState:
        """Another record without what it holds of incidents that they may not know of; a copy."""
        hidden = self.hidden()
        if not hidden:
            return state
        concealed = Concealed(self.desk, hidden)
        kept: dict[str, Any] = {
            "pages": {number: page for number, page in state.pages.items() if not concealed.page(page)}
        }
        if isinstance(state, Intake):
            kept["alerts"] = {one.id: one for one in state.alerts.values() if not concealed.alert(one.id)}
        if isinstance(state, Programme):
            known = state.improvements.values()
            kept["improvements"] = {one.id: one for one in known if not concealed.improvement(one.id)}
        if isinstance(state, House):
            kept["quarantined"] = {name: one for name, one in state.quarantined.items() if name not in hidden}
        return replace(state, **kept)

    def conceals_alert(self, number: str) -> bool:
        """Whether an alert belongs to an incident that they may not know of."""
        return Concealed(self.desk, self.hidden()).alert(number)

    def hidden(self) -> frozenset[str]:
        """The restricted incidents of which they may not know."""
        names = restricted(self.desk.record)
        states = (self.desk.state(name) for name in sorted(names))
        return frozenset(
            one.stream for one in states if isinstance(one, Incident) and not self.reading(one).whole
        )

    def note(self, state: Incident) -> bool:
        """Write down that they have read it, if that is to be known; False if it could not be written."""
        inspects = self.viewer.inspector is not None
        if not self.viewer.name or not (state.restriction.on or inspects):
            return True
        command = RecordRead(actor=_MACHINE, reader=self.viewer.name, surface=self.surface)
        try:
            self.desk.handle(state.stream, command)
        except HikeshiError:
            return False
        return True


class Concealed:
    """What other records say about incidents that somebody may not know of."""

    def __init__(self, desk: Desk, hidden: frozenset[str]) -> None:
        self._hidden = hidden
        self._alerts: set[str] = set()
        for name in hidden:
            state = desk.state(name)
            if isinstance(state, Incident):
                self._alerts.update(state.alerts)

    def fact(self, fact: Fact) -> bool:
        """Whether a fact of intake, house or programme tells of one."""
        if not self._hidden:
            return False
        return any(self._tells(name, value) for name, value in fact.data.items())

    def _tells(self, name: str, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if value in self._hidden or value in self._alerts:
            return True
        subject = value.partition(":")[2] if name == "subject" else value
        return self.improvement(subject) or subject in self._alerts

    def improvement(self, number: str) -> bool:
        """Whether an improvement is one of theirs: its number says of which incident it came."""
        found = _IMPROVEMENT.fullmatch(number)
        return found is not None and f"INC-{found[1]}" in self._hidden

    def alert(self, number: str) -> bool:
        """Whether an alert belongs to one."""
        return number in self._alerts

    def page(self, page: Page) -> bool:
        """Whether a page of another record is about one."""
        return self._tells("subject", page.subject)
