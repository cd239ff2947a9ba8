"""Everything of a node that lives in Slack, put together: who comes in, what is kept true, what is watched.

A node without Slack has no wing. Nothing here is waited for by the pager: a page leaves by the outbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from sqlalchemy import select

from console.opening import House
from console.slack.desk import FrontDesk
from console.slack.door import Door
from console.slack.http import PATH, SignedDoor
from console.slack.rooms import Rooms
from console.slack.socket import Socket
from console.web.alerts import RefusalBook
from models.commands import Actor, Impair, RecordRefusal
from models.desk import HOUSE, SOMEBODY
from models.installation import SlackSettings
from models.record import STREAM
from models.state import House as HouseState
from models.supervised import attempt_async, forever, wait
from notifiers.composing import Link
from notifiers.slack.api import SlackApi
from notifiers.slack.copies import CHANNEL, Copies

WATCH_SECONDS = 2.0
PART = "slack-socket"
REMEMBERED = 2_000
TRUSTED_AGAIN = "trust.restored"
log = logging.getLogger("hikeshi.slack")
Run = Callable[[Callable[[], Any]], Awaitable[Any]]


class Wing:
    """The Slack side of one node. Raises BadConfiguration if a secret that is named is not there."""

    def __init__(
        self,
        house: House,
        settings: SlackSettings,
        secrets: Callable[[str], str],
        run: Run,
        *,
        wake: Callable[[], None],
        link: Link,
    ) -> None:
        token = secrets(settings.token)
        signing_secret = secrets(settings.signing_secret) if settings.signing_secret else ""
        app_token = secrets(settings.app_token) if settings.app_token else ""
        self._house = house
        self._run = run
        self._seen: dict[str, int] = {}
        self._out = False
        self._changed = asyncio.Event()
        self._refusals = RefusalBook()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.api = SlackApi(
            token=token, base_url=settings.base_url, timeout_seconds=settings.timeout.total_seconds()
        )
        self.api.distrusted = partial(run, house.desk.distrusted)
        self.copies = Copies(house.desk, self.api, run, link, buttons=bool(app_token or signing_secret))
        public_url = house.institution.settings.public_url or ""
        self.rooms = (
            Rooms(
                house.desk,
                self.api,
                run,
                settings.room,
                public_url=public_url,
                buttons=bool(app_token or signing_secret),
            )
            if settings.room is not None
            else None
        )
        self.door: Door | None = None
        self.socket: Socket | None = None
        self.http: SignedDoor | None = None
        if app_token or signing_secret:
            front = FrontDesk(house, run, wake)
            self.door = Door(house, front, self.api, self, token=token, signing_secret=signing_secret)
        if self.door is not None and app_token:
            self.socket = Socket(self.door.app, app_token, settings.base_url)
        if self.door is not None and signing_secret:
            self.http = SignedDoor(self.door.app, signing_secret, self._refused)

    @property
    def path(self) -> str:
        """Where Slack's signed requests come in."""
        return PATH

    def touch(self, stream: str) -> None:
        """A stream has changed, or somebody looks at its messages."""
        self.copies.touch(stream)
        if self.rooms is not None:
            self.rooms.touch(stream)

    def stored(self, streams: Iterable[str], kinds: Iterable[str]) -> None:
        """Facts of these kinds were stored here."""
        for stream in set(streams):
            self.touch(stream)
        if TRUSTED_AGAIN in kinds:
            # What happened while nothing was sent there is shown now.
            self._keep(asyncio.get_running_loop().create_task(self._catch_up()))

    async def _catch_up(self) -> None:
        await attempt_async("slack copies", self.copies.touch_all)
        self._seen = {}
        self._changed.set()

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def look(self) -> None:
        """Another process has written: which streams, is found out soon."""
        self._changed.set()

    def problems(self) -> dict[str, str]:
        """What does not work, for `hikeshi health`."""
        found = {}
        if self.socket is not None and self.socket.problem:
            found["slack socket"] = self.socket.problem
        if self.copies.error:
            found["slack copies"] = self.copies.error
        if self.rooms is not None:
            found |= {f"slack channel {name}": error for name, error in list(self.rooms.problems.items())[:5]}
        return found

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`. A part that ends by a fault of ours is begun anew, and not in silence.

        Of several nodes one does it at a time, and may begin again; signed requests come in at any of them.
        """
        jobs: dict[str, Callable[[asyncio.Event], Awaitable[None]]] = {
            "copies": self.copies.run,
            "watch": self._watch,
            "look": self._look,
        }
        if self.rooms is not None:
            jobs["rooms"] = self.rooms.keep_true
        if self.socket is not None:
            jobs["socket"] = self.socket.run
        tasks = [
            asyncio.create_task(forever(f"slack {name}", stop, partial(job, stop)))
            for name, job in jobs.items()
        ]
        try:
            await stop.wait()
        finally:
            _, late = await asyncio.wait(tasks, timeout=2)
            for task in late:
                task.cancel()

    async def close(self) -> None:
        """Nobody comes in any more."""
        if self.door is not None:
            await self.door.close()
        await attempt_async("slack", self.api.close)

    async def _watch(self, stop: asyncio.Event) -> None:
        """A connection that is gone or shared is said by another channel, and when it is back, too."""
        while not stop.is_set():
            await attempt_async("slack watch", partial(self._run, self._say))
            await wait(stop, WATCH_SECONDS)

    def _say(self) -> None:
        if self.socket is None:
            return
        desk = self._house.desk
        state = desk.state(HOUSE)
        known = isinstance(state, HouseState) and PART in state.impaired
        problem = self.socket.problem
        if bool(problem) is not known:
            actor = Actor.machine("node")
            desk.handle(HOUSE, Impair(actor=actor, what=PART, detail=problem, mended=not problem))

    async def _look(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if await wait(self._changed, WATCH_SECONDS) and not stop.is_set():
                self._changed.clear()
                was_out = self._out
                tried = await attempt_async("slack look", partial(self._run, self._moved))
                for stream in tried.value or ():
                    self.touch(stream)
                if was_out and not self._out:
                    await attempt_async("slack copies", self.copies.touch_all)
                await wait(stop, 0.2)

    def _moved(self) -> list[str]:
        """Streams that have more facts than when last looked at; all, once Slack is trusted again.

        Also those that are over: that an incident was dismissed takes the buttons from its messages.
        """
        out = CHANNEL in self._house.desk.distrusted()
        if self._out and not out:
            self._seen = {}
        self._out = out
        with self._house.record.read() as tx:
            rows = tx.connection.execute(
                select(STREAM.c.id, STREAM.c.seq).order_by(STREAM.c.opened_at.desc()).limit(REMEMBERED)
            ).all()
        found = [name for name, seq in rows if self._seen.get(name) != seq]
        self._seen = {name: seq for name, seq in rows}
        return found

    def _refused(self, why: str) -> None:
        """A request that Slack did not sign: recorded once a minute for each reason, with how often."""
        count = self._refusals.due("slack", why, self._house.desk.clock.now())
        if count:
            record = partial(self._run, lambda: self._record(why, count))
            self._keep(asyncio.get_running_loop().create_task(attempt_async("slack refusal", record)))

    def _record(self, why: str, count: int) -> None:
        refusal = RecordRefusal(
            actor=Actor.machine("slack"),
            refused=SOMEBODY,
            command="slack",
            reason=why,
            detail=why,
            count=count,
        )
        self._house.desk.handle(HOUSE, refusal)
