"""Evidence by its source. Gates and clocks ask for one source at a time, and a record may hold thousands."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from models.evidence import Evidence
from models.state import Incident

INCIDENTS_KEPT = 64


class BySource:
    """The evidence of the incidents that one desk works on, in its order.

    An item that is in the record stays there and keeps its sources, so that only what is new has to be read.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[dict[str, Evidence], dict[str, list[Evidence]], list[int]]] = {}

    def of(self, state: Incident, source: str) -> Sequence[Evidence]:
        """What was taken from a source. Read only."""
        kept = self._kept.get(state.stream)
        # A state that was folded anew has other items, also if there are as many.
        if kept is None or kept[0] is not state.evidence or kept[2][0] > len(state.evidence):
            if len(self._kept) >= INCIDENTS_KEPT:
                del self._kept[next(iter(self._kept))]
            kept = self._kept[state.stream] = (state.evidence, {}, [0])
        items, found, read = kept
        if read[0] < len(items):
            for item in islice(items.values(), read[0], None):
                for one in dict.fromkeys(item.sources):
                    found.setdefault(one, []).append(item)
            read[0] = len(items)
        return found.get(source, ())
