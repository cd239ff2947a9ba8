"""When a channel that could not be brought up to date is tried again. Pure: `now` in seconds comes in."""

from __future__ import annotations

from dataclasses import dataclass

AGAIN_SECONDS = 30.0
MAX_SECONDS = 900.0


@dataclass(frozen=True, kw_only=True)
class Pause:
    """`until` is when it is over; `shut` says that nothing is tried before, whatever happens."""

    until: float
    seconds: float
    shut: bool


class Pauses:
    """The pauses of all channels. One that has somebody to mend it first becomes twice as long each time."""

    def __init__(self) -> None:
        self._of: dict[str, Pause] = {}

    def failed(self, stream: str, now: float, *, longer: bool, shut: bool) -> None:
        """It did not work. A pause that is not over yet stays as it is."""
        before = self._of.get(stream)
        if before is not None and before.until > now and not shut:
            return
        seconds = min(before.seconds * 2, MAX_SECONDS) if before is not None and longer else AGAIN_SECONDS
        self._of[stream] = Pause(until=now + seconds, seconds=seconds, shut=shut)

    def over(self, stream: str) -> None:
        """It works, or need not."""
        self._of.pop(stream, None)

    def due(self, now: float) -> list[str]:
        """What is to be tried again."""
        return [stream for stream, pause in self._of.items() if pause.until <= now]

    def waits(self, stream: str, now: float) -> bool:
        """Whether it is tried again later, so that looking over everything can leave it out."""
        pause = self._of.get(stream)
        return pause is not None and pause.until > now

    def shut(self, stream: str, now: float) -> bool:
        """Whether news of it have to wait, too."""
        pause = self._of.get(stream)
        return pause is not None and pause.shut and pause.until > now
