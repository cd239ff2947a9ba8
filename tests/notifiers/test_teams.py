"""Teams through apprise: what a card says, that nothing from outside lives in it, and what failing means."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web

from notifiers.message import Failed, Message, Sent
from notifiers.teams import render
from notifiers.teams.deliver import MAX_THREADS, TeamsNotifier

Make = Callable[..., Message]


class Hook:
    """A webhook on the loopback interface that keeps what it got; `status` is its answer."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = 200

    async def post(self, request: web.Request) -> web.Response:
        self.got.append(await request.json())
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@pytest.fixture
async def hook() -> AsyncIterator[tuple[Hook, int]]:
    made, app = Hook(), web.Application()
    app.router.add_post("/{path:.*}", made.post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield made, runner.addresses[0][1]
    await runner.cleanup()


def test_a_card_says_what_a_page_says_and_ends_with_the_link(message: Make) -> None:
    card = render.render(message(channel="teams", address="csirt"))
    assert "SEV1" in card.title and "INC-2026-0001" in card.title and card.rendering_failed == ""
    assert "**何が起きたか:** EDR が 12 台の端末で暗号化の挙動を検知" in card.body
    link = "https://node.example/p/abc.DEF-1?x=1&y=2"
    assert f"[{link}]({link})" in card.body
    assert "\n" not in card.body.replace("\n\n", "")


def test_outside_text_neither_links_nor_mentions_nor_formats(message: Make) -> None:
    evil = "[press](https://evil.example) <at>all</at> **now** `x` @all www.evil.example _x_ # a | b"
    card = render.render(message(what=evil))
    shown = next(line for line in card.body.splitlines() if "press" in line)
    for part in ("](", "<", "**now", "`", "@", "www.", "_", "https:", "|"):
        assert part not in shown.removeprefix("**何が起きたか:**"), part


def test_a_line_of_outside_text_makes_no_heading_and_no_list() -> None:
    assert [render.escape(one) for one in ("# a", "- a", "1. a", "a-b")] == ["·# a", "·- a", "·1. a", "a-b"]


def test_a_card_that_would_be_too_large_keeps_its_link(message: Make) -> None:
    card = render.render(message(what="長い" * 9_000, title="題" * 9_000, reason="理由" * 9_000))
    assert len(card.body.encode()) < 28_000 and "https://node.example" in card.body


def test_a_template_that_fails_is_sent_in_its_minimal_form(message: Make) -> None:
    assert render.render(message("page.nothing")).rendering_failed.startswith("TemplateNotFound")


async def test_a_message_reaches_its_destination_alone(hook: tuple[Hook, int], message: Make) -> None:
    made, port = hook
    urls = {"csirt": f"json://127.0.0.1:{port}/csirt", "board": f"json://127.0.0.1:{port}/board"}
    notifier = TeamsNotifier(urls)
    sent = await notifier.deliver(message(channel="teams", address="csirt"))
    assert sent == Sent(receipt="accepted")
    (got,) = made.got
    assert "INC-2026-0001" in got["title"] and "何が起きたか" in got["message"]
    assert await notifier.arrived(message()) is None
    await notifier.close()


@pytest.mark.parametrize("status", [302, 400, 429, 500])
async def test_what_apprise_could_not_hand_over_is_unclear(
    hook: tuple[Hook, int], message: Make, status: int
) -> None:
    made, port = hook
    made.status = status
    failed = await TeamsNotifier({"csirt": f"json://127.0.0.1:{port}/"}).deliver(message(address="csirt"))
    assert isinstance(failed, Failed) and failed.retry == "unclear"
    assert len(made.got) == 1, "no redirect is followed, nothing is sent twice by itself"


async def test_nobody_there_is_unclear_and_the_secret_is_not_told(message: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        notifier = TeamsNotifier({"csirt": f"json://127.0.0.1:{free.getsockname()[1]}/very-secret"})
        failed = await notifier.deliver(message(address="csirt"))
    assert isinstance(failed, Failed) and failed.retry == "unclear" and "secret" not in failed.error
    assert "secret" not in repr(notifier)


@pytest.mark.parametrize("urls", [{}, {"csirt": "nothing that apprise knows"}])
async def test_a_destination_that_cannot_be_used_fails_for_good(urls: dict[str, str], message: Make) -> None:
    failed = await TeamsNotifier(urls).deliver(message(address="csirt"))
    assert isinstance(failed, Failed) and failed.retry == "never"


def test_the_url_of_a_teams_workflow_is_one_that_apprise_knows() -> None:
    native = (
        "https://prod-00.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke"
        "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=DEFG"
    )
    assert repr(TeamsNotifier({"one": native, "two": "workflow://host:443/abc/DEFG/"})) == (
        "TeamsNotifier(['one', 'two'])"
    )


# -- destinations that hang ---------------------------------------------------------------------------------


class Dripping:
    """A server on the loopback interface whose answer has no end: a header each moment, none too late."""

    def __init__(self) -> None:
        self.asked = 0
        self.ends = asyncio.Event()
        self.under_way: set[asyncio.Task[Any]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        if task := asyncio.current_task():
            self.under_way.add(task)
        with suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\n")
            while not self.ends.is_set():
                writer.write(b"X-Drip: 1\r\n")
                await writer.drain()
                await asyncio.sleep(0.15)
            writer.write(b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def dripping() -> AsyncIterator[tuple[Dripping, int]]:
    made = Dripping()
    async with await asyncio.start_server(made.answer, "127.0.0.1", 0) as server:
        yield made, server.sockets[0].getsockname()[1]
        made.ends.set()
        await asyncio.wait(made.under_way)


def many(port: int) -> dict[str, str]:
    return {f"room-{number}": f"json://127.0.0.1:{port}/{number}" for number in range(12)}


async def test_an_answer_that_drips_is_left_behind_and_names_are_still_looked_up(
    dripping: tuple[Dripping, int], message: Make
) -> None:
    made, port = dripping
    notifier = TeamsNotifier(many(port), timeout_seconds=0.4)
    tries = [notifier.deliver(message(address=name)) for name in many(port)]
    answers = await asyncio.gather(*tries)
    said = [one.retry for one in answers if isinstance(one, Failed)]
    assert said == ["unclear"] * MAX_THREADS + ["later"] * (12 - MAX_THREADS)
    assert made.asked == MAX_THREADS
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        assert await loop.getaddrinfo("localhost", 80)
    await notifier.close()


async def test_a_destination_that_hangs_gets_nothing_more_until_it_comes_back(
    dripping: tuple[Dripping, int], hook: tuple[Hook, int], message: Make
) -> None:
    (made, port), (other, well) = dripping, hook
    urls = {"slow": f"json://127.0.0.1:{port}/", "well": f"json://127.0.0.1:{well}/"}
    notifier = TeamsNotifier(urls, timeout_seconds=5.0)
    tried = asyncio.create_task(notifier.deliver(message(address="slow")))
    async with asyncio.timeout(5):
        while not made.asked:
            await asyncio.sleep(0.01)
    tried.cancel()  # as the outbox does whose patience has ended
    again = await notifier.deliver(message(address="slow"))
    assert isinstance(again, Failed) and again.retry == "later" and made.asked == 1
    assert isinstance(await notifier.deliver(message(address="well")), Sent) and len(other.got) == 1
    made.ends.set()
    async with asyncio.timeout(5):
        while isinstance(await notifier.deliver(message(address="slow")), Failed):
            await asyncio.sleep(0.05)
    assert made.asked > 1


async def test_a_channel_that_is_closed_begins_nothing(hook: tuple[Hook, int], message: Make) -> None:
    made, port = hook
    notifier = TeamsNotifier({"csirt": f"json://127.0.0.1:{port}/"})
    await notifier.close()
    failed = await notifier.deliver(message(address="csirt"))
    assert isinstance(failed, Failed) and failed.retry == "later" and made.got == []


ENDS = """
import asyncio, sys
from notifiers.message import Message
from notifiers.teams.deliver import TeamsNotifier

async def main():
    notifier = TeamsNotifier({"csirt": f"json://127.0.0.1:{sys.argv[1]}/"}, timeout_seconds=0.3)
    message = Message(
        key="a/1/0/1/teams:x", channel="teams", address="csirt", person="x", lang="en", kind="notice",
        template="none", context={}, attempt=1, drill=False,
    )
    print((await notifier.deliver(message)).retry)
    await notifier.close()

asyncio.run(main())
"""


async def test_a_process_ends_though_a_destination_hangs(dripping: tuple[Dripping, int]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ENDS, str(dripping[1]), stdout=subprocess.PIPE
    )
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    assert (process.returncode, said.decode().strip()) == (0, "unclear")
