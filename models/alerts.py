"""Reading an alert: what a monitoring tool sent, as fields that a rule can decide on. Pure.

An alert that cannot be read is an answer too (`readable` is false, `problem` says why): it is kept and
somebody is told. Nothing here raises because of what a sender wrote.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import orjson

from models.canonical import document_digest
from models.clock import parse_instant
from models.errors import NaiveInstant
from models.fieldpath import Place, Unreadable, all_texts, needed_at, scalar_at, value_at
from models.formats import FORMATS
from models.installation import MAIL, Rule, Source
from models.installation import Mapping as Fields
from models.mail import read_mail
from models.organisation import Organisation
from models.playbook import Playbook
from models.policy import SeverityPolicy

Do = Literal["declare", "propose", "keep"]
GRAVITY: Mapping[Do, int] = {"keep": 0, "propose": 1, "declare": 2}
MAX_DEPTH = 30
MAX_TITLE, MAX_LEVEL, MAX_PROBLEM, MAX_PART = 300, 40, 300, 120
MAX_ITEMS = 200
"""Alerts read from one post; the post itself is kept whole."""
ENDED = "resolved"
"""Shown as the level of an alert that says its matter is over."""
LEEWAY = timedelta(minutes=2)
"""How far ahead of this node's clock a sender's may be and still be believed."""
OLDEST = timedelta(days=400)
"""An instant further back is a clock that lost its time, not an alert."""
MILLISECONDS_FROM = 100_000_000_000
"""Epoch numbers from here on are milliseconds: as seconds they would lie beyond the year 5000."""
WHOLE_WORD_UP_TO = 4
_HOST_IN_ADDRESS = re.compile(r"(?:[a-z]{2,10}://)?([^/:\s]+)")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_EPOCH = re.compile(r"\d{9,13}(\.\d{1,9})?")


@dataclass(frozen=True, kw_only=True)
class ReadAlert:
    """What an alert says. `key` names its matter within the source: the same matter gives the same key.

    `occurred` is the sender's instant (UTC), None if it gave none that can be believed; `problem` then says
    so. `playbook` is a proposal, `services` are ids of the register whose hosts the alert names. `ended` is
    the sender's word that the matter is over; `rule` counts from 1, None if none fitted; `text` is a mail's.
    """

    key: str
    title: str
    level: str = ""
    occurred: datetime | None = None
    playbook: str | None = None
    severity: str | None = None
    services: tuple[str, ...] = ()
    do: Do = "propose"
    readable: bool = True
    problem: str = ""
    ended: bool = False
    rule: int | None = field(default=None, compare=False)
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class _Fields:
    """The parts of an alert, whatever its format."""

    key: tuple[str, ...]
    title: str
    level: str
    at: Any
    hosts: tuple[str, ...]
    words: tuple[str, ...]
    scaled: int | None = None
    ended: bool = False
    text: str = ""
    problem: str = ""


def read_alert(
    source: Source,
    body: bytes,
    organisation: Organisation,
    playbooks: Mapping[str, Playbook],
    now: datetime,
) -> ReadAlert:
    """The first alert in `body`; see `read_alerts`."""
    return read_alerts(source, body, organisation, playbooks, now)[0]


def read_alerts(
    source: Source,
    body: bytes,
    organisation: Organisation,
    playbooks: Mapping[str, Playbook],
    now: datetime,
    severities: SeverityPolicy | None = None,
) -> tuple[ReadAlert, ...]:
    """The alerts in `body` as the source's format and rules read them: one or more; `now` is aware, UTC.

    `severities` ranks severities for `raise_for_tier`; without it nothing is raised.
    """
    house = _House(organisation=organisation, playbooks=playbooks, now=now, severities=severities)
    if source.format == MAIL:
        return (_judged(source, _mailed(body), house),)
    try:
        places = _places(source, body)
    except Unreadable as why:
        return (_unreadable(source, why),)
    found = tuple(_one(source, place, house) for place in places[:MAX_ITEMS])
    if len(places) <= MAX_ITEMS:
        return found
    problem = f"{len(places)} alerts in one post, {MAX_ITEMS} are read; have the sender group fewer"
    return (*found, _unreadable(source, Unreadable("too-many", problem)))


def _one(source: Source, place: Place, house: _House) -> ReadAlert:
    try:
        fields = _wazuh(place) if source.format == "wazuh" else _mapped(place, source)
    except Unreadable as why:
        return _unreadable(source, why)
    return _judged(source, fields, house)


def _unreadable(source: Source, why: Unreadable) -> ReadAlert:
    problem = clean(str(why), MAX_PROBLEM)
    return ReadAlert(key=f"unreadable/{why.kind}", title=source.id, readable=False, problem=problem)


def clean(text: str, limit: int) -> str:
    """`text` on one line, at most `limit` characters, without control, hidden or direction characters."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return " ".join(text.split())
    # Cut first: a title of a megabyte must not be walked through.
    seen = (" " if char.isspace() else char for char in text[: limit * 4])
    kept = "".join(char for char in seen if not unicodedata.category(char).startswith("C"))
    return " ".join(kept.split())[:limit]


