"""What all collectors share: one object taken piece by piece, within caps and time, kept whole or marked.

Which way it fails: what came before a connection broke is kept and says so. What could not be written whole
(a full disk) is not kept at all, since its digest would be of something that never was.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from flows.actions.values import ActionContext, ActionResult, CollectedItem, LeftOut, stored_as
from models.clock import iso, monotonic
from models.crashpoint import crash_point
from models.errors import ActionFailed, SourceUnreachable

PIECE_BYTES = 1 << 18
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
GRACE_SECONDS = 15.0
"""Longer than a connection, or the end of a command, may take by itself."""
MAX_LEFT_OUT = 200
MAX_NAMED = 5


class Span:
    """The time that a collection has, and the clock by which it says when something was taken."""

    def __init__(self, context: ActionContext) -> None:
        self._begun = monotonic()
        self._at = context.now
        self.seconds = context.timeout_seconds
        self.stopped = threading.Event()
        self._on_stop: list[Callable[[], object]] = []

    def now(self) -> datetime:
        """The instant, counted from that of the context, so that a demo's fixed clock goes on."""
        return self._at + timedelta(seconds=monotonic() - self._begun)

    def left(self) -> float:
        """Seconds that are left; never less than 0."""
        return max(0.0, self.seconds - (monotonic() - self._begun))

    def over(self) -> str | None:
        """Why it ends here: stopped, or the time is over."""
        if self.stopped.is_set():
            return "stopped"
        return f"the time of {self.seconds:g} s is over" if self.left() <= 0 else None

    def when_stopped(self, close: Callable[[], object]) -> None:
        """What to close so that a thread that waits for the other side comes back."""
        self._on_stop.append(close)

    def stop(self) -> None:
        """From outside: end it now."""
        self.stopped.set()
        for close in self._on_stop:
            close()


async def in_thread(work: Callable[[Span], ActionResult], context: ActionContext) -> ActionResult:
    """Run a blocking collector in a thread of its own; a cancellation closes what it waits for.

    A source that leaves a question unanswered is left a grace after the time, whatever the library waits for.
    """
    span = Span(context)
    running = asyncio.create_task(asyncio.to_thread(work, span))
    try:
        await asyncio.wait({running}, timeout=span.seconds + GRACE_SECONDS)
        if not running.done():
            span.stop()
            await asyncio.wait({running}, timeout=GRACE_SECONDS)
        if not running.done():
            why = f"it gave no answer, the time of {span.seconds:g} s is over"
            raise unreachable("the source", why, context.kept)
        return await running
    except asyncio.CancelledError:
        span.stop()
        await asyncio.gather(running, return_exceptions=True)
        raise


class Taking:
    """One object on its way. Leave the `with` without `keep`, and nothing of it is left."""

    def __init__(self, context: ActionContext, about: CollectedItem, room: int) -> None:
        """`about` is what is known of it beforehand; `room` how many bytes may be taken."""
        self._context = context
        self._about = about
        self._room = room
        self.cut = False
        try:
            self._writer = context.writer()
        except OSError as wrong:
            raise _unwritable(wrong) from wrong

    def about(self, **more: object) -> None:
        """Something more is known of it by now."""
        self._about = replace(self._about, **more)  # type: ignore[arg-type]

    @property
    def size(self) -> int:
        """Bytes taken until now."""
        return self._writer.size

    @property
    def digest(self) -> str:
        """Of what was taken until now."""
        return self._writer.digest

    def add(self, piece: bytes) -> bool:
        """Take a piece; False once there is no room for more. Raises ActionFailed if it cannot be written."""
        room = self._room - self._writer.size
        self.cut = self.cut or len(piece) > room
        try:
            self._writer.write(piece[:room] if self.cut else piece)
        except OSError as wrong:
            raise _unwritable(wrong) from wrong
        crash_point("taken")
        self._context.progress(self._about.name, self._writer.size)
        return not self.cut

    def keep(self, *problems: str | None) -> CollectedItem:
        """Put it under its digest; what is wrong with it goes along. Raises ActionFailed."""
        wrong = [one for one in problems if one]
        if self.cut:
            wrong.append(f"cut after {self._room} bytes")
        try:
            self._writer.keep()
        except OSError as failed:
            raise _unwritable(failed) from failed
        item = replace(self._about, problem="; ".join(wrong) or None, **stored_as(self._writer))
        self._context.kept.append(item)
        crash_point("kept")
        return item

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        # Its own buffer may not fit on a full disk either; the part goes all the same.
        try:
            self._writer.__exit__(None, None, None)
        except OSError:
            self._writer.__exit__(None, None, None)


def _unwritable(wrong: OSError) -> ActionFailed:
    return ActionFailed(
        f"the evidence folder cannot be written: {wrong.strerror}; make room there, then collect again"
    )


def about(name: str, source: str, span: Span, **more: object) -> CollectedItem:
    """What is known of an object before its bytes are."""
    item = CollectedItem(
        name=readable(name),
        digest="",
        size=0,
        stored="",
        source=readable(source),
        collected_at=iso(span.now()),
    )
    return replace(item, **more)  # type: ignore[arg-type]


@dataclass
class Haul:
    """What a collection of several objects has come to."""

    items: list[CollectedItem] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    left_out_count: int = 0
    partial: str | None = None

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(item.size for item in self.items)

    def leave(self, source: str, reason: str) -> None:
        """Something was asked for and not taken; the first of them are named."""
        self.left_out_count += 1
        if len(self.left_out) < MAX_LEFT_OUT:
            self.left_out.append(LeftOut(source=readable(source), reason=reason))

    def result(self, where: str, word: str = "files") -> ActionResult:
        """What was taken. Raises ActionFailed if that is nothing: an empty collection preserves nothing."""
        if not self.items:
            reasons = [f"{each.source}: {each.reason}" for each in self.left_out[:MAX_NAMED]]
            why = "; ".join([*([self.partial] if self.partial else []), *reasons]) or "nothing there fits"
            raise ActionFailed(f"nothing was collected from {where}: {why}")
        partial = self.partial or next((item.problem for item in self.items if item.problem), None)
        outputs = {
            "files": str(len(self.items)),
            "bytes": str(self.size),
            "partial": "yes" if partial else "no",
            "left_out": str(self.left_out_count),
        }
        counts = f"{len(self.items)} {word}, {self.size} bytes, {self.left_out_count} left out"
        return ActionResult(
            outputs=outputs,
            summary=f"{counts}; partial: {partial}" if partial else counts,
            evidence=tuple(self.items),
            left_out=tuple(self.left_out),
        )


def unreachable(where: str, why: str, kept: Iterable[CollectedItem] = ()) -> SourceUnreachable:
    """The error of a source that does not give what it has; says what was kept of it all the same."""
    digests = [item.digest for item in kept]
    also = f"; kept of it: {', '.join(digests[:MAX_NAMED])}" if digests else "; nothing was collected"
    return SourceUnreachable(f"{where}: {why}{also}")


def readable(text: str) -> str:
    """A name as text that can be stored: bytes that are no UTF-8, and control characters, are spelt out."""
    try:
        raw = os.fsencode(text)
    except UnicodeEncodeError:
        # A surrogate that stands for no byte of a name: only JSON brings such.
        raw = text.encode("utf-8", "backslashreplace")
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
