"""Whose call of the command line it is: the account that counts, and the one that really runs the process."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.access import Viewer
    from models.commands import Actor
    from models.desk import Desk
    from models.reason import Reason

ACCOUNT_VARIABLE = "HIKESHI_ACCOUNT"
TOKEN_VARIABLE = "HIKESHI_TOKEN"  # noqa: S105 - the name of a variable
MAX_NAME = 64
REFUSALS_LOOKED_AT = 200
REFUSED_AGAIN_AFTER = timedelta(minutes=1)
HOUSE = "house"
_ODD = re.compile(r"[^\w.@-]")
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)


def named(data: Path) -> str | None:
    """What HIKESHI_ACCOUNT says, if the process runs as the owner of the data directory; else None."""
    name = os.environ.get(ACCOUNT_VARIABLE)
    if name and data.exists() and data.stat().st_uid == os.geteuid():
        return readable(name)
    return None


def real() -> str:
    """The account of the process, by the system and not by LOGNAME or USER, which anybody can set."""
    import pwd  # noqa: PLC0415

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def via(account: str) -> str:
    """`cli`; for a named account also who named it: `cli:as=sato;uid=0`, and whom sudo was called by.

    sudo's word is worth no more than the owner's of the process, who can change it.
    """
    if account == real():
        return "cli"
    said = f"cli:as={account};uid={os.getuid()}"
    sudo = os.environ.get("SUDO_UID", "")
    return f"{said};sudo={sudo}" if _NUMBER.fullmatch(sudo) else said


def readable(name: str) -> str:
    """An account's name as it can stand in a fact: no more than letters, digits and `._@-`, and short."""
    return _ODD.sub("_", name)[:MAX_NAME]


def viewer(desk: Desk, account: str) -> Viewer:
    """Who looks: by HIKESHI_TOKEN, if it is set, that inspector alone; else by the account."""
    import hashlib  # noqa: PLC0415

    from models.access import NOBODY, Viewer, inspector_by  # noqa: PLC0415
    from models.state import House  # noqa: PLC0415

    state = desk.state(HOUSE)
    assert isinstance(state, House)  # noqa: S101 - of this stream it always is
    token = os.environ.get(TOKEN_VARIABLE)
    if token:
        digest = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        return Viewer(inspector=inspector_by(state, digest=digest))
    person = desk.directory.by_account(account)
    if person is not None:
        return Viewer(person=person.id)
    found = inspector_by(state, account=account)
    return Viewer(inspector=found) if found is not None else NOBODY


def stale(viewer: Viewer, desk: Desk, *, token: bool = True) -> bool:
    """Whether a grant is used that opens nothing: its token unknown, it revoked, or its time over.

    `token` False: whoever asks is known by other means than this process's variables.
    """
    from models.access import over  # noqa: PLC0415

    unknown = token and bool(os.environ.get(TOKEN_VARIABLE)) and viewer.inspector is None
    return unknown or over(viewer, desk.clock.now())


def record_refusal(
    desk: Desk, actor: Actor, reason: Reason, command: str = "cli", *, detail: str = ""
) -> None:
    """Write down that `actor` was refused, unless the same was written within the last minute.

    Each call of the command line is a process of its own, so only the record knows what was written before.
    Names that nobody has are chosen by whoever knocks: they share one place.
    """
    from models.commands import Actor as Who  # noqa: PLC0415
    from models.commands import RecordRefusal  # noqa: PLC0415
    from models.desk import SOMEBODY  # noqa: PLC0415

    now = desk.clock.now()
    with desk.record.read() as tx:
        head, _ = tx.head(HOUSE)
        lately = tx.facts(HOUSE, max(0, head - REFUSALS_LOOKED_AT))
    who = actor.person if actor.person and desk.directory.person(actor.person) else SOMEBODY
    same = {"who": who, "command": command, "reason": reason.value}
    for fact in lately:
        # Either way: a clock that was set back must not silence the refusals of hours.
        recent = abs(now - fact.recorded_at) < REFUSED_AGAIN_AFTER
        if fact.kind == "refused" and recent and same.items() <= fact.data.items():
            return
    refusal = RecordRefusal(
        actor=Who.machine(actor.via),
        refused=who,
        command=command,
        reason=reason.value,
        detail=f"{detail[:80]} {actor.name[:80]}".strip(),
    )
    desk.handle(HOUSE, refusal)
