"""What a part does when another version has taken the record over: it says so, and makes way.

It writes nothing any more. For a few seconds it still answers, so that whoever looks is told; then it ends
with a code of its own, at which nobody should start it again: the same version would only be refused anew.
"""

from __future__ import annotations

import logging
import sys

from models.errors import HikeshiError, NameTaken, RecordElsewhere, RecordTooNew

OUTDATED = 78
"""The exit code of a part that would only be refused again (`EX_CONFIG`): nobody starts it anew."""
REFUSED = 1
LINGER_SECONDS = 3.0
IMPAIRED = "version"
log = logging.getLogger("hikeshi.version")


def said_of(newer: RecordTooNew) -> dict[str, str]:
    """Say in the log why a part stands down; what is impaired from now on."""
    log.error("%s", newer)
    return {IMPAIRED: str(newer)}


def ended_by(failed: HikeshiError | OSError) -> int:
    """Say why the process ends, and return its exit code."""
    print(f"hikeshi: {failed}", file=sys.stderr)
    return OUTDATED if isinstance(failed, RecordTooNew | RecordElsewhere | NameTaken) else REFUSED
