"""What a process is working on at the moment, for its log: carried along by calls, written by nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NONE: Mapping[str, str | int] = MappingProxyType({})
_subject: ContextVar[Mapping[str, str | int]] = ContextVar("subject", default=_NONE)


def subject() -> Mapping[str, str | int]:
    """The ids of what is being worked on: incident, fact, key, step, request."""
    return _subject.get()


@contextmanager
def working_on(**ids: str | int) -> Iterator[None]:
    """Within this, log lines carry these ids; ids only, never a title or a name."""
    before = _subject.set({**_subject.get(), **ids})
    try:
        yield
    finally:
        _subject.reset(before)
