"""Reading a record as somebody: what they may not know of is not there; readings are recorded.

One place for every surface: command line, pages, board, Slack and figures ask this and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
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
from models.restriction import READ_AGAIN, RecordRead
from models.state import House, Incident, Intake, Page, Programme, StreamState

_MACHINE = Actor.machine("reading")
_IMPROVEMENT = re.compile(r"IMP-(\d+-\d+)-\d+")
_NAMES = re.compile(r"\b(?:INC|IMP)-(?P<incident>\d+-\d+)|\b(?P<alert>AL-\d+)", re.IGNORECASE)
"""How an incident, what came of it, or an alert is named within any text."""
CONCEALED = "INC-…"
"""What stands in place of an incident that a reader may not know of, where that something is wrong counts."""


def restricted(record: Record) -> frozenset[str]:
    """Ids of the incidents that only some may know of."""
    with record.read() as tx:
        return frozenset(tx.restricted())


def _incidents(record: Record) -> frozenset[str]:
    with record.read() as tx:
        rows = tx.connection.execute(select(STREAM.c.id).where(STREAM.c.kind == "incident"))
        return frozenset(row[0] for row in rows)


def redacted(text: str, hidden: frozenset[str]) -> str:
    """A text with the names of incidents left out that its reader may not know of."""
    for name in hidden:
        text = text.replace(name, CONCEALED)
    return text


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
            kept["quarantined"] = {redacted(name, hidden): one for name, one in state.quarantined.items()}
            kept["impaired"] = {
                redacted(name, hidden): redacted(one, hidden) for name, one in state.impaired.items()
            }
            kept["inspectors"] = {
                name: replace(one, incidents=[redacted(number, hidden) for number in one.incidents])
                for name, one in state.inspectors.items()
            }
        return replace(state, **kept)

    def conceals_alert(self, number: str) -> bool:
        """Whether an alert belongs to an incident that they may not know of."""
        return Concealed(self.desk, self.hidden()).alert(number)

    def hidden(self) -> frozenset[str]:
        """The restricted incidents of which they may not know; of an inspector all that are not named."""
        inspector = self.viewer.inspector
        scoped = inspector is not None and bool(inspector.incidents)
        names = _incidents(self.desk.record) if scoped else restricted(self.desk.record)
        # What this version cannot read stays hidden: nobody can tell who may know of it.
        known = self.desk.readable(sorted(names))
        return names - {
            one.stream for one in known if not isinstance(one, Incident) or self.reading(one).whole
        }

    def note(self, state: Incident) -> bool:
        """Write down that they have read it, if that is to be known; False if it could not be written."""
        inspects = self.viewer.inspector is not None
        if not self.viewer.name or not (state.restriction.on or inspects):
            return True
        last, now = state.restriction.reads.get(self.viewer.name), self.desk.clock.now()
        if last is not None and last <= now < last + READ_AGAIN:
            return True
        command = RecordRead(actor=_MACHINE, reader=self.viewer.name, surface=self.surface)
        try:
            self.desk.handle(state.stream, command)
        except HikeshiError:
            return False
        return True


class Concealed:
    """What other records say about incidents that somebody may not know of.

    `beside` are the texts beside that record's facts, by digest.
    """

    def __init__(
        self, desk: Desk, hidden: frozenset[str], beside: Mapping[str, str | None] | None = None
    ) -> None:
        self._desk, self._hidden, self._beside = desk, hidden, beside or {}
        self._alerts: set[str] = set()
        for state in desk.readable(hidden):
            if isinstance(state, Incident):
                self._alerts.update(state.alerts)

    def fact(self, fact: Fact) -> bool:
        """Whether a fact of intake, house or programme tells of one, anywhere in it or its texts.

        A refusal that names a number which was never given out goes with them: else its being there would
        tell which numbers are.
        """
        if not self._hidden:
            return False
        return any(self._said(text, refusal=fact.kind == "refused") for text in _strings(fact.data))

    def _said(self, text: str, *, refusal: bool) -> bool:
        known = self._beside.get(text) if text.startswith("t:") else text
        if known is None:
            return refusal  # disposed of, or too old to be at hand: nobody can say what it told
        return self._tells(known) or (refusal and self._of_none(known))

    def _tells(self, text: str) -> bool:
        for found in _NAMES.finditer(text):
            if f"INC-{found['incident']}" in self._hidden or (found["alert"] or "").upper() in self._alerts:
                return True
        return False

    def _of_none(self, text: str) -> bool:
        names = (f"INC-{found['incident']}" for found in _NAMES.finditer(text) if found["incident"])
        return any(self._desk.state(name).seq == 0 for name in names)

    def improvement(self, number: str) -> bool:
        """Whether an improvement is one of theirs: its number says of which incident it came."""
        found = _IMPROVEMENT.fullmatch(number)
        return found is not None and f"INC-{found[1]}" in self._hidden

    def alert(self, number: str) -> bool:
        """Whether an alert belongs to one."""
        return number in self._alerts

    def page(self, page: Page) -> bool:
        """Whether a page of another record is about one."""
        return self._tells(page.subject)


def _strings(value: Any) -> Iterator[str]:
    """Every text within, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield str(name)
            yield from _strings(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _strings(one)
