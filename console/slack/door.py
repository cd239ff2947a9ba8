"""Where Slack comes in: presses, dialogs, the slash command and shortcuts become commands of that person.

Slack wants an answer within three seconds and may bring the same press twice, late, or not at all. What is
pressed is recorded and then answered, or answered in time and told after; it has one effect however often it
comes; and each message carries a link and a command for the press that gets lost.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from console.opening import House
from console.slack import answers, slash
from console.slack.desk import VIA, Answer, FrontDesk, Pressed
from console.slack.files import NotFetched, fetch
from models.supervised import attempt_async
from notifiers.acts import Target, read_target
from notifiers.slack.api import CallFailed, SlackApi
from notifiers.slack.buttons import act_name

ANSWER_SECONDS = 2.0
"""Slack is answered by then: at three seconds it tells the person that it did not work."""
REMEMBERED, REMEMBERED_DIALOGS = 5_000, 500
AT_ONCE = 50
COMMAND = "/hikeshi"
EVIDENCE = "evidence"
log = logging.getLogger("hikeshi.slack")
BOLT_LOG = logging.getLogger("hikeshi.slack.bolt")
Ack = Callable[..., Awaitable[Any]]
Body = Mapping[str, Any]


class Touched(Protocol):
    """Whoever keeps messages true: told what somebody has just looked at or changed."""

    def touch(self, stream: str) -> None:
        """This stream's messages are to be looked at now."""
        ...


