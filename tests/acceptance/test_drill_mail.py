"""A drill by mail, through a running node: what the mail's own link confirms, and nobody else reached."""

from __future__ import annotations

import asyncio
import re
from email.message import EmailMessage
from pathlib import Path

import pytest

from console.demo.stage import acknowledge
from console.main import execute
from console.node import Node
from console.opening import open_house
from models.commands import Actor, Declare
from notifiers.pacing import Pace
from tests.acceptance.test_comcheck_channels import Mailbox, mail_server, running, until
from tests.console.drillhouse import prepare

MISAKI, DAICHI = "misaki@drill.example", "daichi@drill.example"
MARK = "【訓練】"


def told(mailbox: Mailbox, address: str) -> list[EmailMessage]:
    """The mails to this address."""
    return [one for one in mailbox.mails if address in str(one["To"])]


def link_in(mail: EmailMessage) -> str:
    """The signed link of a mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/p/\S+", body.get_content())
    assert found is not None
    return found[0]


async def typed(drill: Path, *arguments: str) -> None:
    code = await asyncio.to_thread(execute, ["--dir", str(drill), "drill", *arguments])
    assert code in {0, 3}, arguments


async def test_mail_goes_to_the_confirmed_address_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drill, mailbox = prepare(tmp_path, monkeypatch).drill, Mailbox()
    async with mail_server(mailbox) as port:
        settings = drill / "settings.toml"
        mail = f'\n[email]\nhost = "127.0.0.1"\nport = {port}\nsender = "drill@bank.example"\n'
        mail += 'security = "none"\n'
        settings.write_text(settings.read_text(encoding="utf-8") + mail, encoding="utf-8")
        await typed(drill, "enrol", "tanaka-misaki", "--role", "csirt-lead", "--address", f"email:{MISAKI}")
        await typed(drill, "enrol", "suzuki-daichi", "--role", "csirt-duty", "--address", f"email:{DAICHI}")
        node = Node(open_house(drill), pace=Pace(interval={}, idle=0.05), port=0)
        async with running(node):
            await typed(drill, "confirm-addresses")
            await until(lambda: bool(told(mailbox, MISAKI) and told(mailbox, DAICHI)), "both are asked")
            assert await acknowledge(link_in(told(mailbox, MISAKI)[0]), f"http://127.0.0.1:{node.port}")
            await typed(drill, "start")
            await until(lambda: len(told(mailbox, MISAKI)) > 1, "STARTEX")
            declared = Declare(actor=Actor(person="sato-kenji", via="cli"), text="files have new names")
            await node.run_in_writer(lambda: node.house.desk.handle(None, declared))
            await typed(drill, "abort", "a real alert")
            await until(lambda: "演習中止" in str(told(mailbox, MISAKI)[-1]["Subject"]), "the abort")
    assert len(told(mailbox, DAICHI)) == 1, "what asks for the confirmation, and nothing else"
    assert len(mailbox.mails) == len(told(mailbox, MISAKI)) + 1, "nobody else was written to"
    assert all(MARK in str(one["Subject"]) for one in mailbox.mails)
