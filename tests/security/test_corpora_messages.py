"""The same hostile texts in every message that leaves, and in the record's second path."""

from __future__ import annotations

import email.policy
import io
import json
from collections.abc import Iterator
from dataclasses import fields
from email import message_from_bytes
from pathlib import Path

import pytest
from sqlalchemy import select

from console.opening import House
from models.clock import ExerciseClock
from models.commands import AddStep, Note
from models.lines import Line
from models.record import OUTBOX
from notifiers.briefing import Envelope, brief
from notifiers.briefing_names import Matter
from notifiers.console import ConsoleNotifier
from notifiers.email.render import render as as_mail
from notifiers.file import FileNotifier
from notifiers.gateway.render import sms, voice
from notifiers.message import Message, Sent
from notifiers.relay.folder import FolderSink
from notifiers.relay.syslog import frame
from notifiers.slack.render import render as as_post
from notifiers.slack.render import split
from notifiers.teams.render import render as as_card
from notifiers.webhook import event
from playbooks.institution import Institution
from tests.console.clihouse import START, Cli, cli
from tests.console.roomhouse import Bank, opened
from tests.notifiers.relayhouse import carrier, carry, lines
from tests.security import surfaces
from tests.security.corpora import texts
from tests.security.poisoned import INC, SATO, poison

__all__ = ["cli"]
LINK = "https://hikeshi.example.jp/p/abc.DEF-1"
SENDER = "Hikeshi <hikeshi@mihon-bank.example.jp>"
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "X-Hikeshi-Key", "Auto-Submitted", "Importance",
    "X-Auto-Response-Suppress", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
}  # fmt: skip


def messages(house: House, lang: str) -> Iterator[Message]:
    """Every message that waits, as a person's channel gets it."""
    with house.record.read() as tx:
        rows = [dict(row) for row in tx.connection.execute(select(OUTBOX)).mappings()]
    names = {field.name for field in fields(Envelope)}
    for row in rows:
        envelope = Envelope(**{name: value for name, value in row.items() if name in names})
        state = house.desk.state(envelope.stream)
        matter = Matter(
            state=state, texts=house.desk.texts(envelope.stream), world=house.desk.world(state), link=LINK
        )
        yield Message(
            key=envelope.key,
            channel="slack",
            address="a@mihon-bank.example.jp",
            person=envelope.person,
            lang=lang,
            kind=row["kind"],
            template=envelope.template,
            context=brief(envelope, matter, lang),
            attempt=1,
            drill=False,
        )


def wrong_in_mail(message: Message) -> list[str]:
    mail = message_from_bytes(as_mail(message, SENDER, START).content, policy=email.policy.default)
    names = mail.keys()
    extra = [name for name in names if name not in HEADERS or names.count(name) > 1]
    body = mail.get_content().replace("\r\n", "\n")
    assert mail.get_content_type() == "text/plain" and not mail.is_multipart()
    return extra + surfaces.terminal(str(mail["Subject"])) + surfaces.terminal(body)


def wrong_in_slack(message: Message, ours: tuple[str, ...]) -> list[str]:
    posts = split(as_post(message))
    shown = [one["text"]["text"] for post in posts for one in post.blocks] + [post.text for post in posts]
    return [wrong for text in shown for wrong in surfaces.slack(text, ours)]


def wrong_in_the_relay(house: House, vault: Path) -> list[str]:
    """A line of JSON each, and in a frame of syslog nothing that would end it or begin another."""
    vault.mkdir()
    one = carrier(house.desk, FolderSink(vault))
    while carry(house.desk, one):
        pass
    one.close()
    kept = [line for path in sorted(vault.iterdir()) for line in path.read_bytes().splitlines()]
    assert len(lines(b"\n".join(kept) + b"\n")) == len(kept) > 300
    framed = [frame(Line(t="fact", raw=line + b"\n", stream=INC, kind="x\ny"), 13, "h\nh") for line in kept]
    wrong = [one for one in framed if b"\n" in one or not one.split(b" ", 1)[1].startswith(b"<109>1 ")]
    return [repr(one[:80]) for one in wrong]