class Door:
    """The listeners of one installation, the same for Socket Mode and HTTP."""

    def __init__(
        self,
        house: House,
        front: FrontDesk,
        api: SlackApi,
        touched: Touched,
        *,
        token: str,
        signing_secret: str = "",
    ) -> None:
        self.house = house
        self.front = front
        self.api = api
        self.touched = touched
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._submitted: OrderedDict[str, asyncio.Task[Answer]] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._token = token
        BOLT_LOG.addFilter(_meant)
        self.app = AsyncApp(
            signing_secret=signing_secret or "-",
            client=api.client,
            # Bolt's own asks Slack who the token is before the first press: while Slack does not answer, that
            # would lose presses, and nothing here needs it.
            authorize=_authorized(token),
            logger=BOLT_LOG,
        )
        self.app.action(re.compile(r"^hikeshi:"))(self._on_press)
        self.app.view(re.compile(r"^hikeshi:"))(self._on_submit)
        self.app.command(COMMAND)(self._on_command)
        self.app.shortcut(re.compile(r"^hikeshi_"))(self._on_shortcut)
        self.app.event(re.compile(r"."))(self._on_event)

    async def close(self) -> None:
        """Let what is under way end, for a moment."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=2)

    # -- what bolt calls ------------------------------------------------------------------------------------

    async def _on_press(self, ack: Ack, body: dict[str, Any], action: dict[str, Any]) -> None:
        key = f"{_user(body)} {action.get('action_ts')} {action.get('action_id')} {action.get('value')}"
        await self._once(key, ack, body, partial(self._press, body, action))

    async def _on_command(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._once(f"{_user(body)} {body.get('trigger_id')}", ack, body, partial(self._typed, body))

    async def _on_shortcut(self, ack: Ack, body: dict[str, Any]) -> None:
        key = f"{_user(body)} {body.get('trigger_id')}"
        await self._once(key, ack, body, partial(self._shortcut, body))

    async def _on_event(self, ack: Ack) -> None:
        """What else happens there is none of our business, and is not sent again."""
        await ack()

    async def _once(self, key: str, ack: Ack, body: Body, work: Callable[[], Awaitable[Answer]]) -> None:
        """Do it, then answer, and then tell; answer first only if the work takes too long for Slack.

        A press that is recorded before it is answered is not lost by a crash: its presser is told that it did
        not work. One that comes twice is the same press.
        """
        if key in self._seen:
            await ack()
            return
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        task = asyncio.create_task(self._supervised(work))
        self._keep(task)
        await asyncio.wait([task], timeout=ANSWER_SECONDS)
        await ack()
        self._keep(asyncio.create_task(self._tell_of(body, task)))

    async def _on_submit(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """A dialog stays open with what is wrong in it, if that is known in time; else it is told after."""
        key = f"{_user(body)} {view.get('id')} {view.get('hash')}"
        task = self._submitted.get(key)
        again = task is not None
        if task is None:
            task = asyncio.create_task(self._supervised(partial(self._submit, body, view)))
            self._submitted[key] = task
            self._keep(task)
            if len(self._submitted) > REMEMBERED_DIALOGS:
                self._submitted.popitem(last=False)
        await asyncio.wait([task], timeout=ANSWER_SECONDS)
        if not task.done():
            await ack()
        elif await self._answer_dialog(ack, body, view, task.result()):
            # It is still open: what is sent next from it is something else.
            self._submitted.pop(key, None)
            return
        if not again:
            self._keep(asyncio.create_task(self._tell_of(body, task)))

    async def _answer_dialog(self, ack: Ack, body: Body, view: Body, answer: Answer) -> bool:
        """Whether the dialog stays open: with errors, or as another one."""
        if answer.view is not None:
            await ack(response_action="update", view=answer.view)
            return True
        errors = answers.dialog_errors(answer, view, await self.front.lang(_user(body)))
        if errors:
            await ack(response_action="errors", errors=errors)
        else:
            await ack()
        return bool(errors)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _supervised(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        tried = await attempt_async("slack", work)
        if tried.error is not None or tried.value is None:
            return Answer(problem="other", silent=await self._out_of_band())
        return tried.value

    async def _out_of_band(self) -> bool:
        """Whether not a word may go to Slack now, not even that something did not work."""
        if self.api.distrusted is None:
            return False
        return VIA in ((await attempt_async("slack", self.api.distrusted)).value or ())

    async def _tell_of(self, body: Body, task: asyncio.Task[Answer]) -> None:
        """Only the telling takes a slot: a Slack that hangs holds up no other press."""
        answer = await task
        if answer.view is not None:
            answer = Answer(problem="dialog")  # too late to be shown in the place of the one before
        if not answer.silent:
            async with self._slots:
                await attempt_async("slack", partial(self._tell, body, answer))

    # -- what is done ---------------------------------------------------------------------------------------

    async def _press(self, body: Body, action: Mapping[str, Any]) -> Answer:
        name = act_name(str(action.get("action_id") or ""))
        pressed = Pressed(user=_user(body), channel=_channel(body))
        try:
            target = read_target(str(action.get("value") or ""))
        except ValueError:
            return await self.front.unreadable(name, pressed)
        if name in self.front.direct:
            answer = await self.front.act(name, target, pressed)
        else:
            answer = await self._open(body, name, target, pressed, {})
        # Also when nothing was done: an old button has to say what has happened since.
        self.touched.touch(target.stream)
        return answer

    async def _open(
        self, body: Body, name: str, target: Target, pressed: Pressed, extra: Mapping[str, str]
    ) -> Answer:
        answer = await self.front.open(name, target, pressed, extra)
        if answer.view is None:
            return answer
        try:
            await self.api.call(
                "views.open", soon=True, trigger_id=body.get("trigger_id", ""), view=answer.view
            )
        except CallFailed as failed:
            log.warning("a dialog could not be opened: %s", failed)
            return Answer(problem="dialog")
        return Answer(silent=True)

    async def _submit(self, body: Body, view: Mapping[str, Any]) -> Answer:
        name = act_name(str(view.get("callback_id") or ""))
        if name == EVIDENCE:
            answer = await self._evidence(view, _user(body))
        else:
            answer = await self.front.submit(name, view, _user(body))
        if answer.stream:
            self.touched.touch(answer.stream)
        return answer

    async def _evidence(self, view: Mapping[str, Any], user: str) -> Answer:
        """Each file of the message, fetched and kept, then recorded; one that cannot be had is said so."""
        names = await self.front.files(view, user)
        if isinstance(names, Answer):
            return names
        told: list[str] = []
        answer = Answer(problem="no-file")
        for name in names:
            try:
                seal_to = self.house.institution.settings.evidence.seal_to
                kept = await fetch(self.api, self._token, name, self.house.evidence, seal_to)
            except NotFetched as failed:
                log.warning("a file could not be fetched from Slack: %s", failed)
                return Answer(problem="file", lines=tuple(told))
            answer = await self.front.submit(EVIDENCE, view, user, kept)
            told += answer.lines
            if answer.refused:
                return answer
        return replace(answer, lines=tuple(told))

    async def _typed(self, body: Body) -> Answer:
        pressed = Pressed(user=_user(body), channel=str(body.get("channel_id") or ""))
        asked = await self.front.whole(slash.parse(str(body.get("text") or "")))
        if asked.form:
            return await self._open(body, asked.form, Target(stream=asked.stream), pressed, {})
        answer = await self.front.typed(asked, pressed)
        if answer.stream:
            self.touched.touch(answer.stream)
        return answer

    async def _shortcut(self, body: Body) -> Answer:
        name = str(body.get("callback_id") or "").removeprefix("hikeshi_")
        pressed = Pressed(user=_user(body), channel=_channel(body))
        return await self._open(body, name, Target(stream=""), pressed, answers.of_message(body))

    # -- telling --------------------------------------------------------------------------------------------

    async def _tell(self, body: Body, answer: Answer) -> None:
        """Privately, where it was pressed if Slack lets us, else by direct message."""
        shown = answers.shown(answer, await self.front.lang(_user(body)))
        channel = answer.channel or _channel(body) or str(body.get("channel_id") or "")
        if url := str(body.get("response_url") or ""):
            sent = await answers.respond(self.api, url, shown)
            if sent:
                return
        if channel:
            there = partial(self.api.call, "chat.postEphemeral", soon=True, channel=channel)
            try:
                await there(user=_user(body), **shown)
            except CallFailed as failed:
                log.info("told by direct message instead: %s", failed)
            else:
                return
        try:
            await self.api.call("chat.postMessage", soon=True, channel=_user(body), **shown)
        except CallFailed as failed:
            # Nothing is lost: what was done is on record, and the messages show it.
            log.warning("the person could not be told: %s", failed)


def _meant(record: logging.LogRecord) -> bool:
    """Not that bolt leaves the client's token aside: `authorize` gives it the same."""
    return "installation_store" not in record.getMessage()


def _authorized(token: str) -> Callable[..., Awaitable[AuthorizeResult]]:
    async def authorize(enterprise_id: str | None = None, team_id: str | None = None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token)

    return authorize


def _user(body: Body) -> str:
    user = body.get("user")
    found = user.get("id") if isinstance(user, dict) else body.get("user_id")
    return str(found or "")


def _channel(body: Body) -> str:
    channel = body.get("channel")
    return str(channel.get("id") or "") if isinstance(channel, dict) else ""
