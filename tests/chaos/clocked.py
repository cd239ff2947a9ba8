"""Whether a step of the wall clock moved a timer by more than the step (P6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from models.fact import Fact
from tests.chaos.checker import Fault
from tests.chaos.seen import Received, Seen

SLACK_SECONDS = 20.0
"""What a busy machine may add, beyond the step: ten times what it does."""


def moved_too_far(step: float) -> Callable[[Seen], list[Fault]]:
    """Looks at when the levels of each page really arrived. `step` is the widest that the clock was moved."""

    def look(seen: Seen) -> list[Fault]:
        arrived: dict[str, Received] = {}
        for one in seen.received:
            if one.channel != "file":
                arrived.setdefault(one.key, one)
        return [
            fault
            for stream, facts in seen.facts.items()
            for asked in facts
            if asked.kind == "page.asked"
            for fault in _levels(arrived, stream, asked, step)
        ]

    return look


def _levels(arrived: dict[str, Received], stream: str, asked: Fact, step: float) -> Iterator[Fault]:
    starts = _first(arrived, f"{stream}/{asked.seq}/0/1/")
    if starts is None:
        return
    for level in range(1, len(asked.data["within"])):
        came = _first(arrived, f"{stream}/{asked.seq}/{level}/1/")
        if came is None:
            continue
        moved = came - starts - sum(asked.data["within"][:level])
        if not -step - 1 <= moved <= step + SLACK_SECONDS:
            where = f"{stream}#{asked.seq}"
            yield Fault(promise="P6", where=where, what=f"level {level} came {moved:.1f} s off its time")


def _first(arrived: dict[str, Received], start: str) -> float | None:
    return min((one.at for key, one in arrived.items() if key.startswith(start)), default=None)
