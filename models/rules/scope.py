"""What is affected and what was done about it (FSA-2.5.2.5-B1), and which third parties hear of it.

Everything wrong with a command is said at once, each thing with where it stood; nothing is half done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from models.clock import iso
from models.commands import ScopeFact
from models.errors import Refused
from models.fact import Draft
from models.indicator import TYPES, NotAnIndicator, guess, normalise
from models.permission import require
from models.reason import Reason
from models.rules.common import (
    LEEWAY,
    MAX_TEXT,
    MAX_TITLE,
    Decided,
    must_not_have_ended,
    text,
    within_reach,
)
from models.rules.fixing import done_step, whole_item
from models.rules.reopening import propose_reopening
from models.scope import (
    KINDS,
    NEED_A_FIX,
    WORDS,
    AcceptScope,
    AddScope,
    FixScope,
    NewItem,
    RetractScope,
    ScopeItem,
    SettleParty,
    UpdateScope,
    identity,
    known_items,
    sureness,
)
from models.state import Incident
from models.world import World

MAX_ITEMS = 20_000
MAX_DEFECTS = 100
BATCH = 200
"""Items that share one fact: 5,000 indicators are 25 facts, and none is too long for a line of a log."""
IDS = 1_000
"""Numbers that share one fact."""
MAX_SURE = 100
T = TypeVar("T")


def scope_fact(state: Incident, command: ScopeFact, world: World) -> Decided:
    """The short form, of one thing: added, fixed, or its risk accepted."""
    base: dict[str, Any] = {"actor": command.actor, "for_": command.for_, "at": command.at}
    if command.what == "add":
        return add(state, AddScope(items=(NewItem(kind=command.kind, name=command.name),), **base), world)
    ids = (command.id or "",)
    if command.what == "fix":
        return fix(state, FixScope(ids=ids, text=command.text, **base), world)
    return accept(state, AcceptScope(ids=ids, reason=command.text, **base), world)


# -- adding -------------------------------------------------------------------------------------------------


def add(state: Incident, command: AddScope, world: World) -> Decided:
    """New things get numbers; the same again is an update of the item there is, never a second one."""
    require(command, "scope", state, world)
    must_not_have_ended(state)
    items = _checked(state, command.items, world)
    known = known_items(state.scope.values(), world.beside())
    fresh: dict[str, dict[str, Any]] = {}
    again: dict[str, dict[str, Any]] = {}
    number = len(state.scope)
    for item in items:
        key = identity(item["kind"], item.get("type", ""), item["name"])
        if key not in known:
            number += 1
            known[key] = f"SC-{number:03d}"
            fresh[known[key]] = item
        elif known[key] in fresh:
            _merge(fresh[known[key]], item)
        else:
            _merge(again.setdefault(known[key], {}), _update_of(item))
    if number > MAX_ITEMS:
        raise Refused(Reason.TOO_LONG, {"field": "scope", "limit": MAX_ITEMS, "length": number})
    unsaid = "" if command.origin else iso(command.at or world.now)
    found = {
        one: _changes(state.scope[one], given, unsaid=unsaid, fills=bool(command.origin))
        for one, given in again.items()
    }
    changes = {one: data for one, data in found.items() if data}
    drafts = [*_added(fresh, command), *_seen(changes, command)]
    if not drafts:
        raise Refused(Reason.ALREADY, {"what": ", ".join(sorted(again)[:5])})
    grown = {number: item["kind"] for number, item in fresh.items()}
    grown |= {one: state.scope[one].kind for one, data in changes.items() if data.get("reopens")}
    return [
        *drafts,
        *_owed(state, _parties(fresh, changes, world)),
        *_grown(state, grown, grown.values(), world),
    ]


_TEXTS = ("name", "source", "note", "fix")
_UPDATES = ("first_seen", "last_seen", "confidence", "source", "evidence", "party", "note")


def _update_of(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in _UPDATES if name in item}


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Two lines of one file about the same thing: the widest span, the surest word, the first of the rest."""
    for name, value in other.items():
        if name not in into:
            into[name] = value
        elif name == "first_seen":
            into[name] = min(into[name], value)
        elif name == "last_seen":
            into[name] = max(into[name], value)
        elif name == "confidence":
            into[name] = max(into[name], value, key=lambda one: sureness(one) or 0)


