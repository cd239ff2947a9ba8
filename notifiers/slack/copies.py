"""Every copy of a message says how its matter stands now, whoever answered it where.

Copies are mirrors: the latest state wins, several changes become one edit, nothing of it is in the outbox.
After a restart, or when Slack comes back, whatever differs from the record is edited.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from msgspec import structs
from sqlalchemy import select

from models.access import Viewer, may_read
from models.desk import Desk
from models.mirror import Mirror, face, keep, mirrors_named
from models.record import OUTBOX, Tx, micros
from models.state import Incident
from models.supervised import attempt, attempt_async, wait
from notifiers.briefing import Envelope
from notifiers.bundling import bundle
from notifiers.claims import Item, items
from notifiers.composing import Link, compose
from notifiers.message import Message
from notifiers.slack import render
from notifiers.slack.api import CallFailed, SlackApi

CHANNEL = "slack"
KEPT_TRUE_FOR = timedelta(days=14)
MAX_COPIES, MAX_ROWS, MAX_IN_ONE = 200, 1_000, 100
EVERY_SECONDS = 1.0
AGAIN_SECONDS = 30.0
GONE = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "is_archived"}
)
"""What says that one message cannot be edited any more; anything else is about Slack or the set-up."""
log = logging.getLogger("hikeshi.slack")
Run = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A copy that no longer says what is so."""

    mirror: Mirror
    conversation: str
    ts: str
    message: Message


