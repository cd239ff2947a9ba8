"""What is new in scope, for a message: few names, indicators defanged, then how many more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from models.indicator import defang
from models.scope import type_of
from models.state import Incident

NAMED = 12


def new_in_scope(
    state: Incident, since: datetime, text: Callable[[str], str]
) -> Iterator[tuple[datetime, str]]:
    """When and what came into scope since an instant; a file of thousands is not read out."""
    found = [one for one in state.scope.values() if one.at >= since]
    for one in found[:NAMED]:
        name = text(one.name)
        yield one.at, defang(type_of(one, name), name) if one.kind == "indicator" else name
    if len(found) > NAMED:
        yield found[-1].at, f"… +{len(found) - NAMED}"
