"""The one place that lives through anything: loops that page people must go on.

Everything else lets errors it does not know go up, to here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
log = logging.getLogger("hikeshi.supervised")


@dataclass(frozen=True)
class Tried(Generic[T]):
    """What became of a call: its value, or the error that it raised."""

    value: T | None = None
    error: Exception | None = None


def _one_line(error: Exception) -> str:
    """What it says, control characters spelled out: text from outside must not forge a log line."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(error)[:2_000])


def attempt(name: str, call: Callable[[], T]) -> Tried[T]:
    """Call; an error is logged with `name` and returned, never raised."""
    try:
        return Tried(value=call())
    except Exception as error:
        log.warning(
            "%s: %s: %s",
            name,
            type(error).__name__,
            _one_line(error),
            exc_info=log.isEnabledFor(logging.DEBUG),
        )
        return Tried(error=error)


async def attempt_async(name: str, call: Callable[[], Awaitable[T]]) -> Tried[T]:
    """As `attempt`, for a coroutine. Cancelling goes through."""
    try:
        return Tried(value=await call())
    except Exception as error:
        log.warning(
            "%s: %s: %s",
            name,
            type(error).__name__,
            _one_line(error),
            exc_info=log.isEnabledFor(logging.DEBUG),
        )
        return Tried(error=error)


async def forever(
    name: str, stop: asyncio.Event, turn: Callable[[], Awaitable[None]], pause_seconds: float = 1.0
) -> None:
    """Run `turn` again and again until `stop` is set; after an error, pause and go on."""
    while not stop.is_set():
        tried = await attempt_async(name, turn)
        if tried.error is not None:
            await wait(stop, pause_seconds)


async def wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event`, for at most `seconds`; whether it came."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
    except TimeoutError:
        return False
    return True
