"""route …: taking channels out of band and back, by two people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.arguments import Reason
from console.cli.given import reads, writes
from console.cli.session import Session

if TYPE_CHECKING:
    from models.distrust import Way
    from models.state import House

HOUSE = "house"
Channels = Annotated[list[str], typer.Argument(metavar="CHANNEL...")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    route = typer.Typer(no_args_is_help=True)
    writes(route, "out-of-band")(out_of_band)
    writes(route, "in-band")(in_band)
    writes(route, "confirm")(confirm)
    reads(route, "show")(show)
    app.add_typer(route, name="route")


def out_of_band(session: Session, channels: Channels, reason: Reason) -> None:
    """Propose that nothing goes to these channels and nothing from them is accepted."""
    _propose(session, "out-of-band", channels, reason)


def in_band(session: Session, channels: Channels, reason: Reason) -> None:
    """Propose that these channels are trusted again."""
    _propose(session, "in-band", channels, reason)


def _propose(session: Session, way: Way, channels: list[str], reason: str) -> None:
    from console.cli import report  # noqa: PLC0415
    from models.outofband import ProposeTrust  # noqa: PLC0415

    outcome = session.ask(HOUSE, ProposeTrust, way=way, channels=tuple(channels), reason=reason)
    report.recorded(session, outcome)
    if not session.given.json:
        seq = next(fact.seq for fact in outcome.facts if fact.kind == "trust.proposed")
        session.say(session.texts("trust.second", seq=seq), "strong")


def confirm(
    session: Session, proposal: Annotated[int, typer.Argument(metavar="PROPOSAL", show_default=False)]
) -> None:
    """Agree, as the second person, to the proposal of this number."""
    from models.outofband import ConfirmTrust  # noqa: PLC0415

    session.write(HOUSE, ConfirmTrust, proposal=proposal)


def show(session: Session) -> None:
    """Channels that are out of band, what is proposed, and whom each channel reaches."""
    from console.cli import output  # noqa: PLC0415
    from console.views import trust  # noqa: PLC0415

    state = house_of(session)
    naming = session.naming(state)
    if session.given.json:
        output.json(trust.as_json(state, naming))
    else:
        output.show(trust.sections(state, naming))


def house_of(session: Session) -> House:
    """The house's state."""
    from models.state import House  # noqa: PLC0415

    state = session.desk.state(HOUSE)
    return state if isinstance(state, House) else House(stream=HOUSE)
