"""Reading an alert: what a monitoring tool sent, as fields that a rule can decide on. Pure.

An alert that cannot be read is an answer too (`readable` is false, `problem` says why): it is kept and
somebody is told. Nothing here raises because of what a sender wrote.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from models.canonical import document_digest
from models.clock import parse_instant
from models.errors import NaiveInstant
from models.installation import Rule, Source
from models.organisation import Organisation
from models.playbook import Playbook

Do = Literal["declare", "propose", "keep"]
GRAVITY: Mapping[Do, int] = {"keep": 0, "propose": 1, "declare": 2}
MAX_DEPTH = 30
MAX_TITLE, MAX_LEVEL, MAX_PROBLEM, MAX_PART = 300, 40, 300, 120
MAX_TEXTS = 200
"""Hosts or words taken from one alert at most."""
LEEWAY = timedelta(minutes=2)
"""How far ahead of this node's clock a sender's may be and still be believed."""
OLDEST = timedelta(days=400)
"""An instant further back is a clock that lost its time, not an alert."""
MILLISECONDS_FROM = 100_000_000_000
"""Epoch numbers from here on are milliseconds: as seconds they would lie beyond the year 5000."""
WHOLE_WORD_UP_TO = 4


@dataclass(frozen=True, kw_only=True)
class ReadAlert:
    """What an alert says. `key` names its matter within the source: the same matter gives the same key.

    `occurred` is the sender's instant (UTC), None if it gave none that can be believed; `problem` then says
    so. `playbook` is a proposal, `services` are ids of the register whose hosts the alert names.
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


@dataclass(frozen=True, kw_only=True)
class _Fields:
    """The parts of an alert, whatever its format."""

    key: tuple[str, ...]
    title: str
    level: str
    at: Any
    hosts: tuple[str, ...]
    words: tuple[str, ...]


class _Unreadable(Exception):
    """Names the field and what is wrong; `kind` holds nothing that the sender wrote."""

    def __init__(self, kind: str, problem: str = "") -> None:
        self.kind = kind
        super().__init__(problem or kind)


def read_alert(
    source: Source,
    body: bytes,
    organisation: Organisation,
    playbooks: Mapping[str, Playbook],
    now: datetime,
) -> ReadAlert:
    """The alert in `body` as the source's format and rules read it; `now` is aware, UTC."""
    try:
        content = _parse(body, source.max_bytes)
        fields = _wazuh(content) if source.format == "wazuh" else _mapped(content, source)
    except _Unreadable as why:
        problem = clean(str(why), MAX_PROBLEM)
        return ReadAlert(key=f"unreadable/{why.kind}", title=source.id, readable=False, problem=problem)
    return _judged(source, fields, organisation, playbooks, now)


def clean(text: str, limit: int) -> str:
    """`text` on one line, at most `limit` characters, without control, hidden or direction characters."""
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
    wanted = sought.strip().casefold()
    if not wanted:
        return False
    start = r"(?<![a-z0-9])" if _is_latin(wanted[0]) else ""
    end = r"(?![a-z0-9])" if _is_latin(wanted[-1]) and len(wanted) <= WHOLE_WORD_UP_TO else ""
    pattern = re.compile(start + re.escape(wanted) + end)
    return any(pattern.search(word.casefold()) for word in words)


def _is_latin(char: str) -> bool:
    return char.isascii() and char.isalnum()


# -- from bytes to fields -----------------------------------------------------------------------------------


def _parse(body: bytes, max_bytes: int) -> Mapping[str, Any]:
    if len(body) > max_bytes:
        raise _Unreadable("too-long", f"{len(body)} bytes, the source allows {max_bytes}")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise _Unreadable("not-json", f"not JSON: {wrong}") from wrong
    if not isinstance(content, dict):
        raise _Unreadable("not-an-object", "expected one JSON object")
    _bound_depth(content)
    return content


def _bound_depth(content: Any) -> None:
    """Level by level, so that depth costs no stack. Raises _Unreadable."""
    level: list[Any] = [content]
    for _ in range(MAX_DEPTH):
        level = [child for one in level for child in _children(one)]
        if not level:
            return
    raise _Unreadable("too-deep", f"nested deeper than {MAX_DEPTH}")


def _children(value: Any) -> Iterator[Any]:
    items = value.values() if isinstance(value, dict) else value
    return (item for item in items if isinstance(item, (dict, list)))


def _at_path(content: Any, path: str) -> Any:
    """What lies at a dotted path, list items by number; None if nothing does."""
    for part in path.split("."):
        if isinstance(content, dict):
            content = content.get(part)
        elif isinstance(content, list) and part.isdecimal() and len(part) < 6:  # noqa: PLR2004 - a bound
            content = content[int(part)] if int(part) < len(content) else None
        else:
            return None
    return content


def _scalar(content: Any, path: str) -> str | None:
    """The text or number at `path` as text; None if there is none. Raises _Unreadable on anything else."""
    value = _at_path(content, path)
    if value is None or value == "":
        return None
    if isinstance(value, (dict, list)):
        raise _Unreadable(f"wrong-type/{path}", f"{path}: expected a text or a number")
    return str(value)


def _needed(content: Any, path: str) -> str:
    value = _scalar(content, path)
    if value is None:
        raise _Unreadable(f"missing/{path}", f"{path}: missing or empty")
    return value


