"""The command line against a node elsewhere: parsed here, done there, shown as if it had been done here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.cli.session import Session

URL = "HIKESHI_URL"
OF_THE_RECORD = frozenset({"page-now", "relay now", "checkpoint now"})
"""Commands that do something with the record that lies on the node's machine."""


def is_remote(session: Session) -> bool:
    """Whether a node elsewhere is meant. `--dir` names a directory on this machine, and that goes first."""
    given = session.given
    if not os.environ.get(URL) or given.house is not None or given.visitor is not None or given.directory:
        return False
    from console.operations.exposure import ALSO, NOT_OFFERED  # noqa: PLC0415
    from console.rights import ACTS, LOOKS  # noqa: PLC0415

    name = session.surface
    return name in OF_THE_RECORD or any(name in table for table in (LOOKS, ACTS, ALSO, NOT_OFFERED))
