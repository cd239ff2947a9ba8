"""What the auditor writes down: names of its counts, which findings there are, and when one is said."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from models.punctual import Came

LATE_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
LATE, READ, FINDING = "late/", "read/", "finding/"
SUM, AT, WAITING = "sum", "at", "waiting"
Kind = Literal["watch", "outbox", "webhook", "relay", "checkpoints", "derived", "answered", "silent", "pager"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PREFIX = "audit "
"""What a finding is called where the house says that it is impaired, before its kind."""
ROUNDS_UNTIL_SAID = 2
"""A look may fall between two writes of others: what two looks in a row find is said, and unsaid likewise."""


def counted(came: Iterable[Came]) -> Counter[str]:
    """The lateness of what came about, as the names of counts and by how much each grows."""
    found: Counter[str] = Counter()
    for one in came:
        late = max(0.0, one.late.total_seconds())
        place = bisect_left(LATE_SECONDS, late)
        bound = str(LATE_SECONDS[place]) if place < len(LATE_SECONDS) else "+Inf"
        found[f"{LATE}{one.kind}/{bound}"] += 1
        found[f"{LATE}{one.kind}/{SUM}"] += int(late * 1_000_000)
    return found


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that should have happened and has not, or that does not fit. Names nothing restricted."""

    kind: Kind
    detail: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is to be said of a kind now: a detail, or that it is mended."""

    kind: Kind
    detail: str = ""

    @property
    def mended(self) -> bool:
        """Whether it is well again."""
        return not self.detail


@dataclass(kw_only=True)
class Memory:
    """How often in a row each kind was found, or not found any more."""

    seen: Counter[str] = field(default_factory=Counter)
    gone: Counter[str] = field(default_factory=Counter)

    def judge(self, found: Mapping[Kind, Finding], known: frozenset[str]) -> list[Said]:
        """What has changed for long enough to be said; `known` are the kinds that are said to be wrong."""
        said: list[Said] = []
        for kind in KINDS:
            here = found.get(kind)
            self.seen[kind] = self.seen[kind] + 1 if here else 0
            self.gone[kind] = 0 if here else self.gone[kind] + 1
            if here and kind not in known and self.seen[kind] >= ROUNDS_UNTIL_SAID:
                said.append(Said(kind=kind, detail=here.detail))
            elif here is None and kind in known and self.gone[kind] >= ROUNDS_UNTIL_SAID:
                said.append(Said(kind=kind))
        return said
