"""The evidence ledger's rules: what is recorded, who may hand it on, what may be disposed of, and when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from models.clock import iso
from models.commands import AddEvidence, Command
from models.custody import (
    DisposeEvidence,
    DisposeTexts,
    HoldEvidence,
    RecordRemoval,
    RecordRound,
    TransferEvidence,
    VerifyEvidence,
)
from models.errors import Refused
from models.evidence import BROKEN, STORE, VOLATILITY, WHOLE, WORDS, Evidence, Hold, Particulars
from models.fact import SYSTEM, Draft
from models.permission import require
from models.reason import Reason
from models.routing import ask
from models.rules.common import MAX_TEXT, MAX_TITLE, Decided, find_step, text, word
from models.state import ENDED, House, Incident
from models.world import World

DAMAGED = "evidence-damaged"
SUBJECT = "evidence"
MAX_WORDS = 1_200
"""Characters of a field of an item that is free text, such as a tool with its whole command."""
SHAPE = "sha256: and 64 hexadecimal digits"
MAX_OFFSET_MS = 100 * 365 * 86_400_000
"""A clock can be a century wrong, and not more."""
_OWN = frozenset(WORDS) - {"description", "name", "problem"}


def _digest(value: str, field: str = "digest") -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        raise Refused(Reason.FIELD_WRONG, {"fields": [f"{field}: expected {SHAPE}"]})
    return value


def _item(state: Incident, number: str) -> Evidence:
    if number not in state.evidence:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": number, "known": sorted(state.evidence)})
    return state.evidence[number]


# -- recording ----------------------------------------------------------------------------------------------


def add_evidence(state: Incident, command: AddEvidence, world: World) -> Decided:
    """Something was preserved; allowed for ever."""
    require(command, "evidence", state, world)
    about = command.about
    data: dict[str, Any] = {
        "id": f"EV-{len(state.evidence) + 1:04d}",
        "source": word(command.source, "source", WHOLE),
        "size": str(command.size),
        "partial": command.partial,
        "stored": command.stored[:MAX_TITLE],
    }
    if command.digest:
        data["digest"] = _digest(command.digest)
    if command.step:
        data["step"] = find_step(state, world, command.step)[0].key
    texts = {"description": text(command.description, "description")}
    if command.name:
        texts["name"] = text(command.name, "name", MAX_TITLE)
    data |= particulars(state, about, command.digest)
    texts |= words_of(about)
    return [Draft(kind="evidence.added", data=data, texts=texts, at=command.at)]


def particulars(state: Incident, about: Particulars, digest: str | None) -> dict[str, Any]:
    """The fields of an item that not every item has. Raises Refused with all that is wrong."""
    if wrong := list(_wrong(about, digest)):
        raise Refused(Reason.FIELD_WRONG, {"fields": wrong})
    data: dict[str, Any] = {}
    if about.kind != "file":
        data["item"] = about.kind
    if about.clock_offset_ms is not None:
        data["clock_offset_ms"] = str(about.clock_offset_ms)
    if about.volatility is not None:
        data["volatility"] = about.volatility
    if about.stored_digest:
        data |= {"stored_digest": about.stored_digest, "stored_size": str(about.stored_size)}
    if about.sealed_to:
        data["sealed_to"] = list(about.sealed_to)
    if any(about.covers):
        data["covers"] = list(about.covers)
    if about.referenced:
        data["referenced"] = True
    if (first := _first_with(state, digest)) is not None:
        data["duplicate_of"] = first
    return data


def _wrong(about: Particulars, digest: str | None) -> Iterator[str]:
    if about.volatility is not None and about.volatility not in VOLATILITY:
        yield f"volatility: expected 1 to 7 (RFC 3227), got {about.volatility}"
    if about.clock_offset_ms is not None and abs(about.clock_offset_ms) > MAX_OFFSET_MS:
        yield "clock_offset: expected milliseconds within a century"
    if about.stored_digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", about.stored_digest):
        yield f"stored_digest: expected {SHAPE}"
    if about.referenced and not digest:
        yield "digest: what is only referenced needs one, or nothing shows that it stayed the same"
    if unknown := sorted(name for name, _ in about.words if name not in _OWN):
        yield f"words: unknown {', '.join(unknown)}; known are {', '.join(sorted(_OWN))}"


def words_of(about: Particulars) -> dict[str, str]:
    """The texts of an item beside its name and description."""
    return {name: text(value, name, MAX_WORDS) for name, value in about.words if value.strip()} | (
        {"problem": text(about.problem, "problem")} if about.problem.strip() else {}
    )


def from_machine(item: Mapping[str, Any], volatility: int | None) -> Particulars:
    """What an action says of an item that it kept (`flows.actions.values.CollectedItem`)."""
    words = {name: str(item.get(name) or "") for name in ("host", "account", "tool", "command")}
    words["location"] = str(item.get("source") or "")
    cut = tuple((name, value[:MAX_WORDS]) for name, value in words.items() if value)
    return Particulars(
        words=cut,
        clock_offset_ms=item.get("offset_ms"),
        volatility=volatility,
        stored_digest=str(item.get("stored_digest") or ""),
        stored_size=int(item.get("stored_size") or 0),
        sealed_to=tuple(item.get("sealed_to") or ()),
        covers=(str(item.get("range_from") or ""), str(item.get("range_until") or "")),
        problem=str(item.get("problem") or "")[:MAX_TEXT],
    )


def _first_with(state: Incident, digest: str | None) -> str | None:
    """The first item with these very bytes: an honest duplicate, whose object is stored once."""
    if digest is None:
        return None
    return next((one.id for one in state.evidence.values() if one.digest == digest), None)


# -- custody ------------------------------------------------------------------------------------------------


def transfer(state: Incident, command: TransferEvidence, world: World) -> Decided:
    """Released by whoever holds it and nobody else; a receiver of the directory is asked to confirm.

    What the evidence folder or somebody outside holds is released by whoever may record evidence.
    """
    require(command, "evidence", state, world)
    item = _item(state, command.id)
    _not_disposed(item)
    inside = item.holder not in {"", STORE} and world.directory.person(item.holder) is not None
    if inside and command.actor.person != SYSTEM and command.who != item.holder:
        detail = {"item": item.id, "holder": item.holder, "who": command.who}
        raise Refused(Reason.NOT_HELD_BY, detail)
    to = text(command.to, "to", MAX_TITLE)
    if to == item.holder:
        raise Refused(Reason.ALREADY, {"item": item.id})
    data: dict[str, Any] = {"id": item.id, "released_by": item.holder}
    texts = {
        "purpose": text(command.purpose, "purpose", MAX_WORDS),
        "place": text(command.place, "place", MAX_TITLE),
    }
    if not item.holder and item.holder_name:
        data["released_name"] = item.holder_name
    if command.digest:
        data["digest"] = _digest(command.digest)
    if command.digest and item.digest:
        data["result"] = "same" if command.digest == item.digest else "different"
    else:
        # Without a digest in the record there is nothing to compare with; what was found is kept.
        data["result"] = "not-checked"
    data |= _receiver(command, to, world, texts)
    moved = Draft(kind="evidence.transferred", data=data, texts=texts, at=command.at)
    if data["result"] == "different":
        return [moved, *ask(world, state, DAMAGED, f"{SUBJECT}:{item.id}", {"id": item.id})]
    return [moved]


def _receiver(command: TransferEvidence, to: str, world: World, texts: dict[str, str]) -> dict[str, Any]:
    if world.directory.person(to) is not None:
        # Whoever writes it down has it, or the receiver says so themselves (design, 14).
        return {"received_by": to} | ({} if to == command.actor.person else {"confirms": to})
    if any(one.id == to for one in world.organisation.third_parties):
        if command.organisation.strip():
            # The person who came for it, beside the party that they came from.
            texts["organisation"] = text(command.organisation, "organisation", MAX_TITLE)
        return {"received_by": to, "outside": True}
    if not command.organisation.strip():
        raise Refused(Reason.UNKNOWN_RECEIVER, {"who": to})
    texts["received_name"] = to
    texts["organisation"] = text(command.organisation, "organisation", MAX_TITLE)
    return {"outside": True}


def _not_disposed(item: Evidence) -> None:
    if item.disposal is not None:
        raise Refused(Reason.DISPOSED, {"item": item.id})


def verify(state: Incident, command: VerifyEvidence, world: World) -> Decided:
    """Items were compared with their digests; what is damaged or gone pages somebody, each time it is found.

    Of the node's regular rounds only a change is a fact: an item that passes every day is one line a round in
    the house's record, and not one a day in each incident's.
    """
    require(command, "evidence-verify", state, world)
    results: dict[str, list[str]] = {}
    digests: dict[str, str] = {}
    for one in command.found:
        item = _item(state, one.id)
        before = item.check.result if item.check is not None else None
        if command.actor.person == SYSTEM and before == one.result:
            continue
        results.setdefault(one.result, []).append(one.id)
        if one.digest and one.result == "different":
            digests[one.id] = _digest(one.digest, "found")
    if not results:
        return []
    data = {**results, **({"found": digests} if digests else {})}
    drafts = [Draft(kind="evidence.verified", data=data, at=command.at)]
    for number in (one for result in sorted(BROKEN) for one in results.get(result, ())):
        if state.evidence[number].disposal is not None:
            continue
        subject = f"{SUBJECT}:{number}"
        if not any(page.subject == subject and page.event == DAMAGED for page in state.open_pages()):
            drafts += ask(world, state, DAMAGED, subject, {"id": number})
    return drafts


def evidence_waits(state: Incident, number: str) -> bool:
    """Whether a page about an item still has to be answered: it is damaged or gone, and not disposed of."""
    item = state.evidence.get(number)
    return item is not None and item.disposal is None and item.doubted


# -- holds and the end --------------------------------------------------------------------------------------


def hold(state: Incident, command: HoldEvidence, world: World) -> Decided:
    """A legal hold begins or ends. Several may last at once, and each is lifted by itself."""
    require(command, "evidence-hold", state, world)
    for number in command.ids:
        _not_disposed(_item(state, number))
    reason = {"reason": text(command.reason, "reason")}
    if command.how == "hold":
        return [Draft(kind="evidence.held", data={"ids": list(command.ids)}, texts=reason, at=command.at)]
    lifted: dict[int, list[str]] = {}
    for number in command.ids:
        lifted.setdefault(_lifted(state.evidence[number].holds, command.hold, number), []).append(number)
    if not command.ids:
        lifted = _lifted_whole(state, command.hold)
    return [
        Draft(kind="evidence.released", data={"ids": ids, "hold": seq}, texts=reason, at=command.at)
        for seq, ids in lifted.items()
    ]


def _lifted(holds: list[Hold], wanted: int | None, what: str) -> int:
    """The one hold that is meant: the only one, or that which is named."""
    known = [one.seq for one in holds]
    if not known or (wanted is not None and wanted not in known):
        raise Refused(Reason.ALREADY, {"item": what})
    if wanted is None and len(known) > 1:
        named = ", ".join(f"#{one.seq} ({one.by})" for one in holds)
        raise Refused(Reason.FIELD_WRONG, {"fields": [f"hold: several hold {what}, name one of {named}"]})
    return known[0] if wanted is None else wanted


def _lifted_whole(state: Incident, wanted: int | None) -> dict[int, list[str]]:
    """A hold on everything, or one that is named with all items that are under it."""
    under = [one.id for one in state.evidence.values() if any(hold.seq == wanted for hold in one.holds)]
    if under and wanted is not None:
        return {wanted: under}
    return {_lifted(state.evidence_holds, wanted, state.stream): []}


def _not_held(state: Incident, item: Evidence) -> None:
    for one in (*item.holds, *state.evidence_holds):
        raise Refused(Reason.ON_HOLD, {"item": item.id, "by": one.by})


def _in_person(command: Command, what: str) -> None:
    """Nobody destroys by writing that another has decided it: no later denial brings it back."""
    if command.for_ is not None and command.for_ != command.actor.person:
        raise Refused(Reason.IN_PERSON, {"who": command.for_, "step": what})


def dispose(state: Incident, command: DisposeEvidence, world: World) -> Decided:
    """The decision to keep an item no longer, after the incident and outside any legal hold."""
    require(command, "evidence-dispose", state, world)
    item = _item(state, command.id)
    _in_person(command, item.id)
    _not_disposed(item)
    if state.status not in ENDED | {"closed"}:
        raise Refused(Reason.STILL_OPEN, {"incident": state.stream, "status": state.status})
    _not_held(state, item)
    texts = {
        "reason": text(command.reason, "reason"),
        "authority": text(command.authority, "authority", MAX_TITLE),
    }
    return [Draft(kind="evidence.disposed", data={"id": item.id}, texts=texts)]


def removal(state: Incident, command: RecordRemoval, world: World) -> Decided:
    """What became of the stored object of a disposed item; said once.

    Asked before the object is removed: a hold that came after the decision keeps what is still there.
    """
    require(command, "evidence-dispose", state, world)
    item = _item(state, command.id)
    _in_person(command, item.id)
    if item.disposal is None:
        raise Refused(Reason.STILL_OPEN, {"incident": state.stream, "status": state.status})
    if item.disposal.removed:
        return []
    _not_held(state, item)
    return [Draft(kind="evidence.removed", data={"id": item.id, "how": command.how})]


def dispose_texts(state: Incident, command: DisposeTexts, world: World) -> Decided:
    """Texts beside the record are disposed of by a recorded decision; verification then says so."""
    require(command, "evidence-dispose", state, world)
    _in_person(command, state.stream)
    if state.status not in ENDED | {"closed"}:
        raise Refused(Reason.STILL_OPEN, {"incident": state.stream, "status": state.status})
    for held in state.evidence_holds:
        raise Refused(Reason.ON_HOLD, {"item": state.stream, "by": held.by})
    for item in state.evidence.values():
        _keeps_none(state, item, set(command.digests))
    reason = text(command.reason, "reason")
    wrong = [one for one in command.digests if not re.fullmatch(r"t:[0-9a-f]{64}", one)]
    if wrong or not command.digests:
        fields = [f"digest: expected t: and 64 hexadecimal digits, got {one!r}" for one in wrong]
        raise Refused(Reason.FIELD_WRONG, {"fields": fields or ["digest: expected one or more"]})
    return [
        Draft(kind="text.disposed", data={"digest": one}, texts={"reason": reason})
        for one in dict.fromkeys(command.digests)
    ]


def _keeps_none(state: Incident, item: Evidence, digests: set[str]) -> None:
    """Refused: texts of an item under a hold, and the place of one that is looked after where it lies."""
    own = {*item.words.values(), item.name, item.holder_name}
    own |= {digest for one in item.transfers for digest in one.words.values()}
    if own & digests:
        _not_held(state, item)
    if item.referenced and item.disposal is None and item.words.get("storage") in digests:
        where = (
            f"digest: says where {item.id} lies, without which it is not looked after; dispose of it first"
        )
        raise Refused(Reason.FIELD_WRONG, {"fields": [where]})


def record_round(state: House, command: RecordRound, world: World) -> Decided:
    """The node has compared all stored items: one line for all of them."""
    del state
    data = {
        "since": iso(command.since),
        "items": command.items,
        "size": str(command.size),
        "damaged": command.damaged,
    } | ({"unrecorded": command.unrecorded} if command.unrecorded else {})
    return [Draft(kind="evidence.round", data=data, at=world.now)]
