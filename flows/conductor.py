"""The conductor: starts an incident's flow when the record wants it, in child processes of its own.

It never imports Prefect itself, so that nothing Prefect does can stop it. It remembers nothing either: what
is wanted, served and in hand is in the record, and a conductor that is started again goes on from there.

Which way it fails: if Prefect does not answer, or a child goes silent or dies, the same functions run without
Prefect, and the record says so. A step that was in hand is first taken back under a new epoch, so that
whatever the old child might still say is refused.

Where the record lies on a server any number of machines may have a conductor each: an incident is run by one
at a time (`flows.turns`), and what a dead one had in hand another takes over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from console import logs
from console.auditor import audit
from console.opening import House, find_directory, open_house
from console.standing_down import ended_by, said_of
from flows import turns
from flows.children import Answer, Child, Children
from flows.server import probe
from flows.turns import ACTOR, NotOurTurn
from flows.wanted import in_hand, mark_served, note_in_hand, wanted_runs
from flows.workers import WorkerRun, Workers, workers_of
from models.clock import Clock, SystemClock, iso, monotonic
from models.commands import Reclaim
from models.desk import HOUSE
from models.errors import HikeshiError, RecordTooNew, Superseded
from models.lease import Life
from models.node import Part, beat, must_be_current, name_here, register, retire
from models.premises import Outcome
from models.record import Tx
from models.state import House as HouseState
from models.succession import must_be_ours
from models.supervised import attempt, attempt_async, forever, wait

log = logging.getLogger("hikeshi.conductor")
NODE = turns.KIND
PREFECT, FLOWS = "prefect", "flows"
EXCUSE_VARIABLE = "HIKESHI_PREFECT_STARTS_WITHIN"
EMBEDDED_MOST = 2
LOOK_SECONDS = 0.2
FULL_LOOK_SECONDS = 5.0
BEAT_SECONDS = 2.0
OTHERS_SECONDS = 5.0
"""How often it is looked whether the conductors of other machines live."""
PATIENCE_SECONDS = 60.0
"""How long a child may be silent beyond what its actions may take."""
DISTRUST_SECONDS = 300.0
"""How long Prefect is left alone after a run with it went wrong although it answered."""
BACKOFF_SECONDS = (1.0, 5.0, 15.0, 60.0)
FAILURES_UNTIL_SAID = 3


class RunFailed(HikeshiError):
    """A run failed with Prefect and without; the message says how, `flows.log` in the data folder why."""


class Conductor:
    """Decides when an incident's flow runs. Use from one event loop, by `run` or by `settle`."""

    def __init__(  # noqa: PLR0913 - what differs between production, demo and tests, by name
        self,
        house: House,
        clock: Clock,
        prefect_url: str | None,
        children: int = 2,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        environ: Mapping[str, str] | None = None,
        excuse_seconds: float = 0.0,
        workers: Workers | None = None,
    ) -> None:
        """`workers` run what uses Prefect, if there are any; else children of our own.

        `excuse_seconds`: how long after our own start a silent Prefect is no impairment.
        `prefect_url` is Prefect's API (…/api), None to do without; `environ` is what children inherit."""
        self.house = house
        self.clock = clock
        self.prefect_url = prefect_url or None
        self.most = children
        self.patience_seconds = patience_seconds
        self.workers = workers
        self._excused_until = monotonic() + excuse_seconds
        self.name = name_here(NODE, house.record)
        self.shared = house.record.is_shared
        self.epoch = 0
        self.runs = 0
        self.children = Children(
            house.institution.directory, house.data, self.prefect_url, children, environ or os.environ
        )
        self._running: dict[str, asyncio.Task[None]] = {}
        self._lives: dict[str, Life] = {}
        self._others_at = 0.0
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._trusted_at = 0.0
        self._said_in: set[str] = set()
        self._wake = asyncio.Event()
        self._version = -1
        self._full_look_at = 0.0
        self._jobs = 0
        self.outdated: RecordTooNew | None = None
        """Why this conductor has stopped, once another version has taken the record over."""

    # -- running --------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Conduct until `stop` is set; children are killed then, and nothing is lost."""
        beating = asyncio.create_task(forever("beat", stop, partial(self._beat, stop)))
        auditing = asyncio.create_task(audit(self.house, stop))
        try:
            await forever("conductor", stop, self._turn)
        finally:
            beating.cancel()
            auditing.cancel()
            await asyncio.gather(beating, auditing, return_exceptions=True)
            await self.close()
            attempt("stop", self._retire)
        if self.outdated is not None:
            raise self.outdated

    async def settle(self, limit_seconds: float = 300.0) -> int:
        """Run until nothing is wanted, and return how many runs that took.

        For the demo, drills and tests. Raises RunFailed if that is not so after `limit_seconds`.
        """
        before, until = self.runs, monotonic() + limit_seconds
        self._register()
        while self._start_wanted() or self._running:
            if monotonic() > until:
                raise RunFailed(f"not settled after {limit_seconds:g} s: {self._failures or 'still running'}")
            if self._running:
                await asyncio.wait(
                    self._running.values(), timeout=BEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
            else:
                await asyncio.sleep(LOOK_SECONDS)
            self._beat_once()
        return self.runs - before

    @property
    def life(self) -> Life:
        """This life of ours, by which what is written for us is fenced."""
        return Life(node=self.name, epoch=self.epoch)

    async def close(self) -> None:
        """Stop what runs and kill the children. What was in hand is taken back at the next start."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(self.children.close(), *running, return_exceptions=True)
        if self._woken in self.house.desk.after_commit:
            self.house.desk.after_commit.remove(self._woken)

    async def _turn(self) -> None:
        self._register()
        if self._something_changed():
            self._start_wanted()
        await wait(self._wake, LOOK_SECONDS)

    def _something_changed(self) -> bool:
        """Whether to look: an idle look costs one pragma and no transaction."""
        version = self.house.record.data_version()
        due = self._wake.is_set() or version != self._version or monotonic() >= self._full_look_at
        if due:
            self._wake.clear()
            self._version = version
            self._full_look_at = monotonic() + FULL_LOOK_SECONDS
        return due

    def _start_wanted(self) -> bool:
        """Start what is wanted as far as there is room; whether anything is wanted."""
        now = monotonic()
        resting = {incident for incident, until in self._not_before.items() if until > now}
        with self.house.record.read() as tx:
            found = wanted_runs(tx, self.most, self.name, self._wall_now(), (*self._running, *resting))
        for incident, wanted in found[: self.most - len(self._running)]:
            self._running[incident] = asyncio.create_task(self._supervise(incident, wanted))
        return bool(found or resting)

    def _woken(self, _: Outcome) -> None:
        """Something was written through this process's own desk, which `data_version` does not tell."""
        self._wake.set()

    # -- one incident ---------------------------------------------------------------------------------------

    async def _supervise(self, incident: str, wanted: int) -> None:
        """One run of one incident; whatever goes wrong with it delays this incident only (design, 15)."""
        try:
            tried = await attempt_async(incident, partial(self._serve, incident, wanted))
            if isinstance(tried.error, NotOurTurn):
                self._not_before[incident] = monotonic() + BACKOFF_SECONDS[0]
            elif tried.error is None:
                self.runs += 1
                await attempt_async(incident, partial(self._went_well, incident))
            else:
                await attempt_async(incident, partial(self._went_wrong, incident, tried.error))
        finally:
            self._running.pop(incident, None)
            self._wake.set()

    async def _serve(self, incident: str, wanted: int) -> None:
        """Run the flow; if that goes wrong with Prefect, once more without. Raises RunFailed, NotOurTurn."""
        self._take_turn(incident)
        if incident in self._failures:
            # The last run may have ended before its steps could be taken back.
            self._take_back(incident)
        engine = await self._prefect_answers(incident)
        answer = await self._job(incident, engine=engine)
        if not answer.ok:
            self._take_back(incident)
            if engine:
                self._distrust(incident, answer)
                answer = await self._job(incident, engine=False)
                if not answer.ok:
                    self._take_back(incident)
        elif engine and answer.engine != PREFECT:
            self._say_impaired(incident, answer.engine)
        if not answer.ok:
            raise RunFailed(f"{answer.state} {answer.message}".strip())
        self._end_turn(incident, wanted)

    async def _job(self, incident: str, *, engine: bool) -> Answer:
        """One job in one child, which does not outlive it if we are stopped."""
        self._jobs += 1
        job = {
            "job": str(self._jobs),
            "incident": incident,
            "node": self.name,
            "epoch": self.epoch,
            "now": None if isinstance(self.clock, SystemClock) else iso(self.clock.now()),
        }
        runners: Children | Workers = self.workers if engine and self.workers else self.children
        runner: Child | WorkerRun = await runners.take(engine=engine)
        try:
            return await runner.run(job, self.patience_seconds)
        except asyncio.CancelledError:
            await runner.kill()
            raise
        finally:
            self.children.give_back(runner)

    def _take_turn(self, incident: str) -> None:
        """It is ours from now on, and noted as in hand. Raises NotOurTurn."""

        def note(tx: Tx) -> None:
            note_in_hand(tx, self.name, tuple(sorted(self._running)))

        life = self.life
        before = turns.take(self.house.desk, incident, life, self._wall_now(), note)
        self._lives[incident] = life
        if before is not None and not before.let_go:
            attempt(
                incident, partial(turns.taken_over, self.house.desk, incident, before.life.node, self.name)
            )

    def _end_turn(self, incident: str, wanted: int | None = None) -> None:
        """It is over; all that was `wanted` has been looked at."""
        left = tuple(sorted(one for one in self._running if one != incident))
        life = self._lives.pop(incident, self.life)
        with self.house.record.begin() as tx:
            turns.end(tx, incident, life)
            if wanted is not None:
                mark_served(tx, incident, wanted)
            note_in_hand(tx, self.name, left)

    async def _went_well(self, incident: str) -> None:
        self._not_before.pop(incident, None)
        turns.well_again(self.house.desk, incident, turns.troubles(self.house.desk, incident))
        if self._failures.pop(incident, 0) >= FAILURES_UNTIL_SAID:
            self._impair(incident, FLOWS, mended=True)
            if not any(count >= FAILURES_UNTIL_SAID for count in self._failures.values()):
                self._impair(HOUSE, FLOWS, mended=True)

    async def _went_wrong(self, incident: str, error: Exception) -> None:
        """Try again later, and say so when it keeps failing."""
        count = self._failures[incident] = self._failures.get(incident, 0) + 1
        pause = BACKOFF_SECONDS[min(count, len(BACKOFF_SECONDS)) - 1]
        self._not_before[incident] = monotonic() + pause
        # Another machine may have what it lacks here.
        attempt(incident, partial(self._end_turn, incident))
        if count == FAILURES_UNTIL_SAID:
            for stream in (HOUSE, incident):
                self._impair(stream, FLOWS, f"{incident}: {error}")

    # -- Prefect --------------------------------------------------------------------------------------------

    async def _prefect_answers(self, incident: str) -> bool:
        """Whether the run may use Prefect: it is set up, answers now, and has not just failed."""
        if self.prefect_url is None or monotonic() < self._trusted_at:
            return False
        lacking = await self._lacking()
        if not lacking:
            self._say_mended(incident)
        elif monotonic() >= self._excused_until:  # else it is only starting, as we are
            self._say_impaired(incident, lacking)
        return not lacking

    async def _lacking(self) -> str:
        """Why Prefect cannot be used now; empty if it can."""
        if not await probe(self.prefect_url or ""):
            return "it does not answer"
        return await self.workers.lacking() if self.workers else ""

    def _distrust(self, incident: str, answer: Answer) -> None:
        """A run with Prefect went wrong. A child that was killed says nothing about Prefect itself."""
        if answer.state != "Died":
            self._trusted_at = monotonic() + DISTRUST_SECONDS
            self._say_impaired(incident, f"a run with it failed: {answer.state} {answer.message}".strip())

    def _say_impaired(self, incident: str, detail: str) -> None:
        self._said_in.add(incident)
        for stream in (incident, HOUSE):
            self._impair(stream, PREFECT, detail)

    def _say_mended(self, incident: str) -> None:
        """Prefect works again. An incident of an earlier life of this process learns it at its next run."""
        said, self._said_in = self._said_in | {incident}, set()
        for stream in (*sorted(said), HOUSE):
            self._impair(stream, PREFECT, mended=True)

    def _impair(self, stream: str, what: str, detail: str = "", *, mended: bool = False) -> None:
        """Say it, once. That it cannot be said of one incident must not stop the others."""
        attempt(stream, partial(turns.impair, self.house.desk, stream, what, detail, mended=mended))

    # -- life -----------------------------------------------------------------------------------------------

    def _wall_now(self) -> datetime:
        """For signs of life: in a drill the machine's time, else that of this conductor."""
        return self.house.wall.now() if self.house.drill is not None else self.clock.now()

    def _register(self) -> None:
        """Take up the work, once: a new epoch, and what an earlier life had in hand is taken back."""
        if self.epoch:
            return
        with self.house.record.begin() as tx:
            left = in_hand(tx, self.name)
            epoch = register(tx, self.name, self._wall_now(), " ".join(left))
        self.epoch = epoch
        for incident in left:
            # One that is sick keeps no other waiting; what it had in hand falls to its lease (design, 15).
            attempt(f"take back {incident}", partial(self._reclaim, incident))
        attempt(HOUSE, partial(turns.well_again, self.house.desk, HOUSE, [self.name]))
        self.house.desk.after_commit.append(self._woken)

    def _reclaim(self, incident: str) -> None:
        """Its steps are free, and what an earlier life of ours might still say of it is refused."""
        life, now = self.life, self._wall_now()

        def fence(tx: Tx) -> None:
            # Another machine may have it by now, and has taken them back then.
            turns.hold(tx, incident, life, now)

        command = Reclaim(actor=ACTOR, node=self.name, epoch=life.epoch)
        self.house.desk.handle(incident, command, guard=fence)
        if incident in self._lives:
            self._lives[incident] = life

    def _take_back(self, incident: str) -> None:
        """The child is gone: a new epoch refuses whatever it might still say, and its steps are free."""
        with self.house.record.begin() as tx:
            if self.shared:
                must_be_current(tx, self.name, self.epoch)
            epoch = register(tx, self.name, self._wall_now(), " ".join(sorted(self._running)))
        self.epoch = epoch
        self._reclaim(incident)

    def _retire(self) -> None:
        """A clean stop is no sign of life. What is still in hand is kept for the next start instead.

        Where there are other machines it is left to them.
        """
        with self.house.record.read() as tx:
            left = in_hand(tx, self.name)
        if left and not self.shared:
            return
        for incident in left if self.epoch else ():
            self._take_back(incident)
            self._end_turn(incident)
        with self.house.record.begin() as tx:
            retire(tx, self.name, self.epoch)

    async def _beat(self, stop: asyncio.Event) -> None:
        try:
            self._beat_once()
            if self.shared and self.epoch and monotonic() >= self._others_at:
                self._others_at = monotonic() + OTHERS_SECONDS
                self._look_at_others()
        except Superseded as given_up:
            log.warning("%s; starting anew", given_up)
            await self._start_anew()
        except RecordTooNew as newer:
            # Another version has taken the record over, and conducts from now on.
            said_of(newer)
            self.outdated = newer
            stop.set()
            return
        await self._look_whether_mended()
        await wait(stop, BEAT_SECONDS)

    def _beat_once(self) -> None:
        """Show that we live, and go on with what is in hand. Raises Superseded if others gave us up."""
        if not self.epoch:
            return
        now = self._wall_now()
        with self.house.record.begin() as tx:
            must_be_ours(tx)
            if self.shared:
                must_be_current(tx, self.name, self.epoch)
            beat(tx, self.name, now)
            lost = turns.renew(tx, self._lives, now)
        for incident in lost:
            # We were away for too long; whoever has it now has taken back its steps.
            self._lives.pop(incident, None)
            if incident in self._running:
                self._running[incident].cancel()

    async def _start_anew(self) -> None:
        """Others took over while we were frozen or cut off: all that this life began is over."""
        await self.close()
        self._running.clear()
        self._lives.clear()
        self.epoch = 0
        self._wake.set()

    # -- other machines -------------------------------------------------------------------------------------

    def _look_at_others(self) -> None:
        """Take over from conductors that give no sign of life, and say so; they may be back later."""
        desk, now = self.house.desk, self._wall_now()
        said = turns.troubles(desk, HOUSE)
        with self.house.record.read() as tx:
            gone, well = turns.silent(tx, self.name, now), turns.no_trouble(tx, said, now)
        for part in gone:
            attempt(part.name, partial(self._take_over, part))
        turns.well_again(desk, HOUSE, well)

    def _take_over(self, part: Part) -> None:
        """All that a dead conductor had in hand; only then is it given up, so that nothing is forgotten."""
        for incident in turns.left_behind(self.house.desk, part):
            turns.take(self.house.desk, incident, self.life, self._wall_now(), lambda tx: None)
            self._say_taken_over(incident, part.name)
            self._end_turn(incident)
        turns.give_up(self.house.desk, part)
        self._say_taken_over(HOUSE, part.name)

    def _say_taken_over(self, stream: str, before: str) -> None:
        attempt(stream, partial(turns.taken_over, self.house.desk, stream, before, self.name))

    async def _look_whether_mended(self) -> None:
        """While Prefect is said to be impaired somebody looks, even if no incident wants a run."""
        state = self.house.desk.state(HOUSE)
        if self.prefect_url is None or not isinstance(state, HouseState) or PREFECT not in state.impaired:
            return
        if monotonic() >= self._trusted_at and not await self._lacking():
            self._say_mended(HOUSE)


async def conduct() -> None:
    """Conduct the directory that HIKESHI_DIR names until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    house = logs.follow(open_house(find_directory(None)), NODE)
    url, excuse = os.environ.get("PREFECT_API_URL"), float(os.environ.get(EXCUSE_VARIABLE, "0"))
    most = house.institution.settings.flows.at_once
    try:
        # The server that comes with us keeps to SQLite, which bears no more.
        most, workers = min(most, EMBEDDED_MOST) if excuse else most, workers_of(house, url, os.environ)
        made = Conductor(house, house.desk.clock, url, most, excuse_seconds=excuse, workers=workers)
        await made.run(stop)
    finally:
        house.record.close()


def main() -> int:
    """Entry of the process: `python -m flows.conductor`."""
    logs.begin(NODE)
    try:
        asyncio.run(conduct())
    except (HikeshiError, OSError) as failed:
        return ended_by(failed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
