"""A process that writes until it is killed: declares, acknowledges, and says what it was told is stored."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.clock import ExerciseClock
from models.commands import Acknowledge, Declare, Note
from models.desk import Desk
from models.record import Record
from notifiers.file import FileNotifier
from notifiers.outbox import Outbox
from tests.models.small import AMY, NIGHT, by, open_desk


async def deliver(desk: Desk, path: Path) -> None:
    """Deliver the outbox once, into a file beside the record."""

    async def here(call: Callable[[], Any]) -> Any:
        return call()

    channel = FileNotifier(path.parent / "messages.jsonl")
    await Outbox(desk, {"console": channel, "file": channel}, here).drain()


def main(path: Path, what: str) -> None:
    record = Record.at(path)
    desk = open_desk(record=record, clock=ExerciseClock(NIGHT))
    if what == "deliver":
        desk.handle(None, Declare(actor=by(AMY), text="odd"))
    if what in {"deliver", "deliver-only"}:
        asyncio.run(deliver(desk, path))
        return
    stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
    print("stored", stream, desk.state(stream).seq, flush=True)
    desk.handle(stream, Acknowledge(actor=by(AMY)))
    print("stored", stream, desk.state(stream).seq, flush=True)
    for number in range(3):
        desk.handle(stream, Note(actor=by(AMY), text=str(number)))
        print("stored", stream, desk.state(stream).seq, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "write")
