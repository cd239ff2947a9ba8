"""The evidence of an incident with its chain of custody, and by phase (FSA-2.5.2.2-B2), as plain data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.clock import iso
from models.desk import Desk
from models.evidence import Evidence, Hold, Transfer
from models.policy import PHASES
from models.state import Incident
from models.world import World

FORMAT = "hikeshi-evidence/1"
BEFORE = "before"
"""What was preserved before any phase had opened."""
Read = Callable[[str], str | None]


def evidence_list(desk: Desk, stream: str) -> dict[str, Any]:
    """All of an incident's evidence as JSON-able data: texts in full, None for what was disposed of.

    Raises NotFound.
    """
    state = desk.incident(stream)
    return listed(state, desk.world(state), desk.texts(stream))


def listed(state: Incident, world: World, texts: dict[str, str | None]) -> dict[str, Any]:
    """The same from what is at hand."""
    read: Read = lambda digest: texts.get(digest, digest) if digest.startswith("t:") else digest  # noqa: E731
    holds = [_hold(one, read) for one in state.evidence_holds]
    items = [item_json(one, state, world, read) for one in state.evidence.values()]
    return {
        "format": FORMAT,
        "incident": state.stream,
        "hold": holds[0] if holds else None,
        "holds": holds,
        "items": items,
        "by_phase": {
            phase: [one["id"] for one in items if one["phase"] == phase]
            for phase in (BEFORE, *PHASES, "communication")
            if any(one["phase"] == phase for one in items)
        },
    }


def phase_of(item: Evidence, state: Incident, world: World) -> str:
    """The phase in which an item was collected: its step's, or that which had opened last by then."""
    planned = world.step(state, item.step) if item.step else None
    if planned is not None:
        return planned.step.phase
    opened = [
        (known.opened_at, PHASES.index(name))
        for name in PHASES
        if (known := state.phases.get(name)) is not None
        and known.opened_at is not None
        and known.opened_at <= item.at
    ]
    return PHASES[max(opened)[1]] if opened else BEFORE


def item_json(item: Evidence, state: Incident, world: World, read: Read) -> dict[str, Any]:
    """One item with every field of its chain of custody; what nobody recorded is None or empty."""
    words = {field: read(digest) for field, digest in item.words.items()}
    return {
        "id": item.id,
        "incident": state.stream,
        "phase": phase_of(item, state, world),
        "source": item.source,
        "sources": item.sources,
        "kind": item.kind,
        "step": item.step,
        **{name: words.get(name, "") for name in _NAMED},
        "name": read(item.name) if item.name else "",
        "collected_by": words.get("collected_by") or item.by,
        "recorded_by": item.by,
        "collected_at": iso(item.at),
        "clock_offset_ms": item.clock_offset_ms,
        "covers": item.covers,
        "volatility": item.volatility,
        "partial": item.partial,
        "problem": words.get("problem", ""),
        "digest": item.digest,
        "size": item.size,
        "storage": {
            "object": item.stored or None,
            "referenced": item.referenced,
            "place": words.get("storage", ""),
            "digest": item.stored_digest or item.digest,
            "size": item.stored_size or item.size,
            "sealed_to": item.sealed_to,
        },
        "duplicate_of": item.duplicate_of,
        "holder": {"id": item.holder or None, "name": read(item.holder_name) if item.holder_name else None},
        "transfers": [_transfer(one, read) for one in item.transfers],
        "verified": None
        if item.check is None
        else {
            "at": iso(item.check.at),
            "by": item.check.by,
            "result": item.check.result,
            "found": item.check.found,
        },
        "hold": _hold(item.holds[0], read) if item.holds else None,
        "holds": [_hold(one, read) for one in item.holds],
        "disposed": None
        if item.disposal is None
        else {
            "at": iso(item.disposal.at),
            "by": item.disposal.by,
            "reason": read(item.disposal.reason),
            "authority": read(item.disposal.authority) if item.disposal.authority else "",
            "object": item.disposal.removed or "not removed yet",
        },
        "secures_analysis": item.secures,
    }


def _hold(one: Hold, read: Read) -> dict[str, Any]:
    return {"fact": one.seq, "at": iso(one.at), "by": one.by, "reason": read(one.reason)}


_NAMED = (
    "description", "make", "model", "serial", "owner", "host", "account", "location", "tool", "command",
    "reason", "seal", "witness",
)  # fmt: skip


def _transfer(one: Transfer, read: Read) -> dict[str, Any]:
    return {
        "fact": one.seq,
        "at": iso(one.at),
        "released_by": one.released_by or read(one.words.get("released_name", "")),
        "received_by": one.received_by or read(one.words.get("received_name", "")),
        "organisation": read(one.words.get("organisation", "")),
        "outside": one.outside,
        "purpose": read(one.words.get("purpose", "")),
        "place": read(one.words.get("place", "")),
        "digest": one.digest,
        "result": one.result,
        "recorded_by": one.recorded_by,
        "receipt_confirmed_at": iso(one.confirmed_at) if one.confirmed_at else None,
    }
