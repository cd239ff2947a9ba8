"""How facts about evidence and its custody change an incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, get_args

from models.evidence import STORE, WORDS, Check, CheckResult, Disposal, Evidence, Hold, Transfer
from models.fact import SYSTEM, Fact
from models.state import Confirmation, Incident

TRANSFERRED = "evidence.transferred"


def _added(state: Incident, fact: Fact) -> None:
    data = fact.data
    by = fact.for_ or fact.actor
    outside = data.get("collected_by", "")
    state.evidence[data["id"]] = Evidence(
        id=data["id"],
        source=data["source"],
        sources=data.get("sources", [data["source"]]),
        digest=data.get("digest"),
        at=fact.at,
        by=by,
        size=int(data.get("size", 0)),
        step=data.get("step"),
        partial=data.get("partial", False),
        stored=data.get("stored", ""),
        name=data.get("name", ""),
        kind=data.get("item", "file"),
        words={field: data[field] for field in WORDS if field in data},
        clock_offset_ms=int(data["clock_offset_ms"]) if "clock_offset_ms" in data else None,
        volatility=data.get("volatility"),
        stored_digest=data.get("stored_digest"),
        stored_size=int(data.get("stored_size", 0)),
        sealed_to=list(data.get("sealed_to", [])),
        covers=list(data.get("covers", [])),
        referenced=data.get("referenced", False),
        duplicate_of=data.get("duplicate_of"),
        holder="" if outside else (STORE if by == SYSTEM else by),
        holder_name=outside,
    )


def _transferred(state: Incident, fact: Fact) -> None:
    data = fact.data
    item = state.evidence[data["id"]]
    fields = ("released_name", "received_name", "organisation", "purpose", "place")
    item.transfers.append(
        Transfer(
            seq=fact.seq,
            at=fact.at,
            released_by=data.get("released_by", ""),
            received_by=data.get("received_by", ""),
            outside=data.get("outside", False),
            words={field: data[field] for field in fields if field in data},
            digest=data.get("digest"),
            result=data.get("result", "not-checked"),
            recorded_by=fact.actor,
        )
    )
    item.holder = data.get("received_by", "")
    item.holder_name = data.get("received_name", "")
    receiver = data.get("confirms")
    if receiver is not None:
        state.unasked.append(Confirmation(seq=fact.seq, person=receiver, by=fact.actor, what=fact.kind))


def received(state: Incident, seq: int, at: datetime) -> None:
    """Whoever received an item has confirmed it."""
    for item in state.evidence.values():
        for transfer in item.transfers:
            if transfer.seq == seq:
                transfer.confirmed_at = at


def _verified(state: Incident, fact: Fact) -> None:
    found = fact.data.get("found", {})
    for result in get_args(CheckResult):
        for number in fact.data.get(result, ()):
            item = state.evidence[number]
            item.check = Check(at=fact.at, by=fact.for_ or fact.actor, result=result, found=found.get(number))
            if result == "same" and fact.actor != SYSTEM:
                # What a receiver found to differ is settled by a person who looks, not by the nightly round.
                for transfer in item.transfers:
                    transfer.settled = True


def _held(state: Incident, fact: Fact) -> None:
    hold = Hold(at=fact.at, by=fact.for_ or fact.actor, reason=fact.data["reason"], seq=fact.seq)
    for holds in _holds(state, fact):
        holds.append(hold)


def _released(state: Incident, fact: Fact) -> None:
    seq = fact.data.get("hold")
    for holds in _holds(state, fact):
        # Facts of before there could be several name none: they lifted whatever there was.
        holds[:] = [one for one in holds if seq is not None and one.seq != seq]


def _holds(state: Incident, fact: Fact) -> list[list[Hold]]:
    """The lists that a fact is about: of the items that it names, or that of everything."""
    numbers = fact.data["ids"]
    return [state.evidence[number].holds for number in numbers] if numbers else [state.evidence_holds]


def _disposed(state: Incident, fact: Fact) -> None:
    state.evidence[fact.data["id"]].disposal = Disposal(
        at=fact.at, by=fact.for_ or fact.actor, reason=fact.data["reason"], authority=fact.data["authority"]
    )


def _removed(state: Incident, fact: Fact) -> None:
    disposal = state.evidence[fact.data["id"]].disposal
    if disposal is not None:
        disposal.removed = fact.data["how"]


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "evidence.added": _added,
    TRANSFERRED: _transferred,
    "evidence.verified": _verified,
    "evidence.held": _held,
    "evidence.released": _released,
    "evidence.disposed": _disposed,
    "evidence.removed": _removed,
}
