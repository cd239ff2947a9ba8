"""From a press in Slack to the fact that it makes, by signed HTTP into a running pager; and many at once.

The clock starts before the request leaves this process and stops with the instant at which the fact was
recorded, both by this machine's clock. "Answered" is what Slack waits for: it gives an app three seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Iterator
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson

from benchmarks.alert import AlertSource
from benchmarks.bank import Bank, found
from benchmarks.figure import Figure, quantile, spread
from benchmarks.ground import Ground
from benchmarks.pager import running
from models.errors import HikeshiError
from models.record import Record
from notifiers.slack.fake import FakeSlack, Post

PRESSES, WARM_UP, AT_ONCE = 50, 5, 50
SECRET = "press-bench-signing-secret"  # noqa: S105 - of the benchmark alone
RECORDED_TARGET, ANSWERED_TARGET = 100, 3_000
SETTLE_SECONDS = 1.0


def press(ground: Ground) -> Iterator[Figure]:
    """One press after another, each on another incident's page; then as many at the same time."""
    single, burst = asyncio.run(_measured(ground))
    yield _figure("press → recorded fact, p95", [one for one, _ in single], 0.95, RECORDED_TARGET)
    yield _figure("press → answered, p95", [one for _, one in single], 0.95, ANSWERED_TARGET)
    yield _figure(f"{AT_ONCE} presses at once → answered, max", [one for _, one in burst], 1, ANSWERED_TARGET)
    yield _figure(f"{AT_ONCE} presses at once → recorded, max", [one for one, _ in burst], 1, None)


def _figure(name: str, values: list[float], share: float, target: float | None) -> Figure:
    return Figure(
        name=name,
        value=quantile(values, share) if share < 1 else max(values),
        unit="ms",
        n=len(values),
        target=target,
        detail=spread(values),
    )


async def _measured(ground: Ground) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    async with FakeSlack() as slack:
        bank = found(ground.place("press"), slack.base_url)
        (bank.directory / "signing").write_text(SECRET, encoding="utf-8")
        with (bank.directory / "settings.toml").open("a", encoding="utf-8") as settings:
            settings.write('signing_secret = "file:signing"\n')
        async with running(bank.directory) as pager, aiohttp.ClientSession() as session:
            source = AlertSource(session, pager, slack)
            for number in range(WARM_UP + PRESSES + AT_ONCE):
                await source.milliseconds(number)
            await asyncio.sleep(SETTLE_SECONDS)
            buttons = list(_buttons(slack))
            door = f"{pager.url}/slack/events"
            for post, value in buttons[:WARM_UP]:
                await _press(session, door, post, value)
            single = [
                (started, value, await _press(session, door, post, value))
                for post, value in buttons[WARM_UP : WARM_UP + PRESSES]
                for started in [time.time()]
            ]
            rest = buttons[WARM_UP + PRESSES :]
            together = time.time()
            answered = await asyncio.gather(*(_press(session, door, post, value) for post, value in rest))
            await asyncio.sleep(SETTLE_SECONDS * 3)
        burst = [(together, value, took) for (_, value), took in zip(rest, answered, strict=True)]
        return _recorded(bank, single), _recorded(bank, burst)


def _buttons(slack: FakeSlack) -> Iterator[tuple[Post, str]]:
    """The button of each incident's first page, with the person whom it was sent to."""
    seen = set()
    for post in slack.posts:
        incident = post.key.partition("/")[0]
        values = [
            one["value"]
            for block in post.blocks
            if block["type"] == "actions"
            for one in block["elements"]
            if one["action_id"] == "hikeshi:ack"
        ]
        if values and post.address.startswith("U") and incident not in seen:
            seen.add(incident)
            yield post, values[0]


async def _press(session: aiohttp.ClientSession, door: str, post: Post, value: str) -> float:
    """Press the button as Slack would hand it on; milliseconds until it was answered."""
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": {"id": post.address},
        "team": {"id": "T0BENCH"},
        "channel": {"id": post.channel},
        "trigger_id": "1.2.3",
        "response_url": "",
        "actions": [
            {
                "type": "button",
                "action_id": "hikeshi:ack",
                "block_id": "b",
                "value": value,
                "action_ts": value,
            }
        ],
    }
    body = urlencode({"payload": orjson.dumps(payload).decode()}).encode()
    at = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": at,
        "X-Slack-Signature": f"v0={digest}",
    }
    start = monotonic()
    async with session.post(door, data=body, headers=headers) as answer:
        await answer.read()
    if answer.status != 200:
        raise HikeshiError(f"a press was answered {answer.status}")
    return (monotonic() - start) * 1_000


def _recorded(bank: Bank, presses: list[tuple[float, str, float]]) -> list[tuple[float, float]]:
    """Milliseconds until recorded and until answered, of each press. Raises HikeshiError if one was lost."""
    record = Record.at(bank.database)
    found_: list[tuple[float, float]] = []
    with record.read() as tx:
        for started, value, answered in presses:
            stream = value.partition(" ")[0]
            acks = [fact for fact in tx.facts(stream) if fact.kind == "page.acknowledged"]
            if not acks:
                raise HikeshiError(f"the press on {stream} was lost")
            found_.append(((acks[0].recorded_at.timestamp() - started) * 1_000, answered))
    record.close()
    return found_
