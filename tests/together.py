"""Which tests run in one process, so that what they share is made once and not in each.

pytest-xdist has marks for this, which pytest 9.2 does not hear: node ids are no longer what it writes.
"""

from __future__ import annotations

from xdist.scheduler.loadscope import LoadScopeScheduling

TOGETHER = frozenset(
    {
        "tests/acceptance/test_drill_control.py",
        "tests/acceptance/test_drills_played.py",
        "tests/acceptance/test_replay_drills.py",
        "tests/acceptance/test_replayed_demo.py",
        "tests/acceptance/test_speed_and_pauses.py",
        "tests/console/test_anchoring.py",
        "tests/console/test_cli_replay.py",
        "tests/flows/test_engine.py",
        "tests/flows/test_respond_prefect.py",
    }
)
"""Files whose tests share something that takes seconds to make."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Each test by itself to whichever process is free, but those of these files together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid
