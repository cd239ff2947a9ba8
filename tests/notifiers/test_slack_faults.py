"""The outbox against a Slack that misbehaves in every way we know: nothing lost, copies marked, in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import select, update

from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, Declare
from models.desk import Desk
from models.premises import Premises
from models.record import OUTBOX, Record
from notifiers.outbox import Outbox
from notifiers.pacing import WIDE, Pace, Pacing
from notifiers.slack.deliver import SlackNotifier
from notifiers.slack.errors import RETRY
from notifiers.slack.fake import FakeSlack, Fault, Post
from playbooks.institution import Institution

T = TypeVar("T")
QUICK: dict[str, Any] = {"timeout_seconds": 1.0, "part_pause_seconds": 0.0}


class Bank:
    """Everybody is reached by Slack, a fake one, and nothing else; time is moved by hand."""

    def __init__(self, bank: Institution, clock: ExerciseClock, slack: FakeSlack, pace: Pace) -> None:
        people = tuple(
            one.model_copy(update={"channels": ("slack",), "slack": f"U{number:04d}"})
            for number, one in enumerate(bank.organisation.people)
        )
        organisation = bank.organisation.model_copy(update={"people": people, "duty_channel": None})
        premises = Premises(
            organisation=organisation,
            policy=bank.policy,
            playbooks=bank.playbooks,
            channels=frozenset({"slack"}),
        )
        self.clock, self.slack = clock, slack
        self.desk = Desk(Record.in_memory(), premises, clock)
        self.notifier = SlackNotifier(token=slack.token, base_url=slack.base_url, **QUICK)

        async def here(call: Callable[[], T]) -> T:
            return call()

        self.outbox = Outbox(self.desk, {"slack": self.notifier}, here, pace=pace)
        self.outbox.pacing = Pacing(pace.interval, pace.per_minute, now=lambda: clock.now().timestamp())

    def declare(self, text: str = "x") -> str:
        actor = Actor(person="suzuki-daichi")
        stream = self.desk.handle(None, Declare(actor=actor, text=text, playbooks=("unknown",))).stream
        self.only_pages()
        return stream

    def only_pages(self) -> None:
        """Notices are looked at elsewhere."""
        with self.desk.record.begin() as tx:
            tx.connection.execute(update(OUTBOX).where(OUTBOX.c.kind == "notice").values(state="withdrawn"))

    def queue(self, people: list[str], each: int) -> None:
        """Pages of one incident for these people, as if its route had named them all."""
        stream = self.declare()
        self.notifier._timeout_seconds = 20.0  # counts, not time: a busy machine must not look like a fault
        with self.desk.record.begin() as tx:
            row = dict(
                tx.connection.execute(select(OUTBOX).where(OUTBOX.c.kind == "page")).mappings().all()[-1]
            )
            tx.connection.execute(update(OUTBOX).where(OUTBOX.c.stream == stream).values(state="withdrawn"))
            del row["id"]
            tx.enqueue(
                [
                    row | {"key": f"{stream}/{row['page']}/{number}-more/1/slack:{person}", "person": person}
                    for number in range(each)
                    for person in people
                ]
            )

    async def until_quiet(self, seconds: int = 60) -> None:
        """Deliver, and let time pass, until nothing waits."""
        for _ in range(seconds):
            await self.outbox.drain()
            if not self.rows("queued", "sending"):
                return
            self.clock.advance(timedelta(seconds=1))

    def rows(self, *states: str) -> list[str]:
        with self.desk.record.read() as tx:
            kept = select(OUTBOX.c.key, OUTBOX.c.state).where(OUTBOX.c.kind == "page").order_by(OUTBOX.c.id)
            found = tx.connection.execute(kept).all()
        return [key for key, state in found if state in states]

    def pages(self) -> list[Post]:
        """Posts to the one on duty that are pages."""
        duty = self.desk.directory.holders("csirt-duty", self.clock.now())[0].person
        return [one for one in self.slack.posts if one.address == duty.slack]

    def kinds(self, stream: str) -> list[str]:
        with self.desk.record.read() as tx:
            return [fact.kind for fact in tx.facts(stream)]


Make = Callable[..., Bank]


@pytest.fixture
async def make(bank: Institution, clock: ExerciseClock, slack: FakeSlack) -> AsyncIterator[Make]:
    made: list[Bank] = []

    def build(**pace: Any) -> Bank:
        fields: dict[str, Any] = {"interval": {}, "per_minute": {}, "patience": 5.0} | pace
        made.append(Bank(bank, clock, slack, Pace(**fields)))
        return made[-1]

    yield build
    for one in made:
        await one.notifier.close()
        one.desk.record.close()


# -- one fault, two pages behind each other -----------------------------------------------------------------

FAULTS = [
    pytest.param("accepted, then the connection drops", [Fault.reset()], id="accept-reset"),
    pytest.param("dropped before it was accepted", [Fault.reset(accepted=False)], id="reset"),
    pytest.param("accepted, then silence", [Fault.hang()], id="accept-hang"),
    pytest.param("silence", [Fault.hang(accepted=False)], id="hang"),
    pytest.param("too many, with how long", [Fault.rate_limited("2")], id="429-with"),
    pytest.param("too many, without how long", [Fault.rate_limited(None)], id="429-without"),
    pytest.param("three times an error of the server", [Fault.http(500)] * 3, id="500x3"),
    pytest.param("an error after it was accepted", [Fault.http(502, accepted=True)], id="accept-502"),
    pytest.param("slower than anybody waits", [Fault.slow(31)], id="slow"),
    pytest.param("an answer that is no JSON", [Fault.garbage()], id="garbage"),
    pytest.param("no JSON, and nothing posted", [Fault.garbage(accepted=False)], id="garbage-lost"),
    pytest.param("an answer that breaks off", [Fault.truncated()], id="truncated"),
    pytest.param("an answer without an end", [Fault.endless()], id="endless"),
    *(
        pytest.param(f"ok: false, {name}", [Fault.refuse(name)], id=name)
        for name, retry in RETRY.items()
        if retry != "never"
    ),
    pytest.param("fatal_error after it was posted", [Fault.refuse("fatal_error", accepted=True)], id="late"),
]


@pytest.mark.parametrize(("sentence", "faults"), FAULTS)
async def test_nothing_is_lost_nothing_comes_twice_and_the_order_stays(
    make: Make, slack: FakeSlack, sentence: str, faults: list[Fault]
) -> None:
    world = make()
    for fault in faults:
        slack.plan(fault)
    first, second = world.declare("one"), world.declare("two")
    await world.until_quiet()
    assert world.rows("queued", "sending", "given_up") == [], sentence
    streams = [post.key.split("/")[0] for post in world.pages()]
    assert streams == [first, second], "each once, in the order of asking"
    assert len({post.key for post in slack.posts}) == len(slack.posts), "Slack could be asked what arrived"


@pytest.mark.parametrize("name", [name for name, retry in RETRY.items() if retry == "never"])
async def test_what_slack_refuses_for_good_is_given_up_by_a_fact_and_pages_the_next(
    make: Make, slack: FakeSlack, name: str
) -> None:
    world = make()
    slack.plan(Fault.refuse(name), times=2)
    stream = world.declare()
    await world.outbox.drain()
    kinds = world.kinds(stream)
    layout = name in {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"}
    assert layout or world.rows("given_up"), "nothing ends without a fact"
    assert kinds.count("message.given_up") == len(world.rows("given_up"))
    assert kinds.count("message.sent") == len(world.rows("sent"))


async def test_a_copy_that_cannot_be_ruled_out_says_that_it_is_one_and_has_the_same_key(
    make: Make, slack: FakeSlack
) -> None:
    world = make()
    slack.plan(Fault.reset())
    slack.plan(Fault.http(503), method="conversations.history", times=None)
    world.declare()
    await world.until_quiet()
    before, copy = world.pages()
    assert before.key == copy.key
    assert "【repeat】" not in before.shown and "【repeat】" in copy.shown


# -- many at once -------------------------------------------------------------------------------------------


async def test_many_that_wait_for_one_person_leave_as_one_message_the_gravest_first(
    make: Make, slack: FakeSlack, bank: Institution
) -> None:
    world = make()
    grave = bank.policy.severity.severities[-1].id
    actor = Actor(person="suzuki-daichi")
    streams = [world.declare(f"n{number}") for number in range(4)]
    command = Declare(actor=actor, text="grave", playbooks=("unknown",), severity=grave)
    streams.append(world.desk.handle(None, command).stream)
    world.only_pages()
    await world.outbox.drain()
    (post,) = world.pages()
    shown = [post.shown.index(stream) for stream in streams]
    assert shown[4] < shown[0] < shown[1] < shown[2] < shown[3]
    assert set(post.metadata["event_payload"]["keys"]) == set(world.rows("sent"))
    assert all(world.kinds(stream).count("message.sent") >= 1 for stream in streams)
    with world.desk.record.read() as tx:
        receipts = tx.connection.execute(select(OUTBOX.c.receipt).where(OUTBOX.c.kind == "page")).scalars()
        assert set(receipts) == {post.receipt}


async def test_three_leave_one_by_one(make: Make) -> None:
    world = make()
    for _ in range(3):
        world.declare()
    await world.outbox.drain()
    assert len(world.pages()) == 3


@pytest.mark.parametrize("fault", [Fault.reset(), Fault.reset(accepted=False), Fault.truncated()], ids=str)
async def test_after_an_unclear_failure_of_a_bundle_no_row_is_lost_or_sent_twice(
    make: Make, slack: FakeSlack, fault: Fault
) -> None:
    world = make()
    slack.plan(fault)
    for _ in range(5):
        world.declare()
    await world.outbox.drain()
    late = world.declare("late")
    await world.until_quiet()
    assert world.rows("queued", "sending", "given_up") == []
    bundle, single = world.pages()
    assert bundle.key.startswith("bundle/") and len(bundle.metadata["event_payload"]["keys"]) == 5
    assert single.key.startswith(late), "what came later waits behind"


async def test_a_bundle_that_nobody_can_look_for_is_sent_again_with_the_same_key(
    make: Make, slack: FakeSlack
) -> None:
    world = make()
    slack.plan(Fault.reset())
    slack.plan(Fault.http(503), method="conversations.history", times=None)
    for _ in range(4):
        world.declare()
    await world.outbox.drain()
    world.declare("late")
    await world.until_quiet()
    before, copy, _ = world.pages()
    assert before.key == copy.key and "【repeat】" in copy.shown


async def test_who_has_answered_meanwhile_is_not_in_the_bundle(make: Make) -> None:
    world = make(bundle_more_than=2)
    streams = [world.declare() for _ in range(4)]
    page = next(iter(world.desk.state(streams[1]).pages))
    duty = world.desk.directory.holders("csirt-duty", world.clock.now())[0].person.id
    assert world.desk.handle(streams[1], Acknowledge(actor=Actor(person=duty), page=page)).accepted
    await world.outbox.drain()
    (post,) = world.pages()
    assert [stream in post.shown for stream in streams] == [True, False, True, True]


# -- several posts for one message --------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize(
    "fault", [Fault.reset(), Fault.reset(accepted=False), Fault.rate_limited("1")], ids=str
)
@pytest.mark.parametrize("remembers", [True, False])
async def test_a_failure_in_the_middle_loses_no_part_and_doubles_none(
    make: Make, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch, at: int, fault: Fault, remembers: bool
) -> None:
    monkeypatch.setattr("notifiers.slack.render.MAX_TOTAL", 1_400)
    world = make()
    world.declare()
    for one in [*[Fault.slow(0.0)] * (at - 1), fault]:
        slack.plan(one)
    await world.outbox.drain()
    if not remembers:
        world.notifier._parts.clear()
    await world.until_quiet()
    assert world.rows("queued", "sending", "given_up") == []
    payloads = [post.metadata["event_payload"] for post in world.pages()]
    parts = [one["part"] for one in payloads if one["key"] == payloads[0]["key"]]
    assert parts == list(range(1, payloads[0]["parts"] + 1)) and len(parts) > 1


# -- one that is limited, and the others --------------------------------------------------------------------


async def test_one_destination_that_is_limited_adds_nothing_to_nine_healthy_ones(
    make: Make, slack: FakeSlack
) -> None:
    """By counts, the clock in our hand: ten people, three pages each, one of them refused for a minute."""
    world = make(bundle_more_than=0, interval={"slack": 1.0})
    people = world.desk.premises.organisation.people[:10]
    world.queue([one.id for one in people], each=3)
    slack.plan(Fault.rate_limited("60"), address=people[0].slack)
    counts = []
    for _ in range(4):
        await world.outbox.drain()
        counts.append(len(slack.posts))
        world.clock.advance(timedelta(seconds=1))
    # Pace of a channel: one message a second to each, as if the tenth were not there.
    assert counts == [9, 18, 27, 27]
    assert slack.requests.count("chat.postMessage") == 27 + 1, "the limited one was asked once, and rests"
    world.clock.advance(timedelta(seconds=60))
    for _ in range(3):
        await world.outbox.drain()
        world.clock.advance(timedelta(seconds=1))
    mine = [post.key for post in slack.posts if post.address == people[0].slack]
    assert mine == sorted(mine) and len(mine) == 3, "then it gets all of its own, in order"
    assert world.rows("queued", "sending", "given_up") == []


async def test_when_several_are_limited_at_once_the_channel_rests(make: Make, slack: FakeSlack) -> None:
    world = make()
    people = world.desk.premises.organisation.people[:10]
    world.queue([one.id for one in people[:WIDE]], each=1)
    slack.plan(Fault.rate_limited("30"), times=WIDE)
    await world.outbox.drain()
    world.queue([one.id for one in people[WIDE:]], each=1)
    await world.outbox.drain()
    assert slack.requests.count("chat.postMessage") == WIDE, "nobody else is asked meanwhile"
    world.clock.advance(timedelta(seconds=31))
    await world.outbox.drain()
    assert len(slack.posts) == 10


async def test_no_more_leave_in_a_minute_than_the_workspace_takes(make: Make, slack: FakeSlack) -> None:
    world = make(per_minute={"slack": 4})
    world.queue([one.id for one in world.desk.premises.organisation.people[:10]], each=1)
    counts = []
    for _ in range(3):
        await world.outbox.drain()
        counts.append(len(slack.posts))
        world.clock.advance(timedelta(seconds=60.5))
    assert counts == [4, 8, 10]