def _checked(state: Incident, items: Iterable[NewItem], world: World) -> list[dict[str, Any]]:
    """Every item in its one form. Raises Refused with all defects, each with where it stood."""
    checks = [_Check(state, world, item) for item in items]
    if not checks:
        raise Refused(Reason.EMPTY, {"field": "items"})
    unknown = [one.item.kind for one in checks if one.item.kind not in KINDS]
    if unknown and len(checks) == 1:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": unknown[0], "known": list(KINDS)})
    if len(checks) == 1 and not checks[0].item.name.strip():
        raise Refused(Reason.EMPTY, {"field": "name"})
    found = [one.data() for one in checks]
    defects = [defect for one in checks for defect in one.defects]
    if defects:
        more = [f"… {len(defects) - MAX_DEFECTS}"] if len(defects) > MAX_DEFECTS else []
        raise Refused(Reason.FIELD_WRONG, {"fields": [*defects[:MAX_DEFECTS], *more]})
    return found


class _Check:
    """One item as given, and what is wrong with it."""

    def __init__(self, state: Incident, world: World, item: NewItem | UpdateScope) -> None:
        self.state = state
        self.world = world
        self.item: Any = item
        self.defects: list[str] = []

    def data(self) -> dict[str, Any]:
        """What goes on record of a new item; defects are collected on the way."""
        item = self.item
        if item.kind not in KINDS:
            self.wrong("kind", f"expected one of {', '.join(KINDS)}, got {item.kind[:40]!r}")
            return {}
        found = self._named() | self.known()
        service = self._service(found.get("name", "")) if item.kind == "service" else ""
        return found | ({"service": service} if service else {})

    def known(self) -> dict[str, Any]:
        """What is known of an item besides what it is."""
        found = {"confidence": self._confidence(), "evidence": self._evidence(), "party": self._party()}
        for name in ("first_seen", "last_seen"):
            if (instant := getattr(self.item, name)) is not None and self._instant(name, instant):
                found[name] = iso(instant)
        for name, limit in (("source", MAX_TITLE), ("note", MAX_TEXT)):
            found[name] = self._text(name, getattr(self.item, name), limit)
        if found.get("first_seen", "") > found.get("last_seen", "~"):
            self.wrong("last_seen", "expected an instant that is not before first_seen")
        return {name: value for name, value in found.items() if value}

    def wrong(self, field: str, what: str) -> None:
        """Keep a defect, with where it stands."""
        where = getattr(self.item, "where", "")
        self.defects.append(f"{where}{', ' if where else ''}{field}: {what}")

    def _named(self) -> dict[str, Any]:
        item = self.item
        found = {"kind": item.kind, "name": self._text("name", item.name, MAX_TITLE, needed=True)}
        if item.kind != "indicator":
            if item.type:
                self.wrong("type", "only an indicator has a type; leave it out")
            return found
        found["type"] = item.type or guess(item.name)
        try:
            found["name"] = normalise(found["type"], item.name)
        except NotAnIndicator as wrong:
            self.wrong("name" if found["type"] in TYPES else "type", str(wrong))
        return found

    def _text(self, field: str, value: str, limit: int, *, needed: bool = False) -> str:
        clean = value.encode("utf-8", "replace").decode("utf-8").strip()
        if needed and not clean:
            self.wrong(field, "must not be empty")
        if len(clean) > limit and not (field == "name" and self.item.kind == "indicator"):
            self.wrong(field, f"at most {limit} characters, got {len(clean)}")
        return clean

    def _confidence(self) -> str:
        given = str(self.item.confidence).strip().lower()
        if given in WORDS or not given:
            return given
        if given.isascii() and given.isdigit() and int(given[:4]) <= MAX_SURE:
            return str(int(given))
        self.wrong("confidence", f"expected confirmed, likely, suspected or 0 to 100, got {given[:40]!r}")
        return ""

    def _evidence(self) -> str:
        given = str(self.item.evidence).strip().upper()
        if given and given not in self.state.evidence:
            self.wrong("evidence", f"no {given[:40]!r}; expected an item of `hikeshi evidence list`")
        return given

    def _party(self) -> str:
        given = str(self.item.party).strip()
        if given and self.world.directory.third_party(given) is None:
            known = ", ".join(sorted(one.id for one in self.world.organisation.third_parties)) or "none"
            self.wrong("party", f"no third party {given[:40]!r} in organisation.yaml; known: {known}")
        return given

    def _instant(self, field: str, instant: datetime) -> bool:
        if instant.tzinfo is None:
            self.wrong(field, f"{instant.isoformat()} has no zone; write it with an offset, such as +09:00")
        elif not within_reach(instant, self.world.now):
            self.wrong(field, f"{instant.isoformat()} is out of this century's reach; check the year")
        elif instant > self.world.now + LEEWAY:
            self.wrong(field, f"{instant.isoformat()} lies in the future")
        else:
            return True
        return False

    def _service(self, name: str) -> str:
        """The service of the register that is meant, by id or by name."""
        for one in self.world.organisation.services:
            if name in {one.id, one.name.ja, one.name.en}:
                return one.id
        return ""


