"""A Slack that runs here: for tests, for the demo, and for trying a set-up without a workspace.

    async with FakeSlack() as slack:
        slack.plan(Fault.reset(), address="U0CISO")
        notifier = SlackNotifier(token=slack.token, base_url=slack.base_url)
        ...
        assert [post.address for post in slack.posts] == ["U0CISO"]

It refuses what Slack refuses (wrong token, too many or too long blocks), keeps what it accepted, and
misbehaves on demand in the ways that cost others pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
from collections import deque
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web
from msgspec import Struct, structs

from models.clock import monotonic
from notifiers.slack.fake_directory import APP_METHODS, FakeDirectory, Handler
from notifiers.slack.fake_rooms import FakeRooms

MAX_BLOCKS, MAX_SECTION, MAX_TOTAL, MAX_TEXT = 50, 3_000, 13_200, 40_000
MAX_ELEMENTS, MAX_LABEL, MAX_VALUE = 25, 75, 2_000
MAX_POSTS = 100_000
MAX_PAGE = 999
QUERY_ONLY = frozenset(
    {"bookmarks.list", "conversations.history", "conversations.list", "conversations.replies", "files.info"}
)
"""Of these Slack takes no JSON body."""
_ACTIVE = re.compile(r"<[!@#][^>]*>|<[a-z]+:[^>]*>")
# What Slack finds in plain words where a message does not say `verbatim`.
_BARE = re.compile(r"(?<!\w)@(?:here|channel|everyone|group)\b|(?<![&\w])#\w|\b(?!hxxp)[a-z]+://")

Answer = dict[str, Any]


class Post(Struct, frozen=True, kw_only=True):
    """One accepted message. `address` is what the caller named, `channel` the conversation it went to."""

    ts: str
    address: str
    channel: str
    text: str
    blocks: tuple[dict[str, Any], ...]
    metadata: dict[str, Any]
    thread: str = ""
    """The ts of the message that it answers, or empty."""
    at: float
    """Seconds of `models.clock.monotonic` on arrival."""

    @property
    def key(self) -> str:
        """Our key in the metadata, or empty."""
        return str((self.metadata.get("event_payload") or {}).get("key") or "")

    @property
    def receipt(self) -> str:
        """What a notifier's proof of this post is."""
        return f"{self.channel}/{self.ts}"

    @property
    def shown(self) -> str:
        """What a person sees: the blocks' texts, or else the text."""
        return "\n\n".join(_texts(self.blocks)) or self.text

    @property
    def mentions(self) -> list[str]:
        """What would notify somebody or be a link to press, in the fallback text and in the blocks."""
        return [found for text in (self.text, *_texts(self.blocks)) for found in active(text)]


class Fault(Struct, frozen=True, kw_only=True):
    """One way to misbehave. `accepted` says whether the message was posted before it."""

    kind: Literal["reset", "hang", "status", "error", "slow", "garbage", "truncated", "endless"]
    accepted: bool = False
    status: int = 200
    error: str = ""
    retry_after: str | None = None
    seconds: float = 0.0

    @classmethod
    def reset(cls, *, accepted: bool = True) -> Fault:
        """The connection drops."""
        return cls(kind="reset", accepted=accepted)

    @classmethod
    def hang(cls, *, accepted: bool = True) -> Fault:
        """No answer ever comes; it ends when the fake closes."""
        return cls(kind="hang", accepted=accepted)

    @classmethod
    def rate_limited(cls, retry_after: str | None = "30") -> Fault:
        """HTTP 429; `retry_after` in seconds as the header has it."""
        return cls(kind="status", status=429, error="ratelimited", retry_after=retry_after)

    @classmethod
    def http(cls, status: int, *, accepted: bool = False) -> Fault:
        """An HTTP status with a body that is not JSON."""
        return cls(kind="status", status=status, accepted=accepted)

    @classmethod
    def refuse(cls, error: str, *, accepted: bool = False) -> Fault:
        """`ok: false` with this error."""
        return cls(kind="error", error=error, accepted=accepted)

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        """Accepted, and answered properly after `seconds`."""
        return cls(kind="slow", seconds=seconds, accepted=True)

    @classmethod
    def garbage(cls, *, accepted: bool = True) -> Fault:
        """HTTP 200, said to be JSON, and none."""
        return cls(kind="garbage", accepted=accepted)

    @classmethod
    def truncated(cls, *, accepted: bool = True) -> Fault:
        """The answer ends in its middle."""
        return cls(kind="truncated", accepted=accepted)

    @classmethod
    def endless(cls, *, accepted: bool = True) -> Fault:
        """The answer comes in pieces and never ends, until the client goes or the fake closes."""
        return cls(kind="endless", accepted=accepted)


