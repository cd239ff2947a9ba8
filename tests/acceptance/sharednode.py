"""A pager process of the tests' own: `python -m tests.acceptance.sharednode PORT RECEIVER LEASE PAUSE`.

As `python -m console.node`, but that its console is a receiver on the loopback address, which answers after
PAUSE seconds, and that a node which is silent for LEASE seconds counts as dead.
"""

from __future__ import annotations

import asyncio
import os
import sys

import aiohttp

from console.leash import stop_on_signals
from console.node import Node
from console.opening import find_directory, open_house
from notifiers.message import Delivery, Failed, Message, Sent
from notifiers.pacing import Pace


class Loopback:
    """Posts what it delivers to the receiver, with the name of this node."""

    name = "console"
    can_read_back = False

    def __init__(self, url: str, pause: float) -> None:
        self._url, self._pause = url, pause

    async def deliver(self, message: Message) -> Delivery:
        node = os.environ.get("HIKESHI_NODE", "")
        body = {"node": node, "keys": list(message.keys), "attempt": message.attempt, "to": message.address}
        try:
            async with aiohttp.ClientSession() as session, session.post(self._url, json=body) as answer:
                await asyncio.sleep(self._pause)
                return Sent(receipt=str(answer.status))
        except aiohttp.ClientError as failed:
            return Failed(error=str(failed), retry="later")

    async def arrived(self, message: Message) -> Sent | None:
        return None

    async def close(self) -> None:
        """Nothing is kept open."""


async def main(port: int, url: str, lease: float, pause: float) -> None:
    pace = Pace(lease=lease, bundle_more_than=1_000, interval={}, per_minute={})
    node = Node(open_house(find_directory(None)), {"console": Loopback(url, pause)}, pace, port)
    stop_on_signals(node.stop.set)

    async def announce() -> None:
        await node.ready.wait()
        print(f"hikeshi-node-ready {node.port}", flush=True)

    telling = asyncio.create_task(announce())
    await node.run()
    telling.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