def _added(fresh: Mapping[str, dict[str, Any]], command: AddScope) -> Iterator[Draft]:
    """One thing by itself is a fact of its own; those of a file share facts."""
    if len(fresh) == 1 and not command.origin:
        for number, item in fresh.items():
            data, texts = _split(item)
            yield Draft(kind="scope.added", data={"id": number} | data, texts=texts, at=command.at)
        return
    yield from _many("scope.imported", fresh, command)


def _many(kind: str, items: Mapping[str, dict[str, Any]], command: AddScope) -> Iterator[Draft]:
    parts = list(_batches(list(items.items()), BATCH))
    for part, some in enumerate(parts, start=1):
        data: dict[str, Any] = {"part": part, "parts": len(parts), "count": len(some), "items": {}}
        data |= {"origin": command.origin} if command.origin else {}
        data |= {"digest": command.digest} if command.digest else {}
        texts: dict[str, str] = {}
        for number, item in some:
            own, beside = _split(item)
            data["items"][number] = own
            texts |= {f"items.{number}.{name}": value for name, value in beside.items()}
        yield Draft(kind=kind, data=data, texts=texts, at=command.at)


def _batches(many: list[T], size: int) -> Iterator[list[T]]:
    return (many[start : start + size] for start in range(0, len(many), size))


