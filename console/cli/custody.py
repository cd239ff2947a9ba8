"""evidence transfer, verify, hold, release, dispose: who has it, whether it is the same, and its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import At, Incident, Number, Reason
from console.cli.given import writes
from console.cli.session import REFUSED, Session

if TYPE_CHECKING:
    from console.evidence_check import Object
    from models.custody import Found
    from models.evidence import Evidence
    from models.state import Incident as State

Opt = typer.Option
Items = Annotated[list[str] | None, typer.Argument(metavar="[EV]...", show_default=False)]
Whole = Annotated[str, Opt("--authority", metavar="TEXT")]


def register(group: typer.Typer) -> None:
    """Add the commands of this module."""
    for word, function in (
        ("transfer", evidence_transfer), ("verify", evidence_verify), ("hold", evidence_hold),
        ("release", evidence_release), ("dispose", evidence_dispose), ("dispose-text", evidence_dispose_text),
    ):  # fmt: skip
        writes(group, word)(function)


def one_of(session: Session, state: State, given: str) -> Evidence:
    """The item meant by `EV-0001`, in any case, or by its number alone; refused if there is none."""
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason as Why  # noqa: PLC0415

    number = f"EV-{int(given):04d}" if session.is_number(given) else given.upper()
    if number not in state.evidence:
        detail = {"item": given, "known": list(state.evidence)}
        report.refused(session, state.stream, Why.NO_SUCH_ITEM, detail)
    return state.evidence[number]


def evidence_transfer(  # noqa: PLR0913 - one option for each field of a hand-over
    session: Session,
    *,
    incident: Incident,
    item: Number,
    to: Annotated[str, Opt("--to", metavar="PERSON|PARTY|NAME")],
    purpose: Annotated[str, Opt("--purpose", metavar="TEXT")],
    place: Annotated[str, Opt("--place", metavar="TEXT")],
    organisation: Annotated[str, Opt("--organisation", metavar="TEXT", show_default=False)] = "",
    digest: Annotated[str | None, Opt("--digest", metavar="sha256:HEX", show_default=False)] = None,
    check: Annotated[bool, Opt("--check")] = False,
    at: At = None,
) -> None:
    """An item changes hands; whoever holds it releases it, and a receiver of the directory confirms."""
    from models.custody import TransferEvidence  # noqa: PLC0415

    state = session.incident(incident)
    known = one_of(session, state, item)
    if check:
        session.known_actor()
        digest = _found_now(session, state, known)
    session.write(
        state.stream,
        TransferEvidence,
        id=known.id,
        to=session.person(to),
        organisation=organisation,
        purpose=purpose,
        place=place,
        digest=digest,
        at=session.instant(at, "--at"),
    )


def _found_now(session: Session, state: State, known: Evidence) -> str | None:
    """The digest of the item as it lies there now, recomputed before it is handed over."""
    objects = _objects(session, state, [known])
    if not objects:
        session.wrong(session.texts("evidence.nothing_there", id=known.id))
    ((found,), _) = _compare(session, objects, "")
    if found.result == "same":
        return known.digest
    if found.digest is None:
        session.wrong(session.texts("evidence.nothing_there", id=known.id))
    return found.digest


def evidence_verify(
    session: Session,
    incident: Incident,
    items: Items = None,
    identity: Annotated[str | None, Opt("--identity", metavar="FILE", show_default=False)] = None,
) -> None:
    """Compare what is stored with its digests; with an age identity also what is inside a sealed object."""
    from console.cli import output, report  # noqa: PLC0415
    from console.evidence_check import identity_in  # noqa: PLC0415
    from models.custody import VerifyEvidence  # noqa: PLC0415
    from models.evidence import BROKEN  # noqa: PLC0415

    state = session.incident(incident)
    session.known_actor()
    chosen = [one_of(session, state, one) for one in items or ()] or list(state.evidence.values())
    objects = _objects(session, state, chosen)
    if not objects:
        session.say(session.texts("evidence.nothing_to_verify"), "warn", stderr=True)
        return
    key = ""
    if identity is not None:
        key = identity_in(session.read(Path(identity), "--identity").decode("utf-8", "replace"))
    found, unopened = _compare(session, objects, key)
    outcome = session.ask(state.stream, VerifyEvidence, found=tuple(found))
    broken = [one for one in found if one.result in BROKEN]
    compared = {one.id for one in found}
    without = [one.id for one in chosen if one.id not in compared and one.disposal is None]
    if session.given.json:
        output.json(
            {
                "incident": state.stream,
                "ok": not broken,
                "items": [
                    {
                        "id": one.id,
                        "result": one.result,
                        "found": one.digest,
                        "opened": one.id not in unopened,
                    }
                    for one in found
                ],
                "without": without,
            }
        )
    else:
        for one in found:
            text = f"{one.id}  {session.texts.word('evidence.check', one.result)}"
            session.say(text, "bad" if one in broken else "good")
        for number in without:
            session.say(f"{number}  {session.texts('evidence.no_object')}", "dim")
        report.recorded(session, outcome)
    if broken or unopened:
        raise typer.Exit(REFUSED)


def _objects(session: Session, state: State, items: list[Evidence]) -> list[Object]:
    """Those of the items that have bytes which can be compared here."""
    from console.evidence_check import object_of  # noqa: PLC0415

    texts = session.desk.texts(state.stream)
    found = (object_of(one, session.house.evidence, texts.get(one.words.get("storage", ""))) for one in items)
    return [one for one in found if one is not None]


def _compare(session: Session, objects: list[Object], identity: str) -> tuple[list[Found], set[str]]:
    """What was found, and of what is sealed the items that the identity does not open."""
    from console.cli.keeping import size_of  # noqa: PLC0415
    from console.cli.progress import Progress  # noqa: PLC0415
    from console.evidence_check import compare, compare_inside  # noqa: PLC0415
    from models.errors import ActionFailed  # noqa: PLC0415

    found = []
    unopened = set()
    for one in objects:
        progress = Progress(one.item.id, size_of(one.path))
        try:
            outside = compare(one, progress)
        finally:
            progress.over()
        try:
            found.append(compare_inside(one, outside, identity) if identity else outside)
        except ActionFailed as failed:
            # A key that does not fit says nothing of the bytes, and less of those of the other items.
            found.append(outside)
            unopened.add(one.item.id)
            session.say(str(failed), "bad", stderr=True)
    return found, unopened


def evidence_hold(session: Session, incident: Incident, reason: Reason, items: Items = None) -> None:
    """Put a legal hold on items, or on all there are and will be: nothing of it is disposed of."""
    _hold(session, incident, "hold", reason, items)


def evidence_release(
    session: Session,
    incident: Incident,
    reason: Reason,
    items: Items = None,
    hold: Annotated[int | None, Opt("--hold", metavar="FACT", show_default=False)] = None,
) -> None:
    """Lift a legal hold; where several last, that which is named by its number."""
    _hold(session, incident, "release", reason, items, hold)


def _hold(
    session: Session, incident: str, how: str, reason: str, items: list[str] | None, hold: int | None = None
) -> None:
    from models.custody import HoldEvidence  # noqa: PLC0415

    state = session.incident(incident)
    ids = tuple(one_of(session, state, one).id for one in items or ())
    session.write(state.stream, HoldEvidence, how=how, reason=reason, ids=ids, hold=hold)


def evidence_dispose(
    session: Session, incident: Incident, item: Number, reason: Reason, authority: Whole
) -> None:
    """Decide that an item is kept no longer, and remove its object; digest and chain of custody stay.

    Run again after it was interrupted, it removes what was decided upon and is still there.
    """
    from console.cli import report  # noqa: PLC0415
    from console.evidence_removal import remove_object  # noqa: PLC0415
    from models.custody import DisposeEvidence, RecordRemoval  # noqa: PLC0415
    from models.errors import ActionFailed  # noqa: PLC0415

    state = session.incident(incident)
    known = one_of(session, state, item)
    if known.disposal is None or known.disposal.removed:
        outcome = session.ask(state.stream, DisposeEvidence, id=known.id, reason=reason, authority=authority)
        report.recorded(session, outcome)
    _must_be_removable(session, state.stream, known.id)
    try:
        how = remove_object(session.desk, session.house.evidence, state.stream, known.id)
    except ActionFailed as failed:
        session.say(str(failed), "bad", stderr=True)
        raise typer.Exit(REFUSED) from failed
    removed = session.ask(state.stream, RecordRemoval, id=known.id, how=how)
    if not session.given.json:
        report.recorded(session, removed)


def _must_be_removable(session: Session, stream: str, number: str) -> None:
    """Refuse before the object is gone what would be refused after it; the refusal is recorded."""
    from models.custody import RecordRemoval  # noqa: PLC0415
    from models.decide import decide  # noqa: PLC0415
    from models.errors import Refused  # noqa: PLC0415

    state = session.incident(stream)
    for_ = session.person(session.given.for_) if session.given.for_ else None
    command = RecordRemoval(actor=session.actor, for_=for_, id=number, how="missing")
    try:
        decide(state, command, session.desk.world(state))
    except Refused:
        session.ask(stream, RecordRemoval, id=number, how="missing")


def evidence_dispose_text(
    session: Session,
    incident: Incident,
    texts: Annotated[list[str], typer.Argument(metavar="t:HEX...")],
    reason: Reason,
) -> None:
    """Dispose of texts that lie beside the record; verification then says so, and the chain stays whole."""
    from models.custody import DisposeTexts  # noqa: PLC0415

    session.write(session.stream(incident), DisposeTexts, digests=tuple(texts), reason=reason)
