"""Messages to others, situation reports and inquiries on a screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Style, Table, printable
from models.clock import iso
from models.communication import Approval, Outgoing, Situation
from models.state import Incident

_STYLES: dict[str, Style] = {
    "rejected": "bad",
    "submitted": "warn",
    "approved": "good",
    "sent": "good",
    "corrected": "dim",
    "withdrawn": "dim",
}


def messages(state: Incident, naming: Naming) -> Iterator[Line]:
    """Every message with where it stands and whom it waits for."""
    for message in state.outgoing.values():
        yield Line(text=head(message, naming), style=_STYLES.get(message.status, "plain"))
        yield from (*_waits(message, naming), *_sent(message, naming))


def head(message: Outgoing, naming: Naming) -> str:
    """`MSG-001  press  TLP:CLEAR  waits for approval`."""
    return naming.texts(
        "communication.head",
        id=message.id,
        audience=naming.texts.word("communication.audience", message.audience),
        tlp=message.tlp,
        status=naming.texts.word("words.status", message.status),
    )


def whole(message: Outgoing, naming: Naming) -> list[Line]:
    """One message: versions with their digests, the chain, who has approved, when it went out."""
    say = naming.texts
    lines = [Line(text=head(message, naming), style="strong")]
    if message.corrects:
        lines.append(Line(text=say("communication.corrects", other=message.corrects), indent=1))
    if message.corrected_by:
        lines.append(Line(text=say("communication.corrected_by", other=message.corrected_by), indent=1))
    roles = say("words.then").join(naming.holders(role) for role in message.chain)
    chain = say("communication.chain", roles=roles) if message.chain else say("communication.no_chain")
    lines.append(Line(text=chain, indent=1))
    for version in message.versions.values():
        writers = say("words.comma").join(naming.who(one) for one in version.writers)
        text = say(
            "communication.version",
            lang=version.lang,
            status=say.word("words.status", version.status),
            gaps=version.gaps,
            writers=writers,
            at=naming.times.at(version.written_at),
            digest=version.document,
        )
        lines.append(Line(text=text, indent=1, style="warn" if version.gaps else "plain"))
        lines += [Line(text=approval(one, naming), indent=2) for one in version.approvals]
        if version.reason:
            said = say("communication.rejected", reason=naming.text(version.reason))
            lines.append(Line(text=said, indent=2, style="bad"))
    return [*lines, *_waits(message, naming), *_sent(message, naming)]


def approval(one: Approval, naming: Naming) -> str:
    """Who approved as what; a deputy as a deputy, and one that a scribe wrote as such."""
    say = naming.texts
    role, by, at = naming.who(one.role), naming.who(one.by), naming.times.at(one.at)
    said = say("communication.approval", role=role, by=by, at=at)
    if one.deputy_for:
        other = naming.who(one.deputy_for)
        said = say("communication.approval_deputy", role=role, by=by, other=other, at=at)
    if one.recorded_by is None:
        return said
    key = "unconfirmed" if _unconfirmed(one, naming) else "confirmed"
    recorded = say(
        "communication.approval_recorded",
        by=naming.who(one.recorded_by),
        confirmed=say(f"communication.{key}"),
    )
    return said + say("words.brackets", text=recorded)


def _unconfirmed(one: Approval, naming: Naming) -> bool:
    state = naming.state
    waiting = [*state.confirmations.values(), *state.unasked] if isinstance(state, Incident) else []
    return any(each.person == one.by and each.what == "outgoing.approved" for each in waiting)


def _waits(message: Outgoing, naming: Naming) -> Iterator[Line]:
    for lang in message.versions:
        role = message.next_role(lang)
        if role is not None:
            said = naming.texts("communication.waits", lang=lang, who=naming.holders(role))
            yield Line(text=said, indent=1, style="warn")


def _sent(message: Outgoing, naming: Naming) -> Iterator[Line]:
    say = naming.texts
    for one in message.sent:
        at, by, via = naming.times.at(one.at), naming.who(one.by), naming.text(one.via)
        yield Line(text=say("communication.sent", at=at, by=by, via=via), indent=1, style="good")
    if message.withdrawn_at is not None:
        at, reason = naming.times.at(message.withdrawn_at), naming.text(message.withdrawn)
        yield Line(text=say("communication.withdrawn", at=at, reason=reason), indent=1, style="warn")


def text_section(lang: str, text: str | None, naming: Naming) -> Section:
    """The exact text of a version, label and all."""
    title = naming.texts("communication.text_of", lang=lang)
    if text is None:
        return Section(title=title, parts=(Line(text=naming.texts("words.disposed"), style="warn"),))
    return Section(title=title, parts=tuple(Line(text=line) for line in printable(text, 40_000)))


def message_json(message: Outgoing, naming: Naming) -> dict[str, Any]:
    """The same for programs; texts only where `show` adds them."""
    return {
        "id": message.id,
        "audience": message.audience,
        "tlp": message.tlp,
        "status": message.status,
        "chain": message.chain,
        "waits_for": list(message.waiting()),
        "corrects": message.corrects,
        "corrected_by": message.corrected_by,
        "versions": {
            lang: {
                "status": one.status,
                "document": one.document,
                "gaps": one.gaps,
                "writers": one.writers,
                "approvals": [
                    {"role": each.role, "by": each.by, "at": iso(each.at), "deputy_for": each.deputy_for}
                    for each in one.approvals
                ],
            }
            for lang, one in message.versions.items()
        },
        "sent": [
            {"at": iso(one.at), "by": one.by, "via": naming.text(one.via), "versions": one.versions}
            for one in message.sent
        ],
        "withdrawn_at": iso(message.withdrawn_at) if message.withdrawn_at else None,
    }


# -- situation reports --------------------------------------------------------------------------------------


def situation_line(one: Situation, naming: Naming) -> str:
    """`no. 2  at  by  to whom`."""
    say = naming.texts
    to = say("words.comma").join(naming.who(name) for name in one.to)
    return say(
        "communication.situation_listed",
        number=one.number,
        at=naming.times.at(one.at),
        by=naming.who(one.by),
        to=to or say("communication.situation_to_nobody"),
    )


# -- inquiries ----------------------------------------------------------------------------------------------


def total(state: Incident) -> int:
    """How many inquiries there were."""
    return sum(state.inquiries.values())


def by_asker(state: Incident) -> dict[str, int]:
    """How many from whom, the most first."""
    found: dict[str, int] = {}
    for key, count in state.inquiries.items():
        asker = key.split("|")[1]
        found[asker] = found.get(asker, 0) + count
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def inquiry_line(state: Incident, naming: Naming) -> str:
    """All in one line."""
    say = naming.texts
    if not state.inquiries:
        return say("communication.no_inquiries")
    parts = (
        say("communication.inquiry_part", asker=say.word("communication.asker", asker), n=count)
        for asker, count in by_asker(state).items()
    )
    return say("communication.inquiries", n=total(state), parts=say("words.comma").join(parts))


def inquiry_rows(state: Incident, naming: Naming, by: str) -> list[tuple[str, str, str, int]]:
    """When (local hour or day), from whom, about what, how many."""
    found: dict[tuple[str, str, str], int] = {}
    shape = "%Y-%m-%d" if by == "day" else "%Y-%m-%d %H:00"
    for key, count in state.inquiries.items():
        hour, asker, topic = key.split("|")
        at = datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC).astimezone(naming.times.zone)
        place = (at.strftime(shape), asker, topic)
        found[place] = found.get(place, 0) + count
    return [(*place, count) for place, count in sorted(found.items())]


def inquiry_table(state: Incident, naming: Naming, by: str) -> Section:
    """The counts over time, with their sum."""
    say = naming.texts
    rows = tuple(
        Row(cells=(at, say.word("communication.asker", asker), topic or "–", str(count)))
        for at, asker, topic, count in inquiry_rows(state, naming, by)
    )
    headers = tuple(say(f"communication.column.{name}") for name in ("when", "asker", "topic", "count"))
    line = Line(text=inquiry_line(state, naming), style="strong")
    table = (Table(headers=headers, rows=rows, whole=(0,)),) if rows else ()
    return Section(title=say("words.title.inquiries"), parts=(line, *table))
