"""A bank with a Slack that runs here and the keeper of the incidents' channels, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from console.slack.rooms import Rooms
from models.clock import ExerciseClock
from models.commands import Actor, Declare
from models.desk import Desk
from models.fact import Fact
from models.installation import RoomSettings
from models.premises import Premises
from models.record import Record
from notifiers.slack.api import Budget, SlackApi
from notifiers.slack.fake import FakeSlack, Post
from playbooks.institution import Institution

T = TypeVar("T")
INC = "INC-2026-0001"
SUZUKI = Actor(person="suzuki-daichi", via="cli")
SATO = Actor(person="sato-kenji", via="cli")
SETTINGS = RoomSettings.model_validate(
    {"from": "medium", "members": ["csirt-lead", "ciso"], "private_for": ["insider"]}
)


class Bank:
    """A desk, a Slack that runs here, and the keeper of rooms."""

    def __init__(self, bank: Institution, clock: ExerciseClock, slack: FakeSlack) -> None:
        premises = Premises(
            organisation=bank.organisation,
            policy=bank.policy,
            playbooks=bank.playbooks,
            channels=frozenset({"console", "slack"}),
        )
        self.clock, self.slack = clock, slack
        self.desk = Desk(Record.in_memory(), premises, clock)
        self.api = SlackApi(token=slack.token, base_url=slack.base_url, timeout_seconds=1.0)
        self.api.budget = Budget(per_minute=dict.fromkeys(QUICK_METHODS, 1_000_000), posts_every=0.0)
        self.rooms = self.keeper()

    def keeper(self) -> Rooms:
        """One life of the node."""

        async def here(call: Callable[[], T]) -> T:
            return call()

        return Rooms(self.desk, self.api, here, SETTINGS, public_url="https://hikeshi.example.jp")

    def declare(self, severity: str = "high", playbook: str = "unknown", text: str = "勘定系が停止") -> str:
        outcome = self.desk.handle(
            None, Declare(actor=SUZUKI, text=text, severity=severity, playbooks=(playbook,))
        )
        assert outcome.accepted
        return outcome.stream

    def posts(self, *, thread: str | None = None, name: str = "inc-2026-0001") -> list[Post]:
        """What lies in the incident's channel; of one thread, or only what is no answer."""
        channel = self.slack.rooms.named(name).id
        return [one for one in self.slack.posts if one.channel == channel and one.thread == (thread or "")]

    def shown(self, name: str = "inc-2026-0001") -> str:
        return "\n".join(one.shown for one in self.posts(name=name))


QUICK_METHODS = (
    "conversations.create", "conversations.list", "conversations.setTopic", "conversations.invite",
    "conversations.history", "conversations.replies", "pins.add", "bookmarks.add", "bookmarks.list",
    "chat.update",
)  # fmt: skip


@asynccontextmanager
async def opened(bank: Institution, clock: ExerciseClock) -> AsyncIterator[Bank]:
    """For one test."""
    async with FakeSlack() as slack:
        found = Bank(bank, clock, slack)
        yield found
        await found.api.close()
        found.desk.record.close()


def facts(made: Bank, kind: str) -> list[Fact]:
    """The facts of a kind in the record of the first incident."""
    with made.desk.record.read() as tx:
        return [fact for fact in tx.facts(INC) if fact.kind == kind]
