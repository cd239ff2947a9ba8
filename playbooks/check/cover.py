"""A level that nobody can answer at some hour of the next 90 days: found by asking, not by guessing.

Answers change only where a shift, an override or an absence begins or ends, so each such stretch is asked
about once, exactly, and the hours are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from models.directory import Directory, Holder
from models.policy import STEP_ROLES, Route
from playbooks.check.view import View
from playbooks.defect import Defect
from playbooks.document import KeyPath

AHEAD = timedelta(days=90)


def defects(view: View) -> Iterator[Defect]:
    """Levels and last resorts with hours at which nobody can be reached."""
    routes, directory = view.contents.routes, view.directory
    if routes is None or directory is None:
        return
    document = view.document("routes.yaml")
    watch = _Watch(view, directory)
    for number, route in enumerate(routes.routes):
        for path, to, channels in _rungs(number, route):
            if _told_elsewhere(view, to):
                continue
            if gap := watch.gap(to, channels):
                yield document.defect(
                    path,
                    f"nobody can answer {', '.join(to)} {gap}",
                    "somebody at every hour of the next 90 days",
                )


def _told_elsewhere(view: View, to: tuple[str, ...]) -> bool:
    """Whether the gap only follows from a name that is wrong, which has its own defect."""
    rotas = {rota.id: rota for rota in view.organisation.rotas} if view.organisation else {}
    for who in to:
        if who not in view.roles and who not in view.people:
            return True
        rota = rotas.get(view.roles[who].rota or "") if who in view.roles else None
        if rota and any(name not in view.people for shift in rota.shifts for name in shift.people):
            return True
    return not any(view.candidates(who) for who in to)


def _rungs(number: int, route: Route) -> Iterator[tuple[KeyPath, tuple[str, ...], tuple[str, ...]]]:
    rungs = [(("levels", place), level.to, level.channels) for place, level in enumerate(route.levels)]
    for where, to, channels in (*rungs, (("exhausted",), route.exhausted.to, ())):
        if not set(to) & set(STEP_ROLES):  # whom a step names is looked at with the step
            yield ("routes", number, *where, "to"), to, channels


class _Watch:
    """Asks the directory about each stretch of the time ahead, once for each set of people."""

    def __init__(self, view: View, directory: Directory) -> None:
        self._directory = directory
        self._zone = ZoneInfo(directory.organisation.zone)
        end = view.now + AHEAD
        self._stretches = list(pairwise((*directory.changes(view.now, end), end)))
        self._usable = view.channels
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}

    def gap(self, to: tuple[str, ...], channels: tuple[str, ...]) -> str:
        """From when, and for how many hours in all, nobody can be reached; empty if there is no gap."""
        key = (to, channels)
        if key not in self._known:
            self._known[key] = self._find(to, channels)
        return self._known[key]

    def _find(self, to: tuple[str, ...], channels: tuple[str, ...]) -> str:
        first: datetime | None = None
        total = timedelta(0)
        for since, until in self._stretches:
            if not self._reached(to, channels, since):
                first = first or since
                total += until - since
        if first is None:
            return ""
        hours = total / timedelta(hours=1)
        local = first.astimezone(self._zone)
        return f"from {local:%Y-%m-%d %H:%M} ({local:%Z}), {hours:.3g} hours in all"

    def _reached(self, to: tuple[str, ...], channels: tuple[str, ...], at: datetime) -> bool:
        return any(
            self._answers(holder, channels) for who in to for holder in self._directory.holders(who, at)
        )

    def _answers(self, holder: Holder, channels: tuple[str, ...]) -> bool:
        person = holder.person
        return any(
            name in self._usable and person.address(name) is not None for name in channels or person.channels
        )
