"""What a clock is called and what stops it, in both languages: the same words in messages and on screens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from models.clocks.owed import obligations
from models.fold.matter import at_target
from models.obligation import Obligation, Stage
from models.state import Incident
from models.world import World
from notifiers.phrases import PHRASES

_WORDS: Mapping[str, Mapping[str, str]] = {
    "ja": {
        "rto": "目標復旧時間（RTO）　{name}",
        "mtpd": "最大許容停止時間（MTPD）　{name}",
        "rpo": "目標復旧時点（RPO）　{name}",
        "phase": "「{name}」終了までの目標",
        "situation": "状況報告（第{number}報）",
        "watch": "復旧後の監視期間",
        "retention": "{name} の保存期限",
        "vendor.notice": "{name} からの契約上の連絡",
        "vendor.logs": "{name} からの契約上のログ提出",
        "vendor.inform": "{name} への通知",
        "report": "{recipient} {stage}（{name}）",
        "d": "{n}日",
        "h": "{n}時間",
        "m": "{n}分",
        "s": "{n}秒",
        "join": "",
    },
    "en": {
        "rto": "RTO of {name}",
        "mtpd": "longest bearable disruption (MTPD) of {name}",
        "rpo": "RPO of {name}",
        "phase": "time to the end of {name}",
        "situation": "situation report no. {number}",
        "watch": "watch period after restoration",
        "retention": "retention of {name}",
        "vendor.notice": "word owed by {name}",
        "vendor.logs": "logs owed by {name}",
        "vendor.inform": "notice to {name}",
        "report": "{stage}, to {recipient} ({name})",
        "d": "{n} d",
        "h": "{n} h",
        "m": "{n} min",
        "s": "{n} s",
        "join": " ",
    },
}
_STOPS = {
    "rpo": "backup set {stream} ID {name} TIME --tamper clean --malware clean",
    "report": "report submit {stream} {first} {second} --receipt …",
    "situation": "report situation {stream} …",
    "vendor": "vendor answered {stream} {first} {second}",
    "retention": "evidence add {stream} {name} --description … --file …",
    "watch": "close {stream} --assessment …",
}
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
MOST_UNITS = 2


def span(length: timedelta, lang: str) -> str:
    """A time of either sign as its two largest units: `4 h 30 min`; minutes are not split into seconds."""
    left = abs(int(length.total_seconds()))
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(_WORDS[lang][unit].format(n=count))
        if len(parts) == MOST_UNITS or (parts and unit == "m"):
            break
    return _WORDS[lang]["join"].join(parts) or _WORDS[lang]["s"].format(n=0)


def find_stage(state: Incident, world: World, name: str) -> tuple[Obligation, Stage] | None:
    """The obligation and stage that `JP-PPC/preliminary` means in this incident."""
    owed, _, stage = name.partition("/")
    for one in obligations(state, world):
        found = one.stage(stage)
        if one.id == owed and found is not None:
            return one, found
    return None


def service_name(world: World, name: str, lang: str) -> str:
    """A service's name; its id if the register has it no more."""
    service = world.directory.service(name)
    return service.name.lang(lang) if service is not None else name


def clock_title(clock: str, state: Incident, world: World, lang: str) -> str:
    """What the clock of this id (`rto:core-banking`, `report:JP-PPC/final`) is called."""
    kind, _, name = clock.partition(":")
    words = _WORDS[lang]
    if kind in {"rto", "mtpd", "rpo"}:
        return words[kind].format(name=service_name(world, name, lang))
    if kind == "report":
        return _report(name, state, world, lang)
    if kind == "phase":
        return words["phase"].format(name=PHRASES[lang].get(f"phase.{name}", name))
    if kind == "retention":
        source = next((one for one in world.organisation.evidence_sources if one.id == name), None)
        return words[kind].format(name=source.title.lang(lang) if source is not None else name)
    if kind == "vendor":
        party, _, what = name.partition("/")
        known = world.directory.third_party(party)
        return words[f"vendor.{what}"].format(name=known.name.lang(lang) if known is not None else party)
    return words[kind].format(number=state.situations + 1)


def _report(name: str, state: Incident, world: World, lang: str) -> str:
    found = find_stage(state, world, name)
    if found is None:
        return name
    one, stage = found
    return _WORDS[lang]["report"].format(
        recipient=one.recipient.lang(lang), stage=stage.title.lang(lang), name=name
    )


def what_stops(clock: str, state: Incident) -> str:
    """What to type so that the clock stops."""
    kind, _, name = clock.partition(":")
    if kind in {"rto", "mtpd"}:
        return _recovery(state.stream, name, state)
    first, _, second = name.partition("/")
    said = _STOPS.get(kind, "step list {stream}")
    return "hikeshi " + said.format(stream=state.stream, name=name, first=first, second=second)


def _recovery(stream: str, name: str, state: Incident) -> str:
    """First the level, then whoever has not confirmed yet."""
    service = state.services.get(name)
    if service is None or not at_target(service):
        return f"hikeshi service restored {stream} {name}"
    side = next((one for one in ("csirt", "owner") if one not in service.confirmed_at), "csirt")
    return f"hikeshi service confirm {stream} {name} --side {side}"
