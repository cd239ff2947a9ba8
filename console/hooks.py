"""The webhooks in a node: each with a lane of its own, beside the pager and never in its way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

from console.opening import House, secrets_of
from console.web.running import Run
from models import hookqueue
from models.clock import micros, monotonic
from models.commands import Actor, Impair
from models.crashpoint import crash_point
from models.desk import HOUSE
from models.errors import BadConfiguration
from models.hooks import PREFIX, Webhook, hopeless, next_try
from models.state import House as HouseState
from models.state import Incident
from models.supervised import attempt_async, forever, wait
from notifiers.webhook import event
from notifiers.webhook.deliver import Answer, Receiver
from notifiers.webhook.signing import key_of

LOOK_SECONDS = 0.5
"""How long an event of another process (the command line) lies before it is seen."""
BATCH = 20
"""Events that are marked together; after a crash so many go again, under the same ids."""
SWEEP_SECONDS = 3_600.0
GAVE_UP = ": events given up"
ACTOR = Actor.machine("webhook")
Row = dict[str, Any]


def receiver_of(house: House, hook: Webhook) -> Receiver:
    """Whoever is told by this hook. Raises BadConfiguration if its secrets are not there, or are none."""
    secrets = secrets_of(house.institution.directory)
    named = [one for one in (hook.secret, hook.secret_before) if one is not None]
    keys = [key_of(secrets(one)) for one in named]
    return Receiver(hook.url, keys, house.wall, hook.timeout.total_seconds())


class Hooks:
    """All webhooks of a node."""

    def __init__(self, house: House, run: Run) -> None:
        self._house, self._run = house, run
        self._problems: dict[str, str] = {}

    def problems(self) -> dict[str, str]:
        """What is not in order, for health; what lasts is a fact of the house besides."""
        return dict(self._problems)

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until `stop`."""
        hooks = self._house.institution.settings.webhooks
        await asyncio.gather(*(self._keep(one, stop) for one in hooks), self._sweep(stop))
        await stop.wait()

    async def _keep(self, hook: Webhook, stop: asyncio.Event) -> None:
        name = PREFIX + hook.name
        try:
            receiver = receiver_of(self._house, hook)
        except BadConfiguration as missing:
            self._problems[name] = str(missing)
            await attempt_async(name, partial(self._run, partial(_impair, self._house, name, str(missing))))
            return
        lane = Lane(self._house, hook, receiver, self._run, self._problems)
        try:
            await forever(name, stop, partial(lane.turn, stop))
        finally:
            await receiver.close()

    async def _sweep(self, stop: asyncio.Event) -> None:
        while self._house.institution.settings.webhooks and not stop.is_set():
            await attempt_async("webhooks", partial(self._run, self._swept))
            await wait(stop, SWEEP_SECONDS)

    def _swept(self) -> None:
        hooks = self._house.institution.settings.webhooks
        with self._house.record.begin() as tx:
            for one in hooks:
                # Its lane does so as well, if it has one: without its secret it has none.
                hookqueue.withdraw_restricted(tx, one)
                hookqueue.give_up_surplus(tx, one)
            hookqueue.sweep(tx, self._house.wall.now(), [one.name for one in hooks])


