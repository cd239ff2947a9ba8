"""The evidence ledger as people read it: a list, a list by phase, and one item with its chain of custody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from console.evidence_list import BEFORE, phase_of
from console.views.naming import Naming
from console.views.sheet import Line, Section, Style, harmless
from models.evidence import STORE, Evidence, Transfer
from models.policy import PHASES
from models.state import Incident

SHORT_DIGEST = 23
MAX_WORDS = 1_200


def lines(state: Incident, naming: Naming, *, whole: bool = False) -> Iterator[Line]:
    """A line for each item; `whole` with its whole digest."""
    for hold in state.evidence_holds:
        reason = naming.text(hold.reason, 200)
        who = naming.who(hold.by)
        said = naming.texts("evidence.hold_all", who=who, reason=reason)
        yield Line(text=f"{said}  #{hold.seq}", style="strong")
    for item in state.evidence.values():
        yield line(item, naming, whole=whole)


def section(state: Incident, naming: Naming) -> Section:
    """The whole list."""
    found = tuple(lines(state, naming, whole=True)) or (Line(text=naming.texts("words.none")),)
    return Section(title=naming.texts("words.title.evidence"), parts=found)


def line(item: Evidence, naming: Naming, *, whole: bool = False) -> Line:
    """One item in one line, with what is to be known of it before it is relied upon."""
    digest = item.digest or naming.texts("words.no_digest")
    shown = digest if whole else digest[:SHORT_DIGEST]
    source = harmless(item.source)
    text = f"{item.id}  {source}  {naming.text(item.name, 120)}  {shown}  {naming.who(item.by)}"
    partial = naming.texts("words.partial") if item.partial else ""
    found = marks(item, naming)
    said = "".join(f"  {one}" if one.startswith("【") else f"  [{one}]" for one in found)
    return Line(text=f"{text}  {naming.times.at(item.at)}{partial}{said}", style=_style(item))


def _style(item: Evidence) -> Style:
    if item.doubted and item.disposal is None:
        return "bad"
    return "warn" if item.partial else "dim" if item.disposal is not None else "plain"


def marks(item: Evidence, naming: Naming) -> list[str]:
    """What has to be known of an item besides, in words."""
    say = naming.texts
    found = []
    if item.kind != "file":
        found.append(say.word("evidence.kind", item.kind))
    if item.duplicate_of:
        found.append(say("evidence.duplicate", id=item.duplicate_of))
    if item.sealed_to:
        found.append(say("evidence.sealed"))
    if item.referenced:
        found.append(say("evidence.referenced"))
    if item.holder != item.by and not (item.holder == STORE and item.by in {STORE, "hikeshi"}):
        found.append(say("evidence.held_by", who=holder(item, naming)))
    if item.check is not None:
        found.append(say.word("evidence.check", item.check.result))
    if item.holds:
        found.append(say("evidence.on_hold"))
    if item.disposal is not None:
        found.append(say("evidence.disposed", at=naming.times.at(item.disposal.at)))
    return found


def holder(item: Evidence, naming: Naming) -> str:
    """Who has it now."""
    if item.holder == STORE:
        return naming.texts("evidence.store")
    return naming.who(item.holder) if item.holder else naming.text(item.holder_name, 200)


def by_phase(state: Incident, naming: Naming) -> list[Section]:
    """The list of what was collected in each phase (FSA-2.5.2.2-B2)."""
    return [
        Section(title=title_of(phase, naming), parts=tuple(line(one, naming, whole=True) for one in items))
        for phase, items in _phases(state, naming)
    ]


def _phases(state: Incident, naming: Naming) -> Iterator[tuple[str, list[Evidence]]]:
    found: dict[str, list[Evidence]] = {}
    for item in state.evidence.values():
        found.setdefault(phase_of(item, state, naming.world), []).append(item)
    yield from ((phase, found[phase]) for phase in (BEFORE, *PHASES, "communication") if phase in found)


def report(state: Incident, naming: Naming) -> Iterator[Line]:
    """The list of the report: what was collected in each phase, and who has had it since (FSA-2.5.2.2-B2)."""
    for phase, items in _phases(state, naming):
        yield Line(text=title_of(phase, naming), style="strong")
        for item in items:
            yield replace(line(item, naming, whole=True), indent=1)
            about = [naming.text(item.words.get(name), 200) for name in ("description", "location", "tool")]
            yield Line(text=naming.texts("words.comma").join(one for one in about if one), indent=2)
            for one in (*_custody(item, naming), *_end(item, state, naming)):
                yield replace(one, indent=2)


def title_of(phase: str, naming: Naming) -> str:
    """The name of a phase, or that none had opened yet."""
    return naming.texts("evidence.before") if phase == BEFORE else naming.phase(phase)


def item_section(item: Evidence, state: Incident, naming: Naming) -> Section:
    """Everything that is known of one item."""
    return Section(
        title=f"{item.id}  {naming.text(item.name, 200) or item.source}",
        parts=(*_fields(item, state, naming), *_custody(item, naming), *_end(item, state, naming)),
    )


_WORDS = (
    "description", "problem", "make", "model", "serial", "owner", "host", "account", "location", "tool",
    "command", "reason", "storage", "seal", "witness",
)  # fmt: skip


def _fields(item: Evidence, state: Incident, naming: Naming) -> Iterator[Line]:
    say = naming.texts
    offset = item.clock_offset_ms
    values: dict[str, str] = {
        "source": naming.texts("words.comma").join(item.sources),
        "kind": say.word("evidence.kind", item.kind),
        "phase": title_of(phase_of(item, state, naming.world), naming),
        "step": naming.step(item.step) if item.step else "",
        **{name: naming.text(item.words.get(name), MAX_WORDS) for name in _WORDS if name in item.words},
        "collected_by": naming.text(item.words.get("collected_by")) or naming.who(item.by),
        "collected_at": naming.times.at(item.at, seconds=True),
        "clock_offset": say("evidence.offset_unknown") if offset is None else f"{offset:+d} ms",
        "covers": " – ".join(one or "…" for one in item.covers) if item.covers else "",
        "volatility": str(item.volatility or ""),
        "digest": item.digest or say("words.no_digest"),
        "size": f"{item.size:,}",
        "object": item.stored or (say("evidence.referenced") if item.referenced else ""),
        "stored_digest": f"{item.stored_digest} ({item.stored_size:,})" if item.sealed_to else "",
        "sealed_to": naming.texts("words.comma").join(item.sealed_to),
        "duplicate_of": item.duplicate_of or "",
        "holder": holder(item, naming),
    }
    for name, value in values.items():
        if value:
            yield Line(text=f"{say.word('evidence.field', name)}: {value}")


def _custody(item: Evidence, naming: Naming) -> Iterator[Line]:
    for one in item.transfers:
        yield Line(text=_transfer(one, naming), style="bad" if one.result == "different" else "plain")
    if item.check is not None:
        result = naming.texts.word("evidence.check", item.check.result)
        found = f" ({item.check.found})" if item.check.found else ""
        who, when = naming.who(item.check.by), naming.times.at(item.check.at)
        yield Line(text=f"{result}{found}  {who}  {when}", style=_style(item))


def _transfer(one: Transfer, naming: Naming) -> str:
    organisation = naming.text(one.words.get("organisation"))
    return naming.texts(
        "evidence.transfer",
        at=naming.times.at(one.at),
        released=_party(one.released_by, one.words.get("released_name"), naming),
        received=_party(one.received_by, one.words.get("received_name"), naming)
        + (f" ({organisation})" if organisation else ""),
        purpose=naming.text(one.words.get("purpose")),
        place=naming.text(one.words.get("place")),
        result=naming.texts.word("evidence.handed", one.result),
        receipt=_receipt(one, naming),
    )


def _party(who: str, name: str | None, naming: Naming) -> str:
    if who == STORE:
        return naming.texts("evidence.store")
    return naming.who(who) if who else naming.text(name)


def _receipt(one: Transfer, naming: Naming) -> str:
    if one.confirmed_at is not None:
        return naming.texts("evidence.receipt", at=naming.times.at(one.confirmed_at))
    if one.outside or one.recorded_by == one.received_by:
        return ""
    return naming.texts("evidence.no_receipt")


def _end(item: Evidence, state: Incident, naming: Naming) -> Iterator[Line]:
    say = naming.texts
    for hold in (*item.holds, *state.evidence_holds):
        who, reason = naming.who(hold.by), naming.text(hold.reason)
        said = say("evidence.hold", who=who, at=naming.times.at(hold.at), reason=reason)
        yield Line(text=f"{said}  #{hold.seq}", style="strong")
    if item.disposal is not None:
        end = item.disposal
        yield Line(
            text=say(
                "evidence.disposal",
                who=naming.who(end.by),
                at=naming.times.at(end.at),
                reason=naming.text(end.reason),
                authority=naming.text(end.authority),
                object=say.word("evidence.removed", end.removed or "not-yet"),
            )
        )
