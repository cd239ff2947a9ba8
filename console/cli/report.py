"""How a command is answered: what was recorded, what follows, who is paged; or why not, and what to do."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import orjson
import typer
from sqlalchemy import func, select

from console.cli import output
from console.cli.session import NOBODY_PAGED, REFUSED, Session
from console.views import facts as fact_view
from console.views.refusals import advice, on_a_page, what
from console.views.sheet import Line
from models.comcheck import EVENT as COMCHECK
from models.exercise import EXERCISE
from models.fact import SYSTEM, Fact
from models.fold import empty
from models.node import alive
from models.premises import Outcome
from models.reason import Reason
from models.record import NODE, OUTBOX
from models.state import Incident

if TYPE_CHECKING:
    from notifiers.message import Message
    from notifiers.outbox import Delivered

ALIVE = timedelta(seconds=10)
LOOK_SECONDS = 0.05
LOOKS = 60
"""Three seconds in all: a pager that runs has beaten by then."""
FOLLOWING = frozenset(
    {
        "phase.opened", "phase.ended", "phase.reopened", "step.ready", "gate.held", "gate.passed",
        "page.asked", "page.unanswerable", "incident.declared", "alert.declared", "step.repeated",
    }
)  # fmt: skip
"""What the rules did that a person wants to know at once."""
MAX_FOLLOWING = 12


def pager_is_running(session: Session) -> bool:
    """Whether a pager has shown itself within the last ten seconds."""
    with session.house.record.read() as tx:
        return alive(tx, "pager", session.house.wall.now(), ALIVE)


def _is_taken_up(session: Session, outcome: Outcome) -> bool:
    """Whether a pager shows itself after this was stored: its last sign may be from before it stopped.

    A running one takes new pages up within a tenth of a second, and beats every two.
    """
    before = _taken(session, outcome)
    for _ in range(LOOKS):
        time.sleep(LOOK_SECONDS)
        if _taken(session, outcome) != before:
            return True
    return False


def _taken(session: Session, outcome: Outcome) -> tuple[object, ...]:
    """What a running pager changes: its beat, and the messages of these facts that still wait."""
    causes = [fact.seq for fact in outcome.facts if fact.kind == "page.asked"]
    with session.house.record.read() as tx:
        beat = tx.connection.execute(select(func.max(NODE.c.beat_at)).where(NODE.c.id.startswith("pager")))
        waiting = select(func.count()).where(
            OUTBOX.c.stream == outcome.stream, OUTBOX.c.cause.in_(causes), OUTBOX.c.state == "queued"
        )
        return beat.scalar(), tx.connection.execute(waiting).scalar()


def recorded(session: Session, outcome: Outcome) -> None:
    """Show what was recorded; exit 3 if somebody has to be paged and nobody has been."""
    asked = any(fact.kind == "page.asked" for fact in outcome.facts)
    on_their_way = _on_their_way(session, outcome) if asked or session.given.page_now else None
    paged = on_their_way if asked else None
    if session.given.json:
        output.json(_as_json(session, outcome, paged))
    else:
        output.show(_lines(session, outcome))
        _say_whether_paged(session, paged)
    if paged is False:
        raise typer.Exit(NOBODY_PAGED)


def counted(session: Session, alert: str, incident: str | None) -> None:
    """An alert whose matter was known already: counted, and nobody is paged again."""
    if session.given.json:
        output.json({"accepted": True, "duplicate": True, "alert": alert, "stream": incident})
        return
    session.say(session.texts("words.duplicate", alert=alert, incident=incident or ""), "warn")


def received(session: Session, alert: str, outcome: Outcome) -> None:
    """An alert that went to where the caller may not look: it has arrived, and no more is said."""
    asked = any(fact.kind == "page.asked" for fact in outcome.facts)
    paged = _on_their_way(session, outcome) if asked else None
    if session.given.json:
        output.json({"accepted": True, "duplicate": False, "alert": alert, "stream": None, "paged": paged})
    else:
        session.say(session.texts("words.received", alert=alert), "good")
        _say_whether_paged(session, paged)
    if paged is False:
        raise typer.Exit(NOBODY_PAGED)


def _on_their_way(session: Session, outcome: Outcome) -> bool:
    """Whether the messages that wait are on their way: a node takes them up, or they were delivered now."""
    if session.given.visitor is not None:
        return True  # it is the node itself that was asked
    if pager_is_running(session) and _is_taken_up(session, outcome):
        return True
    return session.given.page_now and deliver(session).sent > 0


def deliver(session: Session) -> Delivered:
    """Deliver the outbox once; shown to whoever asks for it is only what they may read."""
    from console.delivery import deliver_once  # noqa: PLC0415 - only this needs the channels

    # The console channel writes to standard output, which is the answer's own when it is JSON.
    with redirect_stdout(sys.stderr if session.given.json else sys.stdout):
        return asyncio.run(deliver_once(session.house, partial(_may_show, session)))


def _may_show(session: Session, message: Message) -> bool:
    """Whether a message may stand on this person's screen: their own, or of a record that is open to them."""
    if message.person is not None and message.person == session.viewer.person:
        return True
    state = session.desk.state(message.key.partition("/")[0])
    if isinstance(state, Incident):
        return session.reader.reading(state).whole
    return not session.is_vendor and not session.reader.hidden()


