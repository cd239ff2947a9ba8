"""From an alert's POST to the first page's request at the receiver: everything in between is the real thing.

The clock starts before the request leaves this process and stops when the fake Slack here has the message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic

import aiohttp

from benchmarks.bank import SECRETS, alert_body, found
from benchmarks.figure import Figure, quantile, spread
from benchmarks.ground import Ground
from benchmarks.pager import Pager, running
from models.clock import SystemClock
from models.errors import HikeshiError
from notifiers.slack.fake import FakeSlack

INCIDENTS, QUICK_INCIDENTS = 60, 15
WARM_UP = 10
REST_SECONDS = 1.1
"""Longer than the pause between two messages to one conversation: no page measured waits its turn."""
ARRIVES_WITHIN_SECONDS = 10.0
P50_TARGET, P95_TARGET = 15, 40


def alert(ground: Ground) -> Iterator[Figure]:
    """One alert after another, each a new matter."""
    values = asyncio.run(_quiet(ground))
    yield from figures("alert → first page at the receiver", values, P50_TARGET, P95_TARGET)


def figures(what: str, values: list[float], p50: float | None, p95: float) -> Iterator[Figure]:
    """p50, p95 and the greatest of milliseconds."""
    for name, value, target in (
        ("p50", quantile(values, 0.5), p50),
        ("p95", quantile(values, 0.95), p95),
        ("max", max(values), None),
    ):
        yield Figure(
            name=f"{what}, {name}",
            value=value,
            unit="ms",
            n=len(values),
            target=target,
            detail=spread(values),
        )


async def _quiet(ground: Ground) -> list[float]:
    async with FakeSlack() as slack:
        bank, incidents = (
            found(ground.place("alert"), slack.base_url),
            ground.some(INCIDENTS, QUICK_INCIDENTS),
        )
        async with running(bank.directory) as pager, aiohttp.ClientSession() as session:
            source = AlertSource(session, pager, slack)
            for number in range(WARM_UP):
                await source.milliseconds(number)
            return [await source.milliseconds(WARM_UP + number) for number in range(incidents)]


class AlertSource:
    """Posts alerts to a pager and waits for their pages."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        pager: Pager,
        slack: FakeSlack,
        within: float = ARRIVES_WITHIN_SECONDS,
    ) -> None:
        self._session = session
        self._url = f"{pager.url}/api/alerts/wazuh"
        self._slack = slack
        self._within = within
        self._headers = {"Authorization": f"Bearer {SECRETS['HIKESHI_WAZUH_SECRET']}"}

    async def milliseconds(self, number: int) -> float:
        """Post alert `number`; the time until its incident's first page has arrived. Raises HikeshiError."""
        seen = len(self._slack.posts)
        body = alert_body(number, SystemClock().now())
        start = monotonic()
        async with self._session.post(self._url, data=body, headers=self._headers) as answer:
            content = await answer.json()
        if answer.status != 202 or not content["incident"]:
            raise HikeshiError(f"alert {number} was answered {answer.status}: {content}")
        at = await self._page_of(content["incident"], seen)
        await asyncio.sleep(REST_SECONDS)
        return (at - start) * 1_000

    async def _page_of(self, incident: str, seen: int) -> float:
        """When the first message to a person about the incident came; the duty channel's is none."""
        async with asyncio.timeout(self._within):
            while True:
                for post in self._slack.posts[seen:]:
                    if post.key.startswith(f"{incident}/") and post.address.startswith("U"):
                        return post.at
                await asyncio.sleep(0.001)
