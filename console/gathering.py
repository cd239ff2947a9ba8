"""Posts that arrive while the record is being written are written together with the next transaction.

One alert alone waits for nobody; a thousand a second share the cost of the disk. The answer to each sender
still means that all of it is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from console.intake import Post, Received
from console.web.running import Run
from models.errors import HikeshiError
from models.supervised import attempt_async

BATCH = 100
MAX_WAITING = 5_000
Waiting = tuple[Post, "asyncio.Future[Received]"]
Store = Callable[[Sequence[Post]], list[Received | HikeshiError]]


class Queue:
    """Posts on their way to the one thread that writes. `store` runs there, and answers each in its place."""

    def __init__(self, run: Run, store: Store) -> None:
        self._run, self._store = run, store
        self._waiting: deque[Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def receive(self, post: Post) -> Received | None:
        """What became of it, stored; None if too many wait already. Raises RecordError."""
        if len(self._waiting) >= MAX_WAITING:
            return None
        answer: asyncio.Future[Received] = asyncio.get_running_loop().create_future()
        self._waiting.append((post, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            posts = [post for post, _ in some]
            tried = await attempt_async("intake", partial(self._run, partial(self._store, posts)))
            # Whatever went wrong, nobody is left without an answer.
            failed = tried.error or HikeshiError("not stored; send it again")
            answers: Sequence[Received | Exception] = tried.value or [failed] * len(some)
            for (_, waiting), answer in zip(some, answers, strict=True):
                _tell(waiting, answer)


def _tell(waiting: asyncio.Future[Received], answer: Received | Exception) -> None:
    if waiting.done():  # the sender has gone
        return
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