def _say_whether_paged(session: Session, paged: bool | None) -> None:
    if paged is False:
        session.say(session.texts("words.nobody_paged"), "bad")
        do = "words.nobody_paged_drill" if session.desk.premises.drill else "words.nobody_paged_do"
        key = "words.page_now_failed" if session.given.page_now else do
        session.say(session.texts(key), "bad")
    elif paged:
        session.say(session.texts("words.paged"), "good")


def _lines(session: Session, outcome: Outcome) -> list[Line]:
    own = [fact for fact in outcome.facts if fact.actor != SYSTEM or fact.for_]
    opened = [Line(text=session.texts("words.opened", incident=outcome.opened), style="strong")]
    lines = [_line(session, fact, "words.recorded", "good") for fact in own if not _is_part(fact)]
    lines = (opened if outcome.opened else []) + lines
    lines = lines or [Line(text=session.texts("words.nothing_new"), style="dim")]
    follow = [fact for fact in outcome.facts if fact.actor == SYSTEM and fact.kind in FOLLOWING]
    for fact in follow[:MAX_FOLLOWING]:
        style = "bad" if fact.kind == "page.unanswerable" else "plain"
        lines.append(_line(session, fact, "words.follows", style))
    if len(follow) > MAX_FOLLOWING:
        lines.append(
            Line(text=session.texts("words.more", n=len(follow) - MAX_FOLLOWING), indent=1, style="dim")
        )
    return lines


def _is_part(fact: Fact) -> bool:
    """Whether a fact only carries out what another one of its command says already."""
    if fact.kind == "message.requested":
        return fact.stream == EXERCISE
    return fact.kind == "alert.attached" or (fact.kind == "page.asked" and fact.data["event"] == COMCHECK)


def _line(session: Session, fact: Fact, key: str, style: Any) -> Line:
    text = fact_view.sentence(fact, _naming(session, fact.stream))
    indent = 1 if key == "words.follows" else 0
    return Line(
        text=session.texts(key, stream=fact.stream, seq=fact.seq, text=text), style=style, indent=indent
    )


def _naming(session: Session, stream: str) -> Any:
    """One look at the record per stream and answer is enough."""
    kept: dict[str, Any] = session.__dict__.setdefault("_namings", {})
    if stream not in kept:
        kept[stream] = session.naming(session.desk.state(stream))
    return kept[stream]


def _as_json(session: Session, outcome: Outcome, paged: bool | None) -> dict[str, Any]:
    return {
        "accepted": True,
        "stream": outcome.stream,
        "opened": outcome.opened,
        "paged": paged,
        "queued": outcome.queued,
        "facts": [
            orjson.loads(fact.body()) | {"text": fact_view.sentence(fact, _naming(session, fact.stream))}
            for fact in outcome.facts
        ],
    }


def refused(session: Session, stream: str | None, reason: Reason, detail: Mapping[str, object]) -> NoReturn:
    """Why not, and what to do next; exit 1."""
    # Of what is not there for somebody nothing is looked up: the answer must not hang on what it holds.
    known = empty(stream) if stream and reason is Reason.NO_SUCH_INCIDENT else None
    naming = session.naming(known or session.desk.state(stream or "house"))
    if session.given.visitor is not None and session.given.visitor.door == "web":
        said, do = on_a_page(naming, reason, detail)
    else:
        said, do = what(naming, reason, detail), advice(naming, reason, detail)
    answer = {"accepted": False, "reason": reason.value, "detail": dict(detail), "message": said, "do": do}
    output.refuse(answer)
    if session.given.json:
        output.json(answer)
    else:
        lines = [Line(text=session.texts("words.refused", text=said), style="bad")]
        output.show([*lines, Line(text=session.texts("words.do", text=do))], stderr=True)
    raise typer.Exit(REFUSED)
