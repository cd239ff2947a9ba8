"""What another process writes reaches the messages in Slack: an end, and that Slack is trusted again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.opening import House, open_house
from models.commands import Acknowledge, Actor, EndIncident
from models.outofband import ConfirmTrust, ProposeTrust
from tests.console.slackhouse import DUTY, Scene, actions, text_of, war_room

INC, SUZUKI = "INC-2026-0001", "U0SUZUKI1"
SATO, KATO = Actor(person="sato-kenji", via="cli"), Actor(person="kato-hiroshi", via="cli")


@contextmanager
def command_line(scene: Scene) -> Iterator[House]:
    """The same bank as another process has it."""
    house = open_house(scene.bank)
    yield house
    house.record.close()


async def declared(scene: Scene) -> tuple[str, str]:
    """An incident with its first page in Slack; whom it reached there, and the message."""
    await scene.slack.command(SUZUKI, DUTY, "/hikeshi", "declare 勘定系が応答しない")
    _, _, slack = await scene.first_page(INC)
    message = await scene.button(slack, "hikeshi:ack")
    return slack, str(message["ts"])


async def test_an_incident_that_is_dismissed_elsewhere_keeps_no_live_button(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        slack, ts = await declared(scene)
        with command_line(scene) as house:
            assert house.desk.handle(INC, EndIncident(actor=SATO, how="dismissed", reason="誤検知")).accepted

        async def quiet() -> bool:
            return "hikeshi:ack" not in actions(await scene.slack.message(slack, ts))

        await scene.until(quiet)


async def test_what_happened_while_slack_was_out_of_band_is_shown_once_it_is_back(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        slack, ts = await declared(scene)
        with command_line(scene) as house:
            trust(house, "out-of-band")
            page = next(iter(house.desk.incident(INC).pages))
            assert house.desk.handle(INC, Acknowledge(actor=SATO, page=page)).accepted
            wing = scene.node.wing
            assert wing is not None

            async def out() -> bool:
                return wing._out

            await scene.until(out)
            assert "hikeshi:ack" in actions(await scene.slack.message(slack, ts)), "nothing goes there now"
            trust(house, "in-band")

        async def told() -> bool:
            message = await scene.slack.message(slack, ts)
            return "受領しました" in text_of(message) and "hikeshi:ack" not in actions(message)

        await scene.until(told)


def trust(house: House, way: str) -> None:
    """Two people take Slack out of band, or back."""
    wanted = ProposeTrust(actor=SATO, way=way, channels=("slack",), reason="x")  # type: ignore[arg-type]
    asked = house.desk.handle("house", wanted)
    assert house.desk.handle("house", ConfirmTrust(actor=KATO, proposal=asked.facts[0].seq)).accepted
