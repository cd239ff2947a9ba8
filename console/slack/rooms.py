"""An incident's own channel: made, named, filled, pinned and kept true, each part by itself.

None of it holds up anything: the first pages leave before it, and a part that fails (a missing scope, an
unknown member) is tried again by itself and shown in `hikeshi health`, while the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import delete, select

from console.slack import board, channels
from console.slack.pauses import Pauses
from console.slack.posts import Posts
from console.slack.room import VIA, Shown, channel_name, fitting, prefix
from console.slack.threads import Threads, key
from console.texts import texts
from console.views.naming import Naming
from models.access import Viewer, may_read
from models.commands import Actor
from models.desk import Desk
from models.installation import RoomSettings
from models.mirror import Mirror, face, keep, mirrors
from models.reach import allowed
from models.record import MIRROR, STREAM, Record
from models.rooms import MAX_ROOMS, OpenRoom
from models.state import ENDED, OVER, Incident
from models.supervised import attempt_async, wait
from notifiers.message import Failed
from notifiers.slack.api import CallFailed, SlackApi

SWEEP_SECONDS = 60.0
QUIET_SECONDS = 1.0
MAX_FACTS = 300
AT_ONCE, NEW_AT_ONCE = 8, 4
"""Channels that are worked on at a time; some of them stay for those that exist already."""
_FINE = frozenset({"already_in_channel", "already_pinned", "cant_invite_self"})
LOST = "channel_not_found"
SHUT = frozenset({"is_archived", "not_in_channel"})
"""People have shut the channel: until they open it nothing of it works."""
Run = Callable[[Callable[[], Any]], Awaitable[Any]]
Work = Callable[[Shown], Awaitable[None]]


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
        self._posts = Posts(api)
        self._threads = Threads(self._posts, self._remember, self._fit)
        self._pauses = Pauses()
        self._dirty: dict[str, None] = {}
        self._housed: set[str] = set()
        self._lost: dict[str, str] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
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
        try:
            while not stop.is_set():
                if loop.time() - swept >= SWEEP_SECONDS:
                    swept = loop.time()
                    await attempt_async("slack rooms", self._sweep)
                self._woken.clear()
                self._start(loop.time())
                await wait(self._woken, QUIET_SECONDS)
        finally:
            tasks = list(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        streams, self._housed = await self._run(self._open)
        for stream in streams:
            if not self._pauses.waits(stream, now):
                self._dirty.setdefault(stream)

    def _start(self, now: float) -> None:
        """A task for each stream that has news, as many as may be: a busy one holds up no other."""
        for stream in self._pauses.due(now):
            if stream not in self._running:
                self._dirty.setdefault(stream)
        ready = [one for one in self._dirty if one not in self._running and not self._pauses.shut(one, now)]
        for stream in sorted(ready, key=lambda one: one not in self._housed):
            new = sum(one not in self._housed for one in self._running)
            full = new >= NEW_AT_ONCE and stream not in self._housed
            if full or len(self._running) >= AT_ONCE:
                break
            del self._dirty[stream]
            self._running[stream] = asyncio.create_task(self._serve(stream))

    async def _serve(self, stream: str) -> None:
        try:
            tried = await attempt_async("slack room", partial(self.refresh, stream))
            if tried.error is not None:
                now = asyncio.get_running_loop().time()
                self.problems[f"{stream} room"] = type(tried.error).__name__
                self._pauses.failed(stream, now, longer=False, shut=False)
            else:
                self.problems.pop(f"{stream} room", None)
        finally:
            del self._running[stream]
            self._woken.set()

    async def refresh(self, stream: str) -> bool:
        """Bring one incident's channel up to date; whether every part of it worked."""
        room: Shown | None = await self._run(lambda: self._read(stream))
        if room is None:
            return self._calm(stream)
        errors = {"channel": await self._part(room, "channel", self._channel)}
        if errors["channel"] is not None:
            return self._judged(room, errors)
        if room.moved:
            channel, room = room.channel, await self._run(lambda: self._read(stream))
            if room is None:
                return self._calm(stream)
            room.channel = channel
        parts: tuple[tuple[str, Work], ...] = (
            ("moved", self._moved),
            ("board", self._board),
            ("topic", self._topic),
            ("members", self._members),
            ("pin", self._pin),
            ("bookmarks", self._bookmarks),
            ("threads", self._threads.tell),
        )
        for name, work in parts:
            errors[name] = await self._part(room, name, work)
        if room.more and errors["threads"] is None:
            self.touch(stream)
        return self._judged(room, errors)

    async def _part(self, room: Shown, name: str, work: Work) -> Exception | None:
        """One outside resource by itself: what is wrong with it, a fault of ours included."""
        named = f"{room.stream} {name}"
        error = (await attempt_async(f"slack room {named}", partial(work, room))).error
        if error is None:
            self.problems.pop(named, None)
        else:
            self.problems[named] = self._wrong(room, error)
        return error

    def _wrong(self, room: Shown, error: Exception) -> str:
        if not isinstance(error, CallFailed):
            return type(error).__name__
        if not error.failed.retry_after:
            return error.failed.error
        again = self._desk.clock.now() + timedelta(seconds=error.failed.retry_after)
        return f"{error.failed.error}, again at {room.naming.times.at(again)}"

    def _judged(self, room: Shown, errors: dict[str, Exception | None]) -> bool:
        """Whether all worked; if not, when it is tried again, and whether the channel is lost to us."""
        found = [one for one in errors.values() if one is not None]
        refused = [one for one in found if isinstance(one, CallFailed) and one.failed.retry == "never"]
        names = {one.name for one in refused}
        if not found or (room.state.status in OVER and names & {LOST, *SHUT}):
            # Channels of incidents that are over are archived and deleted by people, and may be.
            return self._calm(room.stream)
        if any(getattr(errors.get(part), "name", "") == LOST for part in ("board", "topic", "threads")):
            self._lost[room.stream] = room.channel
        now = asyncio.get_running_loop().time()
        self._pauses.failed(room.stream, now, longer=bool(refused), shut=bool(names & SHUT))
        return False

    def _calm(self, stream: str) -> bool:
        """Nothing is wrong with it any more."""
        self._pauses.over(stream)
        for named in [one for one in self.problems if one.startswith(f"{stream} ")]:
            del self.problems[named]
        return True

    # -- its parts ------------------------------------------------------------------------------------------

    async def _channel(self, room: Shown) -> None:
        """The channel that the record knows; a new one if there is none, if it is lost, or if it is too open.

        A named type of incident may be found out late: what is said of it from then on is said in private.
        """
        known = room.room
        named = bool(set(self._settings.private_for) & set(room.state.playbooks))
        private = named or room.state.restriction.on or (known is not None and known.private)
        lost = known is not None and self._lost.get(room.stream) == known.address
        elsewhere = known is None or known.private is not private or self._overheard(room)
        if elsewhere or (lost and room.state.status not in OVER):
            room.channel = await self._new(room, private=private)
        else:
            assert known is not None  # noqa: S101 - `elsewhere` has looked
            room.channel = known.address
        self._housed.add(room.stream)
        if room.mirror("channel").place != room.channel:
            await self._move_in(room)

    def _overheard(self, room: Shown) -> bool:
        """Whether somebody was invited who must not know of it any more: it goes on without them."""
        invited = set(room.mirror("members").place.split())
        return room.state.restriction.on and bool(invited - self._people(room))

    async def _new(self, room: Shown, *, private: bool) -> str:
        """The id of a new channel, or of one that an earlier life of ours made and did not write down."""
        known, stream = room.room, room.stream
        old = known.address if known is not None else ""
        if known is not None and known.number >= MAX_ROOMS:
            raise CallFailed(Failed(retry="never", error=f"{MAX_ROOMS} channels were made: no more are"))

        async def free(address: str) -> bool:
            of = await self._run(lambda: incident_of(self._desk.record, address))
            return address != old and of in {"", stream}

        name = channel_name(self._settings.name, room.state, drill=self._is_drill(room))
        made = await channels.make(self._api, name, private=private, free=free)
        if made.fresh:
            self._posts.fresh(made.address)
        command = OpenRoom(
            actor=Actor.machine(VIA),
            via=VIA,
            address=made.address,
            name=made.name,
            private=private,
            replaces=old,
        )
        await self._run(lambda: self._desk.handle(stream, command))
        state = await self._run(lambda: self._desk.state(stream))
        # Another node may have been first.
        return str(state.rooms[VIA].address)

    async def _move_in(self, room: Shown) -> None:
        """What was remembered of another channel does not hold for this one."""
        mine = Mirror(id=f"{prefix(room.stream)}channel", stream=room.stream, place=room.channel)

        def write() -> None:
            with self._desk.record.begin() as tx:
                of = MIRROR.c.id.startswith(prefix(room.stream), autoescape=True)
                tx.connection.execute(delete(MIRROR).where(MIRROR.c.stream == room.stream, of))
                keep(tx, mine, self._desk.clock.now())

        await self._run(write)
        room.moved = True

    async def _moved(self, room: Shown) -> None:
        """Say in the channel before this one that it goes on elsewhere, and nothing else."""
        old = room.room.replaces if room.room is not None else ""
        if not old or room.mirror("moved").place == old:
            return
        text = f"{board.mark(room.naming)}{room.naming.texts('slack.room.moved')}"
        try:
            if not await self._posts.find(old, key(room, "moved")):
                await self._posts.post(old, key(room, "moved"), {"text": text})
        except CallFailed as failed:
            if failed.name not in {LOST, *SHUT}:
                raise
        await self._remember(room, "moved", old, "")

    async def _topic(self, room: Shown) -> None:
        topic = board.topic(room.naming)
        if face(topic) != room.mirror("topic").shown:
            await self._api.call("conversations.setTopic", channel=room.channel, topic=topic)
            await self._remember(room, "topic", "", face(topic))

    async def _members(self, room: Shown) -> None:
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

    def _people(self, room: Shown) -> set[str]:
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
        known = [one for one in (*holders, *paged) if one is not None and one.slack]
        known = [one for one in known if allowed(world, one, VIA)]
        if room.state.restriction.on:
            known = [one for one in known if may_read(state, Viewer(person=one.id), world).whole]
        return {one.slack for one in known if one.slack}

    async def _board(self, room: Shown) -> None:
        blocks = self._fit(fitting(board.blocks(room.naming)))
        shows = face([one for one in blocks if one["type"] != "context"])
        known = room.mirror("board")
        if known.place and known.shown == shows:
            return
        text = room.naming.texts("slack.board.title", incident=room.stream)
        given: dict[str, Any] = {"text": f"{board.mark(room.naming)}{text}", "blocks": blocks}
        place = await self._posts.show(room.channel, key(room, "board"), known.place, given)
        await self._remember(room, "board", place, shows)

    async def _pin(self, room: Shown) -> None:
        board_ts = room.mirror("board").place
        if not board_ts or room.mirror("pin").place == board_ts:
            return
        try:
            await self._api.call("pins.add", channel=room.channel, timestamp=board_ts)
        except CallFailed as failed:
            if failed.name not in _FINE:
                raise
        await self._remember(room, "pin", board_ts, "")

    async def _bookmarks(self, room: Shown) -> None:
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

    def _fit(self, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Without buttons where nobody receives presses."""
        return [one for one in blocks if self._buttons or one["type"] != "actions"]

    def _is_drill(self, room: Shown) -> bool:
        return self._desk.premises.drill or room.state.drill

    # -- in the thread of the record ------------------------------------------------------------------------

    def _open(self) -> tuple[list[str], set[str]]:
        """The newest incidents that go on, and which of them have their channel."""
        with self._desk.record.read() as tx:
            rows = tx.connection.execute(
                select(STREAM.c.id)
                .where(STREAM.c.kind == "incident", STREAM.c.status.in_(["open", "resolved"]))
                .order_by(STREAM.c.opened_at.desc())
                .limit(200)
            )
            streams = list(rows.scalars())
            names = [f"{prefix(one)}channel" for one in streams]
            housed = tx.connection.execute(select(MIRROR.c.stream).where(MIRROR.c.id.in_(names)))
            return streams, set(housed.scalars())

    def _read(self, stream: str) -> Shown | None:
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
            cursor = known.get(f"{prefix(stream)}cursor")
            facts = tuple(tx.facts(stream, int(cursor.shown) if cursor and cursor.shown else 0))
        return Shown(
            stream=stream,
            naming=naming,
            state=state,
            known=known,
            facts=facts[:MAX_FACTS],
            more=len(facts) > MAX_FACTS,
        )

    async def _remember(self, room: Shown, part: str, place: str, shown: str, mark: str = "") -> None:
        mirror = Mirror(
            id=f"{prefix(room.stream)}{part}", stream=room.stream, place=place, shown=shown, mark=mark
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
