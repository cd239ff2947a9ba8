"""`slack.collect`: the incident's channel as JSON lines: messages, the threads below them, files by name.

Slack gives what its users still see: what was edited shows as it is now, what was deleted does not show.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any

import orjson

from flows.actions.http import secret_of
from flows.actions.ranges import Range, range_of
from flows.actions.taking import Haul, Span, Taking, about, unreachable
from flows.actions.values import ActionContext, ActionResult, Params
from models.errors import ActionFailed
from models.targets import RANGE, SlackTarget
from notifiers.slack.api import CallFailed, SlackApi

PAGE = 200
TRIES = 3
Message = dict[str, Any]


async def collect(target: SlackTarget, params: Params, context: ActionContext) -> ActionResult:
    """Take the channel. Outputs: `files`, `bytes`, `partial`, `left_out`, `messages`.

    Raises ActionFailed if there is no channel or no Slack here, SourceUnreachable if Slack does not give it.
    """
    if unknown := sorted(set(params) - set(RANGE)):
        raise ActionFailed(f"nothing was asked: slack.collect takes {', '.join(RANGE)}, got {unknown}")
    settings, channel = context.settings.slack, target.channel or context.occasion.room
    if settings is None:
        raise ActionFailed("nothing was asked: settings.toml has no table [slack]")
    if not channel:
        raise ActionFailed(
            "nothing was asked: the incident has no channel of its own; name one by `channel` of the target"
        )
    asked = range_of(params, context, datetime.resolution) if params else Range(begins=None, ends=context.now)
    api = SlackApi(
        token=secret_of(settings.token, context) or "",
        base_url=settings.base_url,
        timeout_seconds=settings.timeout.total_seconds(),
    )
    try:
        return await _Run(target, api, channel, asked, context).run()
    finally:
        await api.close()


class _Run:
    """One collection under way."""

    def __init__(
        self, target: SlackTarget, api: SlackApi, channel: str, asked: Range, context: ActionContext
    ) -> None:
        self._target, self._api, self._channel = target, api, channel
        self._asked, self._context = asked, context
        self._span = Span(context)
        self._messages = 0

    async def run(self) -> ActionResult:
        """The channel's lines into one object."""
        what = about(
            f"slack-{self._channel}.jsonl",
            f"slack:{self._channel}",
            self._span,
            tool="slack.collect: conversations.history, conversations.replies",
            host="slack.com",
            range_from=self._asked.begins_text,
            range_until=self._asked.ends_text,
        )
        with Taking(self._context, what, self._target.max_bytes) as taking:
            why, lost = None, False
            try:
                async with asyncio.timeout(self._span.left()), aclosing(self._lines()) as lines:
                    async for line in lines:
                        if not taking.add(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)):
                            break
                        if self._messages >= self._target.max_messages:
                            why = f"more than {self._target.max_messages} messages"
                            break
            except TimeoutError:
                why = f"the time of {self._span.seconds:g} s is over"
            except CallFailed as failed:
                why, lost = str(failed), True
            # The first line says only what was asked: without a message nothing has come.
            came = self._messages > 0 or not (why or lost)
            haul = Haul(items=[await asyncio.to_thread(taking.keep, why)] if came else [], partial=why)
        if lost:
            raise unreachable(f"Slack, channel {self._channel}", why or "", haul.items)
        result = haul.result(f"Slack, channel {self._channel}", "channel")
        result.outputs["messages"] = str(self._messages)
        return result

    async def _lines(self) -> AsyncGenerator[Message, None]:
        """What was asked, then each message with its thread, then the files. Raises CallFailed."""
        yield {
            "t": "channel",
            "channel": self._channel,
            "from": self._asked.begins_text,
            "until": self._asked.ends_text,
        }
        files: dict[str, Message] = {}
        async with aclosing(self._history()) as history:
            async for message in history:
                yield self._counted("message", message, files)
                if message.get("reply_count"):
                    async with aclosing(self._thread(str(message.get("ts")))) as thread:
                        async for answer in thread:
                            yield self._counted("reply", answer, files)
        for file in files.values():
            yield {"t": "file", "file": file}

    def _counted(self, kind: str, message: Message, files: dict[str, Message]) -> Message:
        self._messages += 1
        for file in message.get("files") or ():
            if isinstance(file, dict):
                files.setdefault(str(file.get("id")), file)
        return {"t": kind, "message": message}

    async def _history(self) -> AsyncGenerator[Message, None]:
        given: Message = {"latest": f"{self._asked.ends.timestamp():.6f}", "inclusive": "true"}
        if self._asked.begins is not None:
            given["oldest"] = f"{self._asked.begins.timestamp():.6f}"
        async with aclosing(self._pages("conversations.history", given)) as pages:
            async for message in pages:
                yield message

    async def _thread(self, ts: str) -> AsyncGenerator[Message, None]:
        async with aclosing(self._pages("conversations.replies", {"ts": ts})) as pages:
            async for message in pages:
                if str(message.get("ts")) != ts:
                    yield message

    async def _pages(self, method: str, given: Message) -> AsyncGenerator[Message, None]:
        cursor = ""
        while True:
            more = {"cursor": cursor} if cursor else {}
            answer = await self._call(
                method, channel=self._channel, limit=PAGE, include_all_metadata="true", **given, **more
            )
            for message in answer.get("messages") or ():
                yield message
            following = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not following or following == cursor:
                return
            cursor = following

    async def _call(self, method: str, **given: Any) -> Message:
        """Reading can be asked again: after a pause that Slack asks for, or a connection that broke."""
        for number in range(TRIES):
            try:
                return await self._api.call(method, **given)
            except CallFailed as failed:
                if number == TRIES - 1 or failed.failed.retry == "never":
                    raise
                await asyncio.sleep(min(failed.failed.retry_after or 1.0, self._span.left()))
        raise AssertionError("the last try returns or raises")
