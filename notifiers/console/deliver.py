"""Messages on the node's own screen: what works with nothing else set up, and the last channel to fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TextIO

from notifiers import rendering
from notifiers.console.screen import Screen
from notifiers.message import Delivery, Failed, Message, Sent
from notifiers.probing import Addressee, Finding, finding

WITHIN_SECONDS = 5.0
_RULE = "─" * 72
_KINDS = {"ja": {"page": "■ 呼出", "notice": "□ 通知"}, "en": {"page": "■ PAGE", "notice": "□ NOTICE"}}
_COLOURS = {"page": "bold red", "notice": "cyan"}


class ConsoleNotifier:
    """Writes each message as a block to `stream` (default: the standard output of the moment).

    Colour only adds to the words, and only on a terminal without NO_COLOR. A screen that takes nothing for
    `within_seconds` fails, so that the next channel gets the message; nothing else waits for it.
    """

    name = "console"
    can_read_back = False

    def __init__(self, stream: TextIO | None = None, within_seconds: float = WITHIN_SECONDS) -> None:
        self._stream = stream
        self._within = within_seconds
        self._screen = Screen()
        self._written = 0

    async def deliver(self, message: Message) -> Delivery:
        stream = self._stream or sys.stdout
        rendered = rendering.render(message)
        write = partial(_write, stream, _block(message, rendered), message.kind)
        try:
            if not await self._screen.write(write, self._within):
                return Failed(error="the console is not being read", retry="later")
        except TimeoutError:
            # Begun: if somebody reads on, it will be there after all.
            return Failed(error=f"the console has taken nothing for {self._within:g} s", retry="unclear")
        except (OSError, ValueError) as error:
            # ValueError: the stream was closed. Nobody watches it, so the next channel has to.
            return Failed(error=f"the console cannot be written: {error}", retry="later")
        self._written += 1
        return Sent(receipt=f"block {self._written}", rendering_failed=rendered.failed)

    async def arrived(self, message: Message) -> Sent | None:
        """A screen cannot be asked; always None."""
        return None

    async def probe(self, people: Sequence[Addressee]) -> list[Finding]:
        """A screen cannot be asked whether somebody looks at it: those who have nothing else are named."""
        return [finding(self.name, "console-only", one.person or one.address) for one in people]

    async def close(self) -> None:
        """Nothing is held open; the stream belongs to whoever gave it."""


def _block(message: Message, rendered: rendering.Rendered) -> str:
    kind = _KINDS[rendering.language(message.lang)].get(message.kind, message.kind)
    to = rendering.clean(message.address)
    body = "\n".join(f"  {line}".rstrip() for line in "\n\n".join(rendered.paragraphs).splitlines())
    return f"{_RULE}\n{kind} → {to}\n{rendered.head}\n\n{body}\n{_RULE}\n"


def _write(stream: TextIO, block: str, kind: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    # A terminal that cannot show Japanese gets question marks, not silence.
    shown = block.encode(encoding, "replace").decode(encoding)
    if stream.isatty() and "NO_COLOR" not in os.environ:
        _write_coloured(stream, shown, kind)
    else:
        stream.write(shown)
    stream.flush()


def _write_coloured(stream: TextIO, block: str, kind: str) -> None:
    from rich.console import Console  # noqa: PLC0415 costs 0.1 s, only for a terminal
    from rich.text import Text  # noqa: PLC0415

    rule, first, head, rest = block.split("\n", 3)
    style = _COLOURS.get(kind, "")
    text = Text.assemble(rule, "\n", (first, style), "\n", (head, style), "\n", rest)
    Console(file=stream, highlight=False, markup=False, emoji=False).print(text, soft_wrap=True, end="")
