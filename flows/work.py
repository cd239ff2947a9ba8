"""One automated step: claim it, run it, say what came of it. Knows nothing of Prefect.

Which way it fails: a step whose outcome nobody knows is recorded as unknown, never as done or failed. What a
crash in its middle means, its class says (design, 8): `idempotent` runs again, `probe` looks first, `ask`
waits for a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

from flows.actions import (
    ActionContext,
    ActionResult,
    CollectedItem,
    Value,
    Variables,
    look,
    resolve,
    run,
    simulated,
)
from flows.actions.occasion import occasion_of
from flows.actions.values import salvaged
from flows.place import ACTOR, Guard, Place
from flows.turns import fence
from models.clock import monotonic
from models.commands import ClaimStep, FinishStep
from models.crashpoint import crash_point
from models.errors import ActionFailed, OutcomeUnknown, SourceUnreachable
from models.lease import Life
from models.plan import MAX_DEPTH, PlannedStep
from models.state import Incident, StepState
from models.targets import Target
from models.world import World

DEFAULT_SECONDS = 60.0
GRACE_SECONDS = 2.0
"""How long after its own limit an action may take to come back with its own message."""
RETRY_SECONDS = 1.0
LEASE_SECONDS = 60
"""What a lease leaves for writing, beyond the time that the tries may take."""
MAX_LEFT_OUT = 20
WORKING = ("open", "resolved")
"""The states of an incident in which machines act."""

Ended = Literal["done", "failed", "unknown", "taken"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run works on and as whom. `epoch` fences it: once a later one has taken over it is refused."""

    place: Place
    incident: str
    node: str
    epoch: int
    engine: str = "none"

    @property
    def guard(self) -> Guard:
        """Refuses to write for a run that others have taken over from."""
        return fence(self.incident, Life(node=self.node, epoch=self.epoch))


class UnderWay:
    """How long the actions that run now may still take, told to whoever watches over this process."""

    def __init__(self, tell: Callable[[float], None] = lambda seconds: None) -> None:
        self.tell = tell
        self._until: dict[str, float] = {}

    def begin(self, name: str, seconds: float) -> None:
        """`name` may take `seconds` from now."""
        self._until[name] = monotonic() + seconds
        self._say()

    def end(self, name: str) -> None:
        """`name` is over."""
        self._until.pop(name, None)
        self._say()

    def _say(self) -> None:
        self.tell(max(0.0, max(self._until.values(), default=0.0) - monotonic()))


UNDER_WAY = UnderWay()
"""Of this process. The runner sets `tell`; a run without a runner tells nobody."""


def seconds_of(planned: PlannedStep) -> float:
    """How long one try of the step may take."""
    timeout = planned.step.timeout
    return timeout.total_seconds() if timeout else DEFAULT_SECONDS


def is_ready(state: Incident, planned: PlannedStep) -> bool:
    """Whether the step is one for a machine and can be claimed."""
    known = state.steps.get(planned.key)
    return planned.step.kind == "action" and known is not None and known.status == "ready"


def variables_of(state: Incident, world: World, planned: PlannedStep, depth: int = 0) -> Variables:
    """The playbook's variables as this step sees them; what a caller passed on as `$name` is looked up."""
    found: dict[str, Value | tuple[str, ...] | None] = dict(planned.arguments)
    caller = world.step(state, planned.caller) if planned.caller else None
    if caller is not None and depth < MAX_DEPTH:
        outer = variables_of(state, world, caller, depth + 1)
        for name, value in caller.step.pass_.items():
            if isinstance(value, str) and value.startswith("$") and not value.startswith("$$"):
                found[name] = outer.get(value[1:])
    prefix = f"{planned.scope}."
    own = {name: value for name, value in state.variables.items() if name.startswith(prefix)}
    return found | {name.removeprefix(prefix): value for name, value in own.items()}