class Copies:
    """Edits messages that were sent. `run` executes in the thread of the record."""

    def __init__(self, desk: Desk, api: SlackApi, run: Run, link: Link, *, buttons: bool = True) -> None:
        self._desk = desk
        self._api = api
        self._run = run
        self._link = link
        self._buttons = buttons
        self._dirty: dict[str, None] = {}
        self._woken = asyncio.Event()
        self.again_seconds = AGAIN_SECONDS
        self._errors: dict[str, str] = {}

    @property
    def error(self) -> str:
        """Why some copy could not be made true at its last try; empty if none has failed."""
        return next(iter(self._errors.values()), "")

    def touch(self, stream: str) -> None:
        """Something has changed in this stream, or somebody looks at it."""
        self._dirty[stream] = None
        self._woken.set()

    async def touch_all(self) -> None:
        """Everything may have changed: at the start, and when Slack is trusted again."""
        for stream in await self._run(self._lately):
            self.touch(stream)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep copies true until `stop`."""
        while not stop.is_set() and (await attempt_async("slack copies", self.touch_all)).error is not None:
            await wait(stop, EVERY_SECONDS)
        while not stop.is_set():
            self._woken.clear()
            streams, self._dirty = list(self._dirty), {}
            for stream in streams:
                tried = await attempt_async("slack copies", partial(self.refresh, stream))
                if tried.error is not None or tried.value is False:
                    self._later(stream)
            if not self._dirty:
                await wait(self._woken, EVERY_SECONDS)

    def _later(self, stream: str) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self.again_seconds, self.touch, stream)

    async def refresh(self, stream: str) -> bool:
        """Edit the copies of one stream that are not true; whether all of that worked."""
        edits = await self._run(lambda: self._plan(stream))
        errors = [error for edit in edits if (error := await self._edit(edit))]
        self._errors.pop(stream, None)
        if errors:
            self._errors[stream] = errors[0]
        return not errors

    async def _edit(self, edit: Edit) -> str:
        """Why the edit could not be made, and is to be tried again; empty if it need not be."""
        body = _edited(edit.message)
        try:
            await self._api.call(
                "chat.update",
                channel=edit.conversation,
                ts=edit.ts,
                text=body.text,
                blocks=list(body.blocks),
                metadata=body.metadata,
            )
        except CallFailed as failed:
            if failed.name not in GONE:
                # Slack is away, or the set-up has to be mended: the copy is to be true after that.
                return failed.failed.error or failed.name
            # Somebody deleted it, or its time is over: it will never be true, and is let be.
            log.info("a copy can no longer be edited: %s", failed)
            gone = failed.name
        else:
            gone = ""
        await self._run(lambda: self._keep(edit.mirror, gone))
        return ""

    # -- in the thread of the record ------------------------------------------------------------------------

    def _lately(self) -> list[str]:
        """Streams of which messages were sent of late: what changed while nobody watched is found there."""
        since = micros(self._desk.clock.now() - KEPT_TRUE_FOR)
        with self._desk.record.read() as tx:
            rows = tx.connection.execute(
                select(OUTBOX.c.stream)
                .where(OUTBOX.c.channel == CHANNEL, OUTBOX.c.state == "sent", OUTBOX.c.sent_at > since)
                .distinct()
                .limit(1_000)
            )
            return list(rows.scalars())

    def _plan(self, stream: str) -> list[Edit]:
        """The edits that a stream's copies need; none while Slack is out of band."""
        if CHANNEL in self._desk.distrusted():
            return []
        with self._desk.record.read() as tx:
            posts = self._posts(tx, stream)
            known = mirrors_named(tx, [_name(place) for place in posts])
        posts = {place: rows for place, rows in posts.items() if all(self._may_read(row) for row in rows)}
        # One sick incident must not keep the posts of the others as they are.
        looks = [
            attempt(f"slack copy {place}", partial(self._look, place, rows, known))
            for place, rows in posts.items()
        ]
        return [one.value for one in looks if one.value is not None]

    def _may_read(self, row: Item) -> bool:
        """Whether whoever sees the post may know how its matter goes on: nobody barred since, and no channel
        that others read.
        """
        state = self._desk.state(row.envelope.stream)
        if not isinstance(state, Incident) or not state.restriction.on:
            return True
        person = row.envelope.person
        viewer = Viewer(person=person)
        return person is not None and may_read(state, viewer, self._desk.world(state)).some

    def _posts(self, tx: Tx, stream: str) -> dict[str, list[Item]]:
        """The newest posts that carry messages of a stream, by place, each with all that it carries."""
        since = micros(self._desk.clock.now() - KEPT_TRUE_FOR)
        sent = (OUTBOX.c.channel == CHANNEL, OUTBOX.c.state == "sent", OUTBOX.c.sent_at > since)
        newest = select(OUTBOX.c.receipt).where(*sent, OUTBOX.c.stream == stream)
        places = list(tx.connection.execute(newest.order_by(OUTBOX.c.id.desc()).limit(MAX_COPIES)).scalars())
        # A post may carry pages of several incidents: an edit must not lose the others.
        carried = select(OUTBOX.c.id, OUTBOX.c.receipt).where(*sent, OUTBOX.c.receipt.in_(places))
        rows: dict[str, list[int]] = {}
        for number, receipt in tx.connection.execute(carried.order_by(OUTBOX.c.id)):
            rows.setdefault(receipt or "", []).append(number)
        receipts: dict[int, str] = {}
        for place in dict.fromkeys(place or "" for place in places):
            if len(receipts) + len(rows.get(place, ())) > MAX_ROWS:
                break  # whole posts only: one that is drawn from a part of its rows would lose the others
            receipts |= {number: place for number in rows.get(place, ())}
        found: dict[str, list[Item]] = {place: [] for place in receipts.values()}
        for item in items(tx, OUTBOX.c.id.in_(list(receipts)), MAX_ROWS):
            found[receipts[item.id]].append(item)
        return found

    def _look(self, place: str, rows: list[Item], known: dict[str, Mirror]) -> Edit | None:
        """The edit that a post needs, or None. One that says nothing else than when it left needs none."""
        conversation, slash, ts = place.partition("/")
        if not slash or len(rows) > MAX_IN_ONE:
            return None
        messages = [compose(self._desk, _as_sent(row), row.address, self._link) for row in rows]
        if not self._buttons:
            messages = [structs.replace(one, acts=()) for one in messages]
        shows = face([[one.standing, [act.name for act in one.acts]] for one in messages])
        first = rows[0].envelope
        name = _name(place)
        before = known.get(name)
        fresh = all(_is_fresh(one, buttons=self._buttons) for one in messages)
        if before.shown == shows if before is not None else fresh:
            return None
        mirror = Mirror(id=name, stream=first.stream, place=place, shown=shows)
        message = messages[0] if len(messages) == 1 else bundle(messages)
        return Edit(mirror=mirror, conversation=conversation, ts=ts, message=message)

    def _keep(self, mirror: Mirror, error: str) -> None:
        kept = Mirror(id=mirror.id, stream=mirror.stream, place=mirror.place, shown=mirror.shown, error=error)
        with self._desk.record.begin() as tx:
            keep(tx, kept, self._desk.clock.now())


def _name(place: str) -> str:
    """What a post's mirror is called."""
    return f"copy:{place}"


def _edited(message: Message) -> render.SlackMessage:
    """What the post says from now on. Of a message in several posts the last one is edited: the buttons are
    there, and what has become of the matter is said there too.
    """
    posts = render.split(render.render(message))
    if len(posts) == 1:
        return posts[0]
    before = render.split(render.render(structs.replace(message, standing="")))
    lead = render.standing_block(message)
    return structs.replace(before[-1], blocks=(*([lead] if lead else ()), *before[-1].blocks))


def _as_sent(row: Item) -> Envelope:
    """The row as its last try had it: an item is counted as the next one, which would mark it as a repeat."""
    return replace(row.envelope, tries=max(1, row.envelope.tries - 1))


def _is_fresh(message: Message, *, buttons: bool) -> bool:
    """Whether a message that was never edited still says what it said when it left."""
    open_still = not buttons or any(act.name == "ack" for act in message.acts)
    return not message.standing and (message.kind != "page" or open_still)
