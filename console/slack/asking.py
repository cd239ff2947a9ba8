"""`/hikeshi status | clocks | who | help`: answered privately, from the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from console.opening import House
from console.slack import board
from console.slack.blocks import said, tell, words
from console.slack.desk import Answer
from console.slack.slash import Asked
from console.views.naming import Naming
from models.commands import Acknowledge, Actor, Command, Declare
from models.record import STREAM
from models.rules.pages import asks
from models.state import Incident
from notifiers.slack import escape

if TYPE_CHECKING:
    from models.organisation import Role

MAX_INCIDENTS = 12
MAX_LOOKED_AT = 200
MAX_ROLES = 40
Name = Callable[[str], Naming]
MaySee = Callable[[str], bool]


def command(
    asked: Asked, actor: Actor, room: str, house: House, may_see: MaySee
) -> tuple[str | None, Command]:
    """What `declare TEXT` and `ack [INCIDENT]` do; the stream None opens an incident."""
    if asked.word == "declare":
        return None, Declare(actor=actor, text=asked.rest, source="slack")
    stream = whole(asked.stream or room, house) or _asking(actor, house, may_see)
    return stream, Acknowledge(actor=actor)


def _asking(actor: Actor, house: House, may_see: MaySee) -> str:
    """The gravest open incident with a page that waits for this person; else Hikeshi's own pages."""
    for name in open_names(house):
        pages = house.desk.state(name).open_pages()
        if any(asks(page, actor.person or "") for page in pages) and may_see(name):
            return name
    return "house"


def open_names(house: House) -> list[str]:
    """Open incidents, the gravest first, and of those the newest."""
    newest = (
        select(STREAM.c.id, STREAM.c.severity)
        .where(STREAM.c.kind == "incident", STREAM.c.status.in_(["open", "resolved"]))
        .order_by(STREAM.c.opened_at.desc())
        .limit(MAX_LOOKED_AT)
    )
    with house.record.read() as tx:
        rows = tx.connection.execute(newest).all()
    rank = house.desk.premises.policy.severity.rank
    return [row[0] for row in sorted(rows, key=lambda row: -rank(row[1]))]


def answer(asked: Asked, stream: str, house: House, name: Name, may_see: MaySee) -> Answer:
    """The answer, in the person's language."""
    stream = whole(stream, house)
    state = house.desk.state(stream) if stream else None
    if stream and (not isinstance(state, Incident) or state.at is None or not may_see(stream)):
        naming = name("house")
        named = asked.typed or stream  # nothing that the person did not know already
        return Answer(lines=(naming.texts("slack.no-such-incident", incident=named),), refused=True)
    make: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "status": lambda: board.blocks(name(stream)) if stream else _all(house, name, may_see),
        "clocks": lambda: board.clock_blocks(name(stream)) if stream else _all(house, name, may_see),
        "who": lambda: list(_who(asked.rest, name("house"))),
    }
    blocks = make.get(asked.word, lambda: list(_help(name("house"))))()
    return Answer(blocks=tuple(blocks), lines=(name("house").texts("slack.answered"),))


def whole(stream: str, house: House) -> str:
    """`3` is the incident whose number ends so, if only one does."""
    if not stream.isdecimal():
        return stream
    with house.record.read() as tx:
        ends = tx.connection.execute(
            select(STREAM.c.id).where(
                STREAM.c.kind == "incident", STREAM.c.id.endswith(f"-{int(stream):04d}")
            )
        ).scalars()
        found = list(ends)
    return found[0] if len(found) == 1 else f"INC-?-{int(stream):04d}"


def _all(house: House, name: Name, may_see: MaySee) -> list[dict[str, Any]]:
    """The open incidents, a line each, the gravest first."""
    names = [one for one in open_names(house) if may_see(one)]
    t = name("house").texts
    if not names:
        return [said(t("slack.nothing-open"))]
    found = [(name(one), one) for one in names[:MAX_INCIDENTS]]
    blocks = [said(board.one_line(naming)) for naming, _ in found]
    if len(names) > MAX_INCIDENTS:
        blocks.append(said(t("slack.more-incidents", n=len(names) - MAX_INCIDENTS)))
    return blocks


def _who(wanted: str, naming: Naming) -> Iterator[dict[str, Any]]:
    """Who holds which role now, deputies named; a role that nobody holds is said so."""
    roles = [role for role in naming.world.organisation.roles if _fits(role, wanted)]
    if not roles:
        yield said(words(naming.texts("slack.no-role", role=wanted)))
    lines = []
    for role in roles[:MAX_ROLES]:
        people = naming.world.holders(None, role.id)
        names = [
            f"{one.person.name.lang(naming.lang)}"
            + (f"（{naming.who(one.deputy_for)} {naming.texts('slack.deputy')}）" if one.deputy_for else "")
            for one in people
        ]
        shown = naming.texts("words.comma").join(names) or f"⚠ {naming.texts('words.nobody_now')}"
        lines.append(tell(f"{role.title.lang(naming.lang)} ({role.id})", shown))
    for start in range(0, len(lines), 15):
        yield said(*lines[start : start + 15])


def _fits(role: Role, wanted: str) -> bool:
    return not wanted or wanted.lower() in {role.id, role.title.ja.lower(), role.title.en.lower()}


def _help(naming: Naming) -> Iterator[dict[str, Any]]:
    t = naming.texts
    lines = [
        f"{escape.bold(words(t(f'slack.help.{word}.type')))}  {words(t(f'slack.help.{word}.does'))}"
        for word in ("declare", "ack", "status", "clocks", "who", "note", "severity", "more")
    ]
    yield said(escape.bold(words(t("slack.help.title"))), *lines)
    yield said(words(t("slack.help.else")))
