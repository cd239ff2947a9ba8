"""A storm: hundreds of incidents declared within a minute, all of them paging the same few people by Slack.

Counted, not timed: the clock is in our hand, and the fake Slack answers at once. So the figures say what
the rules of pace and bundling make of it, on any machine; the last one says what it costs this machine.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import TypeVar

from sqlalchemy import select

from benchmarks.bank import ANALYST, found
from benchmarks.figure import Figure, quantile
from benchmarks.ground import Ground
from models.clock import ExerciseClock
from models.commands import Declare
from models.desk import Desk
from models.premises import Premises
from models.record import OUTBOX, Record
from notifiers.outbox import Outbox
from notifiers.pacing import Pace, Pacing
from notifiers.slack.deliver import SlackNotifier
from notifiers.slack.fake import FakeSlack
from playbooks.institution import Institution

T = TypeVar("T")
INCIDENTS, MINUTE = 500, 60
LEVEL_SECONDS = 300
"""What the first level of the example's main route has."""
LATE_SECONDS, A_SECOND, A_MINUTE = 60, 1, 300
NIGHT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What came of it. `late`: seconds from asking to sending, for each page; `rows`: how many ended how."""

    late: tuple[float, ...]
    rows: dict[str, int]
    posts: int
    most_a_second: int
    """To one conversation."""
    most_a_minute: int
    seconds: float


async def play(bank: Institution, incidents: int, *, minutes: int, levels: bool) -> Storm:
    """`incidents` in the first minute, then quiet until `minutes` are over; with `levels` nobody answers."""
    async with FakeSlack() as slack:
        clock = ExerciseClock(NIGHT)
        desk = _desk(bank, clock)
        notifier = SlackNotifier(token=slack.token, base_url=slack.base_url)
        outbox = _outbox(desk, notifier, clock)
        try:
            return await _play(desk, outbox, slack, (incidents, minutes * MINUTE, levels))
        finally:
            await notifier.close()
            desk.record.close()


def _desk(bank: Institution, clock: ExerciseClock) -> Desk:
    people = tuple(
        one.model_copy(update={"channels": ("slack",), "slack": f"U{number:04d}", "reach": ()})
        for number, one in enumerate(bank.organisation.people)
    )
    organisation = bank.organisation.model_copy(update={"people": people, "duty_channel": "C0DUTY"})
    premises = Premises(
        organisation=organisation,
        policy=bank.policy,
        playbooks=bank.playbooks,
        channels=frozenset({"slack"}),
    )
    return Desk(Record.in_memory(), premises, clock)


def _outbox(desk: Desk, notifier: SlackNotifier, clock: ExerciseClock) -> Outbox:
    async def here(call: Callable[[], T]) -> T:
        return call()

    pace = Pace()
    outbox = Outbox(desk, {"slack": notifier}, here, pace=pace)
    outbox.pacing = Pacing(pace.interval, pace.per_minute, now=lambda: clock.now().timestamp())
    return outbox


async def _play(desk: Desk, outbox: Outbox, slack: FakeSlack, script: tuple[int, int, bool]) -> Storm:
    incidents, length, levels = script
    clock = desk.clock
    assert isinstance(clock, ExerciseClock)
    start = perf_counter()
    declared: list[tuple[int, str]] = []
    seconds: list[int] = []
    for second in range(length):
        while len(declared) < min(incidents, incidents * (second + 1) // MINUTE):
            command = Declare(actor=ANALYST, text="storm", playbooks=("unknown",))
            declared.append((second, desk.handle(None, command).stream))
        for stream in [name for at, name in declared if levels and at + LEVEL_SECONDS == second]:
            desk.tick(stream)
        await outbox.drain()
        seconds += [second] * (len(slack.posts) - len(seconds))
        clock.advance(timedelta(seconds=1))
    places = Counter((post.channel, second) for post, second in zip(slack.posts, seconds, strict=True))
    a_second = Counter(seconds)
    busiest = max(sum(a_second[one] for one in range(at, at + MINUTE)) for at in range(length))
    with desk.record.read() as tx:
        rows = tx.connection.execute(
            select(OUTBOX.c.kind, OUTBOX.c.state, OUTBOX.c.created_at, OUTBOX.c.sent_at)
        ).all()
    return Storm(
        late=tuple((sent - at) / 1e6 for kind, _, at, sent in rows if kind == "page" and sent is not None),
        rows=dict(Counter(f"{kind} {state}" for kind, state, _, _ in rows)),
        posts=len(slack.posts),
        most_a_second=max(places.values()),
        most_a_minute=busiest,
        seconds=perf_counter() - start,
    )


def storm(ground: Ground) -> Iterator[Figure]:
    """500 incidents within a minute, nobody answers, until the second level has been paged."""
    bank = found(ground.place("storm")).institution()
    played = asyncio.run(play(bank, INCIDENTS, minutes=8, levels=True))
    name = f"storm of {INCIDENTS} incidents in a minute"
    note = "counted on a clock in our hand, a Slack that answers at once"
    late, n = played.late, len(played.late)
    yield Figure(name=f"{name}: a page late, max", value=max(late), unit="s", n=n, target=LATE_SECONDS,
                 note=note, detail={"p50": quantile(late, 0.5), "rows": played.rows})  # fmt: skip
    lost = sum(
        count for state, count in played.rows.items() if state.startswith("page") and "sent" not in state
    )
    yield Figure(name=f"{name}: pages that were not sent", value=lost, unit="pages", n=n, target=0)
    yield Figure(name=f"{name}: posts to one conversation in a second, max", value=played.most_a_second,
                 unit="posts", n=played.posts, target=A_SECOND)  # fmt: skip
    yield Figure(name=f"{name}: posts in any minute, max", value=played.most_a_minute, unit="posts",
                 n=played.posts, target=A_MINUTE)  # fmt: skip
    yield Figure(name=f"{name}: what it takes this machine in all", value=played.seconds, unit="s", n=1)
