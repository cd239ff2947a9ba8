"""Segments as objects with a retention: not even who has the store's key can delete them before its end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from models.errors import HikeshiError
from models.lines import Line
from models.relaying import ObjectRelay
from notifiers.objectstore import ObjectStore
from notifiers.relay.sealing import Seal
from notifiers.relay.sink import SinkError, SinkTaken, last_of, name_of, number_of


class ObjectSink:
    """One object a batch, numbered as segments are."""

    def __init__(
        self, store: ObjectStore, settings: ObjectRelay, now: Callable[[], datetime], seal: Seal | None = None
    ) -> None:
        self.texts = settings.texts
        self._store, self._now, self._prefix = store, now, settings.prefix
        self._retain, self._mode, self._seal = settings.retain, settings.mode, seal
        self._number: int | None = None
        self._doubt = b""

    def send(self, lines: Sequence[Line]) -> None:
        """Put one object. Raises SinkError."""
        body = b"".join(line.raw for line in lines)
        if self._seal is not None:
            body = self._seal(body)
        try:
            number = self._next()
            name = f"{self._prefix}{name_of(number, self._seal is not None)}"
            self._doubt = hashlib.sha256(body).digest()
            self._store.put_once(name, body, self._now() + self._retain, self._mode)
        except SinkError:
            raise
        except HikeshiError as failed:
            raise SinkError(str(failed)) from failed
        self._number, self._doubt = number, b""

    def last(self) -> dict[str, tuple[int, str]]:
        """What the last object ends with; nothing of a sealed one. Raises SinkError."""
        try:
            number = self._next() - 1
            name = f"{self._prefix}{name_of(number, False)}"
            return last_of(self._store.get(name)) if number and self._store.has(name) else {}
        except SinkError:
            raise
        except HikeshiError as failed:
            raise SinkError(str(failed)) from failed

    def close(self) -> None:
        """Nothing is open between two batches."""

    def _next(self) -> int:
        """The number of the next object, which nobody else has written."""
        if self._number is None:
            self._store.check_lock()
            names = self._store.names(f"{self._prefix}facts-")
            self._number = max((number_of(name) for name in names), default=0)
        number = self._number + 1
        for sealed in (False, True):
            name = f"{self._prefix}{name_of(number, sealed)}"
            if not self._store.has(name):
                continue
            if not self._doubt or hashlib.sha256(self._store.get(name)).digest() != self._doubt:
                raise SinkTaken(
                    f"{self._store.place}: {name} is somebody else's; does another node go on with this "
                    "record? Stop one of them, then start this one anew"
                )
            # It had arrived after all; what it held goes again under the next number.
            self._number, self._doubt = number, b""
            return self._next()
        return number
