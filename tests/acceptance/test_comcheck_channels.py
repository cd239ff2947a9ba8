"""A communication check through a running node: Slack and mail at once, an answer by the mail's link."""

from __future__ import annotations

import asyncio
import email
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from pathlib import Path

import httpx
from aiosmtpd.smtp import SMTP, Envelope, Session

from console.node import Node
from console.opening import open_house
from models.clock import ExerciseClock
from models.comcheck import Comcheck, StartComcheck
from models.commands import Actor
from models.state import Programme
from notifiers.pacing import Pace
from notifiers.slack.fake import FakeSlack
from tests.console.clihouse import START, bank_in

SATO, TANAKA = "sato-kenji", "tanaka-misaki"
DEAD = "misaki.tanaka@mihon-bank.example.jp"
TEST = "【通信試験】"


class Mailbox:
    """Keeps what it is given; one address is dead."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return "550 no such user" if address == DEAD else "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=POLICY)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@asynccontextmanager
async def mail_server(mailbox: Mailbox) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, hostname="mx.example"), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def furnish(directory: Path, slack: FakeSlack, mail_port: int) -> None:
    """The two heads of the CSIRT are reached by Slack and by mail."""
    (directory / "token").write_text(slack.token, encoding="utf-8")
    settings = directory / "settings.toml"
    tables = (
        f'\n[slack]\ntoken = "file:token"\nbase_url = "{slack.base_url}"\n'
        f'\n[email]\nhost = "127.0.0.1"\nport = {mail_port}\nsender = "hikeshi@bank.example"\n'
        'security = "none"\n'
    )
    text = settings.read_text(encoding="utf-8").replace(
        "# public_url =", 'public_url = "http://127.0.0.1:8410"\n# public_url ='
    )
    settings.write_text(text + tables, encoding="utf-8")
    organisation = directory / "organisation.yaml"
    text = organisation.read_text(encoding="utf-8")
    for person in (SATO, TANAKA):
        head, tail = text.split(f"- id: {person}\n")
        tail = tail.replace("channels: [console, file]", "channels: [slack, email]", 1)
        text = f"{head}- id: {person}\n{tail}"
    organisation.write_text(text, encoding="utf-8")


async def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for it, for twenty seconds at most."""
    for _ in range(1_000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(what)


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[None]:
    """The node at work; it ends in good order however the script does."""
    work = asyncio.create_task(node.run())
    try:
        await asyncio.wait_for(node.ready.wait(), 20)
        yield
    finally:
        node.stop.set()
        await work


async def result(node: Node, holds: Callable[[Comcheck], bool], what: str) -> Comcheck:
    """The communication check as the record has it, once it is so; for twenty seconds at most."""

    def known() -> Comcheck:
        state = node.house.desk.state("programme")
        assert isinstance(state, Programme)
        return state.comchecks["CC-0001"]

    for _ in range(400):
        made = await node.run_in_writer(known)
        if holds(made):
            return made
        await asyncio.sleep(0.05)
    raise AssertionError(what)


async def script(node: Node, slack: FakeSlack, mailbox: Mailbox, clock: ExerciseClock) -> Comcheck:
    """Start the test, look at what arrives, answer by the mail's link, let the time pass."""
    started = StartComcheck(actor=Actor(person=SATO), route="main", level="2", within=timedelta(minutes=5))
    outcome = await node.run_in_writer(lambda: node.house.desk.handle("programme", started))
    assert outcome.accepted, outcome.detail
    node.outbox.wake()
    await until(lambda: len(slack.posts) == 2 and len(mailbox.mails) == 1, "both channels at once")
    assert {post.address for post in slack.posts} == {"U0SATO001", "U0TANAKA1"}, "no duty channel"
    for post in slack.posts:
        assert post.shown.removeprefix("*").startswith(TEST)
        assert post.text.startswith(TEST)
    [mail] = mailbox.mails
    assert str(mail["Subject"]).startswith(TEST)
    body = mail.get_body(("plain",))
    assert body is not None
    link = re.search(r"http://127\.0\.0\.1:8410(/p/\S+)", body.get_content())
    assert link is not None, "the answer's way lies in the mail"

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{node.port}") as client:
        shown = await client.get(link[1])
        assert "通信試験" in shown.text
        form = re.search(r'name="form" value="([^"]+)"', shown.text)
        assert form is not None
        answered = await client.post(f"{link[1]}/ack", data={"form": form[1]})
        assert answered.status_code in {200, 303}

    await result(node, lambda made: any(ask.failed for ask in made.of(TANAKA)), "given up")
    await result(node, lambda made: all(ask.sent_at for ask in made.of(SATO)), "marked as sent")
    clock.advance(timedelta(minutes=5))
    return await result(node, lambda made: not made.running, "the watch ends it")


async def test_a_route_is_proven_over_slack_and_mail(tmp_path: Path) -> None:
    mailbox, clock = Mailbox(), ExerciseClock(START)
    directory = bank_in(tmp_path)
    async with FakeSlack() as slack, mail_server(mailbox) as mail_port:
        furnish(directory, slack, mail_port)
        house = open_house(directory, clock)
        node = Node(house, pace=Pace(interval={}, idle=0.05), port=0)
        async with running(node):
            made = await script(node, slack, mailbox, clock)
    [by_slack, by_mail] = made.of(SATO)
    assert (by_mail.channel, by_mail.via) == ("email", "web")
    assert by_mail.answered_at is not None
    assert by_slack.answered_at is None
    assert [(ask.channel, bool(ask.failed)) for ask in made.of(TANAKA)] == [("slack", False), ("email", True)]
    assert (made.why_not(SATO), made.why_not(TANAKA)) == (None, "not answered")
    assert len(slack.posts) == 2, "nothing climbs, and no channel stands in for the dead one"
