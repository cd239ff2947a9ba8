"""How the web reaches the record: by work handed to the one thread that writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Run(Protocol):
    """Runs a function in the writer's thread; what it returns or raises comes back."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...
