"""ack, delegate and decline: who has a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import At, Incident, Person, Reason
from console.cli.given import writes
from console.cli.session import OTHER_STREAMS, Session

if TYPE_CHECKING:
    from models.state import StreamState


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(app, "ack")(ack)
    writes(app, "delegate")(delegate)
    writes(app, "decline")(decline)


def ack(
    session: Session,
    incident: Incident,
    page: Annotated[str | None, typer.Argument(metavar="PAGE", show_default=False)] = None,
    at: At = None,
) -> None:
    """I have it."""
    from models.commands import Acknowledge  # noqa: PLC0415

    stream = session.stream(incident)
    number = _page(session, stream, page) if page else None
    session.write(stream, Acknowledge, page=number, at=session.instant(at, "--at"))


def delegate(
    session: Session,
    incident: Incident,
    page: Annotated[str, typer.Argument(metavar="PAGE")],
    person: Person,
    until: Annotated[str, typer.Option("--until", metavar="TIME")],
) -> None:
    """Somebody else has it until a time; then the route goes on."""
    from models.commands import Delegate  # noqa: PLC0415

    stream = session.stream(incident)
    session.write(
        stream,
        Delegate,
        page=_page(session, stream, page),
        to=session.person(person),
        until=session.instant(until, "--until"),
    )


def decline(
    session: Session,
    incident: Incident,
    page: Annotated[str, typer.Argument(metavar="PAGE")],
    reason: Reason,
) -> None:
    """I cannot take it; what I have already I give back."""
    from models.answers import Decline  # noqa: PLC0415

    stream = session.stream(incident)
    session.write(stream, Decline, page=_page(session, stream, page), reason=reason)


def _page(session: Session, stream: str, reference: str) -> int:
    """A page by its number, or the open one about the step that `reference` ends."""
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason as Why  # noqa: PLC0415

    number = reference.removeprefix("#")
    if session.is_number(number):
        return int(number)
    other = stream in OTHER_STREAMS
    state: StreamState = session.desk.state(stream) if other else session.part_of(stream)
    found = _about(state, reference)
    if len(found) == 1:
        return found[0]
    report.refused(session, stream, Why.NO_SUCH_PAGE, {"page": reference, "known": sorted(state.pages)})


def _about(state: StreamState, reference: str) -> list[int]:
    tails = (f":{reference}", f"/{reference}")
    return [
        page.id for page in state.open_pages() if page.subject == reference or page.subject.endswith(tails)
    ]