def _texts(content: Any, path: str) -> list[str]:
    """The text at `path`, or the list of texts. Raises _Unreadable on anything else."""
    value = _at_path(content, path)
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list)) for item in items):
        raise _Unreadable(f"wrong-type/{path}", f"{path}: expected a text or a list of texts")
    return [str(item) for item in items[:MAX_TEXTS] if item is not None]


def _all_texts(content: Any, paths: Iterable[str]) -> tuple[str, ...]:
    found = (text[:MAX_TITLE] for path in paths for text in _texts(content, path))
    return tuple(dict.fromkeys(found))[:MAX_TEXTS]


_WAZUH_WORDS = (
    "rule.groups",
    "rule.mitre.id",
    "rule.mitre.tactic",
    "rule.mitre.technique",
    "rule.description",
)


def _wazuh(content: Mapping[str, Any]) -> _Fields:
    """An alert as Wazuh writes it to alerts.json and hands it to an integration.

    One matter is one rule on one agent of one manager; `id` is new for each alert. Agent 000 is the manager
    itself and has no address, and a manager of its own is not always named.
    """
    level = _needed(content, "rule.level")
    if not level.isdecimal():
        raise _Unreadable("wrong-type/rule.level", "rule.level: expected a whole number")
    description, agent = _needed(content, "rule.description"), _needed(content, "agent.id")
    name = _scalar(content, "agent.name")
    manager = _scalar(content, "manager.name") or ""
    return _Fields(
        key=(manager, _needed(content, "rule.id"), agent),
        title=_titled(description, name),
        level=level,
        at=_at_path(content, "timestamp"),
        hosts=_all_texts(content, ("agent.name", "agent.ip")),
        words=_all_texts(content, _WAZUH_WORDS),
    )


def _titled(description: str, host: str | None) -> str:
    """The host stays in view, however long the description is."""
    if host is None:
        return description
    shown = clean(host, MAX_PART)
    return f"{clean(description, MAX_TITLE - len(shown) - 3)} ({shown})"


def _mapped(content: Mapping[str, Any], source: Source) -> _Fields:
    mapping = source.mapping
    if mapping is None:
        raise _Unreadable("no-mapping", f"the source {source.id} has no `mapping`; add it to intake.yaml")
    return _Fields(
        key=tuple(_needed(content, path) for path in mapping.key),
        title=_needed(content, mapping.title),
        level=_needed(content, mapping.level) if mapping.level else "",
        at=_at_path(content, mapping.at) if mapping.at else None,
        hosts=_all_texts(content, mapping.hosts),
        words=_all_texts(content, mapping.words),
    )


# -- from fields to what to do ------------------------------------------------------------------------------


def _judged(
    source: Source,
    fields: _Fields,
    organisation: Organisation,
    playbooks: Mapping[str, Playbook],
    now: datetime,
) -> ReadAlert:
    occurred, doubt = _believed(fields.at, now)
    rule = next((one for one in source.rules if _fits(one, fields)), Rule(do="propose"))
    named = rule.playbook if rule.playbook in playbooks else None
    return ReadAlert(
        key=_key(fields.key),
        title=clean(fields.title, MAX_TITLE) or source.id,
        level=clean(fields.level, MAX_LEVEL),
        occurred=occurred,
        playbook=named or _proposed(fields.words, playbooks),
        severity=rule.severity,
        services=_services(fields.hosts, organisation),
        do=rule.do,
        problem=clean(doubt, MAX_PROBLEM),
    )


def _key(parts: tuple[str, ...]) -> str:
    """The parts so that no two lists of parts make the same key; too long a part goes by its digest."""
    return "/".join(_key_part(part) for part in parts)


def _key_part(part: str) -> str:
    shown = clean(part, MAX_PART)
    if shown != part:
        return document_digest(part.encode())
    return shown.replace("%", "%25").replace("/", "%2F")


def _fits(rule: Rule, fields: _Fields) -> bool:
    if rule.at_least is not None and not _reaches(fields.level, rule.at_least):
        return False
    if rule.levels and fields.level.casefold() not in {one.casefold() for one in rule.levels}:
        return False
    return not rule.words or any(holds(fields.words, word) for word in rule.words)


def _reaches(level: str, least: int) -> bool:
    """A level that is a word reaches no number. Not read as a number before its length is bounded."""
    try:
        return float(level[:MAX_LEVEL]) >= least
    except ValueError:
        return False


def _proposed(words: tuple[str, ...], playbooks: Mapping[str, Playbook]) -> str | None:
    """The playbook that the alert's words speak for: by priority, then by how many of its words fit."""
    found = []
    for name, playbook in playbooks.items():
        hits = sum(holds(words, sought) for sought in {*playbook.matches, *playbook.attack})
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


def _forms(host: str) -> set[str]:
    """A host as it may be written: whole, or without its domain. An address only whole."""
    whole = host.strip().casefold().rstrip(".")
    if not whole:
        return set()
    try:
        return {str(ipaddress.ip_address(whole))}
    except ValueError:
        return {whole, whole.split(".", 1)[0]}


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
        return parse_instant(at[:MAX_PART].strip())
    if isinstance(at, bool) or not isinstance(at, (int, float)):
        raise TypeError("expected an ISO 8601 time with its offset")
    return datetime.fromtimestamp(at / 1000 if at >= MILLISECONDS_FROM else at, UTC)
