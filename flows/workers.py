"""Flows on Prefect workers: the conductor asks for a run of the deployment, and watches over it.

The same interface as `flows.children`. Whether the run gets on it asks the record, not Prefect: see
`flows.pulse`.

Which way it fails: if the API does not answer, no worker takes the run, or the run falls silent, it is given
up. Its turn is then fenced off, and the same functions run in the conductor's own child without the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from console.opening import House
from flows import pulse
from flows.api import Api, ApiRefused, ApiSilent
from flows.children import Answer
from flows.handles import handle_of
from flows.turns import fence
from models.clock import monotonic
from models.installation import FlowsSettings
from models.lease import Life

FLOW = "respond"
TAKEN_SECONDS = 30.0
"""How long a worker may take to notice a run; it looks every 10 s unless it is told otherwise."""
BEGUN_SECONDS = 90.0
"""How long it may take until the run has begun: a process that imports Prefect and reads the directory."""
LOOK_SECONDS = 0.3
ASK_SECONDS = 1.0
SILENT_TIMES = 3
"""So often in a row the API may leave a question unanswered while a run has not begun."""
_BAD = frozenset({"FAILED", "CRASHED", "CANCELLED", "CANCELLING"})


class WorkerRun:
    """One run of the deployment on whichever worker takes it."""

    engine = True

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._id = ""
        self._type = "SCHEDULED"
        self._state = "Scheduled"
        self._unanswered = 0

    async def run(self, job: Mapping[str, Any], patience_seconds: float) -> Answer:
        """Ask for it, and watch over it until it has ended or is given up. Prefect's errors are answers."""
        incident, life = job["incident"], Life(node=job["node"], epoch=job["epoch"])
        try:
            await self._begin(incident, life)
            answer = await self._watch(incident)
        except (ApiSilent, ApiRefused) as wrong:
            answer = Answer(ok=False, state="Unreachable", message=str(wrong))
        if not answer.ok:
            await self.kill()
        return answer

    async def _begin(self, incident: str, life: Life) -> None:
        """Announce it in the record first: what nobody expects has no pulse."""
        house = self._workers.house
        handle = handle_of(house.desk.state(incident), incident)
        deployment = await self._workers.deployment()
        with house.record.begin() as tx:
            # Whoever was away for too long must not take the pulse from the run that others began.
            fence(incident, life)(tx)
            pulse.announce(tx, incident, life, house.wall.now(), BEGUN_SECONDS)
        # Nothing else goes there: Prefect's pages have no rights per person.
        wanted = {
            "name": handle,
            "tags": [handle],
            "parameters": {"incident": handle, "node": life.node, "epoch": life.epoch},
            "enforce_parameter_schema": False,
        }
        made = await self._workers.api.call("POST", f"/deployments/{deployment}/create_flow_run", wanted)
        self._id = str(made["id"])

    async def _watch(self, incident: str) -> Answer:
        house, asked, begun = self._workers.house, monotonic(), monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with house.record.read() as tx:
                felt = pulse.feel(tx, incident, house.wall.now())
            if felt == "ended":
                await self._ask()
                return Answer(ok=True, state=self._state, engine="prefect")
            if felt == "silent":
                return self._given_up("gave no sign of life")
            if monotonic() >= asked + ASK_SECONDS:
                asked = monotonic()
                await self._ask()
                wrong = self._wrong(monotonic() - begun)
                if wrong:
                    return self._given_up(wrong)

    async def _ask(self) -> None:
        """What Prefect says of it. While it runs, an API that is silent is no reason to give it up."""
        try:
            found = await self._workers.api.call("GET", f"/flow_runs/{self._id}")
            self._type, self._state = str(found["state_type"]), str(found["state_name"])
            self._unanswered = 0
        except (ApiSilent, ApiRefused, KeyError, TypeError):
            self._unanswered += 1

    def _wrong(self, seconds: float) -> str:
        """Why it is given up, if it is."""
        if self._type in _BAD:
            return f"ended as {self._state}"
        waiting = self._type in {"SCHEDULED", "PENDING"}
        if self._type == "SCHEDULED" and seconds > TAKEN_SECONDS:
            return f"was not taken by a worker within {TAKEN_SECONDS:g} s"
        if waiting and self._unanswered >= SILENT_TIMES:
            return "had not begun when the API fell silent"
        return ""

    def _given_up(self, why: str) -> Answer:
        return Answer(ok=False, state="GivenUp", message=f"a run on a worker {why}")

    async def kill(self) -> None:
        """Ask that it be stopped. What it still does is refused by the record, heard or not."""
        if not self._id:
            return
        begun = self._type == "RUNNING"
        state = {"type": "CANCELLING", "name": "Cancelling"} if begun else {"type": "CANCELLED"}
        with suppress(ApiSilent, ApiRefused):
            wanted = {"state": state, "force": True}
            await self._workers.api.call("POST", f"/flow_runs/{self._id}/set_state", wanted)


class Workers:
    """The work pool and its deployment, as settings.toml names them."""

    def __init__(self, house: House, url: str, environ: Mapping[str, str]) -> None:
        self.house = house
        self.settings: FlowsSettings = house.institution.settings.flows
        self.api = Api(url, environ)

    async def deployment(self) -> str:
        """The deployment's number. Raises ApiSilent, ApiRefused."""
        name = quote(self.settings.deployment, safe="")
        return str((await self.api.call("GET", f"/deployments/name/{FLOW}/{name}"))["id"])

    async def lacking(self) -> str:
        """Why no run can be had now; empty if one can. Never raises."""
        pool = self.settings.pool
        try:
            found = await self.api.call("GET", f"/work_pools/{quote(pool, safe='')}")
            if found["is_paused"]:
                return f"its work pool {pool} is paused"
            if found["status"] != "READY":
                return f"no worker polls its work pool {pool}"
            await self.deployment()
        except ApiRefused as refused:
            what = f"work pool {pool} or no deployment {FLOW}/{self.settings.deployment}"
            return f"it has no {what}" if refused.status == HTTPStatus.NOT_FOUND else str(refused)
        except (ApiSilent, KeyError, TypeError):
            return "it does not answer"
        return ""

    async def take(self, *, engine: bool) -> WorkerRun:
        """A run that has not been asked for yet."""
        return WorkerRun(self)

    def give_back(self, run: WorkerRun) -> None:
        """The job is over; nothing is kept of it."""


def workers_of(house: House, url: str | None, environ: Mapping[str, str]) -> Workers | None:
    """The workers that settings.toml names, or None if children do it all.

    A drill lives in a time of its own, which only children are told.
    """
    if not url or house.drill is not None or house.institution.settings.flows.on != "workers":
        return None
    return Workers(house, url, environ)
