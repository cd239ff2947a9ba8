"""Slack dies in the middle: the incident goes on without it, and on its return every message is true."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from ruamel.yaml import YAML

from console.node import Node
from console.opening import open_house
from models.commands import Actor, Declare, Done, StartStep
from models.state import Incident
from notifiers.slack.api import Budget
from notifiers.slack.fake import FakeSlack, Fault
from tests.acceptance.test_comcheck_channels import Mailbox, mail_server, running, until
from tests.console.clihouse import bank_in
from tests.console.slackhouse import QUICK, Scene
from tests.peers.localslack import LocalSlack

INC = "INC-2026-0001"
SUZUKI = Actor(person="suzuki-daichi", via="cli")
METHODS = ("chat.postMessage", "chat.update", "conversations.open", "conversations.history")


def furnish(bank: Path, slack: FakeSlack, mail_port: int) -> None:
    """Everybody by Slack first, then by mail."""
    (bank / "token").write_text(slack.token, encoding="utf-8")
    yaml = YAML()
    organisation = yaml.load((bank / "organisation.yaml").read_text(encoding="utf-8"))
    for person in organisation["people"]:
        person["channels"] = ["slack", "email"] if person.get("slack") else ["email"]
    with (bank / "organisation.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(organisation, file)
    settings = (bank / "settings.toml").read_text(encoding="utf-8")
    tables = (
        f'\n[slack]\ntoken = "file:token"\nbase_url = "{slack.base_url}"\ntimeout = "1s"\n'
        f'\n[email]\nhost = "127.0.0.1"\nport = {mail_port}\nsender = "hikeshi@bank.example"\n'
        'security = "none"\n'
    )
    (bank / "settings.toml").write_text(settings + tables, encoding="utf-8")


def link_in(mailbox: Mailbox) -> str:
    """The address of the signed page in the last mail that asks to be acknowledged, or empty."""
    for mail in reversed(mailbox.mails):
        body = mail.get_body(("plain",))
        text = body.get_content() if body else ""
        found = re.search(r"http://127\.0\.0\.1:\d+/p/[\w.-]+", text)
        if found is not None and "までに受領" in text:
            return found[0]
    return ""


async def press_on_the_page(link: str) -> None:
    """Open the page, and press its button as a browser would."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as browser:
        shown = await browser.get(link)
        token = re.search(r'name="form" value="(\w+)"', shown.text)
        assert token is not None
        answer = await browser.post(f"{link}/ack", data={"form": token[1]})
        assert answer.status_code == 303


async def test_the_incident_goes_on_and_slack_tells_the_truth_when_it_is_back(tmp_path: Path) -> None:
    mailbox = Mailbox()
    async with FakeSlack() as slack, mail_server(mailbox) as port:
        bank = bank_in(tmp_path)
        furnish(bank, slack, port)
        node = Node(open_house(bank), port=0, pace=QUICK, conductor_apart=False)
        async with running(node):
            assert node.wing is not None
            node.wing.api.budget = Budget({"chat.update": 100_000}, posts_every=0.0)
            node.wing.copies.again_seconds = 0.2
            scene = Scene(slack=LocalSlack(), node=node, bank=bank)  # never entered: nobody presses

            # It begins in Slack.
            declare = Declare(actor=SUZUKI, text="端末が暗号化された", severity="high")
            await node.run_in_writer(lambda: node.house.desk.handle(None, declare))
            first, person, slack_id = await scene.first_page(INC)
            await until(lambda: any(post.address == slack_id for post in slack.posts), "the page in Slack")
            before = len(slack.posts)

            # Slack stops: every call fails from now on.
            for method in METHODS:
                slack.plan(Fault.http(503), method=method, times=None)

            # The same person answers on the page that a mail brings (the next level is paged by mail).
            def take(state: Incident) -> bool:
                return state.pages[first].state == "acknowledged"

            actor = Actor(person=person, via="cli")
            start = StartStep(actor=actor, step="unknown/what-happened")
            await node.run_in_writer(lambda: node.house.desk.handle(INC, start))
            raised = Declare(actor=SUZUKI, text="二件目", severity="high")
            await node.run_in_writer(lambda: node.house.desk.handle(None, raised))
            await until(lambda: bool(link_in(mailbox)), "a page by mail")
            await press_on_the_page(link_in(mailbox))

            async def taken() -> bool:
                other = await scene.state("INC-2026-0002")
                return any(page.state == "acknowledged" for page in other.pages.values())

            await scene.until(taken)

            # The first page is taken by the link that Slack had brought before it died.
            mine = next(post for post in slack.posts if post.address == slack_id)
            found = re.search(r"http://127\.0\.0\.1:\d+/p/[\w.-]+", mine.shown)
            assert found is not None
            await press_on_the_page(found[0])
            assert take(await scene.state(INC))
            # A step is done by command.
            values = {"seen": "脅迫文", "detected-at": "unknown"}
            planned = (await node.run_in_writer(lambda: _fields(node))) or values
            done = Done(actor=actor, step="unknown/what-happened", values=planned)
            outcome = await node.run_in_writer(lambda: node.house.desk.handle(INC, done))
            assert outcome.accepted, outcome.detail
            assert len(slack.posts) == before
            assert not slack.edits

            # Slack is back: the messages that lie there say what is so, without anybody touching anything.
            slack.mend()

            def says_so() -> bool:
                return any("受領しました" in post.shown for post in slack.posts if post.ts == mine.ts)

            await until(says_so, "the copy in Slack says who has it")
            # What was answered meanwhile is not posted late as if it were open.
            for post in slack.posts[before:]:
                stream, page, *_ = post.key.split("/")
                if "までに受領" in post.shown:
                    assert (await scene.state(stream)).pages[int(page)].state == "open", post.key


def _fields(node: Node) -> dict[str, str]:
    """Something for everything that the step asks."""
    state = node.house.desk.incident(INC)
    planned = node.house.desk.world(state).steps(state)["unknown/what-happened"]
    return {
        one.id: {"instant": "unknown", "number": "1", "yes-no": "unknown", "duration": "unknown"}.get(
            one.type, "脅迫文"
        )
        for one in planned.step.record
    }