class _Plan(Struct, kw_only=True):
    fault: Fault
    address: str | None
    method: str
    times: int | None


class FakeSlack:
    """Serves on the loopback interface while entered; `base_url` and `token` are for the client."""

    token = "xoxb-fake"  # noqa: S105 a fake's token opens nothing
    bot_id, user_id, team = "B0HIKESHI", "U0HIKESHI", "fake workspace"

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()
        self._plans: deque[_Plan] = deque()
        self._count = itertools.count(1)
        self._posts: list[Post] = []
        self._foreign: set[str] = set()
        self.requests: list[str] = []
        self.rooms = FakeRooms(self.user_id)
        self.edits: list[Post] = []
        """Messages as they were edited, in order."""
        self.directory = FakeDirectory()
        self.handlers: dict[str, Handler] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "conversations.open": self._open,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "chat.update": self._update,
            **self.rooms.handlers,
            **self.directory.handlers,
        }

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1_048_576)
        app.router.add_route("*", "/api/{method}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """The address for a client's `base_url`."""
        return f"http://127.0.0.1:{self._port}/api/"

    @property
    def posts(self) -> tuple[Post, ...]:
        """What was accepted, in order of arrival."""
        return tuple(self._posts)

    def plan(
        self,
        fault: Fault,
        *,
        address: str | None = None,
        method: str = "chat.postMessage",
        times: int | None = 1,
    ) -> None:
        """Misbehave on the next `times` calls of `method` (None: always), of all addresses or only of one."""
        self._plans.append(_Plan(fault=fault, address=address, method=method, times=times))

    def mend(self) -> None:
        """Forget all planned faults."""
        self._plans.clear()

    def forge(self, address: str, key: str, *, thread: str = "") -> None:
        """Somebody else's app posts with our key in its metadata; `thread` is the ts that it answers."""
        metadata = {"event_type": "hikeshi_message", "event_payload": {"key": key}}
        given = {"channel": address, "text": "forged", "metadata": metadata, "thread_ts": thread}
        post = self._keep(given)
        self._foreign.add(post.ts)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        given = await _arguments(request)
        self.requests.append(method)
        token = self.directory.app_token if method in APP_METHODS else self.token
        if request.headers.get("Authorization") != f"Bearer {token}":
            return _json({"ok": False, "error": "invalid_auth"})
        if method not in self.handlers:
            return _json({"ok": False, "error": "unknown_method"})
        if method in QUERY_ONLY and request.content_type == "application/json":
            return _json({"ok": False, "error": "invalid_arguments"})
        named = given.get("channel") or given.get("users") or given.get("user") or ""
        fault = self._next_fault(method, str(named))
        answer = self.handlers[method](given) if fault is None or fault.accepted else {}
        return (
            _json(answer, self.directory.headers)
            if fault is None
            else await self._misbehave(request, fault, answer)
        )

    def _next_fault(self, method: str, address: str) -> Fault | None:
        for plan in self._plans:
            if plan.method == method and plan.address in (None, address):
                if plan.times is not None:
                    plan.times -= 1
                    if plan.times <= 0:
                        self._plans.remove(plan)
                return plan.fault
        return None

    async def _misbehave(self, request: web.Request, fault: Fault, answer: Answer) -> web.StreamResponse:
        if fault.kind == "reset" and request.transport is not None:
            request.transport.abort()
        elif fault.kind == "hang":
            await self._closing.wait()
        elif fault.kind == "slow":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), timeout=fault.seconds)
        elif fault.kind in {"garbage", "truncated", "endless"}:
            return await self._broken_body(request, fault.kind, answer)
        elif fault.kind == "error":
            answer = {"ok": False, "error": fault.error}
        elif fault.kind == "status":
            headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
            if fault.error:
                return web.json_response(
                    {"ok": False, "error": fault.error}, status=fault.status, headers=headers
                )
            return web.Response(status=fault.status, text="<html>gateway</html>", content_type="text/html")
        return _json(answer)

    async def _broken_body(self, request: web.Request, kind: str, answer: Answer) -> web.StreamResponse:
        body = json.dumps(answer).encode()
        if kind == "garbage":
            return web.Response(body=b'{"ok": tru' + body[::-1], content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if kind == "truncated":
            response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        while kind == "endless" and not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), timeout=0.02)
            await response.write(b" ")
        if request.transport is not None:
            request.transport.abort()
        return response

    def _auth_test(self, given: Answer) -> Answer:
        return {
            "ok": True,
            "user": "hikeshi",
            "team": self.team,
            "user_id": self.user_id,
            "bot_id": self.bot_id,
        }

    def _post_message(self, given: Answer) -> Answer:
        error = self.rooms.error(given) or _layout_error(given)
        if error or len(self._posts) >= MAX_POSTS:
            return {"ok": False, "error": error or "message_limit_exceeded"}
        post = self._keep(given)
        return {"ok": True, "channel": post.channel, "ts": post.ts, "message": self._as_read(post)}

    def _keep(self, given: Answer) -> Post:
        address = str(given["channel"])
        number = next(self._count)
        post = Post(
            ts=f"1700000000.{number:06d}",
            address=address,
            channel=_conversation(address),
            text=str(given.get("text") or ""),
            blocks=tuple(given.get("blocks") or ()),
            metadata=given.get("metadata") or {},
            thread=str(given.get("thread_ts") or ""),
            at=monotonic(),
        )
        self._posts.append(post)
        return post

    def _update(self, given: Answer) -> Answer:
        """Edits one of our own posts in place."""
        error = self.rooms.error(given) or _layout_error(given)
        if error:
            return {"ok": False, "error": error}
        for number, post in enumerate(self._posts):
            if post.ts == given.get("ts") and post.channel == given.get("channel"):
                edited = structs.replace(
                    post, text=str(given.get("text") or ""), blocks=tuple(given.get("blocks") or ())
                )
                self._posts[number] = edited
                self.edits.append(edited)
                return {"ok": True, "ts": post.ts, "channel": post.channel}
        return {"ok": False, "error": "message_not_found"}

    def _open(self, given: Answer) -> Answer:
        users = str(given.get("users") or "")
        if not users:
            return {"ok": False, "error": "users_not_found"}
        return {"ok": True, "channel": {"id": _conversation(users)}}

    def _history(self, given: Answer) -> Answer:
        """What lies in a conversation, newest first; answers in a thread do not."""
        channel = str(given.get("channel") or "")
        if channel[:1] in {"U", "W"}:
            return {"ok": False, "error": "channel_not_found"}
        return self._read(
            [post for post in reversed(self._posts) if post.channel == channel and not post.thread], given
        )

    def _replies(self, given: Answer) -> Answer:
        """A thread, oldest first, what it is about at its head."""
        channel, thread = str(given.get("channel") or ""), str(given.get("ts") or "")
        found = [one for one in self._posts if one.channel == channel and thread in {one.ts, one.thread}]
        if not any(one.ts == thread for one in found):
            return {"ok": False, "error": "thread_not_found"}
        return self._read(found, given)

    def _read(self, posts: list[Post], given: Answer) -> Answer:
        if (error := self.rooms.error(given, reading=True)) is not None:
            return {"ok": False, "error": error}
        start = int(given.get("cursor") or 0)
        end = start + min(int(given.get("limit") or 100), MAX_PAGE)
        shown = [self._as_read(post) for post in posts[start:end]]
        if str(given.get("include_all_metadata")).lower() not in {"1", "true"}:
            for message in shown:
                message.pop("metadata")
        cursor = str(end) if end < len(posts) else ""
        return {"ok": True, "messages": shown, "response_metadata": {"next_cursor": cursor}}

    def _as_read(self, post: Post) -> Answer:
        foreign = post.ts in self._foreign
        return {
            "type": "message",
            "ts": post.ts,
            "text": post.text,
            "blocks": list(post.blocks),
            "metadata": post.metadata,
            "bot_id": "B0OTHER" if foreign else self.bot_id,
            "user": "U0OTHER" if foreign else self.user_id,
            **self._of_thread(post),
        }

    def _of_thread(self, post: Post) -> Answer:
        """What says that a message has answers, or is one."""
        answers = sum(1 for one in self._posts if one.channel == post.channel and one.thread == post.ts)
        if answers:
            return {"thread_ts": post.ts, "reply_count": answers}
        return {"thread_ts": post.thread} if post.thread else {}


