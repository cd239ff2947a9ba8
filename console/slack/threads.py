"""Telling an incident's channel what has happened: in the channel, and in a thread for each page and step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from console.slack import feed
from console.slack.blocks import said
from console.slack.posts import Posts
from console.slack.room import Shown, prefix
from models.mirror import face
from notifiers.slack.api import CallFailed

THREAD_GONE = frozenset({"thread_not_found", "message_not_found", "cannot_reply_to_message"})
Blocks = list[dict[str, Any]]


class Remember(Protocol):
    """Keeps what a part shows now."""

    def __call__(self, room: Shown, part: str, place: str, shown: str, mark: str = "") -> Awaitable[None]: ...


class Threads:
    """Tells each fact once. `fit` leaves out what this node cannot do, such as buttons."""

    def __init__(self, posts: Posts, remember: Remember, fit: Callable[[Blocks], Blocks]) -> None:
        self._posts = posts
        self._remember = remember
        self._fit = fit

    async def tell(self, room: Shown) -> None:
        """All that is new. Raises CallFailed."""
        cursor = room.facts[-1].seq if room.facts else 0
        for batch in feed.batches(room.facts, room.naming):
            try:
                await self._thread(room, batch)
            except CallFailed as failed:
                if failed.name in THREAD_GONE and batch.root != feed.MAIN:
                    # Somebody deleted what the thread hangs on: it is posted anew next time.
                    await self._remember(room, batch.root, "", "", mark=room.mirror(batch.root).mark)
                raise
        await self._roots(room)
        if cursor:
            await self._remember(room, "cursor", "", str(cursor))

    async def _thread(self, room: Shown, batch: feed.Batch) -> None:
        """Tell one root what is new; what was told already in spite of an unclear answer is looked up."""
        known = room.mirror(batch.root)
        told, place = int(known.mark or 0), known.place
        if batch.root != feed.MAIN and not place:
            blocks = self._fit(feed.root(batch.root, room.naming))
            if not blocks:
                return
            place = await self._show(room, batch.root, "", blocks)
            await self._remember(room, batch.root, place, face(blocks), mark=str(told))
        before = f"{key(room, batch.root)}/"
        told = max(told, await self._posts.told(room.channel, before, place, room.state.seq))
        left = tuple(fact for fact in batch.facts if fact.seq > told)
        if not left:
            return
        rest = feed.Batch(root=batch.root, facts=left)
        block = said(*feed.lines(rest, room.naming))
        given: dict[str, Any] = {"text": block["text"]["text"], "blocks": [block]}
        if place:
            given["thread_ts"] = place
        await self._posts.post(room.channel, f"{before}{rest.last}", given)
        kept = room.mirror(batch.root)
        await self._remember(room, batch.root, place, kept.shown, mark=str(rest.last))

    async def _roots(self, room: Shown) -> None:
        """Roots whose matter stands otherwise than they say."""
        for name, mirror in list(room.known.items()):
            root = name.removeprefix(prefix(room.stream))
            if not root.startswith(("page:", "step:")) or not mirror.place:
                continue
            blocks = self._fit(feed.root(root, room.naming))
            if blocks and face(blocks) != mirror.shown:
                place = await self._show(room, root, mirror.place, blocks)
                await self._remember(room, root, place, face(blocks), mark=mirror.mark)

    async def _show(self, room: Shown, root: str, place: str, blocks: Blocks) -> str:
        text = str(blocks[0]["text"]["text"])[:300]
        return await self._posts.show(room.channel, key(room, root), place, {"text": text, "blocks": blocks})


def key(room: Shown, part: str) -> str:
    """The key in the metadata of a part's message."""
    return f"{room.stream}/room/{part}"
