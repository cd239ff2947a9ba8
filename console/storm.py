"""Storms of alerts: how many new matters a source brings in a minute, and which of them go together.

A storm is one alert on the table, or one incident, with a count. Its members are kept with their bytes.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from models.alerts import MAX_TITLE, ReadAlert
from models.desk import Desk

MINUTE = timedelta(minutes=1)
TITLES = {"ja": "アラート多発（{source}）: {title}", "en": "Alert storm ({source}): {title}"}


def matter(alert: ReadAlert) -> str:
    """The storm that an alert belongs to: what would be done about it names it, not what it says.

    So ransomware in the middle of a port scan is a storm of its own, and there are never more storms than
    playbooks times severities.
    """
    if alert.do == "keep":
        return "storm/keep"
    return f"storm/{alert.playbook or '-'}/{alert.severity or '-'}"


def title(source: str, first: str, lang: str) -> str:
    """What a storm is called: by its first alert."""
    return TITLES["en" if lang == "en" else "ja"].format(source=source, title=first)[:MAX_TITLE]


class Rates:
    """New matters in the last minute. Held by the one process that writes, and empty after its start: until
    it is full again, a storm that goes on is known by its open matter."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[datetime, int]]] = {}

    def last_minute(self, pace: str, now: datetime) -> int:
        """How many there were."""
        seen = self._seen.get(pace, deque())
        while seen and not now - MINUTE < seen[0][0] <= now:
            seen.popleft()
        return sum(many for _, many in seen)

    def add(self, pace: str, now: datetime, many: int) -> None:
        """So many came now. Kept by the second, so that a minute is never more than sixty figures."""
        second = now.replace(microsecond=0)
        seen = self._seen.setdefault(pace, deque())
        if seen and seen[-1][0] == second:
            seen[-1] = (second, seen[-1][1] + many)
        else:
            seen.append((second, many))


class _All:
    """The rates of each desk, as long as it lives."""

    def __init__(self) -> None:
        self._rates: WeakKeyDictionary[Desk, Rates] = WeakKeyDictionary()

    def of(self, desk: Desk) -> Rates:
        """Those of this desk."""
        return self._rates.setdefault(desk, Rates())


RATES = _All()
