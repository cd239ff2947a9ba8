"""An incident's own channel: made, named, filled, pinned and kept true, each part by itself.

None of it holds up anything: the first pages leave before it, and a part that fails (a missing scope, an
unknown member) is tried again by itself and shown in `hikeshi health`, while the others go on.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select

from console.slack import board, feed
from console.slack.blocks import said
from console.texts import texts
from console.views.naming import Naming
from models.commands import Actor
from models.desk import Desk
from models.fact import Fact
from models.installation import RoomSettings
from models.mirror import Mirror, face, keep, mirrors
from models.record import MIRROR, STREAM, Record
from models.rooms import OpenRoom
from models.state import ENDED, Incident
from models.supervised import attempt_async, wait
from notifiers.slack.api import CallFailed, SlackApi
from notifiers.slack.render import EVENT_TYPE

VIA = "slack"
SWEEP_SECONDS = 60.0
AGAIN_SECONDS = 30.0
QUIET_SECONDS = 1.0
MAX_FACTS = 300
MAX_BOARD = 13_000
MAX_PAGES_OF_CHANNELS = 5
MAX_NAME = 80
LOOK_BACK = 200
_NOT_IN_NAMES = re.compile(r"[^\w-]+")
_FINE = frozenset({"already_in_channel", "already_pinned", "cant_invite_self"})
log = logging.getLogger("hikeshi.slack")
Run = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass(kw_only=True)
class _Room:
    """One incident as its channel has to show it now."""

    stream: str
    naming: Naming
    state: Incident
    known: dict[str, Mirror]
    facts: tuple[Fact, ...]
    channel: str = ""

    def mirror(self, part: str) -> Mirror:
        """What is remembered of a part."""
        name = f"room:{self.stream}:{part}"
        return self.known.get(name) or Mirror(id=name, stream=self.stream)


class Rooms:
    """Keeps the channels of all incidents that have one. `run` executes in the thread of the record."""

    def __init__(
        self,
        desk: Desk,
        api: SlackApi,
        run: Run,
        settings: RoomSettings,
        *,
        public_url: str = "",
        buttons: bool = True,
    ) -> None:
        self._desk = desk
        self._api = api
        self._run = run
        self._settings = settings
        self._public_url = public_url
        self._buttons = buttons
        self._dirty: dict[str, None] = {}
        self._looked: set[str] = set()
        self._woken = asyncio.Event()
        self.problems: dict[str, str] = {}
        """What does not work, by incident and part, for `hikeshi health`."""

    def touch(self, stream: str) -> None:
        """Something has changed in this stream."""
        if stream.startswith("INC-"):
            self._dirty[stream] = None
            self._woken.set()

    async def keep_true(self, stop: asyncio.Event) -> None:
        """Make and keep the channels until `stop`; what shows time is looked at every minute."""
        loop = asyncio.get_running_loop()
        swept = -SWEEP_SECONDS
        while not stop.is_set():
            if loop.time() - swept >= SWEEP_SECONDS:
                swept = loop.time()
                for stream in await self._run(self._open):
                    self._dirty.setdefault(stream)
            streams, self._dirty = list(self._dirty), {}
            self._woken.clear()
            for stream in streams:
                tried = await attempt_async("slack room", partial(self.refresh, stream))
                if tried.error is not None or tried.value is False:
                    loop.call_later(AGAIN_SECONDS, self.touch, stream)
            await wait(self._woken, QUIET_SECONDS)

    async def refresh(self, stream: str) -> bool:
        """Bring one incident's channel up to date; whether every part of it worked."""
        room: _Room | None = await self._run(lambda: self._read(stream))
        if room is None:
            return True
        if not await self._part(room, "channel", self._channel):
            return False
        parts: tuple[tuple[str, Callable[[_Room], Awaitable[None]]], ...] = (
            ("board", self._board),
            ("topic", self._topic),
            ("members", self._members),
            ("pin", self._pin),
            ("bookmarks", self._bookmarks),
            ("threads", self._threads),
        )
        worked = [await self._part(room, name, work) for name, work in parts]
        return all(worked)

    async def _part(self, room: _Room, name: str, work: Callable[[_Room], Awaitable[None]]) -> bool:
        """One outside resource by itself: whether it is as it should be."""
        key = f"{room.stream} {name}"
        try:
            await work(room)
        except CallFailed as failed:
            self.problems[key] = failed.failed.error
            log.warning("%s of the channel of %s: %s", name, room.stream, failed)
            return False
        self.problems.pop(key, None)
        return True

    # -- its parts ------------------------------------------------------------------------------------------

    async def _channel(self, room: _Room) -> None:
        known = room.state.rooms.get(VIA)
        if known is not None:
            room.channel = known.address
        else:
            private = bool(set(self._settings.private_for) & set(room.state.playbooks))
            name = channel_name(self._settings.name, room.state, drill=self._is_drill(room))
            room.channel = await self._make(name, private=private)
            command = OpenRoom(
                actor=Actor.machine(VIA), via=VIA, address=room.channel, name=name, private=private
            )
            await self._run(lambda: self._desk.handle(room.stream, command))
        if room.mirror("channel").place != room.channel:
            await self._remember(room, "channel", room.channel, "")

    async def _make(self, name: str, *, private: bool) -> str:
        """The id of a new channel, or of the one that an earlier life of ours made under this name."""
        try:
            answer = await self._api.call("conversations.create", name=name, is_private=private)
        except CallFailed as failed:
            if failed.name != "name_taken":
                raise
            found = await self._ours(name)
            if found is None:
                raise
            return found
        return str((answer.get("channel") or {}).get("id") or "")

    async def _ours(self, name: str) -> str | None:
        _, ours = await self._api.identity()
        cursor = ""
        for _ in range(MAX_PAGES_OF_CHANNELS):
            given: dict[str, Any] = {"cursor": cursor} if cursor else {}
            kinds = "public_channel,private_channel"
            answer = await self._api.call(
                "conversations.list", types=kinds, exclude_archived=True, limit=LOOK_BACK, **given
            )
            for one in answer.get("channels") or []:
                if one.get("name") == name and one.get("creator") == ours:
                    return str(one["id"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return None
        return None

    async def _topic(self, room: _Room) -> None:
        topic = board.topic(room.naming)
        if face(topic) != room.mirror("topic").shown:
            await self._api.call("conversations.setTopic", channel=room.channel, topic=topic)
            await self._remember(room, "topic", "", face(topic))

    async def _members(self, room: _Room) -> None:
        wanted = sorted(self._people(room))
        before = set(room.mirror("members").place.split())
        new = [one for one in wanted if one not in before]
        if not new:
            return
        await self._invite(room.channel, new)
        await self._remember(room, "members", " ".join(sorted(before | set(new))), "")

    async def _invite(self, channel: str, people: list[str]) -> None:
        """All at once, and one by one if somebody among them cannot be: one dead account keeps nobody out."""
        try:
            await self._api.call("conversations.invite", channel=channel, users=",".join(people))
        except CallFailed as failed:
            if len(people) == 1 and failed.name in _FINE:
                return
            if len(people) == 1 or not failed.name:
                raise
        else:
            return
        wrong: CallFailed | None = None
        for one in people:
            try:
                await self._invite(channel, [one])
            except CallFailed as failed:
                wrong = failed
        if wrong is not None:
            raise wrong

    def _people(self, room: _Room) -> set[str]:
        """Slack ids of the roles of the settings, of commander and scribe, and of everybody who was paged."""
        world, state = room.naming.world, room.state
        holders = [
            one.person
            for role in (*self._settings.members, "commander", "scribe")
            for one in world.holders(state, role)
        ]
        paged = [
            world.directory.person(one.person)
            for page in state.pages.values()
            for people in page.reached.values()
            for one in people
        ]
        return {one.slack for one in (*holders, *paged) if one is not None and one.slack}

    async def _board(self, room: _Room) -> None:
        blocks = self._shown(fitting(board.blocks(room.naming)))
        shows = face([one for one in blocks if one["type"] != "context"])
        known = room.mirror("board")
        if known.place and known.shown == shows:
            return
        text = room.naming.texts("slack.board.title", incident=room.stream)
        place = await self._show(room, "board", known.place, f"{board.mark(room.naming)}{text}", blocks)
        await self._remember(room, "board", place, shows)

    async def _pin(self, room: _Room) -> None:
        board_ts = room.mirror("board").place
        if not board_ts or room.mirror("pin").place == board_ts:
            return
        try:
            await self._api.call("pins.add", channel=room.channel, timestamp=board_ts)
        except CallFailed as failed:
            if failed.name not in _FINE:
                raise
        await self._remember(room, "pin", board_ts, "")

    async def _bookmarks(self, room: _Room) -> None:
        """Where to go when Slack is not to be trusted: the node's own address, and the bridge."""
        bridge = room.naming.world.organisation.bridge or ""
        there: set[str] | None = None
        for name, link in (("node", self._public_url), ("bridge", bridge)):
            marked = room.mirror(f"mark-{name}").shown == face(link)
            if marked or not link.startswith(("https://", "http://")):
                continue
            if there is None:
                listed = await self._api.call("bookmarks.list", channel_id=room.channel)
                there = {str(one.get("link")) for one in listed.get("bookmarks") or []}
            if link in there:
                await self._remember(room, f"mark-{name}", "", face(link))
                continue
            title = room.naming.texts(f"slack.room.{name}")
            await self._api.call(
                "bookmarks.add", channel_id=room.channel, title=title, type="link", link=link
            )
            await self._remember(room, f"mark-{name}", "", face(link))

    async def _threads(self, room: _Room) -> None:
        cursor = room.facts[-1].seq if room.facts else 0
        for batch in feed.batches(room.facts, room.naming):
            await self._thread(room, batch)
        await self._roots(room)
        if cursor:
            await self._remember(room, "cursor", "", str(cursor))

    async def _thread(self, room: _Room, batch: feed.Batch) -> None:
        """Tell one root what is new; what an earlier life told already is looked up first."""
        known = room.mirror(batch.root)
        told = int(known.mark or 0)
        place = known.place
        if batch.root != feed.MAIN and not place:
            blocks = self._shown(feed.root(batch.root, room.naming))
            if not blocks:
                return
            place = await self._show(room, batch.root, "", self._plain(blocks), blocks)
            await self._remember(room, batch.root, place, face(blocks), mark=str(told))
        told = max(told, await self._already(room, batch, place))
        left = tuple(fact for fact in batch.facts if fact.seq > told)
        if not left:
            return
        rest = feed.Batch(root=batch.root, facts=left)
        block = said(*feed.lines(rest, room.naming))
        given: dict[str, Any] = {"text": block["text"]["text"], "blocks": [block]}
        if place:
            given["thread_ts"] = place
        await self._post(room, f"{batch.root}/{rest.last}", given)
        kept = room.mirror(batch.root)
        await self._remember(room, batch.root, place, kept.shown, mark=str(rest.last))

    async def _already(self, room: _Room, batch: feed.Batch, place: str) -> int:
        """The last fact that was told under this root, as Slack has it; asked once in a life of the node."""
        key = f"{room.stream} {batch.root}"
        if key in self._looked or not room.mirror("cursor").shown:
            self._looked.add(key)
            return 0
        method = "conversations.replies" if place else "conversations.history"
        given: dict[str, Any] = {"ts": place} if place else {}
        answer = await self._api.call(
            method, channel=room.channel, limit=LOOK_BACK, include_all_metadata=True, **given
        )
        self._looked.add(key)
        prefix = f"{room.stream}/room/{batch.root}/"
        ends = [_key(one).removeprefix(prefix) for one in answer.get("messages") or []]
        return max((int(end) for end in ends if end.isdecimal()), default=0)

    async def _roots(self, room: _Room) -> None:
        """Roots whose matter stands otherwise than they say."""
        for name, mirror in list(room.known.items()):
            root = name.removeprefix(f"room:{room.stream}:")
            if not root.startswith(("page:", "step:")) or not mirror.place:
                continue
            blocks = self._shown(feed.root(root, room.naming))
            if blocks and face(blocks) != mirror.shown:
                await self._show(room, root, mirror.place, self._plain(blocks), blocks)
                await self._remember(room, root, mirror.place, face(blocks), mark=mirror.mark)

    async def _show(self, room: _Room, part: str, place: str, text: str, blocks: list[dict[str, Any]]) -> str:
        """Edit the message at `place`, or post it; its place. One that somebody deleted is posted anew."""
        given: dict[str, Any] = {"text": text, "blocks": blocks}
        if place:
            try:
                await self._api.call("chat.update", channel=room.channel, ts=place, **given)
            except CallFailed as failed:
                if failed.name != "message_not_found":
                    raise
            else:
                return place
        return await self._post(room, part, given)

    async def _post(self, room: _Room, key: str, given: dict[str, Any]) -> str:
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"key": f"{room.stream}/room/{key}"}}
        answer = await self._api.call(
            "chat.postMessage",
            channel=room.channel,
            metadata=metadata,
            unfurl_links=False,
            unfurl_media=False,
            **given,
        )
        return str(answer.get("ts") or "")

    def _shown(self, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Without buttons where nobody receives presses."""
        return [one for one in blocks if self._buttons or one["type"] != "actions"]

    def _plain(self, blocks: list[dict[str, Any]]) -> str:
        return str(blocks[0]["text"]["text"])[:300] if blocks else "-"

    def _is_drill(self, room: _Room) -> bool:
        return self._desk.premises.drill or room.state.drill

    # -- in the thread of the record ------------------------------------------------------------------------

    def _open(self) -> list[str]:
        with self._desk.record.read() as tx:
            rows = tx.connection.execute(
                select(STREAM.c.id)
                .where(STREAM.c.kind == "incident", STREAM.c.status.in_(["open", "resolved"]))
                .order_by(STREAM.c.opened_at.desc())
                .limit(200)
            )
            return list(rows.scalars())

    def _read(self, stream: str) -> _Room | None:
        """What the channel has to show; None if this incident has none and needs none."""
        state = self._desk.state(stream)
        if not isinstance(state, Incident) or state.at is None or VIA in self._desk.distrusted():
            return None
        world = self._desk.world(state)
        least = world.policy.severity.rank(self._settings.from_severity)
        wanted = state.severity_rank >= least and state.status not in ENDED
        if VIA not in state.rooms and not wanted:
            return None
        naming = Naming(
            texts=texts(self._desk.premises.organisation.lang),
            world=world,
            state=state,
            beside=self._desk.texts(stream),
        )
        with self._desk.record.read() as tx:
            known = mirrors(tx, stream)
            cursor = known.get(f"room:{stream}:cursor")
            facts = tx.facts(stream, int(cursor.shown) if cursor and cursor.shown else 0)
        return _Room(stream=stream, naming=naming, state=state, known=known, facts=tuple(facts)[:MAX_FACTS])

    async def _remember(self, room: _Room, part: str, place: str, shown: str, mark: str = "") -> None:
        mirror = Mirror(
            id=f"room:{room.stream}:{part}", stream=room.stream, place=place, shown=shown, mark=mark
        )
        room.known[mirror.id] = mirror

        def write() -> None:
            with self._desk.record.begin() as tx:
                keep(tx, mirror, self._desk.clock.now())

        await self._run(write)


def incident_of(record: Record, channel: str) -> str:
    """The incident whose channel this is, or empty."""
    with record.read() as tx:
        found = tx.connection.execute(
            select(MIRROR.c.stream).where(MIRROR.c.place == channel, MIRROR.c.id.endswith(":channel"))
        ).scalar()
    return str(found or "")


def channel_name(template: str, state: Incident, *, drill: bool) -> str:
    """The channel's name from its template; nothing of the incident's title goes into it."""
    parts = state.stream.split("-")
    filled = template.format(
        incident=state.stream.lower(),
        year=parts[1] if len(parts) > 1 else "",
        number=parts[-1],
        playbook=next(iter(state.playbooks), "unknown"),
        severity=state.severity,
    )
    name = _NOT_IN_NAMES.sub("-", filled.lower()).strip("-")
    return (f"drill-{name}" if drill else name)[:MAX_NAME]


def fitting(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many sections as Slack takes in one message; head, time and buttons always."""
    room = MAX_BOARD
    kept = []
    for number, block in enumerate(blocks):
        size = len((block.get("text") or {}).get("text") or "")
        if block["type"] == "section" and number and size > room:
            continue
        room -= size
        kept.append(block)
    return kept


def _key(post: Mapping[str, Any]) -> str:
    metadata = post.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return str(payload.get("key") or "") if metadata.get("event_type") == EVENT_TYPE else ""
