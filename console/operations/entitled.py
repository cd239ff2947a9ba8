"""May this visitor use this operation at all? Beyond what the rules themselves ask of whoever acts.

A command without a row of its own is free for whoever is on this machine; over the network it asks for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from console.operations.catalogue import Operation
from console.operations.exposure import ALL_KNOWN, ALSO
from models.access import may_look
from models.permission import TABLE
from models.reason import Reason
from models.state import House as HouseState

if TYPE_CHECKING:
    from console.cli.session import Session


def must_be_entitled(session: Session, operation: Operation) -> None:
    """Refuse, and write down, what the visitor may not use; ends the call as the command line does."""
    visitor = session.given.visitor
    assert visitor is not None  # noqa: S101 - only over the network
    if not visitor.known:
        _refuse(session, Reason.UNKNOWN_PERSON, {"who": session.account})
    if operation.name in ALL_KNOWN and session.reader.hidden():
        _refuse(session, Reason.NOT_NAMED, {"who": visitor.person or ""})
    if operation.name not in ALSO and operation.name not in ALL_KNOWN:
        return
    if session.is_vendor:
        _refuse(session, Reason.THIRD_PARTY_LIMIT, {"who": visitor.person or ""})
    world = session.desk.world(HouseState(stream="house"))
    if not may_look(operation.right, visitor.viewer, world).whole:
        needs = sorted(world.policy.permissions.get(operation.right, TABLE[operation.right]))
        who = visitor.person or session.account
        _refuse(session, Reason.ROLE_MISSING, {"who": who, "needs": needs, "command": operation.right})


def _refuse(session: Session, reason: Reason, detail: Mapping[str, object]) -> NoReturn:
    from console.cli import account, report  # noqa: PLC0415

    account.record_refusal(session.desk, session.actor, reason, session.surface)
    report.refused(session, None, reason, detail)
