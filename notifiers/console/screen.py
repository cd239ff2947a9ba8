"""Writing to a stream that may be read slowly or not at all: a terminal with Ctrl-S, a pipe nobody empties.

Such a write blocks for ever, so it is done in a thread that nobody waits for at the end of the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

from models.supervised import Tried, attempt


class Screen:
    """Writes one after the other, each in a thread of its own."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._under_way: Future[Tried[None]] | None = None

    @property
    def stuck(self) -> bool:
        """Whether an earlier write, which its caller no longer waits for, has not ended."""
        return self._under_way is not None and not self._under_way.done()

    async def write(self, call: Callable[[], None], seconds: float | None = None) -> bool:
        """Run `call`, which writes, and wait for it, for at most `seconds`. False: nothing was begun.

        Raises TimeoutError if it was begun and has not ended: it may still be written. What `call` raises
        goes through.
        """
        async with self._turn:
            if seconds is None and self._under_way is not None:
                await asyncio.wrap_future(self._under_way)
            if self.stuck:
                return False
            done: Future[Tried[None]] = Future()
            self._under_way = done
            threading.Thread(target=_carry_out, args=(call, done), name="screen", daemon=True).start()
            async with asyncio.timeout(seconds):
                tried = await asyncio.wrap_future(done)
        if tried.error is not None:
            raise tried.error
        return True


def _carry_out(call: Callable[[], None], done: Future[Tried[None]]) -> None:
    done.set_running_or_notify_cancel()  # from here on nobody can cancel it: a write cannot be taken back
    done.set_result(attempt("screen", call))
