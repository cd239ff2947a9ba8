"""The live check of what evidence is collected from: hosts by SSH, log APIs, the mailbox. Nothing is taken.

A host is connected to, its key compared, and logged in to; no command is run. An API is asked for the last
second, and only its status is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx

from console.opening import House, secrets_of
from flows.actions.values import ActionContext
from models.errors import HikeshiError
from models.targets import LogsTarget, MailTarget, SshTarget, Target
from notifiers.probing import Finding, finding

SECONDS = 15.0
OK = 200
Ask = Callable[[], Awaitable[list[Finding]]]


def questions(house: House) -> dict[str, Ask]:
    """A question for each target that can be asked beforehand, by the target's name."""
    found: dict[str, Ask] = {}
    for name, target in house.institution.targets.targets.items():
        if isinstance(target, SshTarget | LogsTarget | MailTarget):
            found[f"target {name}"] = partial(_asked, house, name, target)
    return found


async def _asked(house: House, name: str, target: Target) -> list[Finding]:
    channel = f"target {name}"
    try:
        if isinstance(target, LogsTarget):
            await _logs(house, target)
        elif isinstance(target, SshTarget):
            await asyncio.to_thread(_ssh, house, target)
        elif isinstance(target, MailTarget):
            await asyncio.to_thread(_mail, house, target)
    except HikeshiError as wrong:
        return [finding(channel, "source-unreachable", name, str(wrong)[:300])]
    return []


def _ssh(house: House, target: SshTarget) -> None:
    """Raises ActionFailed."""
    from flows.actions.ssh import connected  # noqa: PLC0415 - the library for SSH takes its time
    from flows.actions.taking import Span  # noqa: PLC0415

    context = _context(house)
    with connected(target, context, Span(context)):
        return


def _mail(house: House, target: MailTarget) -> None:
    """Raises MailboxError, BadConfiguration."""
    from console.mailbox import Imap, MailboxError  # noqa: PLC0415

    settings = house.institution.settings.mailbox
    if settings is None:
        raise MailboxError("settings.toml has no table [mailbox]")
    box = settings.model_copy(update={"folder": target.folder or settings.folder})
    password = secrets_of(house.institution.directory)(settings.password)
    Imap(box, password, read_only=True).close()


async def _logs(house: House, target: LogsTarget) -> None:
    """Raises ActionFailed."""
    from flows.actions.http import secret_of  # noqa: PLC0415
    from flows.actions.logs import query_of  # noqa: PLC0415
    from flows.actions.ranges import Range  # noqa: PLC0415
    from flows.actions.taking import unreachable  # noqa: PLC0415
    from models.targets import place_of  # noqa: PLC0415

    context = _context(house)
    secret = secret_of(target.secret, context)
    headers = {**target.headers, **({"Authorization": f"Bearer {secret}"} if secret else {})}
    asked = Range(begins=context.now - timedelta(seconds=1), ends=context.now)
    url = httpx.URL(target.url).copy_merge_params(query_of(target, asked))
    try:
        async with (
            httpx.AsyncClient(timeout=SECONDS, trust_env=False, follow_redirects=False) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as wrong:
        raise unreachable(place_of(target), f"not reached: {type(wrong).__name__}") from wrong
    # What needs parameters may refuse a question without them: that it answers is what counts then.
    if status != OK and not target.parameters:
        raise unreachable(place_of(target), f"it answered {status}")


def _context(house: House) -> ActionContext:
    return ActionContext(
        evidence_dir=Path(house.evidence),
        secrets=secrets_of(house.institution.directory),
        base=house.institution.directory,
        now=house.desk.clock.now(),
        timeout_seconds=SECONDS,
        idempotency_key="check",
    )