def active(text: str) -> list[str]:
    """The parts of raw message text that Slack would turn into a mention or a link, ours included."""
    return _ACTIVE.findall(text) + _BARE.findall(_ACTIVE.sub("", text))


def _texts(blocks: tuple[dict[str, Any], ...]) -> list[str]:
    """The texts of sections and of contexts; buttons have labels of their own."""
    found = [str((block.get("text") or {}).get("text") or "") for block in blocks if "text" in block]
    for block in blocks:
        if block.get("type") == "context":
            found += [str(one.get("text") or "") for one in block.get("elements") or []]
    return found


def _buttons_wrong(blocks: tuple[dict[str, Any], ...]) -> bool:
    """Slack takes 25 elements, labels of 75 characters and values of 2,000, and each id once in a message."""
    rows = [block.get("elements") or [] for block in blocks if block.get("type") == "actions"]
    buttons = [button for row in rows for button in row]
    names = [(number, one.get("action_id")) for number, row in enumerate(rows) for one in row]
    return (
        any(not 0 < len(row) <= MAX_ELEMENTS for row in rows)
        or any(not 0 < len(str(one["text"]["text"])) <= MAX_LABEL for one in buttons)
        or any(len(str(one.get("value") or "")) > MAX_VALUE for one in buttons)
        or len(set(names)) < len(names)
    )


def _conversation(address: str) -> str:
    return f"D{address[1:]}" if address[:1] in {"U", "W"} else address


def _layout_error(given: Answer) -> str:
    """Slack's error for a message it would not take, or empty."""
    blocks = tuple(given.get("blocks") or ())
    texts = _texts(blocks)
    if not given.get("channel"):
        return "channel_not_found"
    if not given.get("text") and not blocks:
        return "no_text"
    if len(str(given.get("text") or "")) > MAX_TEXT:
        return "msg_too_long"
    if len(blocks) > MAX_BLOCKS or any(not 0 < len(text) <= MAX_SECTION for text in texts):
        return "invalid_blocks"
    if _buttons_wrong(blocks):
        return "invalid_blocks"
    return "msg_blocks_too_long" if sum(map(len, texts)) > MAX_TOTAL else ""


async def _arguments(request: web.Request) -> Answer:
    """JSON, form or query, as Slack's methods take them."""
    if request.content_type == "application/json" and request.can_read_body:
        body = await request.json()
        return body if isinstance(body, dict) else {}
    form = await request.post() if request.can_read_body else {}
    return {**request.query, **form}


def _json(answer: Answer, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(answer, headers=headers)
