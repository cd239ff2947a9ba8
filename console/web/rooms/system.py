"""How Hikeshi itself is: each part in a word, and what to do where something is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import func, select

from console.reading import redacted
from console.views.comchecks import unreached
from console.views.health import LATE, OLD, STUCK, Health, look
from console.views.naming import Naming
from console.web.asking import Ask, must_look
from console.web.frame import Page, Part, Values
from console.web.rendering import page_words
from models.clock import from_micros
from models.desk import HOUSE
from models.hookqueue import standing
from models.record import CHECKPOINT, SESSION, micros

LOOK = "look-house"
AHEAD = timedelta(seconds=1)
"""How far the machine's clock may be off before somebody looks: deadlines are told by it."""
CHECKPOINT_AGE = timedelta(hours=26)
"""A day, and the time that making one may take."""
MAX_NAMED = 20
Level = Literal["good", "warn", "bad", "soft"]
_ORDER: Mapping[Level, int] = {"bad": 0, "warn": 1, "good": 2, "soft": 3}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One part. `area` is its kind, under which stands what to do; `name` which of the kind, if several."""

    area: str
    level: Level
    said: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is known of the installation, to be told in one language."""

    ask: Ask
    found: Health
    naming: Naming
    standing: Mapping[str, Any]
    """What the node last knew of itself."""

    def say(self, key: str, **values: object) -> str:
        """A sentence of the page's words."""
        return str(page_words("system", self.ask.lang)["said"][key]).format(**values)


def look_at(ask: Ask) -> Look:
    """How Hikeshi is, as far as whoever asks may know of it."""
    house = ask.house
    state = ask.reader.without_hidden(house.desk.state(HOUSE))
    left_out = sorted({Path(one.file).name for one in house.institution.playbooks.left_out})
    standing, hidden = ask.standing(), ask.reader.hidden()
    # What the node knows of itself and the record does not: a loop that stands still, a second path.
    own = {
        redacted(name, hidden): redacted(one, hidden) for name, one in standing.get("impaired", {}).items()
    }
    missed = {one: known.comcheck for one, known in unreached(house.desk).items()}
    now = house.wall.now()
    found = look(house.record, state, ask.now, left_out, missed, not_working=own, wall=now)
    return Look(ask=ask, found=found, naming=ask.naming(state), standing=standing)


def items(seen: Look) -> list[Item]:
    """All parts, the worst first."""
    return sorted((*_grave(seen), *_doors(seen)), key=lambda item: _ORDER[item.level])


def _grave(seen: Look) -> Iterator[Item]:
    """What can be so bad that the board says it."""
    for parts in (_parts, _messages, _channels, _impaired, _timers, _keeping):
        yield from parts(seen)


def _parts(seen: Look) -> Iterator[Item]:
    """Pager and conductor, by their last sign of life; Prefect, as the conductor last found it."""
    for part, at in seen.found.seen.items():
        alive = seen.found.alive(part)
        key = "alive" if alive else "stopped" if at is None else "stale"
        level: Level = "good" if alive else "bad" if part == "pager" else "warn"
        said = seen.say(key, at=seen.naming.times.at(at, seconds=True))
        known = part in {"pager", "conductor"}
        yield Item(area=part if known else "part", level=level, said=said, name="" if known else part)
    prefect = str(seen.standing.get("prefect", "unknown"))
    yield Item(
        area="prefect",
        level={"ok": "good", "down": "bad"}.get(prefect, "soft"),  # type: ignore[arg-type]
        said=seen.say(f"prefect-{prefect}" if prefect in {"ok", "down"} else "prefect-unknown"),
    )


def _messages(seen: Look) -> Iterator[Item]:
    found, times = seen.found, seen.naming.times
    late = found.oldest is not None and found.at - found.oldest > OLD
    stuck = found.oldest_page is not None and found.at - found.oldest_page > STUCK
    age = times.span(found.at - found.oldest) if found.oldest is not None else seen.say("none")
    yield Item(
        area="outbox",
        level="bad" if late or stuck else "good",
        said=seen.say("outbox", count=found.unsent, age=age),
    )
    if found.given_up:
        level: Level = "bad" if found.given_up_lately else "warn"
        said = seen.say("given-up", count=found.given_up, lately=found.given_up_lately)
        yield Item(area="given-up", level=level, said=said)


def _channels(seen: Look) -> Iterator[Item]:
    """Each that is set up: whether it delivers, fails, or is out of band."""
    house = seen.ask.house
    for name in sorted(house.institution.settings.channels()):
        failing = seen.found.impaired.get(f"channel {name}")
        if name in seen.found.house.distrusted:
            yield Item(area="out-of-band", level="warn", said=seen.say("out-of-band"), name=name)
        elif failing is not None:
            yield Item(area="channel", level="bad", said=seen.say("failing", why=failing), name=name)
        else:
            yield Item(area="channel", level="good", said=seen.say("delivers"), name=name)
    for person in list(seen.found.unreached)[:MAX_NAMED]:
        number = seen.found.unreached[person]
        yield Item(
            area="unreached",
            level="warn",
            said=seen.say("unreached", number=number),
            name=seen.naming.who(person),
        )


def _impaired(seen: Look) -> Iterator[Item]:
    """What else does not work, by the name that the node gives it."""
    advised = page_words("system", seen.ask.lang)["do"]
    for name, why in list(seen.found.impaired.items())[:MAX_NAMED]:
        if name.startswith("channel ") or name == "prefect":
            continue
        kind = name.partition(" ")[0]
        known = f"impaired-{kind}" in advised
        said = seen.naming.text(why) or seen.say("failing", why=name)
        yield Item(area=f"impaired-{kind}" if known else "impaired", level="bad", said=said, name=name)