def holds(words: Iterable[str], sought: str) -> bool:
    """Whether one of `words` holds `sought`, in any case of letters.

    It has to begin where a word begins, and if it is of four letters or fewer to end where the word ends:
    `atm` is not in "treatment", while `ransom` is in "ransomware". Japanese has no such borders and matches
    anywhere.
    """
    return _held("\n".join(word.casefold() for word in words), sought)


def _held(folded: str, sought: str) -> bool:
    wanted, pattern = _sought(sought)
    # Most words are not there at all, and saying so needs no pattern.
    return bool(wanted) and wanted in folded and pattern.search(folded) is not None


@lru_cache(maxsize=2_000)
def _sought(sought: str) -> tuple[str, re.Pattern[str]]:
    wanted = " ".join(sought.split()).casefold()
    start = r"(?<![a-z0-9])" if wanted and _is_latin(wanted[0]) else ""
    end = r"(?![a-z0-9])" if wanted and _is_latin(wanted[-1]) and len(wanted) <= WHOLE_WORD_UP_TO else ""
    return wanted, re.compile(start + re.escape(wanted) + end)


def _is_latin(char: str) -> bool:
    return char.isascii() and char.isalnum()


# -- from bytes to fields -----------------------------------------------------------------------------------


def _parse(body: bytes, max_bytes: int) -> Mapping[str, Any]:
    if len(body) > max_bytes:
        raise Unreadable("too-long", f"{len(body)} bytes, the source allows {max_bytes}")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Unreadable("not-json", f"not JSON: {wrong}") from wrong
    if not isinstance(content, dict):
        raise Unreadable("not-an-object", "expected one JSON object")
    _bound_depth(content)
    return content


def _bound_depth(content: Any) -> None:
    """Level by level, so that depth costs no stack. Raises Unreadable."""
    level: list[Any] = [content]
    for _ in range(MAX_DEPTH):
        level = [child for one in level for child in _children(one)]
        if not level:
            return
    raise Unreadable("too-deep", f"nested deeper than {MAX_DEPTH}")


def _children(value: Any) -> Iterator[Any]:
    items = value.values() if isinstance(value, dict) else value
    return (item for item in items if isinstance(item, (dict, list)))


def _places(source: Source, body: bytes) -> list[Place]:
    """Where each alert of a post begins. Raises Unreadable."""
    post = _parse(body, source.max_bytes)
    whole = Place(content=post, post=post)
    path = _mapping(source).items if source.format != "wazuh" else None
    if path is None:
        return [whole]
    items = value_at(whole, path)
    if items is None and path.endswith("?"):
        return [whole]
    if not isinstance(items, list) or not items:
        raise Unreadable(f"missing/{path}", f"{path}: expected a list of alerts")
    return [Place(content=item, post=post) for item in items]


def _mapping(source: Source) -> Fields:
    """The source's own mapping, else that of its format. Raises Unreadable."""
    mapping = source.mapping or FORMATS.get(source.format)
    if mapping is None:
        raise Unreadable("no-mapping", f"the source {source.id} has no `mapping`; add it to intake.yaml")
    return mapping


_WAZUH_WORDS = (
    "rule.groups",
    "rule.mitre.id",
    "rule.mitre.tactic",
    "rule.mitre.technique",
    "rule.description",
)


