"""How the web reaches the record: by work handed to the one thread that writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from console.opening import House
    from console.web.changes import Changes

T = TypeVar("T")


class Run(Protocol):
    """Runs a function in the writer's thread; what it returns or raises comes back."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, kw_only=True)
class Station:
    """Where the war room stands: a house, what runs a function in its thread, and what has changed there."""

    house: House
    run: Run
    changes: Changes
    aside: Station | None = None
    """Where what takes long is done, so that nobody waits for it; None: in the same place."""
