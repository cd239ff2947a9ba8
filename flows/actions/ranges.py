"""The range of time that a collection asks for: as given, or from before the incident until now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flows.actions.values import ActionContext, Params
from models.clock import iso, parse_instant
from models.errors import ActionFailed, NaiveInstant
from models.targets import RANGE


@dataclass(frozen=True, kw_only=True)
class Range:
    """Both ends aware; `begins` is None if nothing says when to begin."""

    begins: datetime | None
    ends: datetime

    @property
    def begins_text(self) -> str:
        """The beginning for a custody form; empty if there is none."""
        return iso(self.begins) if self.begins is not None else ""

    @property
    def ends_text(self) -> str:
        """The end for a custody form."""
        return iso(self.ends)


def range_of(params: Params, context: ActionContext, before: timedelta) -> Range:
    """From `from` and `until` if they are given. Raises ActionFailed if they make no range."""
    given = {name: _instant(name, params[name]) for name in RANGE if params.get(name) not in {None, ""}}
    began = context.occasion.began
    begins = given.get("from", began - before if began is not None else None)
    ends = given.get("until", context.now)
    if begins is not None and begins >= ends:
        raise ActionFailed(
            f"nothing was asked: the range begins at {iso(begins)} and ends at {iso(ends)}; "
            "give another from or until"
        )
    return Range(begins=begins, ends=ends)


def without_range(params: Params) -> Params:
    """The parameters that are the target's own."""
    return {name: value for name, value in params.items() if name not in RANGE}


def _instant(name: str, value: object) -> datetime:
    try:
        return parse_instant(str(value))
    except NaiveInstant as wrong:
        raise ActionFailed(f"nothing was asked, {name}: {wrong}") from wrong
    except ValueError as wrong:
        raise ActionFailed(
            f"nothing was asked, {name}: expected an instant with its offset, "
            "such as 2026-11-23T03:00:00+09:00"
        ) from wrong
