"""Named points at which a test kills this process. They cost nothing when off.

`HIKESHI_CRASH_AT=name` kills the process with SIGKILL when it reaches the point; `name:3` at the third time.
"""

from __future__ import annotations

import os
import signal

_WANTED = os.environ.get("HIKESHI_CRASH_AT", "")

if _WANTED:
    _name, _, _times = _WANTED.partition(":")
    _left = [int(_times or 1)]

    def crash_point(name: str) -> None:
        """Die here if the environment says so."""
        if name == _name:
            _left[0] -= 1
            if _left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

else:

    def crash_point(name: str) -> None:
        """Nothing: no test asks for a crash."""