def _split(item: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What goes into the fact, and what lies beside it."""
    data = {name: value for name, value in item.items() if name not in _TEXTS}
    return data, {name: item[name] for name in _TEXTS if item.get(name)}


# -- seen again ---------------------------------------------------------------------------------------------


def update(state: Incident, command: UpdateScope, world: World) -> Decided:
    """Seen again, surer, whose it is. What is seen after its fix is open once more."""
    require(command, "scope", state, world)
    must_not_have_ended(state)
    item = _find(state, command.id)
    check = _Check(state, world, command)
    given = check.known()
    if check.defects:
        raise Refused(Reason.FIELD_WRONG, {"fields": check.defects})
    changes = _changes(item, given)
    if not changes:
        raise Refused(Reason.ALREADY, {"what": item.id})
    grown = {item.id: item.kind} if changes.get("reopens") else {}
    owed = {changes["party"]: [item.id]} if "party" in changes else {}
    return [
        *_seen({item.id: changes}, command),
        *_owed(state, owed),
        *_grown(state, grown, grown.values(), world),
    ]


def _changes(
    item: ScopeItem, given: Mapping[str, Any], *, unsaid: str = "", fills: bool = False
) -> dict[str, Any]:
    """What is new of an item. `unsaid` is when it was seen if nobody says; `fills`: words only fill gaps.

    So the same file again brings nothing, and whoever names one thing again has seen it now.
    """
    found = {name: given[name] for name in ("source", "note") if name in given}
    if fills:
        found = {name: value for name, value in found.items() if not getattr(item, name)}
    for name in ("evidence", "party", "confidence"):
        if given.get(name, getattr(item, name)) != getattr(item, name):
            found[name] = given[name]
    first, last = given.get("first_seen"), given.get("last_seen", unsaid)
    if first and (item.first_seen is None or first < iso(item.first_seen)):
        found["first_seen"] = first
    if last and (item.last_seen is None or last > iso(item.last_seen)):
        found["last_seen"] = last
    earliest, latest = (found.get(one) or _told(item, one) for one in ("first_seen", "last_seen"))
    if earliest and latest and earliest > latest:
        what = f"{item.id}, first_seen: {earliest} would lie after last_seen, {latest}"
        raise Refused(Reason.FIELD_WRONG, {"fields": [what]})
    if _back(item, found.get("last_seen")):
        found["reopens"] = True
    return found


def _told(item: ScopeItem, name: str) -> str:
    instant = getattr(item, name)
    return iso(instant) if instant is not None else ""


def _back(item: ScopeItem, last: str | None) -> bool:
    """Whether a thing that was fixed, or thought a false alarm, has shown itself since."""
    if last is None or not (item.fix is not None or item.retracted is not None):
        return False
    return item.settled_at is not None and last > iso(item.settled_at)


def _seen(changes: Mapping[str, dict[str, Any]], command: AddScope | UpdateScope) -> Iterator[Draft]:
    if isinstance(command, AddScope) and command.origin and changes:
        yield from _many("scope.met", changes, command)
        return
    for number, item in changes.items():
        data, texts = _split(item)
        yield Draft(kind="scope.seen", data={"id": number} | data, texts=texts, at=command.at)


# -- what was done about it ---------------------------------------------------------------------------------


def fix(state: Incident, command: FixScope, world: World) -> Decided:
    """What was done, in words, by a step or shown by evidence; of one item or of many at once."""
    require(command, "scope", state, world)
    must_not_have_ended(state)
    numbers = _chosen(state, command)
    data: dict[str, Any] = {}
    if command.step:
        data["step"] = done_step(state, command.step, world)
    if command.evidence:
        data["evidence"] = whole_item(state, command.evidence.upper())
    texts = {"fix": text(command.text, "fix")} if command.text.strip() or not data else {}
    return list(_about("scope.fixed", numbers, data, texts, command.at))


def accept(state: Incident, command: AcceptScope, world: World) -> Decided:
    """The risk of items is accepted, by its authority only."""
    require(command, "scope-accept", state, world)
    must_not_have_ended(state)
    texts = {"reason": text(command.reason, "reason")}
    return list(_about("scope.accepted", _chosen(state, command), {}, texts, command.at))


def retract(state: Incident, command: RetractScope, world: World) -> Decided:
    """A false alarm. It opens a gate as a fix does, so that it takes more than noting something down."""
    require(command, "scope-retract", state, world)
    must_not_have_ended(state)
    numbers = [_find(state, one).id for one in command.ids]
    already = [one for one in numbers if state.scope[one].retracted is not None]
    if already or not numbers:
        raise Refused(Reason.ALREADY, {"what": ", ".join(already[:5])})
    texts = {"reason": text(command.reason, "reason")}
    return list(_about("scope.retracted", numbers, {}, texts, command.at))


def _find(state: Incident, number: str) -> ScopeItem:
    found = state.scope.get(number.upper())
    if found is None:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": number, "known": sorted(state.scope)[:20]})
    return found


def _chosen(state: Incident, command: FixScope | AcceptScope) -> list[str]:
    """The items that are meant: those named, or all that are open of a kind and type."""
    if command.ids or not command.every:
        return list(dict.fromkeys(_find(state, one).id for one in command.ids or ("",)))
    if command.kind and command.kind not in KINDS:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.kind, "known": list(KINDS)})
    found = [
        one.id
        for one in state.scope.values()
        if not one.settled and command.kind in {"", one.kind} and command.type in {"", one.type}
    ]
    if not found:
        raise Refused(Reason.ALREADY, {"what": command.kind or "scope"})
    return found


def _about(
    kind: str, numbers: list[str], data: Mapping[str, Any], texts: Mapping[str, str], at: datetime | None
) -> Iterator[Draft]:
    if len(numbers) == 1:
        yield Draft(kind=kind, data={"id": numbers[0]} | dict(data), texts=dict(texts), at=at)
        return
    for some in _batches(numbers, IDS):
        many = {"ids": some, "count": len(some)} | dict(data)
        yield Draft(kind=f"{kind}_many", data=many, texts=dict(texts), at=at)


# -- third parties, and containment again -------------------------------------------------------------------


def _parties(fresh: Mapping[str, Any], changes: Mapping[str, Any], world: World) -> dict[str, list[str]]:
    """Whose assets these are: the party that an item names, and those that a service runs through."""
    found: dict[str, list[str]] = {}
    for number, item in (*fresh.items(), *changes.items()):
        service = world.directory.service(item.get("service", ""))
        for party in dict.fromkeys((item.get("party", ""), *(service.vendors if service else ()))):
            if party:
                found.setdefault(party, []).append(number)
    return found


def _owed(state: Incident, parties: Mapping[str, list[str]]) -> Iterator[Draft]:
    """A third party whose asset is affected is to be told (FSA-2.5.2.4-Da), once for all that is known."""
    for party, because in parties.items():
        known = state.party_notices.get(party)
        if known is None or known.settled_at is not None or not set(because) <= set(known.because):
            yield Draft(
                kind="party.owed", data={"party": party, "because": because[:BATCH], "count": len(because)}
            )


def stopped_parties(state: Incident, world: World) -> list[Draft]:
    """Containment has stopped a service that runs through third parties: they are to be told as well."""
    owed: dict[str, list[str]] = {}
    for name, known in state.services.items():
        service = world.directory.service(name) if known.stopped_at is not None else None
        for party in service.vendors if service is not None else ():
            notice = state.party_notices.get(party)
            if notice is None or name not in notice.because:
                owed.setdefault(party, []).append(name)
    return list(_owed(state, owed))


def settle_party(state: Incident, command: SettleParty, world: World) -> Decided:
    """A person decides that a third party is owed no notice. Telling it is a message that was sent."""
    require(command, "party-notice", state, world)
    must_not_have_ended(state)
    notice = state.party_notices.get(command.party)
    if notice is None:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.party, "known": sorted(state.party_notices)})
    if notice.settled_at is not None:
        raise Refused(Reason.ALREADY, {"what": command.party})
    data = {"party": command.party, "how": "not-due"}
    return [
        Draft(
            kind="party.settled", data=data, texts={"reason": text(command.reason, "reason")}, at=command.at
        )
    ]


def _grown(state: Incident, numbers: Iterable[str], kinds: Iterable[str], world: World) -> list[Draft]:
    """The scope has grown after containment had ended: somebody has to decide on containing again."""
    found = [number for number, kind in zip(numbers, kinds, strict=True) if kind in NEED_A_FIX]
    if not found:
        return []
    what = found[0] if len(found) == 1 else f"{found[0]}–{found[-1]}"
    return propose_reopening(state, "containment", f"scope-grew:{what}", world)