class Lane:
    """One hook: its events in the order of the record, one at a time."""

    def __init__(
        self, house: House, hook: Webhook, receiver: Receiver, run: Run, problems: dict[str, str]
    ) -> None:
        self.house, self.hook, self.receiver, self.run = house, hook, receiver, run
        self._problems = problems
        self._name = PREFIX + hook.name
        self._failing_since: int | None = None

    async def turn(self, stop: asyncio.Event) -> None:
        """Send what may be sent now, or wait a moment."""
        rows = await self.run(self._heads)
        took = await self._send(rows, stop) if rows else False
        if not took:
            await wait(stop, LOOK_SECONDS)

    def _heads(self) -> list[Row]:
        now = self.house.wall.now()
        with self.house.record.read() as tx:
            rows = hookqueue.heads(tx, self.hook, now, BATCH)
        if rows:
            with self.house.record.begin() as tx:
                hookqueue.withdraw_restricted(tx, self.hook)
                surplus = hookqueue.give_up_surplus(tx, self.hook)
                rows = hookqueue.heads(tx, self.hook, now, BATCH)
            if surplus:
                self._given_up(f"{surplus} events: more waited than are kept")
        return [row | {"body": self._body(row)} for row in rows]

    def _body(self, row: Row) -> bytes:
        base = (self.house.institution.settings.public_url or "").rstrip("/")
        return event.body(row, f"{base}/incidents/{row['stream']}" if base else "", self._title(row))

    def _title(self, row: Row) -> str | None:
        if not self.hook.title:
            return None
        state = self.house.desk.state(row["stream"])
        texts = self.house.desk.texts(row["stream"])
        return texts.get(state.title) if isinstance(state, Incident) else None

    async def _send(self, rows: list[Row], stop: asyncio.Event) -> bool:
        """Whether there may be more to send at once."""
        done: list[int] = []
        answer = Answer()
        begun = monotonic()
        for row in rows:
            if done and monotonic() - begun > LOOK_SECONDS:
                break  # what waits is looked at again: it may have been restricted meanwhile
            answer = await self.receiver.tell(row["key"], row["body"])
            if answer.error:
                break
            done.append(row["id"])
            if stop.is_set():
                break
        crash_point("told-not-marked")
        if done:
            await self.run(partial(self._mark_sent, done, answer))
        if answer.error:
            await self.run(partial(self._mark_failed, rows[len(done)], answer))
        return not answer.error

    def _mark_sent(self, ids: list[int], answer: Answer) -> None:
        with self.house.record.begin() as tx:
            hookqueue.sent(tx, ids, self.house.wall.now(), answer.excerpt)
        self._failing_since = None
        self._problems.pop(self._name, None)
        for what in (self._name, self._name + GAVE_UP):
            _impair(self.house, what, "", mended=True)

    def _mark_failed(self, row: Row, answer: Answer) -> None:
        now = self.house.wall.now()
        row = row | {"tries": row["tries"] + 1, "tried_at": row["tried_at"] or micros(now)}
        why = hopeless(self.hook, row, answer.status, now)
        with self.house.record.begin() as tx:
            again = None if why else next_try(row["tries"], now, answer.retry_after)
            hookqueue.failed(tx, row, answer.error, again)
            waiting = hookqueue.standing(tx, self.hook).waiting
        if why:
            self._given_up(f"{why}: {answer.error}")
        detail = f"{answer.error} ({waiting} events wait)"
        self._problems[self._name] = detail
        since = self._failing_since = self._failing_since or micros(now)
        if micros(now) - since >= self.hook.late_after / timedelta(microseconds=1):
            _impair(self.house, self._name, detail)

    def _given_up(self, why: str) -> None:
        """On record and shown, and somebody is paged, once until it works again."""
        _impair(self.house, self._name + GAVE_UP, why)


def _impair(house: House, what: str, detail: str, *, mended: bool = False) -> None:
    """Said once: a command that changes nothing costs a transaction, so the state is asked first."""
    state = house.desk.state(HOUSE)
    known = isinstance(state, HouseState) and what in state.impaired
    if known is mended:
        house.desk.handle(HOUSE, Impair(actor=ACTOR, what=what, detail=detail, mended=mended))


def status(house: House) -> list[Row]:
    """How each hook fares, for `health`."""
    found: list[Row] = []
    with house.record.read() as tx:
        for hook in house.institution.settings.webhooks:
            one = hookqueue.standing(tx, hook)
            found.append(
                {"name": hook.name, "waiting": one.waiting, "given_up": one.given_up, "error": one.error}
            )
    return found
