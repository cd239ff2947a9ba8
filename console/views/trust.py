"""Which channels are trusted, which are out of band, and whom they reach."""

from __future__ import annotations

from typing import Any

from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Table
from models.clock import iso
from models.distrust import NOT_FOR_PEOPLE
from models.outofband import HOLDS_FOR
from models.state import House


def out_of_band_line(state: House, naming: Naming) -> Line | None:
    """One line for other screens; None while every channel is trusted."""
    if not state.distrusted:
        return None
    channels = naming.texts("words.comma").join(sorted(state.distrusted))
    return Line(text=naming.texts("trust.line", channels=channels), style="bad")


def sections(state: House, naming: Naming) -> list[Section | Line]:
    """The channels as a table, what is proposed, and who has no trusted channel of their own."""
    texts = naming.texts
    headers = tuple(texts(f"trust.column.{name}") for name in ("channel", "state", "reaches"))
    table = Table(headers=headers, rows=tuple(_row(one, state, naming) for one in _channels(state, naming)))
    found: list[Section | Line] = [Section(title=texts("trust.title"), parts=(table,))]
    if (line := _proposed(state, naming)) is not None:
        found.append(line)
    if lost := _lost(state, naming):
        people = texts("words.comma").join(naming.who(one) for one in lost)
        found.append(Line(text=texts("trust.lost", people=people), style="bad"))
    return found


def _channels(state: House, naming: Naming) -> list[str]:
    return sorted(naming.world.channels | set(state.distrusted))


def _row(channel: str, state: House, naming: Naming) -> Row:
    texts, known = naming.texts, state.distrusted.get(channel)
    said = texts("trust.trusted")
    if known is not None:
        said = texts(
            "trust.since",
            at=naming.times.at(known.at),
            one=naming.who(known.proposed_by),
            other=naming.who(known.confirmed_by),
            reason=naming.text(known.reason, 200),
        )
    return Row(
        cells=(channel, said, str(_reaches(channel, naming))), style="bad" if known is not None else "plain"
    )


def _reaches(channel: str, naming: Naming) -> int:
    people = naming.world.organisation.people
    return sum(channel in one.ways and one.address(channel) is not None for one in people)


def _proposed(state: House, naming: Naming) -> Line | None:
    wanted = state.proposal
    if wanted is None:
        return None
    stale = naming.now - wanted.at > HOLDS_FOR
    text = naming.texts(
        "trust.stale" if stale else "trust.proposed",
        seq=wanted.seq,
        channels=naming.texts("words.comma").join(wanted.channels),
        way=naming.texts(f"trust.way.{wanted.way}"),
        by=naming.who(wanted.by),
        reason=naming.text(wanted.reason, 200),
        people=naming.texts("words.comma").join(naming.who(one) for one in wanted.unreachable)
        or naming.texts("words.none"),
    )
    return Line(text=text, style="dim" if stale else "warn")


def _lost(state: House, naming: Naming) -> list[str]:
    """People all of whose channels are out of band: their pages go to the fallback, or to the next level."""
    if not state.distrusted:
        return []
    trusted = naming.world.channels - NOT_FOR_PEOPLE
    found = []
    for person in naming.world.organisation.people:
        own = {one for one in person.ways if person.address(one)}
        if own & set(state.distrusted) and not own & trusted:
            found.append(person.id)
    return found


def as_json(state: House, naming: Naming) -> dict[str, Any]:
    """The same for programs."""
    wanted = state.proposal
    return {
        "trusted": sorted(naming.world.channels - set(state.distrusted)),
        "out_of_band": {
            name: {"at": iso(one.at), "proposed_by": one.proposed_by, "confirmed_by": one.confirmed_by}
            for name, one in sorted(state.distrusted.items())
        },
        "proposal": None
        if wanted is None
        else {
            "number": wanted.seq,
            "way": wanted.way,
            "channels": wanted.channels,
            "by": wanted.by,
            "at": iso(wanted.at),
            "unreachable": wanted.unreachable,
        },
        "without_a_channel": _lost(state, naming),
    }
