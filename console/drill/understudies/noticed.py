"""When something first showed, where a record's state does not keep it: folded from the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from models.fact import Fact


class Noticed:
    """Instants by what they are about; `seq` is the last fact that was looked at."""

    def __init__(self) -> None:
        self.seq = 0
        self._at: dict[tuple[str, str], datetime] = {}

    def take(self, facts: Iterable[Fact]) -> None:
        """Look at further facts of the stream, in their order."""
        for fact in facts:
            if fact.seq > self.seq:
                self.seq = fact.seq
                for change in _CHANGES.get(fact.kind, ()):
                    change(self._at, fact)

    def gate(self, step: str, cause: str, otherwise: datetime) -> datetime:
        """Since when the cause has held the step."""
        return self._at.get((f"gate {step}", cause), otherwise)

    def of(self, what: str, name: str, otherwise: datetime) -> datetime:
        """When this came up: `failed` step, `owed` obligation, `message` to approve, `confirm` fact."""
        return self._at.get((what, name), otherwise)


_Change = Callable[[dict[tuple[str, str], datetime], Fact], None]


def _held(at: dict[tuple[str, str], datetime], fact: Fact) -> None:
    about = f"gate {fact.data['step']}"
    why = set(fact.data["why"])
    for key in [one for one in at if one[0] == about and one[1] not in why]:
        del at[key]
    for cause in why:
        at.setdefault((about, cause), fact.at)


def _freed(at: dict[tuple[str, str], datetime], fact: Fact) -> None:
    for key in [one for one in at if one[0] == f"gate {fact.data['step']}"]:
        del at[key]


def _last(what: str, field: str) -> _Change:
    def change(at: dict[tuple[str, str], datetime], fact: Fact) -> None:
        at[(what, str(fact.data.get(field, "")))] = fact.at

    return change


_CHANGES: Mapping[str, tuple[_Change, ...]] = {
    "gate.held": (_held,),
    "gate.passed": (_freed,),
    "severity.set": (_last("severity", ""),),
    "step.failed": (_last("failed", "step"),),
    "step.unknown": (_last("failed", "step"),),
    "obligation.proposed": (_last("owed", "obligation"),),
    "outgoing.submitted": (_last("message", "message"),),
    "outgoing.approved": (_last("message", "message"),),
    "confirm.asked": (_last("confirm", "fact"),),
}
