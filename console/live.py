"""`hikeshi check --live`: talks to everything that is configured, and names all that is missing at once.

All questions are asked side by side, each within its own time and all within LIVE_SECONDS. Nobody is sent
anything but webhooks' receivers a test event, nothing is recorded, and no secret is shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

import httpx
import orjson

from console import live_hooks, live_sources
from console.opening import House, channels_of, secrets_of
from console.views.comchecks import unreached
from console.views.health import ALIVE
from models.clock import monotonic
from models.errors import HikeshiError
from models.installation import Settings
from models.links import missing_links
from models.node import alive
from models.supervised import attempt_async
from models.values import Frozen
from notifiers import build
from notifiers.message import Notifier
from notifiers.probing import Addressee, Finding, Probe, finding

LIVE_SECONDS = 30.0
URL_SECONDS = 10.0
MAX_BODY = 65_536
NODE = "node"
NO_CHANNEL = frozenset({"mailbox"})
"""Tables of the settings that bring no channel to people."""
UNSEEN = frozenset({"console", "file"})
"""Channels that reach only who happens to look."""
DIRECTORY, URL, COMCHECK = "directory", "public_url", "comcheck"
Question = Callable[[], Awaitable[list[Finding]]]


@dataclass(frozen=True, kw_only=True)
class Live:
    """What a live check found, and what it asked."""

    findings: tuple[Finding, ...]
    asked: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing is missing; notes do not count."""
        return not any(one.severity == "missing" for one in self.findings)


async def look(house: House, seconds: float = LIVE_SECONDS) -> Live:
    """Ask everything that is configured."""
    begun = monotonic()
    channels, found = _channels(house)
    for name in sorted(house.desk.distrusted() & channels.keys()):
        # An attacker there would learn who answers to incidents.
        found.append(finding(name, "out-of-band"))
        await attempt_async("close", channels.pop(name).close)
    questions: dict[str, Question] = {
        name: partial(_probe, house, channel) for name, channel in channels.items()
    }
    questions[URL] = partial(_public_url, house.institution.settings)
    questions |= live_sources.questions(house) | live_hooks.questions(house)
    try:
        found += await _all(questions, seconds)
    finally:
        for channel in channels.values():
            await attempt_async("close", channel.close)
    found += [*_links(house), *_unreached(house), *_node(house)]
    return Live(findings=tuple(found), asked=tuple(questions), seconds=round(monotonic() - begun, 3))


async def _all(questions: Mapping[str, Question], seconds: float) -> list[Finding]:
    """The answers in the order of the questions; one that takes too long is named and left."""
    tasks = {name: asyncio.create_task(_one(name, ask)) for name, ask in questions.items()}
    _, late = await asyncio.wait(tasks.values(), timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    found: list[Finding] = []
    for name, task in tasks.items():
        found += [finding(name, "timed-out", why=f"{seconds:g} s")] if task in late else task.result()
    return found


async def _one(name: str, ask: Question) -> list[Finding]:
    tried = await attempt_async(f"probe {name}", ask)
    if tried.error is not None:
        return [finding(name, "channel-broken", why=type(tried.error).__name__)]
    return tried.value or []


# -- channels -----------------------------------------------------------------------------------------------


def _channels(house: House) -> tuple[dict[str, Notifier], list[Finding]]:
    """Each channel by itself: one whose secret is missing hides no other."""
    settings = house.institution.settings
    named = [name for name, value in settings if isinstance(value, Frozen) and name not in NO_CHANNEL]
    bare = settings.model_copy(update=dict.fromkeys(named))
    secrets = secrets_of(house.institution.directory)
    built = build(bare, secrets, house.data, bytes, drill=house.drill is not None)
    found: list[Finding] = []
    for name in named:
        only = bare.model_copy(update={name: getattr(settings, name)})
        try:
            # Nothing is sent that an answer could name: looking needs no key, and makes none.
            found_here = build(only, secrets, house.data, bytes)
            built |= {key: one for key, one in found_here.items() if key not in built}
        except HikeshiError as missing:
            found.append(finding(name, "secret-missing", why=str(missing)))
    return built, found


async def _probe(house: House, channel: Notifier) -> list[Finding]:
    if not isinstance(channel, Probe):
        return [finding(channel.name, "no-probe")]
    return await channel.probe(_addressees(house, channel.name))


def _addressees(house: House, channel: str) -> list[Addressee]:
    """Every address that the directory has on a channel; of the console only those who have nothing else."""
    organisation = house.institution.organisation
    found = [
        Addressee(person=person.id, address=address)
        for person in organisation.people
        if (address := person.address(channel)) is not None
        and (channel not in UNSEEN or not set(person.ways) - UNSEEN)
    ]
    if channel == "slack" and organisation.duty_channel is not None:
        found.append(Addressee(person=None, address=organisation.duty_channel))
    return found


# -- the rest -----------------------------------------------------------------------------------------------


async def _public_url(settings: Settings) -> list[Finding]:
    """Whether the address in the messages' links leads to a Hikeshi, seen from this machine."""
    if settings.public_url is None:
        return [finding(URL, "url-here-only", settings.host)] if _is_here(settings.host) else []
    url = settings.public_url.rstrip("/")
    try:
        status, body = await _get(f"{url}/health")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return [finding(URL, "url-unreachable", url, f"{type(error).__name__}: {error}".rstrip(": ")[:300])]
    return [] if _is_ours(body) else [finding(URL, "url-not-ours", url, f"HTTP {status}")]


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _get(url: str) -> tuple[int, bytes]:
    """Status and the beginning of the body; nothing is followed, no proxy is asked."""
    async with (
        httpx.AsyncClient(timeout=URL_SECONDS, trust_env=False) as client,
        client.stream("GET", url) as answer,
    ):
        body = b""
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > MAX_BODY:
                break
        return answer.status_code, body


def _is_ours(body: bytes) -> bool:
    """Whether it is the answer of `/health`, well or impaired."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, dict) and {"lateness_seconds", "version"} <= set(said)


def _node(house: House) -> list[Finding]:
    """Whether the pager runs: without it nothing of all this is sent."""
    with house.record.read() as tx:
        runs = alive(tx, "pager", house.wall.now(), ALIVE)
    return [] if runs else [finding(NODE, "node-absent")]


def _links(house: House) -> list[Finding]:
    institution = house.institution
    missing = missing_links(institution.organisation, institution.policy, channels_of(institution))
    return [finding(one.channel, "link-missing", one.person, ", ".join(one.routes)) for one in missing]


def _unreached(house: House) -> list[Finding]:
    """Whom the last communication check about them did not reach."""
    known = unreached(house.desk).items()
    return [finding(COMCHECK, "person-unreached", name, f"{one.comcheck}: {one.why}") for name, one in known]
