"""Collections by hand, and what any collection leaves in the ledger (FSA-2.5.2.2-B1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from models.collecting import BeginCollection, EndCollection
from models.errors import Refused
from models.evidence import WHOLE
from models.fact import Draft
from models.permission import require
from models.reason import Reason
from models.routing import ask
from models.rules.common import MAX_TEXT, Decided, find_step, word
from models.rules.evidence import from_machine, particulars, words_of
from models.sources import EVENT, SUBJECT, unreachable_fact
from models.state import Incident
from models.world import World


def begin(state: Incident, command: BeginCollection, world: World) -> Decided:
    """Refused here, nothing has been read yet; allowed for ever, since evidence is."""
    require(command, "evidence", state, world)
    data = {"target": word(command.target, "target", WHOLE), "source": word(command.source, "source", WHOLE)}
    if command.step:
        data["step"] = find_step(state, world, command.step)[0].key
    return [Draft(kind="collection.begun", data=data)]


def end(state: Incident, command: EndCollection, world: World) -> Decided:
    """The items, and of a source that gave nothing that it did, which pages somebody."""
    require(command, "evidence", state, world)
    if not 0 < command.begun <= state.seq:
        raise Refused(Reason.FIELD_WRONG, {"fields": ["begun: expected the number of a fact"]})
    planned = find_step(state, world, command.step)[0] if command.step else None
    step = planned.key if planned is not None else None
    source = word(command.source, "source", WHOLE)
    volatility = planned.step.volatility if planned is not None else None
    drafts = collected(state, command.items, [source], step=step, volatility=volatility)
    if command.outcome == "unreachable":
        drafts += _unreachable(state, command, step, world)
    data: dict[str, Any] = {
        "begun": command.begun,
        "target": word(command.target, "target", WHOLE),
        "outcome": command.outcome,
        "taken": len(command.items),
    }
    texts = {"error": command.error[:MAX_TEXT]} if command.error.strip() else {}
    return [*drafts, Draft(kind="collection.ended", data=data, texts=texts)]


def _unreachable(state: Incident, command: EndCollection, step: str | None, world: World) -> list[Draft]:
    """Paged once: whoever tries five times in a row calls nobody five times."""
    subject = f"{SUBJECT}:{command.target}"
    fact = unreachable_fact(command.target, [command.source], command.error, step)
    if any(page.subject == subject and page.state == "open" for page in state.pages.values()):
        return [fact]
    return [fact, *ask(world, state, EVENT, subject, {"target": command.target})]


def collected(
    state: Incident,
    items: Sequence[Any],
    sources: list[str],
    *,
    step: str | None,
    volatility: int | None,
) -> list[Draft]:
    """What a collector preserved; what is known of each item goes with it, whatever it came to."""
    drafts: list[Draft] = []
    before: dict[str, str] = {}
    for number, item in enumerate(items, start=len(state.evidence) + 1):
        data = {
            "id": f"EV-{number:04d}",
            "source": sources[0],
            "sources": sources,
            "digest": item["digest"],
            "size": str(item["size"]),
            "stored": item["stored"],
            "partial": bool(item.get("problem")),
        }
        if step is not None:
            data["step"] = step
        about = from_machine(item, volatility)
        data |= particulars(state, about, item["digest"])
        data |= {"duplicate_of": before[item["digest"]]} if item["digest"] in before else {}
        before.setdefault(item["digest"], data["id"])
        texts = {"name": str(item["name"]), **words_of(about)}
        taken = item.get("collected_at")
        at = datetime.fromisoformat(taken) if taken else None
        drafts.append(Draft(kind="evidence.added", data=data, texts=texts, at=at))
    return drafts