def _timers(seen: Look) -> Iterator[Item]:
    late = seen.found.late > LATE
    span = seen.naming.times.span(seen.found.late)
    yield Item(
        area="lateness",
        level="bad" if late else "good",
        said=seen.say("late", span=span) if late else seen.say("in-time"),
    )
    for stream in seen.found.quarantined[:MAX_NAMED]:
        yield Item(area="quarantined", level="bad", said=seen.say("quarantined"), name=stream)


def _keeping(seen: Look) -> Iterator[Item]:
    """Checkpoints, where else they lie, and the machine's clock; a drill keeps neither."""
    if seen.ask.house.drill is not None:
        return
    # Not its body, which grows with the record: this is drawn whenever the board is.
    newest = select(CHECKPOINT.c.number, CHECKPOINT.c.at).order_by(CHECKPOINT.c.number.desc()).limit(1)
    with seen.ask.house.record.read() as tx:
        last = tx.connection.execute(newest).first()
    if last is None:
        yield Item(area="checkpoint", level="warn", said=seen.say("checkpoint-none"))
    else:
        made_at = from_micros(last.at)
        old = seen.found.at - made_at > CHECKPOINT_AGE
        said = seen.say("checkpoint", number=last.number, at=seen.naming.times.at(made_at))
        yield Item(area="checkpoint", level="bad" if old else "good", said=said)
    anchored = seen.found.house.upkeep.anchored
    if not anchored:
        yield Item(area="anchor", level="warn", said=seen.say("anchor-none"))
    for kind, number in anchored.items():
        what = seen.naming.texts.word("integrity.anchor", kind)
        yield Item(area="anchor", level="good", said=seen.say("anchored", number=number), name=what)
    yield _clock(seen)


def _clock(seen: Look) -> Item:
    known = seen.found.house.upkeep.clock
    if known is None or (known.offset is None and not known.synchronised):
        return Item(area="clock", level="warn", said=seen.say("clock-unknown"))
    if known.offset is None:
        return Item(area="clock", level="good", said=seen.say("clock-synchronised", source=known.source))
    level: Level = "bad" if abs(known.offset) > AHEAD else "good"
    ahead = f"{known.offset.total_seconds():+.3f}"
    return Item(area="clock", level=level, said=seen.say("clock", source=known.source, ahead=ahead))


def _doors(seen: Look) -> Iterator[Item]:
    """Alert sources that are closed, the second path, and who looks."""
    for name in list(seen.standing.get("closed_sources", ()))[:MAX_NAMED]:
        yield Item(area="source", level="warn", said=seen.say("source-closed"), name=str(name))
    for sink in seen.ask.house.institution.settings.relay:
        if not any(name.endswith(f" {sink.name}") for name in seen.found.impaired):
            yield Item(area="relay", level="good", said=seen.say("relay"), name=sink.name)
    yield from _webhooks(seen)
    now = micros(seen.ask.now)
    going = SESSION.c.ended_at.is_(None) & (SESSION.c.ends_at > now)
    with seen.ask.house.record.read() as tx:
        sessions = tx.connection.execute(select(func.count()).select_from(SESSION).where(going)).scalar_one()
    said = seen.say("sessions", sessions=sessions, streams=seen.standing.get("streams", 0))
    yield Item(area="sessions", level="soft", said=said)


def _webhooks(seen: Look) -> Iterator[Item]:
    """Each that is set up and not impaired already: what waits for it, and what it was never told."""
    for hook in seen.ask.house.institution.settings.webhooks:
        if f"webhook {hook.name}" in seen.found.impaired:
            continue
        with seen.ask.house.record.read() as tx:
            now = standing(tx, hook)
        key = "hook-lost" if now.given_up else "hook-waits" if now.waiting else "hook"
        level: Level = "warn" if now.given_up or now.error else "good"
        said = seen.say(key, waiting=now.waiting, lost=now.given_up)
        yield Item(area="impaired-webhook", level=level, said=said, name=hook.name)


# -- the page -----------------------------------------------------------------------------------------------


def area(item: Item, lang: str) -> str:
    """What the part is called."""
    return str(page_words("system", lang)["area"][item.area])


def _head(ask: Ask) -> Values:
    must_look(ask, LOOK)
    return {}


def _all(ask: Ask) -> Values:
    seen = look_at(ask)
    found = items(seen)
    advice = page_words("system", ask.lang)["do"]
    return {
        "ok": not any(item.level == "bad" for item in found),
        "worst": [_row(item, ask, advice) for item in found if item.level in {"bad", "warn"}],
        "rest": [_row(item, ask, advice) for item in found if item.level in {"good", "soft"}],
        "version": seen.standing.get("version", ""),
    }


def _row(item: Item, ask: Ask, advice: Mapping[str, str]) -> Mapping[str, str]:
    do = advice.get(item.area, "") if item.level in {"bad", "warn"} else ""
    return {"area": area(item, ask.lang), "name": item.name, "level": item.level, "said": item.said, "do": do}


PAGES = (
    Page(
        name="system",
        path="/system",
        parts=(Part(name="all", values=_all),),
        head=_head,
        live=("house", "node"),
    ),
)


def troubles(ask: Ask, at_most: int) -> tuple[bool, list[str]]:
    """Whether all is well, and shortly what is not; for the board."""
    bad = [item for item in _grave(look_at(ask)) if item.level == "bad"]
    return not bad, [f"{item.name or area(item, ask.lang)}: {item.said}" for item in bad[:at_most]]