@pytest.mark.parametrize(("some", "every"), [(6, 6), pytest.param(1, 1, marks=pytest.mark.slow)])
async def test_no_message_carries_more_than_text(cli: Cli, tmp_path: Path, some: int, every: int) -> None:
    poison(cli.house, texts()[::some], every)
    bridge = cli.house.desk.premises.organisation.bridge or ""
    ours = (f"<{LINK}", *(f"<{word}" for word in bridge.split() if "://" in word))
    screen, path = io.StringIO(), tmp_path / "messages.jsonl"
    to_screen, to_file = ConsoleNotifier(screen), FileNotifier(path)
    found: list[tuple[str, str, list[str]]] = []
    count = 0
    for lang in ("ja", "en"):
        for one in messages(cli.house, lang):
            count += 1
            card = as_card(one)
            found += [
                (one.template, "slack", wrong_in_slack(one, ours)),
                (one.template, "mail", wrong_in_mail(one)),
                (one.template, "teams", surfaces.card(card.title + "\n\n" + card.body, LINK, bridge)),
                (one.template, "sms", surfaces.terminal(sms(one, "1234").text)),
                (one.template, "voice", surfaces.terminal(voice(one, "1234").text)),
            ]
            if count % every == 0:
                assert isinstance(await to_screen.deliver(one), Sent)
                assert isinstance(await to_file.deliver(one), Sent)
    found.append(("all", "screen", surfaces.terminal(screen.getvalue())))
    kept = path.read_bytes().splitlines()
    assert all(surfaces.terminal(json.loads(line)["text"]) == [] for line in kept)
    found.append(("record", "relay", wrong_in_the_relay(cli.house, tmp_path / "vault")))
    assert count > 50 and len(kept) == count // every
    wrong = [one for one in found if one[2]]
    assert wrong == [], "\n".join(map(str, wrong))


async def test_a_room_shows_no_more_than_text(bank: Institution) -> None:
    async with opened(bank, ExerciseClock(START)) as made:
        made.declare(text=" ".join(texts("slack"))[:290])
        for number, text in enumerate(texts()):
            _said(made, number, text)
        for _ in range(6):
            await made.rooms.refresh(INC)
        channel = made.slack.rooms.named("inc-2026-0001")
        assert len(made.slack.posts) > 3
        shown = [channel.topic, *(one.shown for one in made.slack.posts)]
        assert [
            wrong for text in shown for wrong in surfaces.slack(text, ("<https://hikeshi.example.jp",))
        ] == []
        assert [one.mentions for one in made.slack.posts if one.mentions] == []


def _said(made: Bank, number: int, text: str) -> None:
    if number % 3 == 0:
        made.desk.handle(INC, Note(actor=SATO, text=text))
    elif number % 30 == 1:
        step = AddStep(
            actor=SATO, step=f"s{number}", title=text, phase="triage", owner="csirt-lead", reason=text
        )
        made.desk.handle(INC, step)


def test_an_event_for_another_system_is_one_line_of_json_with_an_inert_title() -> None:
    fact = {
        "type": "incident.declared",
        "stream": INC,
        "seq": 1,
        "at": "2026-11-24T03:00:00Z",
        "incident": INC,
    }
    row = {"key": "msg_1", "body": json.dumps(fact | {"drill": False}).encode()}
    for text in texts():
        body = event.body(row, f"https://hikeshi.example.jp/incidents/{INC}", text)
        assert b"\n" not in body and b"\r" not in body
        said = json.loads(body)
        assert surfaces.terminal(said["title"]) == [] and "\n" not in said["title"]
        assert (said["id"], said["type"]) == ("msg_1", "incident.declared")
