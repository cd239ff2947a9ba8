"""Whether traffic may be sent to this node: for load balancers, containers and service managers.

Readiness is narrower than health. A node whose Slack is down is impaired, and still the one to send alerts
to; a node that cannot write takes nothing, however well the rest of it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from console.opening import House
from models import migrations

NEEDED = ("record", "watch", "outbox")
"""What the node says of itself that keeps traffic away: it cannot write, or one of its loops stands still."""


class Readiness:
    """Looks at what an answer would need. Call `problems` in the thread that has the record."""

    def __init__(self, house: House) -> None:
        self._house = house
        found = make_url(house.record.url)
        lies_in_file = found.get_backend_name() == "sqlite" and found.database
        self._file = Path(found.database) if lies_in_file and found.database else None
        self._was = _identity(self._file)

    def problems(self, status: Mapping[str, Any]) -> dict[str, str]:
        """What is in the way, by what it is; empty if nothing is. Raises RecordError."""
        said = status.get("impaired") or {}
        found = {name: str(said[name]) for name in NEEDED if isinstance(said, Mapping) and name in said}
        if _identity(self._file) != self._was:
            # An open file can be written on for hours after it was moved away, for nobody.
            found["record"] = f"{self._file} is not the file that was opened; put it back, then restart"
            return found
        with self._house.record.read() as tx:
            schema = migrations.version(tx.connection)
        if schema is None or schema not in migrations.KNOWN:
            found["schema"] = f"the record's schema is {schema}, this node knows up to {migrations.HEAD}"
        return found


def _identity(file: Path | None) -> tuple[int, int] | None:
    if file is None:
        return None
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
