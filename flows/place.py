"""Where this process's flows work: the institution's directory, opened once, and its clock.

Opening reads every file of the directory, so a process that runs many short flows does it once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from sqlalchemy import select

from console.opening import House, find_directory, open_house, secrets_of
from console.reading import restricted
from flows.actions import ACTIONS, Actions
from flows.handles import HANDLE, handle_of, opaque
from models.clock import SystemClock, monotonic, utc
from models.commands import Actor, Command
from models.desk import Desk
from models.errors import RecordBusy, RecordLost, RecordUncertain, Refused, Superseded
from models.organisation import Organisation
from models.premises import Outcome
from models.record import STREAM, Tx
from models.state import Incident
from models.supervised import Tried, attempt, attempt_async
from models.targets import Target

ACTOR = Actor.machine("conductor")
BUSY_TRIES = 5
BUSY_SECONDS = 0.1


LOST_SECONDS = 45.0
"""How long a database that does not answer is waited for: about as long as changing to its standby takes."""
LOST_PAUSE_SECONDS = 0.5
Guard = Callable[[Tx], None]


class RunClock:
    """The machine's time, or the fixed instant that a demo or drill gives to a run."""

    def __init__(self) -> None:
        self._fixed: datetime | None = None
        self._system = SystemClock()

    def fix(self, at: datetime | None) -> None:
        """Stand at `at` (aware) from now on; None follows the machine's time."""
        self._fixed = utc(at) if at is not None else None

    def now(self) -> datetime:
        return self._fixed or self._system.now()


class Writer:
    """Stores commands that come at the same moment in one transaction.

    A commit waits for the disk, and steps that run beside each other often begin and end together. Each
    caller goes on only when its own command is stored. For one event loop at a time.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    async def handle(self, stream: str, command: Command, guard: Guard) -> Outcome:
        """Decide and store, again while another process holds the record or its database is away.

        `guard` is asked in the same transaction. Raises RecordBusy when it still does after BUSY_TRIES,
        RecordLost or RecordUncertain after LOST_SECONDS, and what `Desk.handle` and the guard raise.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((stream, command, guard, future))
        if len(self._waiting) == 1:
            self._flushing = asyncio.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        # One turn of the loop, so that those who come at this moment can join.
        await asyncio.sleep(0)
        batch, self._waiting = self._waiting, []
        together = attempt("write", partial(self._together, batch)) if len(batch) > 1 else None
        for number, (stream, command, guard, future) in enumerate(batch):
            outcome = together.value[number] if together is not None and together.value else None
            tried = (
                Tried(value=outcome)
                if outcome is not None
                else await attempt_async("write", partial(self._alone, stream, command, guard))
            )
            if not future.done():
                _resolve(future, tried)

    def _together(self, batch: list[_Waiting]) -> list[Outcome | None]:
        """All in one transaction; None for one that is refused, which writes nothing.

        Raises what the record raises; nothing is stored then.
        """
        outcomes: list[Outcome | None] = []
        try:
            with self._desk.record.begin() as tx:
                for stream, command, guard, _ in batch:
                    try:
                        guard(tx)
                        outcomes.append(self._desk.handle_in(tx, stream, command))
                    except (Refused, Superseded):
                        outcomes.append(None)
        except BaseException:
            self._desk.forget()
            raise
        for outcome in outcomes:
            if outcome is not None:
                self._desk.settled(outcome)
        return outcomes

    async def _alone(self, stream: str, command: Command, guard: Guard) -> Outcome:
        """By itself. What a machine did must not be lost because the database is just being restarted."""
        busy, until = 0, monotonic() + LOST_SECONDS
        while True:
            try:
                return self._desk.handle(stream, command, guard=guard)
            except RecordBusy:
                busy += 1
                if busy == BUSY_TRIES:
                    raise
                await asyncio.sleep(BUSY_SECONDS * 2 ** (busy - 1))
            except (RecordLost, RecordUncertain):
                # What was stored after all is refused the second time, and stands.
                if monotonic() > until:
                    raise
                await asyncio.sleep(LOST_PAUSE_SECONDS)


_Waiting = tuple[str, Command, Guard, "asyncio.Future[Outcome]"]


def _resolve(future: asyncio.Future[Outcome], tried: Tried[Outcome]) -> None:
    if tried.value is not None:
        future.set_result(tried.value)
    elif tried.error is not None:
        future.set_exception(tried.error)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The house that flows work in. `secret` resolves references such as `env:NAME`."""

    house: House
    clock: RunClock
    secret: Callable[[str], str]
    actions: Actions = field(default_factory=lambda: ACTIONS)
    writer: Writer = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "writer", Writer(self.house.desk))

    @property
    def desk(self) -> Desk:
        """Takes the commands."""
        return self.house.desk

    @property
    def organisation(self) -> Organisation:
        """People, roles and services as they are now."""
        return self.house.institution.organisation

    @property
    def targets(self) -> Mapping[str, Target]:
        """What actions may touch, by name."""
        return self.house.institution.targets.targets

    @property
    def simulated(self) -> bool:
        """Whether machine steps are only begun here, because a scenario says what comes of them."""
        return self.house.drill is not None

    @property
    def lang(self) -> str:
        """The language of what is written for people here."""
        return self.house.institution.settings.lang

    def handle_of(self, incident: str) -> str:
        """The name under which Prefect knows an incident: opaque for one that only some may know of.

        See `flows.handles`.
        """
        return handle_of(self.desk.state(incident), incident)

    def incident_of(self, handle: str) -> str:
        """The incident behind a handle; the handle itself if it is none of ours."""
        if not handle.startswith(HANDLE):
            return handle
        names = sorted(restricted(self.house.record))
        found = next((one for one in names if self.handle_of(one) == handle), None)
        return found or self._lifted(handle) or handle

    def _lifted(self, handle: str) -> str | None:
        """The incident of a run that began before it was opened to everybody again."""
        wanted = select(STREAM.c.id).where(STREAM.c.kind == "incident").order_by(STREAM.c.opened_at.desc())
        with self.house.record.read() as tx:
            names = list(tx.connection.execute(wanted).scalars())
        states = self.desk.readable(names)
        fitting = (one for one in states if isinstance(one, Incident) and opaque(one) == handle)
        return next((one.stream for one in fitting), None)

    def local(self, at: datetime) -> str:
        """`at` (aware) as people of the institution read it, to the minute."""
        return at.astimezone(ZoneInfo(self.organisation.zone)).strftime("%Y-%m-%d %H:%M")

    async def handle(self, stream: str, command: Command, guard: Guard = lambda tx: None) -> Outcome:
        """Write through the desk; see `Writer.handle`."""
        return await self.writer.handle(stream, command, guard)


@lru_cache(maxsize=1)
def here() -> Place:
    """The place that HIKESHI_DIR (or the working directory) names, opened at the first call.

    Raises NotFound without a directory, BadConfiguration with its defects, RecordError.
    """
    clock = RunClock()
    directory = find_directory(None)
    return Place(house=open_house(directory, clock), clock=clock, secret=secrets_of(directory))