class Attempt:
    """One attempt at a step: a single claim, and as many tries as the playbook allows.

    Calling it raises ActionFailed while a further try may follow and when it has failed for good,
    OutcomeUnknown when nobody knows; the record holds the outcome before it is raised.
    """

    def __init__(self, run: Run, planned: PlannedStep, known: StepState) -> None:
        self.run = run
        self.planned = planned
        self.round = known.round
        self.look_first = known.look_first
        self.number = 0
        self.begun = 0
        self.tries_left = planned.step.retries
        self.ended: Ended | None = None
        self._variables: Variables = {}
        self._kept: list[CollectedItem] = []
        self._salvaged: tuple[CollectedItem, ...] = ()

    @property
    def key(self) -> str:
        """The step's whole key."""
        return self.planned.key

    @property
    def limit_seconds(self) -> float:
        """How long one try may take, writing included; beyond it something is stuck."""
        return seconds_of(self.planned) * (2 if self.planned.step.probe else 1) + 2 * GRACE_SECONDS + 30

    async def __call__(self) -> Ended:
        """Claim the step, unless an earlier try has, run it and record the outcome."""
        if not self.number and not await self._claim():
            self.ended = "taken"
            return self.ended
        if self.run.place.simulated:
            # Begun: the scenario has it, and says when it ends and how.
            self.ended = "taken"
            return self.ended
        UNDER_WAY.begin(self.key, self.limit_seconds)
        self._kept = []
        try:
            result = await self._act()
        except OutcomeUnknown as unclear:
            self._salvage()
            await self._finish("unknown", error=str(unclear))
            raise
        except ActionFailed as failed:
            self._salvage()
            if self.tries_left:
                self.tries_left -= 1
                raise
            lost = isinstance(failed, SourceUnreachable)
            await self._finish("failed", error=str(failed), unreachable=lost)
            raise
        finally:
            UNDER_WAY.end(self.key)
        crash_point("acted")
        return await self._finish("done", result)

    def _salvage(self) -> None:
        """What a try preserved before it failed is evidence all the same, and says so (FSA-2.5.2.2-B1)."""
        self._salvaged += salvaged(self._kept)

    async def _claim(self) -> bool:
        """Take the step; False if somebody else has it, or it is not ready any more."""
        place, step = self.run.place, self.planned.step
        state = place.desk.incident(self.run.incident)
        if state.status not in WORKING or not is_ready(state, self.planned):
            return False
        self._variables = variables_of(state, place.desk.world(state), self.planned)
        lease = int((self.limit_seconds + RETRY_SECONDS) * (step.retries + 1) + LEASE_SECONDS)
        node, epoch = self.run.node, self.run.epoch
        if place.simulated:
            node, epoch, lease = simulated.NODE, simulated.EPOCH, simulated.LEASE_SECONDS
        command = ClaimStep(actor=ACTOR, step=self.key, node=node, epoch=epoch, lease=lease)
        outcome = await place.handle(self.run.incident, command, self.run.guard)
        for fact in outcome.facts:
            if fact.kind == "step.started" and fact.data["step"] == self.key:
                self.number = fact.data["attempt"]
                self.begun = state.steps[self.key].begun or self.number
        if self.number:
            crash_point("claimed")
        return bool(self.number)

    async def _act(self) -> ActionResult:
        """The action itself, or what an earlier life of it has already done. Raises ActionFailed."""
        step, place = self.planned.step, self.run.place
        target = self._target(step.target)
        if self.look_first and step.probe is not None:
            found = await look(
                step.probe, self._target(step.probe.target), self._context(), self._variables, place.actions
            )
            if found is None:
                raise OutcomeUnknown(
                    "it was cut off before, and a look could not tell whether it took effect"
                )
            if found:
                return ActionResult(outputs={}, summary="it had taken effect before it was cut off")
        params = resolve(step.params, self._variables)
        seconds = seconds_of(self.planned)
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                return await run(step.use or "", target, params, self._context(), place.actions)
        except TimeoutError as late:
            raise OutcomeUnknown(f"not done within {seconds:g} s; look what it did") from late
        except OSError as wrong:
            raise OutcomeUnknown(f"it broke off: {wrong.strerror or type(wrong).__name__}") from wrong

    def _target(self, name: str | None) -> Target:
        target = self.run.place.targets.get(name or "")
        if target is None:
            raise ActionFailed(f"targets.yaml has no target {name!r}; add it, then start the step again")
        return target

    def _context(self) -> ActionContext:
        place = self.run.place
        return ActionContext(
            evidence_dir=place.house.evidence,
            secrets=place.secret,
            base=place.house.institution.directory,
            now=place.clock.now(),
            timeout_seconds=seconds_of(self.planned),
            idempotency_key=f"{self.run.incident}/{self.key}/{self.round}/{self.begun}",
            kept=self._kept,
            settings=place.house.institution.settings,
            occasion=occasion_of(place.desk.incident(self.run.incident)),
        )

    async def _finish(
        self,
        outcome: Literal["done", "failed", "unknown"],
        result: ActionResult | None = None,
        error: str = "",
        *,
        unreachable: bool = False,
    ) -> Ended:
        """Record the outcome. One that comes too late, after another took over, is refused and left."""
        evidence = (*self._salvaged, *(result.evidence if result else ()))
        command = FinishStep(
            actor=ACTOR,
            step=self.key,
            node=self.run.node,
            epoch=self.run.epoch,
            attempt=self.number,
            outcome=outcome,
            outputs=_outputs(result) if result else {},
            evidence=tuple(asdict(item) for item in evidence),
            error=error,
            engine=self.run.engine,
            unreachable=unreachable,
        )
        accepted = (await self.run.place.handle(self.run.incident, command, self.run.guard)).accepted
        self.ended = outcome if accepted else "taken"
        crash_point("finished")
        return self.ended


def _outputs(result: ActionResult) -> dict[str, str]:
    """What the record keeps of a result; the summary and what was left out are for people."""
    outputs = dict(result.outputs)
    outputs.setdefault("summary", result.summary)
    if result.left_out:
        lines = [f"{one.source}: {one.reason}" for one in result.left_out[:MAX_LEFT_OUT]]
        outputs["left-out"] = "\n".join(lines)
    return outputs