def _wazuh(place: Place) -> _Fields:
    """An alert as Wazuh writes it to alerts.json and hands it to an integration.

    One matter is one rule on one agent of one manager; `id` is new for each alert. Agent 000 is the manager
    itself and has no address, and a manager of its own is not always named.
    """
    level = needed_at(place, "rule.level")
    if not level.isdecimal():
        raise Unreadable("wrong-type/rule.level", "rule.level: expected a whole number")
    description, agent = needed_at(place, "rule.description"), needed_at(place, "agent.id")
    name = scalar_at(place, "agent.name")
    manager = scalar_at(place, "manager.name") or ""
    return _Fields(
        key=(manager, needed_at(place, "rule.id"), agent),
        title=_titled(description, name),
        level=level,
        at=value_at(place, "timestamp"),
        hosts=all_texts(place, ("agent.name", "agent.ip"), MAX_TITLE),
        words=all_texts(place, _WAZUH_WORDS, MAX_TITLE),
    )


def _titled(description: str, host: str | None) -> str:
    """The host stays in view, however long the description is."""
    if host is None:
        return description
    shown = clean(host, MAX_PART)
    return f"{clean(description, MAX_TITLE - len(shown) - 3)} ({shown})"


def _mapped(place: Place, source: Source) -> _Fields:
    mapping = _mapping(source)
    if not isinstance(place.content, dict):
        raise Unreadable("not-an-object", "expected one JSON object for each alert")
    level = needed_at(place, mapping.level) if mapping.level else ""
    return _Fields(
        key=tuple(needed_at(place, path) for path in mapping.key),
        title=needed_at(place, mapping.title),
        level=level,
        at=value_at(place, mapping.at) if mapping.at else None,
        hosts=all_texts(place, mapping.hosts, MAX_TITLE),
        words=all_texts(place, mapping.words, MAX_TITLE),
        scaled=mapping.scale.get(level.casefold()[:MAX_LEVEL]),
        ended=_has_ended(place, mapping),
    )


def _has_ended(place: Place, mapping: Fields) -> bool:
    """Whether the sender says that the matter is over."""
    for path, words in mapping.ended.items():
        said = value_at(place, path)
        if isinstance(said, str) and said.casefold() in {word.casefold() for word in words}:
            return True
    return False


def _mailed(body: bytes) -> _Fields:
    """A mail. Its matter is its content: whoever copies another's Message-ID hides nothing."""
    mail = read_mail(body)
    said = "\0".join((mail.message_id, mail.sender, mail.subject)).encode("utf-8", "replace")
    # The headers above it differ by the way that a copy took; what it carries does not.
    identity = said + b"\0" + _HEAD_END.split(body, maxsplit=1)[-1]
    return _Fields(
        key=(document_digest(identity),),
        title=_titled(mail.subject or "-", mail.sender or None),
        level="",
        at=mail.date or None,
        hosts=(),
        words=(mail.subject, mail.sender, mail.text),
        text=mail.text,
        problem=mail.problem,
    )


# -- from fields to what to do ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _House:
    """What a rule may ask of the institution, now."""

    organisation: Organisation
    playbooks: Mapping[str, Playbook]
    now: datetime
    severities: SeverityPolicy | None


def _judged(source: Source, fields: _Fields, house: _House) -> ReadAlert:
    occurred, doubt = _believed(fields.at, house.now)
    place = next((n for n, one in enumerate(source.rules) if _fits(one, fields)), None)
    rule = source.rules[place] if place is not None else Rule(do="propose")
    named = rule.playbook if rule.playbook in house.playbooks else None
    services = _services(fields.hosts, house.organisation)
    do, old = _in_time(rule.do, source, fields, occurred, house.now)
    return ReadAlert(
        key=_key(fields.key),
        title=clean(fields.title, MAX_TITLE) or source.id,
        level=ENDED if fields.ended else clean(fields.level, MAX_LEVEL),
        occurred=occurred,
        playbook=named or _proposed(fields.words, house.playbooks),
        severity=_severity(source, rule, fields, services, house),
        services=services,
        do=do,
        problem=clean(fields.problem or doubt or old, MAX_PROBLEM),
        ended=fields.ended,
        rule=None if place is None else place + 1,
        text=fields.text,
    )


