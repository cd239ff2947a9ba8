"""How the web reaches the record: by work handed to the one thread that writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from console.opening import House
    from console.web.changes import Changes

T = TypeVar("T")


class Run(Protocol):
    """Runs a function in the writer's thread; what it returns or raises comes back."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, kw_only=True)
class Station:
    """Where the war room stands: a house, what runs a function in its thread, what has changed."""

    house: House
    run: Run
    changes: Changes
    status: Callable[[], Mapping[str, Any]] = dict
    """What the node last knew of itself; from any thread."""
    aside: Station | None = None
    """Where what takes long is done, so that nobody waits for it; None: in the same place."""
