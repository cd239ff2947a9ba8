"""Packages that were made and given to others, and third parties that have to hear of the incident."""

from __future__ import annotations

from collections.abc import Iterator

from console.views.naming import Naming
from console.views.sheet import Line
from models.clock import iso
from models.scope import PartyNotice
from models.sharing import Sharing
from models.state import Incident

SHORT_DIGEST = 19


def sharings(state: Incident, naming: Naming) -> Iterator[Line]:
    """Each package with its label, and to whom it was given."""
    texts = naming.texts
    for one in state.sharings.values():
        part = texts.word("scope.part", one.part)
        text = f"{one.id}  {part}  TLP:{one.tlp}  {one.digest[:SHORT_DIGEST]}  {naming.times.at(one.at)}"
        yield Line(text=f"{text}  {naming.who(one.by)}")
        for name in one.allowed:
            yield Line(text=texts("scope.let_pass", name=naming.text(name, 80)), style="warn", indent=1)
        for given in one.shared:
            key = "scope.given" if given.message else "scope.given_unapproved"
            said = texts(
                key,
                to=naming.who(given.to) if not given.to.startswith("t:") else naming.text(given.to, 120),
                at=naming.times.at(given.at),
                via=naming.text(given.via, 120),
                message=given.message,
            )
            yield Line(text=said, style="plain" if given.message else "bad", indent=1)


def parties(state: Incident, naming: Naming) -> Iterator[Line]:
    """Third parties that have to be told (FSA-2.5.2.4-Da), who writes to them, and what became of it."""
    texts = naming.texts
    for one in state.party_notices.values():
        because = texts("words.comma").join(naming.service(name) for name in one.because[:5])
        if one.settled_at is None:
            values = {"party": naming.who(one.party), "because": because, "id": one.party}
            values |= {"since": naming.times.at(one.since), "who": naming.holders("vendor-desk")}
            yield Line(text=texts("scope.party.owed", incident=state.stream, **values), style="bad")
        else:
            yield Line(text=_settled(one, because, naming), style="good")


def _settled(one: PartyNotice, because: str, naming: Naming) -> str:
    return naming.texts(
        f"scope.party.{one.how}",
        party=naming.who(one.party),
        because=because,
        at=naming.at(one.settled_at),
        message=one.message,
        reason=naming.text(one.reason, 200),
        by=naming.who(one.by),
    )


def as_json(one: Sharing, naming: Naming) -> dict[str, object]:
    """A package for programs."""
    return {
        "id": one.id,
        "part": one.part,
        "tlp": one.tlp,
        "digest": one.digest,
        "at": iso(one.at),
        "by": one.by,
        "indicators": one.indicators,
        "allowed": [naming.text(name) for name in one.allowed],
        "shared": [
            {
                "to": naming.text(given.to),
                "at": iso(given.at),
                "by": given.by,
                "via": naming.text(given.via),
                "message": given.message,
            }
            for given in one.shared
        ],
    }