def _in_time(
    do: Do, source: Source, fields: _Fields, occurred: datetime | None, now: datetime
) -> tuple[Do, str]:
    """What is over, or happened long ago, is only kept. A mail is judged by people whatever its date says."""
    if fields.ended:
        return "keep", ""
    if source.format == MAIL or occurred is None or occurred >= now - source.older_than:
        return do, ""
    return "keep", f"only kept: it happened at {occurred.isoformat()}, long ago"


def _severity(
    source: Source, rule: Rule, fields: _Fields, services: tuple[str, ...], house: _House
) -> str | None:
    """The rule's, else what the tool's word stands for; raised for the tier of a service that is named."""
    severity = rule.severity or source.severities.get(fields.level)
    if house.severities is None or not rule.raise_for_tier:
        return severity
    tiers = {one.tier for one in house.organisation.services if one.id in services}
    wanted = [rule.raise_for_tier[tier] for tier in tiers if tier in rule.raise_for_tier]
    lowest = house.severities.rank(severity or house.severities.default)
    raised = max(wanted, key=house.severities.rank, default=None)
    return raised if raised is not None and house.severities.rank(raised) > lowest else severity


def _key(parts: tuple[str, ...]) -> str:
    """The parts so that no two lists of parts make the same key; too long a part goes by its digest."""
    return "/".join(_key_part(part) for part in parts)


def _key_part(part: str) -> str:
    shown = clean(part, MAX_PART)
    if shown != part:
        return document_digest(part.encode())
    return shown.replace("%", "%25").replace("/", "%2F")


def _fits(rule: Rule, fields: _Fields) -> bool:
    if rule.at_least is not None and not _reaches(fields, rule.at_least):
        return False
    if rule.levels and fields.level.casefold() not in {one.casefold() for one in rule.levels}:
        return False
    return not rule.words or any(holds(fields.words, word) for word in rule.words)


def _reaches(fields: _Fields, least: int) -> bool:
    """A word that the mapping's scale does not know reaches no number. Its length is bounded first."""
    if fields.scaled is not None:
        return fields.scaled >= least
    try:
        number = float(fields.level[:MAX_LEVEL])
    except ValueError:
        return False
    return number >= least


def _proposed(words: tuple[str, ...], playbooks: Mapping[str, Playbook]) -> str | None:
    """The playbook that the alert's words speak for: by priority, then by how many of its words fit."""
    found = []
    folded = "\n".join(word.casefold() for word in words)
    for name, playbook in playbooks.items():
        hits = sum(_held(folded, sought) for sought in {*playbook.matches, *playbook.attack})
        if hits:
            found.append((playbook.priority, -hits, name))
    return min(found)[2] if found else None


def _services(hosts: tuple[str, ...], organisation: Organisation) -> tuple[str, ...]:
    named = {form for host in hosts for form in _forms(host)}
    return tuple(
        service.id
        for service in organisation.services
        if any(form in named for host in service.hosts for form in _forms(host))
    )


@lru_cache(maxsize=20_000)
def _forms(host: str) -> frozenset[str]:
    """A host as it may be written: whole, or without scheme, port and domain. An address only whole."""
    whole = host.strip().casefold().rstrip(".")
    if not whole:
        return frozenset()
    try:
        return frozenset({str(ipaddress.ip_address(whole))})
    except ValueError:
        named = _HOST_IN_ADDRESS.match(whole)
        name = named[1] if named else whole
        return frozenset({whole, name, name.split(".", 1)[0]})


def _believed(at: Any, now: datetime) -> tuple[datetime | None, str]:
    """The sender's instant if it can be believed, else None and why not (design, 12: nothing is inferred)."""
    if at is None:
        return None, ""
    try:
        instant = _instant(at)
    except (ValueError, OverflowError, OSError, TypeError, NaiveInstant) as wrong:
        return None, f"time not taken over: {wrong}"
    if not now - OLDEST <= instant <= now + LEEWAY:
        return None, f"time not taken over: {instant.isoformat()} does not fit this node's clock"
    return instant, ""


def _instant(at: Any) -> datetime:
    if isinstance(at, str):
        text = at[:MAX_PART].strip()
        if not _EPOCH.fullmatch(text):
            return parse_instant(text)
        at = float(text)
    if isinstance(at, bool) or not isinstance(at, (int, float)):
        raise TypeError("expected an ISO 8601 time with its offset")
    return datetime.fromtimestamp(at / 1000 if at >= MILLISECONDS_FROM else at, UTC)
