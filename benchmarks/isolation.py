"""One destination of ten answers 429: what that adds to the way of the other nine.

Without the refusal and with it, in real time, with constants a tenth of the shipped ones: the tenth asks for
six seconds instead of sixty, and a destination gets a message every 0.1 s instead of every second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import sqlalchemy as sa

from benchmarks.bank import ANALYST, found
from benchmarks.figure import Figure, quantile
from benchmarks.ground import Ground
from models.clock import SystemClock, monotonic
from models.commands import Declare
from models.desk import Desk
from models.premises import Premises
from models.record import OUTBOX, Record
from notifiers.outbox import Outbox
from notifiers.pacing import Pace
from notifiers.slack.deliver import SlackNotifier
from notifiers.slack.fake import FakeSlack, Fault
from playbooks.institution import Institution

T = TypeVar("T")
DESTINATIONS, EACH = 10, 3
PACE = Pace(interval={"slack": 0.1}, give_up_page=9, idle=0.05)
REFUSED_SECONDS, LIMIT_SECONDS = 6, 60.0


def isolation(ground: Ground) -> Iterator[Figure]:
    """Counted: what reached the nine before the tenth was asked again. Timed: what it added to their way."""
    bank = found(ground.place("isolation")).institution()
    calm, refused = (asyncio.run(_played(bank, refuse=refuse)) for refuse in (False, True))
    nine = (DESTINATIONS - 1) * EACH
    yield Figure(
        name="one of ten answers 429 for 60 s (here 6): pages at the nine before it was asked again",
        value=sum(at < REFUSED_SECONDS for at in refused),
        unit="pages",
        n=nine,
        target=nine,
        at_least=True,
    )
    yield Figure(
        name="one of ten answers 429: added at the nine, median",
        value=1_000 * (quantile(refused, 0.5) - quantile(calm, 0.5)),
        unit="ms",
        n=nine,
        detail={"without_s": [round(at, 3) for at in calm], "with_s": [round(at, 3) for at in refused]},
    )


async def _played(bank: Institution, *, refuse: bool) -> list[float]:
    """Seconds from the start until each page had come to one of the nine."""
    async with FakeSlack() as slack:
        if refuse:
            slack.plan(Fault.rate_limited(str(REFUSED_SECONDS)), address="U0000")
        desk = _desk(bank)
        notifier = SlackNotifier(token=slack.token, base_url=slack.base_url)
        outbox = Outbox(desk, {"slack": notifier}, _here, pace=PACE)
        _queue(desk)
        stop, start = asyncio.Event(), monotonic()
        running = asyncio.create_task(outbox.run(stop))
        nine = partial(_nine, slack)
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                while len(nine()) < (DESTINATIONS - 1) * EACH:
                    await asyncio.sleep(0.01)
        finally:
            stop.set()
            outbox.wake()
            await running
            await notifier.close()
            desk.record.close()
        return sorted(at - start for at in nine())


def _nine(slack: FakeSlack) -> list[float]:
    return [post.at for post in slack.posts if post.address != "U0000"]


async def _here(call: Callable[[], T]) -> T:
    return call()


def _desk(bank: Institution) -> Desk:
    people = tuple(
        one.model_copy(update={"channels": ("slack",), "slack": f"U{number:04d}", "reach": ()})
        for number, one in enumerate(bank.organisation.people)
    )
    organisation = bank.organisation.model_copy(update={"people": people, "duty_channel": None})
    premises = Premises(
        organisation=organisation, policy=bank.policy, playbooks=bank.playbooks, channels=frozenset({"slack"})
    )
    return Desk(Record.in_memory(), premises, SystemClock())


def _queue(desk: Desk) -> None:
    """Pages of one incident for ten people, as if its route had named them all."""
    stream = desk.handle(None, Declare(actor=ANALYST, text="429", playbooks=("unknown",))).stream
    people = [one.id for one in desk.premises.organisation.people[:DESTINATIONS]]
    with desk.record.begin() as tx:
        row = dict(
            tx.connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == "page")).mappings().all()[-1]
        )
        tx.connection.execute(sa.update(OUTBOX).values(state="withdrawn"))
        del row["id"]
        tx.enqueue(
            [
                row | {"key": f"{stream}/{row['page']}/{number}-more/1/slack:{person}", "person": person}
                for number in range(EACH)
                for person in people
            ]
        )
