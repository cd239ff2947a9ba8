"""`python -m tests.security.bounded`: renders drafts within a second and 256 MB, and says what came of it.

A process of its own, so that what breaks the bounds breaks nothing else.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from types import FrameType
from typing import Any

from models.clock import monotonic
from models.errors import HikeshiError
from models.expression import calls_in
from playbooks.drafts import render_draft

SECONDS, MEGABYTES = 1.0, 256
SLACK = 10
"""How much longer a machine may take that is busy with other tests."""
SERVICES = [f"service-number-{number}" for number in range(40)]
NAMES: dict[str, Any] = {
    "incident": {"id": "INC-2026-0001", "title": "x" * 300, "severity": "high", "declared_at": "x"},
    "organisation": {"name": "みほん銀行"},
    "services": SERVICES,
    "now": "2026-11-23 03:00",
    "var": lambda name: "x" * 8_000,
    "output": lambda step, field: "x" * 8_000,
}


class TooLong(BaseException):
    """The time is over; nothing that catches errors catches this."""


def _over(signum: int, frame: FrameType | None) -> None:
    raise TooLong


def _held() -> int:
    """Bytes of this process's address space."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def tried(source: str) -> str:
    """`refused`, `rendered: LENGTH`, or how it broke its bounds."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS * SLACK)
    try:
        return f"rendered: {len(render_draft(source, NAMES))}"
    except HikeshiError:
        return "refused"
    except MemoryError:
        return f"more than {MEGABYTES} MB"
    except TooLong:
        return f"more than {SECONDS * SLACK:g} s"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def condition(source: str) -> str:
    """The same for a condition, which is only read."""
    try:
        calls_in(source)
    except HikeshiError:
        return "refused"
    return "taken"


def main() -> None:
    """A list of drafts on standard input, a list of outcomes on standard output."""
    asked = json.loads(sys.stdin.read())
    signal.signal(signal.SIGALRM, _over)
    render_draft("{{ now }}", NAMES)
    most = _held() + MEGABYTES * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    found = []
    for source in asked:
        began = monotonic()
        found.append(
            [tried(source), condition(source.removeprefix("{{").removesuffix("}}")), monotonic() - began]
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
